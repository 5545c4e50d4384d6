"""Attainment, time progress, required run rate, the months of the year."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.analysis.progress import progress
from salesforecast.errors import BadValue, NoData, UnknownName
from salesforecast.settings import parse_settings


def lines(*rows, **columns):
    """One order line per (date, amount)."""
    frame = pd.DataFrame(rows, columns=["date", "amount"])
    return frame.assign(
        date=pd.to_datetime(frame["date"]).dt.date,
        order_id=[f"SO{number}" for number in range(len(frame))],
        **columns,
    )


def target(value, period="2026-11-01", grain="month", scope=("company", "*"), **more):
    """One row of targets."""
    return {
        "measure": "revenue", "scope_type": scope[0], "scope_id": scope[1], "grain": grain,
        "period_start": date.fromisoformat(period), "value": float(value), **more,
    }  # fmt: skip


def open_store(make_store, sales, targets, as_of="2026-11-13", **keywords):
    return sf.open(make_store(transactions=sales, targets=pd.DataFrame(targets)), as_of=as_of, **keywords)


# November 2026 has 21 workdays, ten of them up to Friday the 13th.
HALF_WAY = lines(("2026-11-02", 30), ("2026-11-13", 15))


def test_attainment_pace_and_required_rate_of_a_month_in_progress(make_store):
    with open_store(make_store, HALF_WAY, [target(100)]) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert (row["scope_type"], row["scope_id"]) == ("company", "*")
    assert (row["target"], row["actual"], row["attainment"], row["gap"]) == (100, 45, 0.45, -55)
    # Without a past November the progress is that of workdays.
    assert row["time_progress"] == row["time_progress_workdays"] == pytest.approx(10 / 21)
    assert row["pace"] == pytest.approx(0.45 - 10 / 21)
    assert row["landing"] == pytest.approx(45 / (10 / 21))
    assert row["remaining_workdays"] == 11
    assert row["required_rate"] == pytest.approx(55 / 11)
    assert row["recent_rate"] == pytest.approx(45 / 20)
    assert row["note"] == "partial"


def test_a_finished_month_lands_where_it_is(make_store):
    with open_store(make_store, HALF_WAY, [target(100)], as_of="2026-11-30") as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert (row["time_progress"], row["landing"], row["remaining_workdays"]) == (1, 45, 0)
    assert np.isnan(row["required_rate"])


@pytest.mark.parametrize("value", [0, None])
def test_without_a_target_attainment_is_unknown_never_zero_or_infinite(make_store, value):
    rows = [target(0)] if value == 0 else [target(50, measure="receipts")]
    with open_store(make_store, HALF_WAY, rows) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert np.isnan(row[["target", "attainment", "pace", "gap", "required_rate"]].astype(float)).all()
    assert "no_target" in row["note"]


def test_a_reached_target_needs_nothing_more(make_store):
    with open_store(make_store, HALF_WAY, [target(40)]) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert row["required_rate"] == 0
    assert "reached" in row["note"]


def test_a_quarter_without_its_own_row_is_the_sum_of_its_months(make_store):
    months = [target(10, "2026-10-01"), target(20, "2026-11-01"), target(30, "2026-12-01")]
    with open_store(make_store, HALF_WAY, months) as wb:
        assert sf.targets.attainment(wb, "2026-Q4").loc[0, "target"] == 60
    with open_store(make_store, HALF_WAY, months[:2]) as wb:
        assert "no_target" in sf.targets.attainment(wb, "2026-Q4").loc[0, "note"]


@pytest.fixture
def make_store(tmp_path, make_store):
    """Stores of one test must not share a file."""
    count = iter(range(10))
    return lambda **tables: make_store(tmp_path / f"{next(count)}.duckdb", **tables)


def test_the_own_row_wins_over_finer_ones_and_a_year_is_never_divided(make_store):
    rows = [target(100, "2026-10-01", "quarter"), target(10, "2026-10-01"), target(10), target(10, "2026-12-01")]
    with open_store(make_store, HALF_WAY, rows) as wb:
        assert sf.targets.attainment(wb, "2026-Q4").loc[0, "target"] == 100
        assert "no_target" in sf.targets.attainment(wb, "2026").loc[0, "note"]


def test_the_latest_version_counts_unless_another_is_asked_for(make_store):
    rows = [target(100, version="v9"), target(120, version="v10"), target(999, version="v99", kind="stretch")]
    with open_store(make_store, HALF_WAY, rows) as wb:
        assert sf.targets.attainment(wb, "2026-11").loc[0, "target"] == 120
        assert sf.targets.attainment(wb, "2026-11", version="v9").loc[0, "target"] == 100
        with pytest.raises(UnknownName, match="Did you mean"):
            sf.targets.attainment(wb, "2026-11", version="v11")


def test_where_lower_is_better_attainment_is_target_over_actual(make_store):
    rows = [target(20, measure="returns", direction="lower")]
    sales = HALF_WAY.assign(txn_type=["order", "return"])
    with open_store(make_store, sales, rows, as_of="2026-11-30") as wb:
        row = sf.targets.attainment(wb, "2026-11", measure="returns").iloc[0]
    assert row["actual"] == 15
    assert row["attainment"] == pytest.approx(20 / 15)
    assert row["gap"] == 5


REGIONS = lines(("2026-11-02", 60), ("2026-11-03", 30), ("2026-11-04", 7), region=["华东", "华南", None])


def test_each_member_stands_against_its_own_target_and_the_total_against_the_companys(make_store):
    rows = [target(200), target(80, scope=("region", "华东")), target(90, scope=("region", "西南"))]
    with open_store(make_store, REGIONS, rows, as_of="2026-11-30") as wb:
        frame = sf.targets.attainment(wb, "2026-11", by="region")
    assert frame["scope_id"].tolist() == ["西南", "华东", "华南", None, "*"]
    assert frame["actual"].tolist() == [0, 60, 30, 7, 97]
    assert frame["attainment"].iloc[[0, 1, 4]].tolist() == [0, 0.75, 97 / 200]
    assert frame["note"].tolist()[2:4] == ["no_target", "no_target unassigned"]


def test_without_a_company_target_the_total_is_that_of_the_members_that_have_one(make_store):
    rows = [target(80, scope=("region", "华东"))]
    with open_store(make_store, REGIONS, rows, as_of="2026-11-30") as wb:
        total = sf.targets.attainment(wb, "2026-11", by="region").iloc[-1]
        company = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert (total["target"], total["actual"], total["note"]) == (80, 60, "target_of_members")
    # Not every region that sold has a target, so the company as a whole has none.
    assert "no_target" in company["note"]


def test_targets_of_all_members_make_the_companys(make_store):
    rows = [target(80, scope=("region", "华东")), target(20, scope=("region", "华南"))]
    with open_store(make_store, REGIONS.iloc[:2], rows, as_of="2026-11-30") as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert (row["target"], row["attainment"], row["note"]) == (100, 0.9, "target_of_members")


def test_a_review_can_ask_by_what_targets_were_set(make_store):
    sales = lines(("2026-11-02", 30), ("2026-11-13", 15), region="华东", category="泵")
    with open_store(make_store, sales, [target(20, scope=("category", "泵")), target(60)]) as wb:
        assert sf.targets.scope_types(wb, "2026-11") == ["category"]
        assert sf.targets.scope_types(wb, "2026-W46") == []
        # Regions sell, but have no targets: they are listed without.
        assert sf.targets.attainment(wb, "2026-11", by="region")["target"].isna().tolist() == [True, False]


def test_a_scoped_workbench_uses_the_target_of_its_scope(make_store):
    rows = [target(200), target(80, scope=("region", "华东"))]
    with open_store(make_store, REGIONS, rows, as_of="2026-11-30", scope={"region": "华东"}) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert (row["scope_type"], row["scope_id"], row["attainment"]) == ("region", "华东", 0.75)


NESTED = [
    target(200), target(80, scope=("region", "华东"), parent_scope="company:*"),
    target(50, scope=("region", "华南"), parent_scope="company:*"),
    target(70, scope=("channel", "直销"), parent_scope="company:*"),
    target(60, scope=("team", "华东一部"), parent_scope="region/华东"),
    target(55, scope=("team", "华南一部"), parent_scope="region:华南"),
    target(40, scope=("person", "P1"), parent_scope="team:华东一部"),
    target(35, scope=("person", "P2"), parent_scope="team:华南一部"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("region", {"华东": 80, "*": 80}),  # not 华南 with 0 %
        ("channel", {"直销": None, "*": 80}),  # its 70 are those of the whole company
        ("team", {"华东一部": 60, "*": 80}),
        ("person", {"P1": 40, "*": 80}),  # inside by its team
    ],
)
def test_under_a_scope_only_targets_inside_it_count(make_store, by, expected):
    sales = lines(
        ("2026-11-02", 30), ("2026-11-03", 20), region=["华东", "华南"], channel="直销", person_id=["P1", "P2"]
    )
    people = pd.DataFrame({"person_id": ["P1", "P2"], "team": ["华东一部", "华南一部"]})
    store = make_store(transactions=sales, targets=pd.DataFrame(NESTED), people=people)
    with sf.open(store, as_of="2026-11-30", scope={"region": "华东"}) as wb:
        frame = sf.targets.attainment(wb, "2026-11", by=by)
        table = sf.market.members(wb, "2026-11", by)
        assert sf.targets.scope_types(wb, "2026-11") == []  # one member each: it would only repeat the whole
    assert frame["scope_id"].tolist() == table[by].tolist() == list(expected)
    for each in (frame, table):
        assert each["target"].astype(object).where(each["target"].notna(), None).tolist() == list(expected.values())
    assert [("no_target" in note) for note in frame["note"]] == [value is None for value in expected.values()]
    assert [("no_target" in note) for note in table["note"]] == [value is None for value in expected.values()]


def payments(amount):
    """The orders of `HALF_WAY` and one payment."""
    paid = pd.DataFrame({"date": [date(2026, 11, 9)], "amount": [float(amount)], "txn_type": "payment"})
    return pd.concat([HALF_WAY.assign(txn_type="order"), paid], ignore_index=True)


def test_receipts_are_not_judged_by_targets_of_orders(make_store):
    rows = [target(100), target(60, scope=("region", "华东"))]
    with open_store(make_store, payments(20), rows, basis="payment") as wb:
        frame = sf.targets.attainment(wb, "2026-11", by="region")
        kpi = sf.sales.kpis(wb, "2026-11").loc["revenue"]
    assert frame["actual"].tolist() == [20, 20]
    assert frame["target"].isna().all()
    assert frame["note"].str.contains("target_other_basis").all()
    assert np.isnan(kpi["attainment"]) and "target_other_basis" in kpi["note"]
    with open_store(make_store, payments(20), rows) as wb:
        assert sf.targets.attainment(wb, "2026-11").loc[0, "attainment"] == 0.45


def test_targets_of_receipts_serve_on_payments(make_store):
    with open_store(make_store, payments(20), [target(100), target(40, measure="receipts")], basis="payment") as wb:
        assert sf.targets.attainment(wb, "2026-11").loc[0, "attainment"] == 0.5


def test_settings_say_on_what_basis_targets_were_set(make_store):
    settings = parse_settings({"targets": {"basis": "payment"}})
    with open_store(make_store, payments(20), [target(100)], basis="payment", settings=settings) as wb:
        assert sf.targets.attainment(wb, "2026-11").loc[0, "attainment"] == 0.2
    with open_store(make_store, payments(20), [target(100)], settings=settings) as wb:
        assert "target_other_basis" in sf.targets.attainment(wb, "2026-11").loc[0, "note"]


def test_a_store_that_has_only_invoices_has_its_targets_on_invoices(make_store):
    with open_store(make_store, HALF_WAY.assign(txn_type="invoice"), [target(100)]) as wb:
        assert wb.basis == "invoice"
        assert sf.targets.attainment(wb, "2026-11").loc[0, "attainment"] == 0.45


@pytest.mark.parametrize("as_of", ["2026-10-31", "2026-10-30", "2026-11-06", "2026-11-13"])
def test_last_year_of_the_curve_is_the_base_of_the_headline_figures(make_store, as_of):
    # One sale of 1 a day in 2025, so that the value tells the day.
    sales = lines(("2024-01-02", 1), *((str(day.date()), 1) for day in pd.date_range("2025-01-01", "2026-11-13")))
    month = as_of[:7]
    with open_store(make_store, sales, [target(100)], as_of=as_of) as wb:
        kpi = sf.sales.kpis(wb, month).loc["revenue"]
        year = sf.targets.pacing(wb, "2026").set_index("date")["last_year"]
        own = sf.targets.pacing(wb, month).set_index("date")["last_year"]
    assert year[as_of] == kpi["ytd_last_year"]
    assert own[as_of] == kpi["last_year"]
    assert year.is_monotonic_increasing
    assert (year["2026-03-31"], year["2026-12-31"]) == (90, 365)
    # By 6 November 2026 and by 7 November 2025 five workdays of the month had passed.
    assert year["2026-11-06"] == 304 + 7


def back_loaded(years):
    """Novembers that take a fifth on the fifth workday and the rest on the last one."""
    days = {2023: ("2023-11-07", "2023-11-30"), 2024: ("2024-11-07", "2024-11-29"), 2025: ("2025-11-07", "2025-11-28")}
    rows = [(day, amount) for year in years for day, amount in zip(days[year], (20, 80), strict=True)]
    return lines((f"{min(years)}-01-02", 1), *rows, ("2026-11-02", 20))


def test_time_progress_follows_the_shape_of_past_years(make_store):
    with open_store(make_store, back_loaded([2023, 2024, 2025]), [target(100)]) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert row["time_progress"] == pytest.approx(0.2)
    assert row["landing"] == pytest.approx(100)


def test_a_short_history_is_shrunk_to_workdays(make_store):
    with open_store(make_store, back_loaded([2025]), [target(100)]) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert row["time_progress"] == pytest.approx(0.2 / 3 + (10 / 21) * 2 / 3)


def test_settings_choose_workdays_as_time_progress(make_store):
    settings = parse_settings({"definitions": {"time_progress": "workdays"}})
    with open_store(make_store, back_loaded([2023, 2024, 2025]), [target(100)], settings=settings) as wb:
        row = sf.targets.attainment(wb, "2026-11").iloc[0]
    assert row["time_progress"] == pytest.approx(10 / 21)


def test_progress_runs_from_nothing_to_all(make_store):
    with open_store(make_store, back_loaded([2023, 2024, 2025]), [target(100)]) as wb:
        frame = progress(wb, wb.period("2026-11"))
    assert len(frame) == 30
    assert frame["seasonal"].is_monotonic_increasing
    assert (frame["seasonal"].iloc[0], frame["seasonal"].iloc[-1], frame["even"].iloc[-1]) == (0, 1, 1)


def test_pacing_stops_at_the_as_of_date_and_the_target_curve_does_not(make_store):
    with open_store(make_store, HALF_WAY, [target(100)]) as wb:
        frame = sf.targets.pacing(wb, "2026-11").set_index("date")
    assert frame.loc["2026-11-12", "actual"] == 30
    assert frame.loc["2026-11-13", "actual"] == 45
    assert frame.loc["2026-11-14":, "actual"].isna().all()
    assert frame.loc["2026-11-30", "target"] == 100
    assert frame["last_year"].isna().all()


def test_the_months_of_the_fiscal_year_know_which_are_complete(make_store):
    settings = parse_settings({"fiscal": {"year_start_month": 4}})
    sales = lines(("2025-10-15", 4), ("2026-10-15", 5), ("2026-11-02", 6))
    with open_store(make_store, sales, [target(10, "2026-10-01"), target(10)], settings=settings) as wb:
        frame = sf.targets.months(wb, "2026-11").set_index("period_start")
    assert (str(frame.index[0].date()), len(frame)) == ("2026-04-01", 12)
    assert frame.loc["2026-10-01"].tolist() == [5, 10, 4, 0.5, True]
    november = frame.loc["2026-11-01"]
    assert (november["actual"], bool(november["complete"])) == (6, False)
    assert np.isnan(november["attainment"])
    assert np.isnan(frame.loc["2026-12-01", "actual"])


def forecast_of(*months):
    """A forecast as `sf.forecast` returns it: 40 a month, give or take 10."""
    return pd.DataFrame(
        {"unique_id": "*", "ds": pd.to_datetime(months), "model": "theta", "mean": 40.0, "lo_80": 30.0, "hi_80": 50.0,
         "note": ""}
    )  # fmt: skip


YEAR = lines(("2026-01-05", 5), ("2026-10-15", 50), ("2026-11-02", 6))


def test_the_outlook_puts_the_forecast_where_the_actual_ends(make_store):
    with open_store(make_store, YEAR, [target(150, "2026-01-01", "year")]) as wb:
        frame = sf.targets.outlook(wb, "2026-11", forecast_of("2026-11-01", "2026-12-01", "2027-01-01"))
    assert frame["kind"].tolist() == ["actual"] * 10 + ["partial", "forecast"]
    assert frame["actual"].tolist()[9:11] == [50, 6]
    # Eleven of 21 workdays are to come: 6 sold and eleven 21sts of the month's 40.
    assert frame["forecast"].tolist()[-2:] == pytest.approx([6 + 40 * 11 / 21, 40])
    assert frame["forecast"].iloc[:10].isna().all()


def test_the_year_lands_at_complete_months_plus_forecast_with_its_chance(make_store):
    landing = 55 + 6 + 40 * 11 / 21 + 40
    with open_store(make_store, YEAR, [target(landing, "2026-01-01", "year")]) as wb:
        frame = sf.targets.outlook(wb, "2026-11", forecast_of("2026-11-01", "2026-12-01"))
    facts = frame.attrs
    assert (facts["actual"], facts["landing"], facts["target"]) == (55, pytest.approx(landing), landing)
    assert landing - 20 < facts["lo_80"] < landing - 10 < landing < facts["hi_80"] < landing + 20
    assert facts["p_reach"] == pytest.approx(0.5)


def test_a_landing_below_target_is_a_finding(make_store):
    with open_store(make_store, YEAR, [target(150, "2026-01-01", "year")]) as wb:
        frame = sf.targets.outlook(wb, "2026-11", forecast_of("2026-11-01", "2026-12-01"))
    (finding,) = sf.targets.outlook_findings(frame, "2026-11")
    gap = 150 - (55 + 6 + 40 * 11 / 21 + 40)
    assert finding.kind == "year_landing_short"
    assert (finding.amount, finding.values["gap_size"]) == (pytest.approx(-gap), pytest.approx(gap))
    assert finding.certainty == pytest.approx(1 - finding.values["p_reach"])


def test_the_outlook_of_a_complete_year_is_the_next_one(make_store):
    ahead = [f"2027-{month:02d}-01" for month in range(1, 13)]
    with open_store(
        make_store, YEAR, [target(150, "2026-01-01", "year"), target(400, "2027-01-01", "year")], as_of="2026-12-31"
    ) as wb:
        frame = sf.targets.outlook(wb, "2026-Q4", forecast_of(*ahead))
    assert set(frame["kind"]) == {"forecast"}
    assert (frame.attrs["period"], frame.attrs["landing"], frame.attrs["target"]) == ("2027", 480, 400)


def test_a_forecast_that_ends_before_the_year_tells_no_landing(make_store):
    with open_store(make_store, YEAR, [target(150, "2026-01-01", "year")]) as wb:
        frame = sf.targets.outlook(wb, "2026-11", forecast_of("2026-11-01"))
        with pytest.raises(BadValue, match="one series"):
            sf.targets.outlook(wb, "2026-11", forecast_of("2026-11-01", "2026-11-01"))
    assert sf.targets.outlook_findings(frame, "2026-11") == []


def test_without_targets_the_chapter_says_what_to_import(make_store):
    with sf.open(make_store(transactions=HALF_WAY)) as wb, pytest.raises(NoData, match="targets"):
        sf.targets.attainment(wb, "2026-11")


def test_the_gap_of_the_year_is_a_finding_with_the_rate_it_takes(make_store):
    with open_store(make_store, HALF_WAY, [target(1000, "2026-01-01", "year")]) as wb:
        (finding,) = sf.targets.findings(wb, "2026-11")
    assert finding.kind == "target_gap"
    assert finding.values["required_rate"] == pytest.approx((1000 - 45) / finding.values["remaining_workdays"])
    assert finding.amount == pytest.approx(finding.values["landing"] - 1000)
    assert finding.certainty == finding.values["time_progress"]


def test_a_target_that_asks_for_much_more_than_the_others_is_stretched(make_store):
    months = pd.date_range("2025-01-01", "2026-10-01", freq="MS")
    teams = ["甲", "乙", "丙", "丁"]
    sales = pd.concat([lines(*((day, 100) for day in months + pd.Timedelta(days=9)), region=team) for team in teams])
    rows = [
        target(value, "2026-01-01", "year", ("region", team))
        for team, value in zip(teams, (1200, 1230, 1220, 1800), strict=True)
    ]
    with open_store(make_store, sales, rows, as_of="2026-10-31") as wb:
        gap, stretched = sf.targets.findings(wb, "2026-10")
    assert gap.kind.startswith("target_")
    assert (stretched.kind, dict(stretched.slice)) == ("stretched_target", {"region": "丁"})
    assert stretched.values["asked"] == pytest.approx(0.5)
    assert stretched.values["usually_asked"] == pytest.approx(1220 / 1200 - 1)


def test_a_member_that_merely_sells_less_has_no_stretched_target(make_store):
    months = pd.date_range("2025-01-01", "2026-10-01", freq="MS")
    sales = [
        lines(
            *((day, 50 if team == "丁" and day.year == 2026 else 100) for day in months + pd.Timedelta(days=9)),
            region=team,
        )
        for team in "甲乙丙丁"
    ]
    rows = [target(1200, "2026-01-01", "year", ("region", team)) for team in "甲乙丙丁"]
    with open_store(make_store, pd.concat(sales), rows, as_of="2026-10-31") as wb:
        kinds = [each.kind for each in sf.targets.findings(wb, "2026-10")]
    assert "stretched_target" not in kinds
