"""The record of a store: what earlier editions said, what happened, how calls compare, and what is archived."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.errors import NoData
from salesforecast.settings import parse_settings


def months_of_sales(amount=100.0, start="2024-01-01", until="2026-10-01", person=None, kind="order"):
    """One line on the 15th of each month."""
    days = pd.date_range(start, until, freq="MS") + pd.Timedelta(days=14)
    frame = pd.DataFrame({"txn_type": kind, "date": days.date, "amount": amount, "region": "华东"})
    return frame.assign(order_id=[f"{kind}{person or ''}{each}" for each in range(len(frame))], person_id=person)


def said(made_on, period, value, forecaster="combination", half=10.0, scope=("company", "*"), grain="month", **more):
    row = {"made_on": date.fromisoformat(made_on), "forecaster": forecaster, "measure": "revenue",
           "scope_type": scope[0], "scope_id": scope[1], "grain": grain,
           "period_start": date.fromisoformat(f"{period}-01"), "value": value,
           "lo_80": value - half, "hi_80": value + half, "lo_95": value - 2 * half,
           "hi_95": value + 2 * half}  # fmt: skip
    return {**row, "run_id": "r1", **more}


@pytest.fixture
def opened(make_store, tmp_path):
    """Return a function that opens a store of 100 a month with the forecasts given."""

    def build(*forecasts, sales=None, **options):
        tables = {"transactions": months_of_sales() if sales is None else sales}
        tables |= {"forecasts": pd.DataFrame(forecasts)} if forecasts else {}
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb"
        return sf.open(make_store(path, **tables), **{"as_of": "2026-10-31", **options})

    return build


def test_the_forecast_made_last_before_a_month_began_is_held_against_it(opened):
    with opened(
        said("2026-08-31", "2026-10", 130), said("2026-09-30", "2026-10", 104),
        said("2026-10-15", "2026-10", 100, half=1.0),  # in the running month: hindsight
        said("2026-09-30", "2026-10", 90, "seasonal_naive"), said("2026-09-30", "2026-11", 104),
    ) as wb:  # fmt: skip
        frame = sf.archive.said(wb, "2026-10")
    row = frame.iloc[0]
    assert len(frame) == 1
    assert row[["forecast", "actual", "miss", "naive", "inside_80"]].tolist() == [104, 100, 4, 90, 1]
    assert row["made_on"] == pd.Timestamp("2026-09-30")
    assert frame.attrs["wape"] == pytest.approx(0.04) and frame.attrs["naive_wape"] == pytest.approx(0.10)


def test_without_an_archive_nothing_is_said_and_accuracy_tells_why(opened):
    with opened() as wb:
        assert sf.archive.said(wb, "2026-10").empty
        assert sf.archive.landings(wb, "2026-10").empty
        with pytest.raises(NoData, match="archived") as error:
            sf.archive.accuracy(wb)
    assert error.value.note == "no_archive"


def test_a_review_never_sees_forecasts_of_its_own_day_or_later(opened):
    forecasts = [said("2026-10-31", "2026-10", 100), said("2026-11-05", "2026-10", 100)]
    with opened(*forecasts) as wb:
        assert sf.archive.said(wb, "2026-10").empty


def test_a_miss_outside_the_interval_is_a_finding_with_its_money(opened):
    with opened(said("2026-09-30", "2026-10", 150)) as wb:
        (finding,) = sf.archive.findings(wb, "2026-10", sf.archive.said(wb, "2026-10"))
    assert (finding.kind, finding.amount, finding.certainty) == ("forecast_missed_high", -50.0, 0.95)
    with opened(said("2026-09-30", "2026-10", 85)) as wb:
        (finding,) = sf.archive.findings(wb, "2026-10", sf.archive.said(wb, "2026-10"))
    assert (finding.kind, finding.amount, finding.certainty) == ("forecast_missed_low", 15.0, 0.8)


def test_forecasts_that_keep_running_high_inside_their_intervals_are_a_finding(opened):
    forecasts = [said(f"2026-0{m}-28", f"2026-{m + 1:02d}", 106 + m % 2) for m in range(4, 10)]
    with opened(*forecasts) as wb:
        (finding,) = sf.archive.findings(wb, "2026-10", sf.archive.said(wb, "2026-10"))
        assert sf.archive.findings(wb, "2026-10", sf.archive.said(wb, "2026-10", last=3)) == []
    assert finding.kind == "forecast_leans_high"
    assert finding.amount == pytest.approx(-6.5)


def test_what_the_year_was_expected_to_come_to_is_told_edition_by_edition(opened):
    with opened(
        said("2026-09-30", "2026-01", 1200, grain="year"), said("2026-08-31", "2026-01", 1250, grain="year"),
        said("2026-08-31", "2026-01", 1000, "seasonal_naive", grain="year"),
    ) as wb:  # fmt: skip
        assert sf.archive.landings(wb, "2026-10")["forecast"].tolist() == [1250, 1200]


def test_what_a_review_archives_is_what_its_page_shows(opened):
    with opened(as_of="2026-11-16", sales=months_of_sales(until="2026-11-01")) as wb:
        ahead, backtest = sf.targets.ahead(wb)
        outlook = sf.targets.outlook(wb, "2026-11", ahead, backtest)
        rows = sf.archive.rows(wb, ahead, outlook)
    assert set(rows["forecaster"]) == {"combination", "seasonal_naive"}
    months = rows[(rows["grain"] == "month") & (rows["forecaster"] == "combination")].set_index("period_start")
    assert len(months) == 12
    shown = outlook.set_index("period_start")["forecast"].dropna()
    assert months.loc[shown.index, "value"].tolist() == pytest.approx(shown.tolist())
    year = rows[rows["grain"] == "year"].set_index("forecaster")["value"]
    assert year["combination"] == pytest.approx(outlook.attrs["landing"])
    assert year["seasonal_naive"] == pytest.approx(outlook.attrs["landing"]), "every month was 100"


def test_forecasts_on_another_basis_or_of_a_region_are_another_record(opened):
    lines = pd.concat([months_of_sales(), months_of_sales(80, kind="invoice"), months_of_sales(70, kind="payment")])
    forecasts = [
        said("2026-09-30", "2026-10", 100), said("2026-09-30", "2026-10", 81, measure="revenue:invoice"),
        said("2026-09-30", "2026-10", 72, measure="receipts"),
        said("2026-09-30", "2026-10", 99, scope=("region", "华东")),
    ]  # fmt: skip
    orders = parse_settings({"basis": "order"})
    with opened(*forecasts, sales=lines, settings=orders, basis="invoice") as wb:
        assert sf.archive.said(wb)[["forecast", "actual"]].values.tolist() == [[81, 80]]
        made = sf.archive.rows(wb, sf.targets.ahead(wb)[0])
        assert set(made["measure"]) == {"revenue:invoice"}


def test_a_regions_review_has_the_regions_record(opened):
    forecasts = [said("2026-09-30", "2026-10", 100), said("2026-09-30", "2026-10", 99, scope=("region", "华东"))]
    with opened(*forecasts, scope={"region": "华东"}) as wb:
        assert sf.archive.said(wb)["forecast"].tolist() == [99]
        made = sf.archive.rows(wb, sf.targets.ahead(wb)[0])
    assert set(zip(made["scope_type"], made["scope_id"], strict=True)) == {("region", "华东")}


def test_people_are_compared_with_the_model_even_before_the_archive_began(opened):
    rng = np.random.default_rng(5)
    sales = pd.concat(
        [months_of_sales(100 * rng.lognormal(0, 0.1, 34), person=name) for name in ("P1", "P2")], ignore_index=True
    )
    by_month = sales.groupby([pd.to_datetime(sales["date"]).dt.strftime("%Y-%m"), "person_id"])["amount"].sum()
    calls = [
        said(f"{month}-01", month, amount * 1.02, f"rep:{person}", scope=("person", person), lo_80=None, hi_80=None)
        for (month, person), amount in by_month.items()
        if month >= "2026-03"
    ]
    with opened(*calls, sales=sales) as wb:
        chain = sf.archive.fva(wb, replay=6).set_index(["scope_type", "step"])
        leaning = sf.archive.accuracy(wb, "forecaster").set_index("forecaster")["leaning"]
    assert chain.loc["person", "n"].tolist() == [12, 12, 12]
    assert chain.loc[("person", "rep"), "wape"] == pytest.approx(0.02, rel=1e-4)
    assert chain.loc[("person", "rep"), "verdict"] == "adds"
    assert leaning.tolist() == ["high", "high"]


def test_a_forecast_made_again_from_the_data_of_its_day_is_the_one_that_was_archived(make_store, tmp_path):
    rng = np.random.default_rng(8)
    amounts = 1000 * rng.lognormal(0, 0.2, 34)
    made = []
    for months in (31, 34):  # the store as it was, and with three months more
        sales = months_of_sales(1.0).iloc[:months].assign(amount=amounts[:months].round(2))
        with sf.open(make_store(tmp_path / f"{months}.duckdb", transactions=sales), as_of="2026-07-31") as wb:
            ahead, backtest = sf.targets.ahead(wb)
            made.append((sf.archive.rows(wb, ahead, sf.targets.outlook(wb, "2026-07", ahead, backtest)), wb.data_hash))
    pd.testing.assert_frame_equal(made[0][0], made[1][0], check_exact=True)
    assert made[0][1] == made[1][1]
