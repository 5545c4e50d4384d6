"""The exports of the synthetic company in `data/demo`: every file is recognised, and what is refused was planted."""

from pathlib import Path

import pytest

from salesforecast import engine
from salesforecast.load import import_files
from salesforecast.schema import TABLES

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    store = tmp_path_factory.mktemp("demo") / "demo.duckdb"
    return import_files(DEMO, store), store


def test_every_file_is_recognised_by_its_headers(imported):
    report, _ = imported
    assert not [each for each in report.warnings if "not imported" in each]
    assert set(report.files["table"]) == set(TABLES)


def test_all_twelve_tables_are_filled_and_few_rows_refused(imported):
    report, store = imported
    with engine.connect(store) as opened:
        assert all(opened.count(name) for name in TABLES)
        kinds = {row[0] for row in opened.rows("SELECT DISTINCT txn_type FROM store.transactions")}
    assert kinds == {"order", "shipment", "invoice", "payment", "return", "refund"}
    assert len(report.rejected) <= 0.001 * report.files["read"].sum()


def test_master_files_leave_nothing_to_be_derived(imported):
    _, store = imported
    with engine.connect(store) as opened:
        for name in ("customers", "products", "people"):
            assert opened.rows(f"SELECT count(*) FROM store.{name} WHERE source = 'derived'") == [(0,)]


def test_importing_the_folder_again_changes_nothing(imported):
    _, store = imported
    again = import_files(DEMO, store)
    assert again.files["stored"].sum() == again.files["replaced"].sum() == 0
