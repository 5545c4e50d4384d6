import math

import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.errors import BadValue, NoData, UnknownName
from salesforecast.measures import MEASURES, values

SUMMED = [name for name, measure in MEASURES.items() if measure.sql]

# January: order o1 of two lines, o2; February: part of o1 comes back, o3; payments in January only.
LINES = pd.DataFrame(
    [
        # date, type, amount, order, customer, region, quantity, cost, list
        ("2026-01-05", "order", 100, "o1", "c1", "华东", 10, 60, 125),
        ("2026-01-05", "order", 50, "o1", "c1", "华东", 5, None, None),
        ("2026-01-20", "order", 50, "o2", "c2", "华南", None, 30, 75),
        ("2026-02-03", "return", 20, "o1", "c1", "华东", 2, 12, 25),
        ("2026-02-10", "order", 200, "o3", "c1", "华东", 20, 140, 200),
        ("2026-02-11", "order", 10, None, None, None, None, None, None),
        ("2026-01-28", "payment", 90, "o1", "c1", "华东", None, None, None),
        ("2026-01-30", "refund", 15, "o1", "c1", "华东", None, None, None),
    ],
    columns=["date", "txn_type", "amount", "order_id", "customer_id", "region", "quantity", "cost_amount",
             "list_amount"],
).assign(date=lambda frame: pd.to_datetime(frame["date"]))  # fmt: skip


@pytest.fixture
def wb(make_store):
    with sf.open(make_store(transactions=LINES)) as workbench:
        yield workbench


@pytest.mark.parametrize(
    ("name", "january", "february"),
    [
        ("revenue", 200, 190),
        ("gross_sales", 200, 210),
        ("returns", 0, 20),
        ("receipts", 75, 0),
        ("orders", 2, 1),
        ("quantity", 15, 18),
        ("customers", 2, 1),
        ("new_customers", 2, 0),
        ("aov", 100, 180),  # February: (200 - 20) / 1, the line without an order left out
        ("avg_price", 10, 10),
        ("gm", 60, 52),  # (100 - 60) + (50 - 30); (200 - 140) - (20 - 12)
        ("gm_pct", 0.4, 52 / 180),
        ("return_rate", 0, 20 / 210),
        ("price_realisation", 150 / 200, 180 / 175),
    ],
)
def test_each_measure_by_month(wb, name, january, february):
    frame = values(wb, dict.fromkeys([name, "revenue"]), grain="month")
    assert frame["period_start"].tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]
    assert frame[name].tolist() == pytest.approx([january, february])


def test_every_measure_that_can_be_summed_is_covered_above():
    covered = test_each_measure_by_month.pytestmark[0].args[1]
    assert {case[0] for case in covered} == set(SUMMED)


def test_without_grouping_there_is_one_row(wb):
    frame = values(wb, ["orders", "revenue"])
    assert frame.columns.tolist() == ["orders", "revenue"]
    assert frame.values.tolist() == [[3, 390]]


def test_groups_are_sorted_and_a_missing_member_comes_last(wb):
    frame = values(wb, ["revenue"], by="region")
    assert frame["region"].tolist()[:2] == ["华东", "华南"]
    assert pd.isna(frame["region"][2])
    assert frame["revenue"].tolist() == [330, 50, 10]


def test_ratios_of_a_total_divide_sums(wb):
    by_month = values(wb, "gm_pct", grain="month")["gm_pct"]
    assert values(wb, "gm_pct")["gm_pct"].item() == pytest.approx(112 / 330)
    assert values(wb, "gm_pct")["gm_pct"].item() != pytest.approx(by_month.mean())


def test_measures_of_two_sources_stand_side_by_side(wb):
    frame = values(wb, ["receipts", "revenue", "gm_pct"], by="region", grain="month")
    assert frame.columns.tolist() == ["period_start", "region", "receipts", "revenue", "gm_pct"]
    assert frame["receipts"].tolist() == [75, 0, 0, 0]
    assert frame["revenue"].tolist() == [150, 50, 180, 10]


def test_a_group_with_receipts_alone_has_no_sales(make_store):
    frame = LINES.assign(region=LINES["region"].where(LINES["txn_type"] != "payment", "西部"))
    with sf.open(make_store(transactions=frame)) as wb:
        west = values(wb, ["revenue", "receipts", "quantity", "gm_pct"], by="region").set_index("region").loc["西部"]
    assert west[["revenue", "receipts", "quantity"]].tolist() == [0, 90, 0]
    assert math.isnan(west["gm_pct"])


def test_the_span_includes_both_ends(wb):
    assert values(wb, "revenue", start="2026-01-20", end="2026-02-03")["revenue"].item() == 30
    assert values(wb, "revenue", end="2026-01-05")["revenue"].item() == 150


def test_a_span_without_lines_sums_to_zero_and_has_no_ratio(wb):
    frame = values(wb, ["revenue", "orders", "return_rate", "quantity"], start="2026-01-06", end="2026-01-19")
    assert frame[["revenue", "orders"]].values.tolist() == [[0, 0]]
    assert frame[["return_rate", "quantity"]].isna().all(axis=None)
    assert values(wb, "revenue", grain="day", start="2026-01-06", end="2026-01-19").empty


def test_costs_that_nobody_stated_are_unknown_not_zero(make_store):
    with sf.open(make_store(transactions=LINES.drop(columns="cost_amount"))) as wb:
        assert values(wb, ["gm", "gm_pct"]).isna().all(axis=None)
        with pytest.raises(NoData, match="cost_amount"):
            wb.require(*MEASURES["gm"].needs)


def test_receipts_need_payments(make_store):
    orders = LINES[LINES["txn_type"] == "order"]
    with sf.open(make_store(transactions=orders)) as wb, pytest.raises(NoData, match="payment lines"):
        wb.require(*MEASURES["receipts"].needs)


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_every_grain_adds_up(wb, grain):
    assert values(wb, "revenue", grain=grain)["revenue"].sum() == 390


def test_unknown_names_are_refused_with_the_nearest(wb):
    with pytest.raises(UnknownName, match="Did you mean 'revenue'"):
        values(wb, "revenu")
    with pytest.raises(UnknownName, match="Did you mean 'region'"):
        values(wb, "revenue", by="regoin")
    with pytest.raises(UnknownName, match="Did you mean 'month'"):
        values(wb, "revenue", grain="months")


def test_a_definition_is_not_a_sum(wb):
    with pytest.raises(BadValue, match="definition"):
        values(wb, "attainment")


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_every_measure_is_named_and_defined_in_both_languages(measure):
    assert MEASURES[measure.name] is measure
    assert measure.zh and measure.en
    assert measure.definition_zh.endswith("。")
    assert measure.definition_en.endswith(".")
    assert measure.unit in {"money", "count", "ratio", "quantity", "days"}
    assert measure.direction in {"higher", "lower", "none"}
    if measure.sql:
        assert measure.needs
    if measure.unit == "ratio":
        assert not measure.additive


@pytest.mark.parametrize("name", [name for name in SUMMED if MEASURES[name].additive])
def test_additive_measures_of_two_months_sum_to_their_total(wb, name):
    assert values(wb, name, grain="month")[name].sum() == values(wb, name)[name].item()
