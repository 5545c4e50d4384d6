"""Import from a database: the rows of one query, streamed into the same pipeline as a file.

The query runs in a transaction that may not write. Passwords stay out of reports, errors, recipes and the store.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from salesforecast.errors import BadInput, BadValue, lookup
from salesforecast.load.importer import import_files
from salesforecast.load.report import ImportReport
from salesforecast.schema import TABLES
from salesforecast.settings import Settings, locate, settings_of

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

BATCH_ROWS = 10_000
_SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


def import_sql(
    url: str,
    query: str | Path,
    into: str | Path,
    *,
    table: str | None = None,
    mapping: Mapping[str, Any] | None = None,
    preset: str = "auto",
    source: str | None = None,
    settings: Settings | str | Path | None = None,
    dry_run: bool = False,
    **options: Any,
) -> ImportReport:
    """Import the rows of a query on PostgreSQL, MySQL, SQLite or another database that SQLAlchemy speaks to.

    `url` is a database URL (`postgresql://user@host/sales`, `mysql+pymysql://…`, `sqlite:///crm.db`), or `env:NAME` for
    one in an environment variable, which keeps the password out of notebooks. `query` is one SELECT, or the path of a
    file that ends in `.sql`. The columns of the result are the headers: they are recognised, cleaned and checked as
    those of a file, in the same transaction and with the same report, whose file is `query on DATABASE`. `table` says
    which canonical table the rows are; `mapping` is then its entry, else it is that of `import_files`, as are the other
    options.

    Needs the extra `salesforecast[sql]`; for MySQL also its driver. Raises `BadInput` for a database that cannot be
    reached, a query that fails, writes or gives no rows, and `UnknownName` for a table that does not exist.

    >>> import sqlite3, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> crm = sqlite3.connect(folder / "crm.db")
    >>> _ = crm.execute("CREATE TABLE o AS SELECT 'A1' AS order_id, '2026-01-05' AS order_date, 12.5 AS amount")
    >>> crm.commit()
    >>> crm.close()
    >>> report = import_sql(f"sqlite:///{folder}/crm.db", "SELECT * FROM o", folder / "s.duckdb")  # doctest: +SKIP
    >>> report.files[["file", "table", "stored"]].values.tolist()                                  # doctest: +SKIP
    [['query on crm', 'transactions', 1]]
    """
    limits = settings_of(into, settings).imports
    text = _text_of(query)
    address = _address(url)
    name = Path(address.database or address.host or address.drivername).stem
    title = re.sub(r"[^\w .-]", "_", f"query on {name}")
    if table is not None:
        lookup(TABLES, table, "table")
        mapping = _of_table(table, mapping, title)
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as folder:
        path = Path(folder) / title
        with _reading(address) as connection:
            _write(connection, text, path, title, limits.rows)
        try:
            report = import_files(
                path, into, preset=preset, mapping=mapping, source=source, settings=settings, dry_run=dry_run, **options
            )
        except BadInput as error:
            raise type(error)(str(error).replace("Export it again", "Change the query")) from None
    shown = url if url.startswith("env:") else address.render_as_string(hide_password=True)
    arguments = {**report.arguments, "url": shown, "query": text}
    del arguments["paths"]
    return replace(report, arguments=arguments)


def _of_table(table: str, mapping: Mapping[str, Any] | None, title: str) -> dict[str, Any]:
    """Return a mapping that makes the one source, `title`, the table."""
    given = dict(mapping or {})
    if given and set(given) <= set(TABLES):
        if set(given) != {table}:
            raise BadValue(
                f"table={table!r}, but the mapping is for {', '.join(sorted(given))}. Leave one of them out."
            )
        given = dict(given[table])
    return {table: {"from": title, **given}}


def _text_of(query: str | Path) -> str:
    """Return the query itself: read from a file, if need be, and only a SELECT."""
    if isinstance(query, Path) or str(query).strip().lower().endswith(".sql"):
        path = locate(str(query).strip())
        try:
            query = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInput(f"The query cannot be read from {path}: {reason}.") from None
    text = query.strip().rstrip(";").rstrip()
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL).strip()
    if not re.match(r"(select|with|values|table|from)\b", bare, re.IGNORECASE):
        raise BadInput(f"The query has to be one SELECT, found {bare[:40]!r}. Imports never write to a database.")
    return text


def _address(url: str) -> URL:
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise BadInput('Databases need one more package: pip install "salesforecast[sql]"') from None
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        if not os.environ.get(name):
            raise BadInput(f"The environment variable {name} is not set. Set it to the URL of the database.")
        url = os.environ[name]
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise BadInput(
            "That is no URL of a database. Expected something like postgresql://user@host/sales or sqlite:///crm.db."
        ) from None
    if address.drivername in _DRIVERS:
        address = address.set(drivername=_DRIVERS[address.drivername])
    if address.get_backend_name() == "sqlite":
        place = locate(address.database or "")
        if not place.is_file():
            raise BadInput(f"No SQLite database at {address.database}. Give the path after sqlite:///.")
        address = address.set(database=str(place))
    return address


@contextmanager
def _reading(address: URL) -> Iterator[Connection]:
    """Open a connection that cannot write; what goes wrong is told without the password."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(address)
    except (ImportError, SQLAlchemyError) as error:
        raise BadInput(
            f"No driver for {address.drivername}: {_safe(error, address)}. Install it, such as pip install pymysql for "
            "mysql+pymysql://."
        ) from None
    try:
        with engine.connect() as connection:
            statement = _READ_ONLY.get(address.get_backend_name())
            if statement:
                connection.execute(text(statement))
            try:
                yield connection
            finally:
                connection.rollback()
    except (SQLAlchemyError, OSError) as error:
        raise BadInput(f"The database {_shown(address)} says: {_safe(error, address)}. Check URL and query.") from None
    finally:
        engine.dispose()


