"""PostgreSQL and Spark as stores: what is there, what is missing, and that nothing is written."""

import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import warehouse
from salesforecast.errors import BadValue, NoData, StoreError

pytestmark = pytest.mark.slow

# In a Chinese database "b" sorts before "C"; by its bytes, as in a DuckDB file, it comes after.
SALES = {
    "txn_id": ["1", "2", "3", "4"], "txn_type": ["order", "order", "return", "order"],
    "date": ["2026-01-05", "2026-01-06", "2026-01-07", "2026-02-05"], "amount": [100.0, 50.5, 20.0, 1.0],
    "region": ["b", "C", "b", "华东"], "customer_id": ["k1", "k1", "k1", None], "order_id": ["A", None, None, "B"],
}  # fmt: skip


@pytest.fixture
def lake(make_store, spark_session, tmp_path):
    warehouse.copy_store(make_store(transactions=SALES), f"spark:{tmp_path / 'lake'}")
    return f"spark:{tmp_path / 'lake'}"


@pytest.fixture
def database(make_store, postgres):
    warehouse.copy_store(make_store(transactions=SALES), f"{postgres}&schema=small", replace=True)
    return f"{postgres}&schema=small"


@pytest.fixture
def server(postgres):
    """A connection of the owner, for what a warehouse would not do."""
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("where", ["lake", "database"])
def test_an_analysis_answers_as_from_a_file(where, request, make_store):
    address, file = request.getfixturevalue(where), make_store().with_name("sales.duckdb")
    with sf.open(address) as there, sf.open(file) as here:
        pd.testing.assert_frame_equal(sf.sales.kpis(there, "2026-01"), sf.sales.kpis(here, "2026-01"))
        pd.testing.assert_frame_equal(sf.panel(there, by="region"), sf.panel(here, by="region"))
        pd.testing.assert_frame_equal(there.table("transactions"), here.table("transactions"))
        assert there.members("region") == here.members("region") == ["C", "b", "华东"]
        assert there.sql("SELECT sum(amount) / 0 AS Nothing FROM sales")["Nothing"].isna().all()
        with pytest.raises(NoData, match="fill it in the warehouse"):
            there.require("deals")


@pytest.mark.parametrize("where", ["lake", "database"])
def test_the_hash_changes_with_the_content_only(where, request):
    address = request.getfixturevalue(where)
    with sf.open(address) as one, sf.open(address) as two, sf.open(address, as_of="2026-01-31") as earlier:
        assert one.data_hash == two.data_hash
        moved = (
            "SELECT NULL AS a, 'x' AS b UNION ALL SELECT 'y', NULL",
            "SELECT 'x' AS a, NULL AS b UNION ALL SELECT 'y', NULL",
        )
        for name, query in zip(("first", "second"), moved, strict=True):
            one.engine.keep(name, query)
        assert one.engine.fingerprint("first", ["a", "b"]) != one.engine.fingerprint("second", ["a", "b"])
        assert earlier.data_hash != one.data_hash


@pytest.mark.parametrize("where", ["lake", "database"])
def test_a_wrong_query_is_one_line(where, request):
    with sf.open(request.getfixturevalue(where)) as wb:
        with pytest.raises(BadValue, match=r"cannot be run on (Spark|PostgreSQL).*amont") as caught:
            wb.sql("SELECT amont FROM sales")
        assert "\n" not in str(caught.value)
        with pytest.raises(BadValue, match="takes one SELECT"):
            wb.sql("DELETE FROM sales")
        assert wb.sql("SELECT count(*) AS n FROM sales")["n"].tolist() == [4]  # the session goes on


@pytest.mark.parametrize("where", ["lake", "database"])
def test_a_copy_replaces_nothing_unasked(where, request, make_store):
    address = request.getfixturevalue(where)
    with pytest.raises(StoreError, match=r"already. Copy with replace=True"):
        warehouse.copy_store(make_store().with_name("sales.duckdb"), address)


