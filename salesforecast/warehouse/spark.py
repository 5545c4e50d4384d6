"""Spark as a store: Parquet files of a folder or tables of a catalog, and views in a session of the workbench's own."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from salesforecast import engine as store_file
from salesforecast.engine import literal, quote
from salesforecast.errors import BadValue, StoreError
from salesforecast.warehouse.base import Warehouse, check_found, declared, extra_columns, typed_frame
from salesforecast.warehouse.dialect import STORE, translate

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"VARCHAR": "STRING", "TIMESTAMP": "TIMESTAMP_NTZ"}
_SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true", "spark.sql.caseSensitive": "false"}


class Spark(Warehouse):
    """A folder of Parquet files, or a schema of a catalog, as a store. Use `connect`."""

    def __init__(self, session: SparkSession, label: str, found: Mapping[str, DataFrame]) -> None:
        super().__init__(label, {name: table.columns for name, table in found.items()})
        self._session = session
        self._kept: list[DataFrame] = []
        self._views: list[str] = []
        for table, columns in declared().items():
            self._name(STORE + table, _declared_view(session, columns, found.get(table)))

    def close(self) -> None:
        """Forget what was kept; the Spark session goes on. Calling it twice does no harm."""
        while self._kept:
            self._kept.pop().unpersist()
        while self._views:
            self._session.catalog.dropTempView(self._views.pop())

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the result of a query as Python tuples; `$name` in the text is filled from `params`."""
        with _query_errors():
            return [tuple(row) for row in self._session.sql(translate(sql, "spark", params)).collect()]

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the result of a query as a pandas frame; money arrives as float64."""
        with _query_errors():
            table = self._session.sql(translate(sql, "spark", params)).toArrow()
        columns = [_plain(column) for column in table.columns]
        return typed_frame(
            table.column_names, [_kind(each.type) for each in columns], (each.to_pylist() for each in columns)
        )

    def names(self, relation: str) -> list[str]:
        """Return the columns of a view of this session."""
        return self._session.table(relation).columns

    def view(self, name: str, query: str) -> None:
        """Give a query a name in this session; it is computed whenever it is asked."""
        with _query_errors():
            self._name(name, self._session.sql(translate(query, "spark")))

    def keep(self, name: str, query: str) -> None:
        """Give the result of a query a name in this session; Spark computes it once, when it is first asked."""
        with _query_errors():
            kept = self._session.sql(translate(query, "spark")).persist()
        self._kept.append(kept)
        self._name(name, kept)

    def put(self, name: str, frame: pd.DataFrame, days: Sequence[str] = ()) -> None:
        """Make a frame a table of this session; `days` are its columns that become dates."""
        arrays = {
            each: pa.array(frame[each].astype(object).where(frame[each].notna(), None).tolist())
            for each in frame.columns
        }
        table = pa.table({each: array.cast(pa.date32()) if each in days else array for each, array in arrays.items()})
        self._name(name, self._session.createDataFrame(table))

    def fingerprint(self, relation: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the number of rows and the sum of their hashes (xxHash64 of the row as JSON)."""
        row = f"to_json(struct({', '.join(f'`{each}`' for each in columns)}))"
        found = self._session.sql(
            f"SELECT count(*), sum(CAST(xxhash64({row}) AS DECIMAL(38, 0))) FROM `{relation}`"
        ).collect()
        return tuple(map(str, found[0]))

    def _name(self, name: str, table: DataFrame) -> None:
        table.createOrReplaceTempView(name)
        self._views.append(name)


def connect(address: str) -> Spark:
    """Open a store that Spark reads.

    `spark:FOLDER` reads FOLDER/transactions.parquet and so on (files or folders, with or without the ending; FOLDER
    may be any address Spark reads, such as `spark:s3a://bucket/sales`). `spark:///SCHEMA` reads the tables of a schema
    of the catalog, `spark://HOST:PORT/SCHEMA` those of a cluster. The running session is used, else a local one starts.

    Raises `StoreError` when Spark does not start or none of the tables is there.
    """
    found: Mapping[str, DataFrame]
    cluster = re.fullmatch(r"spark://([^/]*)/([\w.]+)", address)
    if cluster:
        session = _session(cluster[1])
        read: list[Callable[[str], DataFrame]] = [lambda table: session.table(f"{cluster[2]}.{table}")]
    elif address.startswith("spark://"):
        raise BadValue(
            f"The address {address} names no schema. Write spark:FOLDER, spark:///SCHEMA or spark://HOST:PORT/SCHEMA."
        )
    else:
        folder = address.removeprefix("spark:").rstrip("/")
        if "://" not in folder and not Path(folder).is_dir():
            raise StoreError(f"No folder {folder}. Fill it: salesforecast.warehouse.copy_store(FILE, {address!r})")
        session = _session("")
        read = [
            lambda table: session.read.parquet(f"{folder}/{table}.parquet"),
            lambda table: session.read.parquet(f"{folder}/{table}"),
        ]
    found = {table: frame for table in declared() for frame in [_first(read, table)] if frame is not None}
    check_found(set(found), address)
    return Spark(session, address, found)


