"""Published forecasts reach the store once, whole, and never through the kernel; a busy store gets them later."""

import csv
from datetime import date

import nbformat
import nbformat.v4 as v4
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import engine, publish
from salesforecast.errors import PublishBlocked, RunFailed
from salesforecast.forecasting.archive import first_said
from salesforecast.publish import runner

PARAMETERS = """
period: str = "2026-10"
store: str = "sales.duckdb"
as_of: str | None = None
language: str = "zh"
"""
NOVEMBER = {
    "forecaster": "combination", "measure": "revenue", "scope_type": "company", "scope_id": "*", "grain": "month",
    "period_start": "2026-11-01", "value": 120.5, "lo_80": 100.0, "hi_80": 140.0, "lo_95": None, "hi_95": None,
}  # fmt: skip
NAIVE = {**NOVEMBER, "forecaster": "seasonal_naive", "value": 90.0}


@pytest.fixture
def here(tmp_path, monkeypatch, make_store):
    """A working folder with a store of two months of orders and a notebook `mini`."""
    monkeypatch.chdir(tmp_path)
    make_store(transactions={"txn_type": "order", "order_id": ["A", "B"], "line_id": "1", "amount": [100.0, 200.0],
                             "date": ["2026-09-10", "2026-10-31"]})  # fmt: skip
    path = tmp_path / "notebooks" / "reviews" / "mini.ipynb"
    path.parent.mkdir(parents=True)
    cells = [v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), v4.new_markdown_cell("# Review")]
    path.write_text(nbformat.writes(v4.new_notebook(cells=[*cells, v4.new_code_cell("say()")])), encoding="utf-8")
    return tmp_path


@pytest.fixture
def says(monkeypatch):
    """Replace the kernel: the notebook's last cell hands over the forecasts in the list that is returned."""
    rows = [NOVEMBER, NAIVE]

    def executed(notebook, parameters, **_):
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                cell.execution_count, cell.outputs = number + 1, []
        data = {"application/vnd.salesforecast.forecasts+json": {"rows": list(rows)}, "text/plain": "2 forecasts"}
        mark = {"salesforecast": {"kind": "archive"}}
        notebook.cells[-1].outputs = [v4.new_output("display_data", data=data, metadata=mark)]
        return notebook

    monkeypatch.setattr(runner, "execute", executed)
    return rows


def run(**options):
    return publish.run("mini", **({"period": "2026-10", "store": "sales.duckdb"} | options))


def stored(columns="made_on, forecaster, period_start, value, lo_80, lo_95, run_id"):
    with engine.connect("sales.duckdb") as store:
        return store.rows(f"SELECT {columns} FROM store.forecasts ORDER BY run_id, forecaster, value")


def test_a_published_forecast_is_in_the_archive_with_its_day_data_and_run(here, says):
    done = run()
    november = date(2026, 11, 1)
    assert stored() == [
        (date(2026, 10, 31), "combination", november, 120.5, 100.0, None, done.id),
        (date(2026, 10, 31), "seasonal_naive", november, 90.0, 100.0, None, done.id),
    ]
    assert stored("DISTINCT data_hash, package_version, source") == [(done.data_hash, sf.__version__, "salesforecast")]
    assert done.waiting == 0


def test_what_is_archived_is_a_file_of_the_run_and_nothing_on_the_page(here, says):
    done = run()
    with (done.folder / "forecasts.csv").open(encoding="utf-8") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["120.5", "90.0"]
    assert "forecasts.csv" in done.files
    assert "2 forecasts" not in done.page.read_text(encoding="utf-8")


def test_archiving_leaves_the_edition_that_made_it_unchanged(here, says):
    first = run()
    page = first.page.read_bytes()
    again = run()
    assert (again.status, again.id) == ("unchanged", first.id)
    forced = run(force=True)
    assert forced.data_hash == first.data_hash
    assert forced.page.read_bytes() == page
    assert len(stored()) == 2, "the same data and figures add nothing"


