import subprocess
import sys

import duckdb
import pandas as pd
import pytest

from salesforecast import engine
from salesforecast.errors import BadValue, StoreBusy, StoreError
from salesforecast.schema import TABLES


def test_a_new_store_has_all_twelve_tables(tmp_path):
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        assert len(TABLES) == 12
        for name in TABLES:
            assert store.count(name) == 0


def test_a_missing_store_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="salesforecast import"):
        engine.connect(tmp_path / "s.duckdb")


@pytest.mark.parametrize("content", [b"hello" * 1000, b""])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        engine.connect(path)
    assert path.read_bytes() == content


def test_a_foreign_duckdb_file_is_refused(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as other:
        other.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
    with pytest.raises(StoreError, match="not a salesforecast store"):
        engine.connect(path, write=True)


def test_a_newer_store_is_refused(tmp_path):
    path = tmp_path / "s.duckdb"
    with engine.connect(path, write=True) as store:
        store.execute("UPDATE store.meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(StoreError, match="schema version 99"):
        engine.connect(path)


def test_an_older_store_is_migrated_and_keeps_its_rows(tmp_path):
    path = tmp_path / "s.duckdb"
    with engine.connect(path, write=True) as store:
        store.execute("INSERT INTO store.transactions (txn_id, amount) VALUES ('1', 12.5)")
        store.execute("ALTER TABLE store.transactions DROP COLUMN campaign")
        store.execute("DROP TABLE store.register")
        store.execute("UPDATE store.meta SET value = '0' WHERE key = 'schema_version'")
    with engine.connect(path) as store:
        assert "campaign" in store.columns("transactions")
        assert store.count("register") == 0
        assert store.frame("SELECT amount FROM store.transactions")["amount"].tolist() == [12.5]


def test_a_busy_store_names_the_process(tmp_path, monkeypatch):
    path = tmp_path / "s.duckdb"
    engine.connect(path, write=True).close()
    monkeypatch.setattr(engine, "WAIT_SECONDS", 0.3)
    script = (
        "import sys, time; from salesforecast import engine; e = engine.connect(sys.argv[1], write=True); "
        "print('ready', flush=True); time.sleep(30)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "ready"
        with pytest.raises(StoreBusy, match=str(holder.pid)):
            engine.connect(path)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_failed_transaction_leaves_nothing(tmp_path):
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        with pytest.raises(RuntimeError), store.transaction():
            store.execute("INSERT INTO store.customers (customer_id) VALUES ('c1')")
            raise RuntimeError("stop")
        assert store.count("customers") == 0


def test_a_store_open_in_this_process_asks_to_close_the_workbench(tmp_path):
    path = tmp_path / "s.duckdb"
    engine.connect(path, write=True).close()
    with engine.connect(path), pytest.raises(StoreBusy, match=r"wb\.close"):
        engine.connect(path, write=True)


def test_a_wrong_column_in_a_query_is_one_line(tmp_path):
    with engine.connect(tmp_path / "s.duckdb", write=True) as store, pytest.raises(BadValue, match="amont"):
        store.frame("SELECT amont FROM store.transactions")


def test_a_reversed_frame_can_be_registered(tmp_path):
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        store.register("letters", pd.DataFrame({"a": ["x", "y"]}).iloc[::-1])
        assert store.rows("SELECT a FROM letters") == [("y",), ("x",)]
