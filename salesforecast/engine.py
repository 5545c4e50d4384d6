"""The store: one DuckDB file holds the canonical tables. What any engine must do for a workbench is `Reader`.

The file is attached as `store` to an in-memory database, so that views and scratch tables of a session never touch it.
DuckDB lets many processes read a file only while none writes; a writer therefore waits briefly, then says who is in
the way.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadValue, StoreBusy, StoreError
from salesforecast.schema import PROVENANCE, SQL_TYPES, TABLES, Table

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

APPLICATION = "salesforecast"
SCHEMA_VERSION = 2
WAIT_SECONDS = 5.0

# What is stored beside the 12 tables: each import and each refused row, each dated export of deals, and what an import
# has to know to be taken back (load/ledger.py) or a person to stay erased (load/erasure.py).
_BOOKKEEPING = {
    "imports": (
        "import_id BIGINT, file VARCHAR, sheet VARCHAR, table_name VARCHAR, source VARCHAR, sha256 VARCHAR, "
        "rows_read BIGINT, rows_stored BIGINT, rows_rejected BIGINT, rows_excluded BIGINT, "
        "rows_replaced BIGINT, mapping VARCHAR, notes VARCHAR, imported_at TIMESTAMP, "
        "rows_derived BIGINT, exported_on DATE, profile VARCHAR, undo VARCHAR"
    ),
    "rejected": (
        "import_id BIGINT, file VARCHAR, row_number BIGINT, table_name VARCHAR, column_name VARCHAR, "
        "rule VARCHAR, value VARCHAR, message VARCHAR"
    ),
    "deal_snapshots": (
        "import_id BIGINT, source VARCHAR, exported_on DATE, source_row BIGINT, deal_id VARCHAR, record_type VARCHAR, "
        "stage VARCHAR, status VARCHAR, amount DECIMAL(18,4), expected_close DATE, probability DOUBLE, "
        "forecast_category VARCHAR, owner_id VARCHAR, created_at TIMESTAMP, stage_entered_at TIMESTAMP"
    ),
    "resolved": (
        "import_id BIGINT, table_name VARCHAR, column_name VARCHAR, row_import BIGINT, row_key VARCHAR, name VARCHAR"
    ),
    "built_on": "import_id BIGINT, on_import BIGINT",
    "erased": "kind VARCHAR, digest VARCHAR, alias VARCHAR, erased_at TIMESTAMP",
}

# version -> what brings a store of that version to the next one; columns added to the schema need no entry.
MIGRATIONS: dict[int, Callable[[Engine], None]] = {}


class Reader(ABC):
    """What a workbench asks of an engine: the tables below `store`, and views of its own beside them.

    Queries are written for DuckDB; an engine that is another runs them with the same meaning (see `warehouse`).
    `path` is the file of a store; a warehouse has its address there, without the password.
    """

    path: Path

    @property
    @abstractmethod
    def label(self) -> str:
        """What messages call the store; never a password."""

    @property
    @abstractmethod
    def filling(self) -> str:
        """How rows get in, as the end of a message."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held; calling it twice does no harm."""

    @abstractmethod
    def check(self, query: str) -> None:
        """Raise `BadValue` for anything but one SELECT."""

    @abstractmethod
    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the result of a query as Python tuples; `$name` in the text is filled from `params`."""

    @abstractmethod
    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the result of a query as a pandas frame; money arrives as float64.

        Raises `BadValue` for a query that cannot be run.
        """

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """Return the columns of a table of the store, extra `x_` columns included."""

    @abstractmethod
    def names(self, relation: str) -> list[str]:
        """Return the columns of a view of this session."""

    @abstractmethod
    def view(self, name: str, query: str) -> None:
        """Give a query a name in this session; it is computed whenever it is asked."""

    @abstractmethod
    def keep(self, name: str, query: str) -> None:
        """Give the result of a query a name in this session; it is computed once."""

    @abstractmethod
    def put(self, name: str, frame: pd.DataFrame, days: Sequence[str] = ()) -> None:
        """Make a frame a table of this session; `days` are its columns that become dates."""

    @abstractmethod
    def fingerprint(self, relation: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return what changes when the content of these columns does, whatever the order of rows.

        Comparable between calls on one engine, not between engines.
        """

    def count(self, table: str) -> int:
        """Return the number of rows of a table of the store."""
        return int(self.rows(f"SELECT count(*) FROM store.{quote(table)}")[0][0])


class Engine(Reader):
    """A connection to one DuckDB store. Use `connect`; close it, or use it in a `with` block."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, *, writable: bool) -> None:
        self._connection = connection
        self.path = path
        self.writable = writable

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def label(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def filling(self) -> str:
        """The command that imports into this file."""
        return f"import it with: salesforecast import FILES --into {self.path.name}"

    def close(self) -> None:
        """Release the file; calling it twice does no harm."""
        self._connection.close()

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Run one statement that returns nothing; `$name` in the text is filled from `params`."""
        self._connection.execute(sql, dict(params or {}))

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the result of a query as Python tuples."""
        return self._connection.execute(sql, dict(params or {})).fetchall()

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the result of a query as a pandas frame; money arrives as float64."""
        import duckdb

        try:
            return self._connection.execute(sql, dict(params or {})).df()
        except duckdb.ProgrammingError as error:  # a wrong name or type in an analyst's query
            raise BadValue(f"The query cannot be run: {_first_line(error)}") from None

    def check(self, query: str) -> None:
        """Raise `BadValue` for anything but one SELECT."""
        parsed = json.loads(str(self.rows("SELECT json_serialize_sql($query::VARCHAR)", {"query": query})[0][0]))
        if parsed["error"]:
            raise BadValue(f"wb.sql takes one SELECT: {parsed['error_message']}")
        if len(parsed["statements"]) != 1:
            raise BadValue(f"wb.sql takes one SELECT, found {len(parsed['statements'])} statements.")

    def names(self, relation: str) -> list[str]:
        """Return the columns of a view of this session."""
        return [row[0] for row in self.rows(f"DESCRIBE {quote(relation)}")]

    def view(self, name: str, query: str) -> None:
        """Give a query a name in this session; it is computed whenever it is asked."""
        self.execute(f"CREATE TEMP VIEW {quote(name)} AS {query}")

    def keep(self, name: str, query: str) -> None:
        """Give the result of a query a name in this session; it is computed once."""
        self.execute(f"CREATE TEMP TABLE {quote(name)} AS {query}")

    def put(self, name: str, frame: pd.DataFrame, days: Sequence[str] = ()) -> None:
        """Make a frame a table of this session; `days` are its columns that become dates."""
        self.register("_incoming", frame)
        casts = ", ".join(f"CAST({quote(each)} AS DATE) AS {quote(each)}" for each in days)
        self.keep(name, f"SELECT *{f' REPLACE ({casts})' if casts else ''} FROM _incoming")
        self.execute("DROP VIEW _incoming")

    def fingerprint(self, relation: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the number of rows and the sum of their hashes."""
        hashed = ", ".join(quote(each) for each in columns)
        return tuple(map(str, self.rows(f"SELECT count(*), sum(hash({hashed})::HUGEINT) FROM {quote(relation)}")[0]))

    def register(self, name: str, frame: pd.DataFrame) -> None:
        """Make a frame readable as a table of that name in this session."""
        # A copy, because DuckDB cannot read frames that are views with negative strides.
        self._connection.register(name, frame.copy())

    def copy_to(self, path: Path) -> None:
        """Write all that is stored into a new file; bytes of deleted rows stay behind."""
        self._connection.execute(f"ATTACH {literal(str(path))} AS fresh")
        self._connection.execute("COPY FROM DATABASE store TO fresh")
        self._connection.execute("DETACH fresh")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: an exception inside leaves the store as it was."""
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def columns(self, table: str) -> list[str]:
        """Return the columns of a table of the store, extra `x_` columns included."""
        return [
            row[0]
            for row in self.rows(
                "SELECT column_name FROM duckdb_columns() WHERE database_name = 'store' AND table_name = $table "
                "ORDER BY column_index",
                {"table": table},
            )
        ]


def bookkeeping() -> dict[str, dict[str, str]]:
    """Return the tables beside the 12: name → column → SQL type.

    >>> bookkeeping()["rejected"]["row_number"]
    'BIGINT'
    """
    return {
        name: dict(column.split(" ", 1) for column in columns.split(", ")) for name, columns in _BOOKKEEPING.items()
    }


def is_address(store: str | Path) -> bool:
    """Say whether a store is the address of a warehouse, or `env:NAME` for one, instead of a file.

    >>> is_address("postgresql://sales@db/company"), is_address("data/demo/demo.duckdb")
    (True, False)
    """
    return bool(re.match(r"(?:postgres(?:ql)?(?:\+\w+)?|spark|env):", str(store)))


def connect(path: str | Path, *, write: bool = False, wait: float = WAIT_SECONDS) -> Engine:
    """Open a store; with `write=True` a missing one is created.

    A store of an older schema version is migrated first. Raises `StoreError` when the file is missing, is not a
    salesforecast store or comes from a newer version, and `StoreBusy` when another process holds it for longer than
    `wait` seconds.
    """
    if is_address(path):
        raise StoreError(
            "A warehouse is only read; imports and forecasts are stored in a DuckDB file. Import into a file, then "
            "bring it there: salesforecast.warehouse.copy_store(FILE, ADDRESS)"
        )
    path = Path(path)
    exists = path.exists()
    if not exists and not write:
        raise StoreError(f"No store at {path}. Import files first: salesforecast import FILES --into {path}")
    if exists and not _is_duckdb(path):
        raise StoreError(f"{path} is not a salesforecast store. Import into another path: --into sales.duckdb")
    if not path.parent.is_dir():
        raise StoreError(f"No folder {path.parent} for the store {path.name}. Create it first.")
    engine = _attach(path, write=write, wait=wait)
    try:
        if not exists:
            _create(engine)
        version = _version(engine)
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} has schema version {version}; this salesforecast knows up to {SCHEMA_VERSION}. "
                "Upgrade salesforecast, or import your files into a new store."
            )
        if version == SCHEMA_VERSION:
            return engine
    except BaseException:
        engine.close()
        raise
    engine.close()
    with _attach(path, write=True) as writer:
        _migrate(writer, version)
    return _attach(path, write=write, wait=wait)


def quote(name: str) -> str:
    """Quote an identifier, so that a column name from a file stays a name.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text value for the few statements that take no parameters.

    >>> literal("O'Neill")
    "'O''Neill'"
    """
    return "'" + text.replace("'", "''") + "'"


def _is_duckdb(path: Path) -> bool:
    """Look for DuckDB's mark ourselves: DuckDB attaches tables and empty files too, by their ending."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _attach(path: Path, *, write: bool, wait: float = WAIT_SECONDS) -> Engine:
    import duckdb

    deadline = time.monotonic() + wait
    while True:
        # Extensions would be fetched from the network; everything used here is built in. What does not fit into
        # memory is spilled to the system's folder for such files, not to the user's.
        connection = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "temp_directory": tempfile.gettempdir(),
            },
        )
        try:
            connection.execute(f"ATTACH {literal(str(path))} AS store{'' if write else ' (READ_ONLY)'}")
        except duckdb.IOException as error:
            connection.close()
            if "lock" not in str(error):
                raise StoreError(f"{path} is not a salesforecast store: {_first_line(error)}") from None
            if time.monotonic() > deadline:
                holder = re.search(r"PID (\d+)", str(error))
                who = f"process {holder.group(1)}" if holder else "another process"
                raise StoreBusy(f"{path} is in use by {who}. Close it there, then try again.") from None
            time.sleep(0.1)
        except duckdb.Error as error:
            connection.close()
            if "already attached" in str(error):
                raise StoreBusy(
                    f"{path} is open in this process. Close it first: wb.close(), or `with sf.open(...) as wb`."
                ) from None
            raise StoreError(f"{path} cannot be opened: {_first_line(error)}") from None
        else:
            return Engine(connection, path, writable=write)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _create(engine: Engine) -> None:
    with engine.transaction():
        engine.execute("CREATE TABLE store.meta (key VARCHAR PRIMARY KEY, value VARCHAR)")
        engine.execute(
            "INSERT INTO store.meta VALUES ('application', $application), ('schema_version', $version)",
            {"application": APPLICATION, "version": str(SCHEMA_VERSION)},
        )
        for name, columns in _BOOKKEEPING.items():
            engine.execute(f"CREATE TABLE store.{name} ({columns})")
        for table in TABLES.values():
            engine.execute(f"CREATE TABLE store.{table.name} ({_columns_sql(table)})")


