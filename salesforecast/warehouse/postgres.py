"""PostgreSQL as a store: one read-only connection, with views and tables of its own in a temporary schema."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from salesforecast import engine as store_file
from salesforecast.engine import literal, quote
from salesforecast.errors import BadValue, StoreError
from salesforecast.warehouse.address import Address
from salesforecast.warehouse.base import Warehouse, check_found, declared, extra_columns, typed_frame, written_names
from salesforecast.warehouse.dialect import STORE, translate

if TYPE_CHECKING:
    import pandas as pd

CONNECT_SECONDS = 10
_TYPES = {"VARCHAR": "text", "DOUBLE": "double precision", "DECIMAL(18,4)": "numeric(18,4)"}
# Types of results by their number in PostgreSQL's catalog.
_KINDS = {
    **dict.fromkeys((20, 21, 23), "integer"), **dict.fromkeys((700, 701, 1700), "float"), 16: "flag", 1082: "date",
    1114: "timestamp", **dict.fromkeys((25, 1042, 1043), "text"),
}  # fmt: skip
# Days and instants read and print in one way, whatever the server's own settings are.
_SESSION = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on; "


class Postgres(Warehouse):
    """A schema of a PostgreSQL database as a store. Use `connect`."""

    def __init__(self, connection: psycopg.Connection, address: Address, found: Mapping[str, Sequence[str]]) -> None:
        super().__init__(address.label, found)
        self._connection = connection
        self._address = address
        for table, columns in declared().items():
            self._view(STORE + table, _declared_view(address.schema, table, columns, found.get(table)))

    def close(self) -> None:
        """End the session, which drops its views; calling it twice does no harm."""
        self._connection.close()

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the result of a query as Python tuples; `$name` in the text is filled from `params`."""
        return self._run(translate(sql, "postgres", params)).fetchall()

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the result of a query as a pandas frame; money arrives as float64."""
        found = self._run(translate(sql, "postgres", params))
        heads = found.description or []
        rows = found.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(heads)
        kinds = [_KINDS.get(each.type_code, "other") for each in heads]
        return typed_frame(written_names(sql, [each.name for each in heads]), kinds, columns)

    def names(self, relation: str) -> list[str]:
        """Return the columns of a view of this session."""
        return [each.name for each in self._run(f"SELECT * FROM {quote(relation)} LIMIT 0").description or []]

    def view(self, name: str, query: str) -> None:
        """Give a query a name in this session; it is computed whenever it is asked."""
        self._view(name, translate(query, "postgres"))

    def keep(self, name: str, query: str) -> None:
        """Give the result of a query a name in this session; it is computed once."""
        self._make(f"CREATE TEMP TABLE {quote(name)} AS {translate(query, 'postgres')}", f"ANALYZE {quote(name)}")

    def put(self, name: str, frame: pd.DataFrame, days: Sequence[str] = ()) -> None:
        """Make a frame a table of this session; `days` are its columns that become dates."""
        columns = ", ".join(f"{quote(each)} {_type_of(frame[each], each in days)}" for each in frame.columns)
        with self._writing() as cursor:
            cursor.execute(f"CREATE TEMP TABLE {quote(name)} ({columns})")
            with cursor.copy(f"COPY {quote(name)} FROM STDIN") as copy:
                for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None):
                    copy.write_row(row)
            cursor.execute(f"ANALYZE {quote(name)}")

    def fingerprint(self, relation: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the number of rows and the sum of their MD5 hashes (the first 60 bits)."""
        row = f"ROW({', '.join(quote(each) for each in columns)})::text"
        found = self._run(
            f"SELECT count(*), sum(('x' || left(md5({row}), 15))::bit(60)::bigint) FROM {quote(relation)}"
        )
        return tuple(map(str, found.fetchone() or ()))

    def _run(self, sql: str) -> psycopg.Cursor:
        try:
            return self._connection.execute(sql.encode())
        except psycopg.OperationalError as error:
            raise StoreError(f"{self.label} does not answer: {self._address.without_secrets(str(error))}") from None
        except psycopg.Error as error:  # a wrong name or type in an analyst's query
            reason = self._address.without_secrets(str(error))
            raise BadValue(f"The query cannot be run on PostgreSQL: {reason}") from None

    def _view(self, name: str, query: str) -> None:
        self._make(f"CREATE TEMP VIEW {quote(name)} AS {query}")

    def _make(self, *statements: str) -> None:
        with self._writing() as cursor:
            for each in statements:
                cursor.execute(each.encode())

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Cursor]:
        """Let statements make temporary views and tables; everything else of the session is read-only."""
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ WRITE")
                yield cursor
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise StoreError(
                f"{self.label} cannot be read as a store: {self._address.without_secrets(str(error))}. The role needs "
                "USAGE on the schema, SELECT on its tables and TEMPORARY on the database, which must not be a standby."
            ) from None
        except psycopg.Error as error:
            reason = self._address.without_secrets(str(error))
            raise StoreError(f"{self.label} cannot be read as a store: {reason}") from None


