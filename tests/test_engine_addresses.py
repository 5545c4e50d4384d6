"""Addresses of warehouses never show a password, and what is missing is said in one line."""

import subprocess
import sys

import pytest

import salesforecast as sf
from salesforecast import engine, warehouse
from salesforecast.errors import BadValue, StoreError
from salesforecast.warehouse.address import Address, masked


def test_a_password_in_an_address_is_refused_and_not_repeated():
    for address in ("postgresql://ann:s3cret@db/sales", "postgresql:///sales?user=ann&password=s3cret"):
        with pytest.raises(BadValue, match="PGPASSWORD") as caught:
            sf.open(address)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("postgresql://ann@db:5433/sales", {"host": "db", "port": "5433", "user": "ann", "dbname": "sales"}),
        ("postgresql:/ann@db/sales", {"host": "db", "user": "ann", "dbname": "sales"}),  # a path of the command line
        ("postgres:///sales?host=/run/pg", {"host": "/run/pg", "dbname": "sales"}),
        (
            "postgresql+psycopg://ann:p%40ss@db/sales",
            {"host": "db", "user": "ann", "password": "p@ss", "dbname": "sales"},
        ),
    ],
)
def test_addresses_are_read_as_libpq_reads_them(address, options):
    assert Address.of(address).options == options


@pytest.mark.parametrize("address", ["postgresql://ann:s3/cret@db/sales", "postgresql://ann:s3cret@db:x/sales"])
def test_an_address_that_cannot_be_read_is_not_repeated(address):
    with pytest.raises(BadValue, match="address cannot be read") as caught:
        Address.of(address)
    assert "cret" not in str(caught.value)


def test_messages_of_a_server_lose_the_password():
    address = Address.of("postgresql://ann:s3cret@db/sales?sslpassword=key")
    assert (
        address.without_secrets('user "ann" with s3cret and key failed\nmore') == 'user "ann" with *** and *** failed'
    )
    assert "s3cret" not in repr(address) + masked("postgresql://ann:s3cret@db/sales")


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("SALES_STORE", raising=False)
    with pytest.raises(StoreError, match="SALES_STORE is not set"):
        sf.open("env:SALES_STORE")


@pytest.mark.parametrize(("address", "extra"), [("postgresql://db/sales", "sql"), ("spark:lake", "spark")])
def test_a_missing_extra_names_the_command(address, extra, monkeypatch):
    for name in ("sqlglot", "psycopg", "pyspark", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("base", "dialect", "postgres", "spark"):
        monkeypatch.delitem(sys.modules, f"salesforecast.warehouse.{name}", raising=False)
        monkeypatch.delattr(warehouse, name, raising=False)
    with pytest.raises(StoreError, match=rf"pip install 'salesforecast\[{extra}\]'"):
        sf.open(address)


def test_nothing_is_written_to_a_warehouse():
    with pytest.raises(StoreError, match="A warehouse is only read"):
        engine.connect("postgresql://db/sales", write=True)


def test_a_file_needs_no_extra(make_store):
    store = make_store(transactions={"txn_id": ["1"], "date": ["2026-01-05"], "amount": [1.0]})
    code = (
        "import sys, salesforecast as sf\n"
        "with sf.open(sys.argv[1]) as wb: wb.sql('SELECT 1')\n"
        "print({'sqlglot', 'psycopg', 'pyspark', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, store], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
