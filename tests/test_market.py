"""Channels and regions: shares, growth, what each member adds to the total."""

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.errors import NoData


def lines(*rows, names=("date", "amount", "region"), **columns):
    """One order line per tuple."""
    frame = pd.DataFrame(rows, columns=list(names))
    frame["date"] = pd.to_datetime(frame["date"]).dt.date
    return frame.assign(**({"order_id": [f"SO{n}" for n in range(len(frame))]} | columns))


@pytest.fixture
def october(make_store):
    """华东 grew by 20, 华南 fell by 10, 西北 is new, 8 of sales have no region."""
    sales = lines(
        ("2024-01-02", 1, "华东"),
        ("2025-10-15", 100, "华东"), ("2025-10-15", 50, "华南"), ("2025-10-16", 10, None),
        ("2026-09-15", 80, "华东"), ("2026-10-15", 120, "华东"), ("2026-10-15", 40, "华南"),
        ("2026-10-20", 30, "西北"), ("2026-10-20", 8, None),
    )  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        yield wb


def test_members_are_sorted_by_size_and_followed_by_the_total(october):
    frame = sf.market.regions(october, "2026-10")
    assert frame["region"].tolist() == ["华东", "华南", "西北", None, "*"]
    assert frame["value"].tolist() == [120, 40, 30, 8, 198]


def test_a_month_of_net_returns_has_no_shares(make_store):
    sales = lines(("2026-09-01", 9, "华东"), ("2026-10-15", 30, "华东"), ("2026-10-16", 50, "华南"))
    sales["txn_type"] = ["order", "order", "return"]
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        frame = sf.market.regions(wb, "2026-10").set_index("region")
    assert frame["value"].to_dict() == {"华东": 30, "华南": -50, "*": -20}
    assert frame["share"].isna().all()


def test_contributions_add_up_to_total_growth(october):
    frame = sf.market.regions(october, "2026-10").set_index("region")
    assert frame.loc["华东", "contribution"] == pytest.approx(20 / 160)
    assert frame.loc["华南", "contribution"] == pytest.approx(-10 / 160)
    assert frame["contribution"].iloc[:-1].sum() == pytest.approx(frame.loc["*", "yoy"])
    assert frame.loc["*", "yoy"] == pytest.approx(198 / 160 - 1)


def test_a_new_member_has_no_growth_rate(october):
    row = sf.market.regions(october, "2026-10").set_index("region").loc["西北"]
    assert np.isnan(row["yoy"])
    assert row["note"] == "no_base"
    assert row["share"] == pytest.approx(30 / 198)


def test_sales_without_a_region_keep_a_row_of_their_own(october):
    frame = sf.market.regions(october, "2026-10")
    assert frame.loc[3, "note"] == "unassigned"
    assert frame.loc[3, "yoy"] == pytest.approx(-0.2)


def test_a_chapter_without_its_column_says_what_is_missing(october):
    with pytest.raises(NoData, match="channel"):
        sf.market.channels(october, "2026-10")


def test_margin_counts_covered_lines_and_says_how_many(make_store):
    sales = lines(
        ("2024-01-02", 1, "电商", None), ("2025-10-15", 5, "电商", None), ("2026-10-15", 60, "电商", 40),
        ("2026-10-16", 40, "电商", None),
        names=("date", "amount", "channel", "cost_amount"),
    )  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        row = sf.market.channels(wb, "2026-10").iloc[0]
    assert row["gm_pct"] == pytest.approx(20 / 60)
    assert row["cost_coverage"] == pytest.approx(0.6)
    assert row["note"] == "cost_coverage"


def test_new_customers_are_counted_where_they_first_bought(make_store):
    sales = lines(
        ("2025-10-15", 5, "直销", "老客"), ("2026-10-15", 60, "直销", "老客"), ("2026-10-16", 40, "直销", "新客"),
        names=("date", "amount", "channel", "customer_id"),
    )  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        row = sf.market.channels(wb, "2026-10").iloc[0]
    assert (row["customers"], row["new_customers"], row["new_customer_share"]) == (2, 1, 0.5)


def test_members_have_their_targets(make_store):
    sales = lines(("2024-01-02", 1, "华东"), ("2026-10-15", 90, "华东"), ("2026-10-15", 10, "华南"))
    targets = pd.DataFrame(
        {"measure": "revenue", "scope_type": "region", "scope_id": ["华东"], "grain": "month",
         "period_start": [pd.Timestamp("2026-10-01").date()], "value": [100.0]}
    )  # fmt: skip
    with sf.open(make_store(transactions=sales, targets=targets), as_of="2026-10-31") as wb:
        frame = sf.market.regions(wb, "2026-10").set_index("region")
    assert frame.loc["华东", "attainment"] == 0.9
    assert np.isnan(frame.loc["华南", "target"])
    assert ["no_target" in frame.loc[each, "note"] for each in ("华东", "华南")] == [False, True]