def _columns_sql(table: Table) -> str:
    return ", ".join(f"{quote(each.name)} {SQL_TYPES[each.kind]}" for each in (*table.columns, *PROVENANCE))


def _version(engine: Engine) -> int:
    found = engine.rows("SELECT count(*) FROM duckdb_tables() WHERE database_name = 'store' AND table_name = 'meta'")
    values = dict(engine.rows("SELECT key, value FROM store.meta")) if found[0][0] else {}
    if values.get("application") != APPLICATION:
        raise StoreError(f"{engine.path} is a DuckDB file, but not a salesforecast store. Import into another path.")
    return int(values["schema_version"])


def _migrate(engine: Engine, version: int) -> None:
    """Bring a store forward, one version at a time, then add the tables and columns it lacks."""
    with engine.transaction():
        for step in range(version, SCHEMA_VERSION):
            if step in MIGRATIONS:
                MIGRATIONS[step](engine)
        for name, columns in _BOOKKEEPING.items():
            engine.execute(f"CREATE TABLE IF NOT EXISTS store.{name} ({columns})")
            for declared in columns.split(", "):
                engine.execute(f"ALTER TABLE store.{name} ADD COLUMN IF NOT EXISTS {declared}")
        for table in TABLES.values():
            present = set(engine.columns(table.name))
            if not present:
                engine.execute(f"CREATE TABLE store.{table.name} ({_columns_sql(table)})")
                continue
            for column in (*table.columns, *PROVENANCE):
                if column.name not in present:
                    engine.execute(
                        f"ALTER TABLE store.{table.name} ADD COLUMN {quote(column.name)} {SQL_TYPES[column.kind]}"
                    )
        engine.execute(
            "UPDATE store.meta SET value = $version WHERE key = 'schema_version'",
            {"version": str(SCHEMA_VERSION)},
        )