def connect(address: str) -> Postgres:
    """Open a schema as a store: `postgresql://USER@HOST:PORT/DATABASE?schema=SCHEMA` (default schema: public).

    Everything libpq knows works: PGPASSWORD, ~/.pgpass, services, `?sslmode=require`, `?host=/run/postgresql`.
    Raises `StoreError` when nothing answers or the schema has none of the tables.
    """
    place = Address.of(address)
    connection = _session(place)
    try:
        connection.execute("SET default_transaction_read_only = on")
        found = _tables(connection, place.schema)
        check_found(found, place.label)
        return Postgres(connection, place, found)
    except BaseException:
        connection.close()
        raise


def fill(store: str | Path, address: str, replace: bool) -> dict[str, int]:
    """Copy every table of a DuckDB store into a schema; see `warehouse.copy_store`."""
    place = Address.of(address)
    copied = {}
    with store_file.connect(store) as source, _session(place) as target, tempfile.TemporaryDirectory() as folder:
        present = set(_tables(target, place.schema)) & set(declared())
        if present and not replace:
            raise StoreError(
                f"{place.label} has {', '.join(sorted(present))} already. Copy with replace=True, or elsewhere."
            )
        try:
            with target.transaction(), target.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [place.schema])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE SCHEMA {quote(place.schema)}".encode())
                for table in declared():
                    copied[table] = _copy(source, cursor, table, place.schema, Path(folder) / "table.csv")
        except psycopg.Error as error:
            raise StoreError(f"{place.label} cannot be filled: {place.without_secrets(str(error))}") from None
    return copied


def _session(place: Address) -> psycopg.Connection:
    options = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "salesforecast", **place.options}
    try:
        connection = psycopg.connect(autocommit=True, client_encoding="utf8", **options)  # type: ignore[arg-type]
        connection.execute(_SESSION)
    except psycopg.Error as error:
        raise StoreError(f"{place.label} cannot be reached: {place.without_secrets(str(error))}") from None
    return connection


def _tables(connection: psycopg.Connection, schema: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum",
        [schema],
    ):
        found.setdefault(table, []).append(column)
    return found


def _declared_view(schema: str, table: str, columns: Mapping[str, str], present: Sequence[str] | None) -> str:
    """Return the query of a table in its declared types; what is not there is empty.

    Text is compared and ordered by its bytes, as DuckDB does, whatever the database's language is.
    """
    parts = [
        f"CAST({quote(name) if name in (present or ()) else 'NULL'} AS {_type(kind)}){_collated(kind)} AS {quote(name)}"
        for name, kind in columns.items()
    ]
    if present is None:
        return f"SELECT {', '.join(parts)} WHERE false"
    parts += [f'CAST({quote(name)} AS text) COLLATE "C" AS {quote(name)}' for name in extra_columns(present)]
    return f"SELECT {', '.join(parts)} FROM {quote(schema)}.{quote(table)}"


def _type(kind: str) -> str:
    return _TYPES.get(kind, kind.lower())


def _collated(kind: str) -> str:
    return ' COLLATE "C"' if kind == "VARCHAR" else ""


def _type_of(values: pd.Series, day: bool) -> str:
    from pandas.api import types

    if day:
        return "date"
    if types.is_bool_dtype(values):
        return "boolean"
    if types.is_integer_dtype(values):
        return "bigint"
    return "double precision" if types.is_float_dtype(values) else 'text COLLATE "C"'


def _copy(source: store_file.Engine, cursor: psycopg.Cursor, table: str, schema: str, path: Path) -> int:
    """Copy one table through a file: both engines write and read CSV far faster than rows pass through Python."""
    kinds = dict(
        source.rows(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'store' AND table_name = $table "
            "ORDER BY column_index",
            {"table": table},
        )
    )
    # PostgreSQL stores no NUL character.
    chosen = [
        f"replace({quote(name)}, chr(0), '') AS {quote(name)}" if kind == "VARCHAR" else quote(name)
        for name, kind in kinds.items()
    ]
    source.execute(
        f"COPY (SELECT {', '.join(chosen)} FROM store.{quote(table)}) TO {literal(str(path))} "
        "(FORMAT csv, HEADER false, NULLSTR '', FORCE_QUOTE *)"
    )
    target = f"{quote(schema)}.{quote(table)}"
    columns = ", ".join(f"{quote(name)} {_type(kind)}{_collated(kind)}" for name, kind in kinds.items())
    cursor.execute(f"DROP TABLE IF EXISTS {target}".encode())
    cursor.execute(f"CREATE TABLE {target} ({columns})".encode())
    with path.open("rb") as file, cursor.copy(f"COPY {target} FROM STDIN (FORMAT csv, NULL '')".encode()) as copy:
        while block := file.read(1 << 20):
            copy.write(block)
    cursor.execute(f"ANALYZE {target}".encode())
    return int(cursor.execute(f"SELECT count(*) FROM {target}".encode()).fetchone()[0])  # type: ignore[index]