def test_concentration_is_the_sum_of_squared_shares(make_store):
    sales = lines(
        ("2025-01-05", 60, "甲"), ("2025-02-05", 40, "乙"), ("2026-02-10", 50, "甲"), ("2026-03-10", 30, "乙"),
        ("2026-04-10", 20, "丙"), ("2026-05-11", 999, None),
        names=("date", "amount", "customer_id"),
    )  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-12-31") as wb:
        frame = sf.market.concentration(wb, wb.calendar.parse("2026-12"), "customer")
    assert frame.loc["rolling12", "hhi"] == pytest.approx(0.5**2 + 0.3**2 + 0.2**2)
    assert frame.loc["rolling12_last_year", "hhi"] == pytest.approx(0.6**2 + 0.4**2)
    assert frame.loc["rolling12", ["members", "top", "top_share"]].tolist() == [3, "甲", 0.5]


def months_of(values, region):
    days = pd.date_range("2024-11-01", periods=len(values), freq="MS") + pd.Timedelta(days=11)
    return lines(*zip(days, values, [region] * len(values), strict=True))


def test_a_region_that_falls_month_after_month_is_found_with_its_beginning(make_store):
    rng = np.random.default_rng(4)
    steady = [100 * np.exp(rng.normal(0, 0.03, 24)) for _ in range(2)]
    falling = 100 * np.exp(rng.normal(0, 0.03, 24)) * np.where(np.arange(24) < 17, 1.2, 0.85)
    sales = pd.concat([months_of(each.round(2), name) for each, name in zip([*steady, falling], "东南西", strict=True)])
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        found = sf.market.findings(wb, "2026-10")
    (decline,) = [each for each in found if each.kind == "region_decline"]
    assert dict(decline.slice) == {"region": "西"}
    assert (decline.since, decline.values["months"]) == ("2026-04", 7)
    assert decline.values["change_pct"] == pytest.approx(0.85 / 1.2 - 1, abs=0.05)
    assert decline.amount < 0
    assert decline.certainty > 0.95
    assert {each.kind for each in found} <= {"region_decline", "region_growth"}


def test_a_moving_spring_festival_does_not_break_a_run(make_store):
    # 2026's festival lies in February, 2025's in January: each month alone turns the sign of a falling region.
    days = pd.date_range("2024-01-01", "2026-03-01", freq="MS")
    rng = np.random.default_rng(4)
    festive = np.where(days.month > 2, 1.0, np.where((days.month == 1) == (days.year == 2025), 0.5, 1.1))
    regions = {"东": 1.0, "南": 1.0, "西": np.where(days >= pd.Timestamp("2025-09-01"), 0.75, 1.0)}
    values = {name: 100 * festive * level * np.exp(rng.normal(0, 0.02, len(days))) for name, level in regions.items()}
    dated = (days + pd.Timedelta(days=5)).date
    sales = pd.concat(lines(*((day, round(sold, 2), name) for day, sold in zip(dated, values[name], strict=True)))
                      for name in regions)  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-03-31") as wb:
        (decline,) = [each for each in sf.market.findings(wb, "2026-03") if each.kind == "region_decline"]
    assert (decline.since, decline.values["months"]) == ("2025-09", 7)
    assert decline.values["change_pct"] == pytest.approx(-0.25, abs=0.03)


def test_chance_alone_moves_no_region(make_store):
    rng = np.random.default_rng(8)
    sales = pd.concat([months_of((100 * np.exp(rng.normal(0, 0.05, 24))).round(2), name) for name in "东南西北"])
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        assert sf.market.findings(wb, "2026-10") == []


def test_a_dominant_customer_is_a_finding(make_store):
    sales = lines(
        ("2025-11-05", 60, "甲"), ("2026-03-10", 20, "乙"), ("2026-10-12", 20, "丙"),
        names=("date", "amount", "customer_id"),
    )  # fmt: skip
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        (finding,) = sf.market.findings(wb, "2026-10")
    assert finding.kind == "concentration"
    assert finding.values["share"] == pytest.approx(0.6)
    assert finding.amount == pytest.approx(-40)
