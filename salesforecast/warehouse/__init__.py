"""Stores that have outgrown one file: the same queries on PostgreSQL and Spark, for reading.

    wb = sf.open("postgresql://reader@db.company.cn/sales?schema=crm")   # extra [sql]; password: ~/.pgpass, PGPASSWORD
    wb = sf.open("spark:/data/sales")                                    # extra [spark]: a folder of Parquet files
    wb = sf.open("spark:///main.sales")                                  # a schema of the running session's catalog
    wb = sf.open("env:SALES_STORE")                                      # whatever address the variable holds

`copy_store` brings a DuckDB store there. Imports go into a DuckDB file only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from salesforecast.errors import StoreError
from salesforecast.warehouse.address import resolve

if TYPE_CHECKING:
    from salesforecast.warehouse.base import Warehouse

_LIBRARIES = ("psycopg", "pyarrow", "pyspark", "sqlglot")


def connect(address: str) -> Warehouse:
    """Open a warehouse by its address, or by `env:NAME` of the variable that holds it.

    Raises `StoreError` when the extra is not installed, nothing answers, or no table of a store is there, and
    `BadValue` for an address that cannot be read or has a password in it.
    """
    address = resolve(address)
    with _extra(address) as extra:
        if extra == "spark":
            from salesforecast.warehouse import spark

            return spark.connect(address)
        from salesforecast.warehouse import postgres

        return postgres.connect(address)


def copy_store(store: str | Path, address: str, *, replace: bool = False) -> dict[str, int]:
    """Bring every table of a DuckDB store to a warehouse; return table → rows.

    PostgreSQL: tables of the schema (made when missing), all or nothing. Spark: `spark:FOLDER`, one Parquet file a
    table, which needs no Spark. Tables that are there already are left alone and refused, unless `replace` is set.

    Raises `StoreError`.

    >>> copy_store("sales.duckdb", "postgresql://loader@db/sales?schema=crm")["transactions"]  # doctest: +SKIP
    37508
    """
    address = resolve(address)
    with _extra(address) as extra:
        if extra == "spark":
            from salesforecast.warehouse import spark

            return spark.fill(store, address, replace)
        from salesforecast.warehouse import postgres

        return postgres.fill(store, address, replace)


@contextmanager
def _extra(address: str) -> Iterator[str]:
    extra = "spark" if address.startswith("spark:") else "sql"
    try:
        yield extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        raise StoreError(
            f"A store at {address.partition(':')[0]}: needs {error.name}, which is not installed. "
            f"Install the extra: pip install 'salesforecast[{extra}]'"
        ) from None