def _write(connection: Connection, query: str, path: Path, title: str, most: int) -> None:
    """Write the result of a query as a CSV file, batch by batch."""
    from sqlalchemy import text as sql

    streamed = connection.execution_options(stream_results=True, yield_per=BATCH_ROWS)
    result = streamed.execute(sql(query.replace(":", "\\:")))  # a colon is no parameter, a percent sign none either
    if not result.returns_rows:
        raise BadInput(f"The {title} gives no rows: it is no SELECT. Imports never write to a database.")
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(result.keys())
        for batch in result.partitions(BATCH_ROWS):
            rows += len(batch)
            if rows > most:
                raise BadInput(f"The {title} gives over {most:,} rows (rows in [import] of salesforecast.toml).")
            writer.writerows([_text(value) for value in row] for row in batch)
    if not rows:
        raise BadInput(f"The {title} gives no rows. Change the query.")


def _text(value: Any) -> str:
    """Return a value of a database as the text of an export."""
    if value is None:
        return ""
    read = _TEXTS.get(type(value))
    return read(value) if read else str(value).replace("\0", "")


def _moment(value: dt.datetime) -> str:
    if value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ") + "Z"
    return value.isoformat(sep=" ")


def _fraction(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    float: _fraction,
    Decimal: lambda value: "" if value.is_nan() else format(value, "f"),
    dt.datetime: _moment,
    dt.date: dt.date.isoformat,
    bytes: lambda value: value.decode("utf-8", "replace").replace("\0", ""),
    list: lambda value: "; ".join(map(_text, value)),
}


def _shown(address: URL) -> str:
    return address.set(query={}).render_as_string(hide_password=True)


def _safe(error: Exception, address: URL) -> str:
    """Return the first line of an error without the secrets of the URL."""
    first = next((line for line in str(getattr(error, "orig", None) or error).splitlines() if line.strip()), "")
    secrets = [str(address.password or ""), *(str(v) for k, v in address.query.items() if _SECRET.search(k))]
    for secret in secrets:
        for form in (secret, quote_plus(secret)):
            first = first.replace(form, "***") if form else first
    return (first or type(error).__name__).strip().rstrip(".")