def test_awkward_texts_arrive_as_they_are(make_store, postgres, spark_session, tmp_path):
    texts = ["", "\\N", "\\.", 'a"b', "a,b\nc\r\n", "'", "x\ty", "NULL", "龙🐉", " "]
    store = make_store(transactions={"txn_id": texts, "date": "2026-01-05", "amount": 1.0, "customer_id": texts[::-1]})
    for address in (f"{postgres}&schema=awkward", f"spark:{tmp_path / 'awkward'}"):
        warehouse.copy_store(store, address)
        with sf.open(address) as wb:
            found = wb.table("transactions").sort_values("row_key", key=lambda each: each.astype(int))
            assert found["txn_id"].tolist() == texts
            assert [
                wb.sql("SELECT count(*) AS n FROM transactions WHERE txn_id = $t", t=each)["n"][0] for each in texts
            ] == [1] * 10


def test_tables_of_ones_own_may_lack_columns_and_have_other_types(postgres, server):
    server.execute("CREATE SCHEMA own")
    server.execute("CREATE TABLE own.lines (id int, day text, amount real, region varchar(9), batch int, x_plan int)")
    server.execute("INSERT INTO own.lines VALUES (1, '2026-01-05', 2.5, '华东', 7, 3)")
    server.execute(
        "CREATE VIEW own.transactions AS SELECT id AS txn_id, 'order' AS txn_type, day AS date, * FROM own.lines"
    )
    with sf.open(f"{postgres}&schema=own") as wb:
        assert wb.sql("SELECT amount, region, x_plan FROM sales").values.tolist() == [[2.5, "华东", "3"]]
        assert "batch" not in wb.table("transactions")
        assert not wb.has("deals")
        assert sf.quality.imports(wb).empty


def test_the_session_cannot_write(database):
    with sf.open(database) as wb:
        for statement in ("CREATE TABLE small.mine (a int)", "DELETE FROM small.transactions"):
            with pytest.raises(BadValue, match="read-only"):
                wb.engine._run(statement)


def test_a_role_without_temporary_tables_is_told_what_it_needs(database, postgres, server):
    for each in (
        "CREATE ROLE reader LOGIN", "REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC",
        "GRANT USAGE ON SCHEMA small TO reader", "GRANT SELECT ON ALL TABLES IN SCHEMA small TO reader",
    ):  # fmt: skip
        server.execute(each)
    address = database.replace("user=tester", "user=reader")
    with pytest.raises(StoreError, match="TEMPORARY on the database"):
        sf.open(address)
    server.execute("GRANT TEMPORARY ON DATABASE postgres TO reader")
    with sf.open(address) as wb:
        assert len(wb.table("transactions")) == 4


def test_what_is_missing_is_said(postgres, spark_session, tmp_path, monkeypatch):
    with pytest.raises(StoreError, match=r"No table of a store .*schema=nowhere: expected some of transactions"):
        sf.open(f"{postgres}&schema=nowhere")
    with pytest.raises(StoreError, match="cannot be reached"):
        sf.open("postgresql://ann@127.0.0.1:1/sales")
    monkeypatch.setenv("SALES_STORE", "postgresql://ann:s3cret@127.0.0.1:1/sales")
    with pytest.raises(StoreError, match=r"ann:\*\*\*@127.* cannot be reached") as caught:
        sf.open("env:SALES_STORE")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(StoreError, match="No folder"):
        sf.open(f"spark:{tmp_path / 'nowhere'}")
    with pytest.raises(StoreError, match="No table of a store"):
        sf.open(f"spark:{tmp_path}")
    with pytest.raises(BadValue, match="names no schema"):
        sf.open("spark://host:7077")


def test_a_schema_of_the_catalog_is_a_store(lake, spark_session):
    folder = lake.removeprefix("spark:")
    spark_session.sql(f"CREATE DATABASE sales LOCATION '{folder}/catalog'")
    spark_session.sql(f"CREATE TABLE sales.transactions USING parquet LOCATION '{folder}/transactions.parquet'")
    with sf.open("spark:///sales", basis="order") as wb:
        assert wb.sql("SELECT sum(amount) AS amount FROM sales")["amount"].tolist() == [131.5]