def fill(store: str | Path, address: str, replace: bool) -> dict[str, int]:
    """Write every table of a DuckDB store as Parquet files of a folder; see `warehouse.copy_store`."""
    folder = Path(address.removeprefix("spark:"))
    if "://" in address:
        raise StoreError(
            f"A store is copied to a local folder, spark:FOLDER, not to {address}. Upload the files from there."
        )
    copied = {}
    with store_file.connect(store) as source:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            present = sorted(each.name for each in folder.glob("*.parquet") if each.stem in declared())
            if present and not replace:
                raise StoreError(f"{folder} has {', '.join(present)} already. Copy with replace=True, or elsewhere.")
            for table in declared():
                copied[table] = source.count(table)
                path, made = folder / f"{table}.parquet", folder / f".{table}.parquet"
                source.execute(f"COPY (FROM store.{quote(table)}) TO {literal(str(made))} (FORMAT parquet)")
                made.replace(path)
        except OSError as error:
            raise StoreError(f"{folder} cannot be filled: {error.strerror}.") from None
    return copied


def _session(master: str) -> SparkSession:
    """Return a session of the workbench's own, with views of its own, on the Spark that runs."""
    try:
        with warnings.catch_warnings():
            # pyspark warns of pandas 3 when its own tests are imported; no frame passes through its pandas parts here.
            warnings.filterwarnings("ignore", "PySpark does not yet", FutureWarning)
            session = (SparkSession.getActiveSession() or _started(master)).newSession()
    except (PySparkException, OSError) as error:
        raise StoreError(
            f"Spark cannot be started: {_first_line(error)} It needs Java 17 and, without a network, SPARK_LOCAL_IP."
        ) from None
    for name, value in _SETTINGS.items():
        session.conf.set(name, value)
    return session


def _started(master: str) -> SparkSession:
    builder = SparkSession.builder.appName("salesforecast").config("spark.ui.enabled", "false")
    if master:
        builder = builder.master(f"spark://{master}")
    else:
        # Plans over small tables spend their time on starting tasks; two for each core are plenty on one machine.
        tasks = str(2 * (os.cpu_count() or 1))
        builder = builder.master("local[*]").config("spark.sql.shuffle.partitions", tasks)
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _first(read: Sequence[Callable[[str], DataFrame]], table: str) -> DataFrame | None:
    for each in read:
        try:
            return each(table)
        except AnalysisException as error:
            if error.getCondition() not in ("PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND"):
                raise StoreError(f"Table {table} cannot be read: {_first_line(error)}") from None
    return None


def _declared_view(session: SparkSession, columns: Mapping[str, str], found: DataFrame | None) -> DataFrame:
    """Return a table in its declared types; what is not there is empty."""
    present = {each.lower() for each in found.columns} if found is not None else set()
    parts = [
        f"CAST({f'`{name}`' if name in present else 'NULL'} AS {_TYPES.get(kind, kind)}) AS `{name}`"
        for name, kind in columns.items()
    ]
    if found is None:
        return session.range(0).selectExpr(*parts)
    own = [each.replace("`", "``") for each in extra_columns(found.columns)]
    return found.selectExpr(*parts, *(f"CAST(`{each}` AS STRING) AS `{each}`" for each in own))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column


def _kind(type: pa.DataType) -> str:
    tests = {
        "integer": pa.types.is_integer, "float": pa.types.is_floating, "flag": pa.types.is_boolean,
        "date": pa.types.is_date, "timestamp": pa.types.is_timestamp, "text": _is_text,
    }  # fmt: skip
    return next((kind for kind, test in tests.items() if test(type)), "other")


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type))


@contextmanager
def _query_errors() -> Iterator[None]:
    try:
        yield
    except PySparkException as error:  # a wrong name or type in an analyst's query
        raise BadValue(f"The query cannot be run on Spark: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