def test_other_data_is_a_new_vintage_that_keeps_both_and_readers_take_the_first(here, says):
    run()
    with engine.connect("sales.duckdb", write=True) as store:
        store.execute("UPDATE store.transactions SET amount = 210 WHERE order_id = 'B'")
    says[0] = {**NOVEMBER, "value": 130.0}
    run()
    assert [row[3] for row in stored()] == [120.5, 90.0, 130.0, 90.0]
    with sf.open("sales.duckdb", as_of="2026-11-30") as wb:
        first = first_said(wb.table("forecasts"))
    assert first["value"].tolist() == [120.5, 90.0]


def test_a_later_edition_sees_what_an_earlier_one_said_and_never_itself(here, says):
    run(as_of="2026-10-30")
    with sf.open("sales.duckdb", as_of="2026-10-30") as wb:
        assert wb.table("forecasts").empty
        assert "forecasts" not in set(wb.exclusions["table"])
    with sf.open("sales.duckdb", as_of="2026-10-31") as wb:
        assert len(wb.table("forecasts")) == 2


def test_a_store_that_is_in_use_gets_its_forecasts_with_the_next_run(here, says):
    with sf.open("sales.duckdb", as_of="2026-10-31"):
        done = run()
        assert (done.status, done.waiting) == ("published", 1)
    assert stored() == []
    assert run().status == "unchanged"
    assert len(stored()) == 2
    assert not list((here / "reports" / ".forecasts").glob("*/*"))


def test_a_damaged_file_waits_and_does_not_keep_the_others_out(here, says):
    with sf.open("sales.duckdb", as_of="2026-10-31"):
        run()
    (waiting,) = (here / "reports" / ".forecasts").glob("*/*.csv")
    waiting.with_name(f"0-{waiting.name}").write_bytes(waiting.read_bytes()[:-7])
    assert run().waiting == 1
    assert len(stored()) == 2


def test_a_failed_run_archives_nothing(here, says, monkeypatch):
    def refuse(*_):
        raise RunFailed("refused")

    with monkeypatch.context() as patch, pytest.raises(RunFailed):
        patch.setattr(runner.places, "point_to", refuse)
        run()
    assert not list((here / "reports" / ".forecasts").glob("*/*"))
    assert stored() == []


@pytest.mark.parametrize(
    "wrong",
    [{"value": None}, {"value": float("nan")}, {"value": "many"}, {"period_start": "soon"}, {"forecaster": None}],
)
def test_a_forecast_that_is_none_stops_the_page(here, says, wrong):
    says[0] = {name: value for name, value in {**NOVEMBER, **wrong}.items() if name != "forecaster" or value}
    with pytest.raises(PublishBlocked, match="for the archive"):
        run()
    assert stored() == []


def test_an_import_leaves_published_forecasts_alone(here, says):
    run()
    calls = pd.DataFrame({"made_on": ["2026-10-31"], "forecaster": ["rep:P1"], "measure": ["revenue"],
                          "scope_type": ["person"], "scope_id": ["P1"], "grain": ["month"],
                          "period_start": ["2026-11-01"], "value": [5.0]})  # fmt: skip
    calls.to_csv("forecasts.csv", index=False)
    sf.import_files("forecasts.csv", into="sales.duckdb")
    assert sorted(row[1] for row in stored()) == ["combination", "rep:P1", "seasonal_naive"]


@pytest.mark.slow
def test_the_next_review_opens_its_forecast_with_what_the_last_one_said(tmp_path, make_store):
    days = pd.date_range("2023-06-01", "2026-10-31")
    amounts = [1000.0 + 300 * (day.month % 6) + 7 * (day.day % 5) for day in days]
    store = make_store(transactions={"txn_type": "order", "order_id": [f"A{n}" for n in range(len(days))],
                                     "line_id": "1", "date": days.date, "amount": amounts})  # fmt: skip

    def review(period):
        return publish.run("monthly_sales", period=period, store=store, language="zh", out=tmp_path / "reports")

    first = review("2026-09").page.read_text(encoding="utf-8").split('id="forecast"')[1]
    second = review("2026-10")
    page = second.page.read_text(encoding="utf-8").split('id="forecast"')[1]
    assert "还没有可对照的存档预测" in first and "还没有可对照的存档预测" not in page
    assert "上次（2026年9月30日）说2026年10月为" in page and "全年预计：2026年9月30日说" in page
    again = review("2026-10")
    assert (again.status, again.id) == ("unchanged", second.id)
