"""Findings: ranking, their words, and the planted truths of the synthetic company."""

import re
import string
import tomllib
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import analysis
from salesforecast.demo import company
from salesforecast.errors import NoData
from salesforecast.findings import Finding, rank

LABELS = Path(sf.__file__).parent / "present" / "labels"
FORMATS = {
    "money", "signed_money", "pct", "signed_pct", "points", "chance", "int", "signed_int", "number", "date", "period",
    "member", "measure",
}  # fmt: skip
SECTIONS = {"kpis", "attainment", "trend", "regions", "channels", "forecast", "quality"}
FINDINGS = tomllib.loads((LABELS / "findings.toml").read_text(encoding="utf-8"))
NOTES = tomllib.loads((LABELS / "notes.toml").read_text(encoding="utf-8"))
QUALITY = tomllib.loads((LABELS / "quality.toml").read_text(encoding="utf-8"))
TABLES = ("transactions", "customers", "people", "products", "targets")


@pytest.fixture(scope="module")
def demo():
    return company(lines=9_000, seed=7)


@pytest.fixture(scope="module")
def store(demo, tmp_path_factory):
    from salesforecast import engine

    path = tmp_path_factory.mktemp("demo") / "demo.duckdb"
    with engine.connect(path, write=True) as writable:
        for name in TABLES:
            writable.register("incoming", demo.tables[name])
            columns = ", ".join(f'"{each}"' for each in demo.tables[name].columns)
            writable.execute(
                f"INSERT INTO store.{name} ({columns}, row_key) "
                f"SELECT {columns}, CAST(row_number() OVER () AS VARCHAR) FROM incoming"
            )
    return path


@pytest.fixture(scope="module")
def october(store):
    with sf.open(store, period="2026-10") as wb:
        yield wb


@pytest.fixture(scope="module")
def everything(october):
    """All findings of all chapters about October 2026, unranked."""
    return [each for chapter in analysis.CHAPTERS for each in chapter.findings(october, "2026-10")]


def of_kind(found, *kinds):
    return [each for each in found if each.kind in kinds]


def test_heavier_findings_come_first_and_no_kind_more_than_twice():
    light, *heavy = (Finding("gap", "kpis", "revenue", amount, 1.0, "2026-10") for amount in (1.0, -30.0, 20.0))
    other = Finding("trend", "trend", "revenue", 5.0, 1.0, "2026-10")
    assert [each.amount for each in rank([light, *heavy, other])] == [-30, 20, 5]


def test_the_declining_region_is_found(demo, everything):
    (decline,) = of_kind(everything, "region_decline")
    assert dict(decline.slice) == {"region": demo.truths["declining_region"]["where"]["region"]}
    assert decline.since >= "2026-01"
    assert decline.amount < 0


def test_the_outlier_month_is_found_and_it_is_the_only_one(everything):
    (outlier,) = [each for each in everything if each.kind.startswith("outlier")]
    assert outlier.values["month"] == "2025-08"
    assert outlier.values["deviation_pct"] == pytest.approx(0.45, abs=0.08)


def test_the_outlier_is_explained_by_the_region_that_placed_the_order(store):
    with sf.open(store, period="2025-08") as wb:
        (outlier,) = [each for each in sf.sales.findings(wb, "2025-08") if each.kind.startswith("outlier")]
    assert dict(outlier.slice) == {"region": "华北"}
    assert outlier.values["explained"] > 0.8


def test_the_over_stretched_target_is_found_and_the_weak_region_is_not_blamed_on_its_target(demo, everything):
    (stretched,) = of_kind(everything, "stretched_target")
    assert list(stretched.slice.values()) == [demo.truths["overstretched_target"]["where"]["team"]]


def test_the_price_rise_is_found_with_its_month_and_size(everything):
    (price,) = of_kind(everything, "price_change")
    assert dict(price.slice) == {"category": "变频器"}
    assert price.since == "2025-07"
    assert price.values["change_lo"] < 0.08 < price.values["change_hi"]


def test_growth_and_season_are_found(october):
    frame = sf.sales.trend(october)
    # 9 % a year is planted; one region of four loses 4 % a month since January 2026.
    assert 0.03 < frame.attrs["slope"] < 0.10
    months = frame.assign(month=frame["period_start"].dt.month, index=frame["expected"] / frame["trend"])
    index = months.groupby("month")["index"].mean()
    assert index.idxmax() == 12
    assert index.idxmin() in (1, 2)
    assert frame.attrs["calendar"]


def test_spring_festival_makes_neither_february_nor_january_an_anomaly(october):
    frame = sf.sales.trend(october)
    winter = frame[frame["period_start"].dt.month.isin([1, 2])]
    assert not winter["anomaly"].any()
    february = sf.sales.kpis(october, "2026-02").loc["revenue"]
    # The festival fell into January in 2025 and into February in 2026.
    assert february["yoy"] < -0.2
    assert abs(february["festival_yoy"]) < 0.12


def test_the_curve_of_the_year_has_the_base_of_the_headline_figures(october):
    kpi = sf.sales.kpis(october, "2026-10").loc["revenue"]
    curve = sf.targets.pacing(october, "2026").set_index("date").loc[str(october.as_of)]
    assert curve["last_year"] == pytest.approx(kpi["ytd_last_year"])
    assert curve["actual"] == pytest.approx(kpi["ytd"])


def test_person_targets_of_a_company_with_leavers_add_up(october):
    assert "targets_do_not_add_up" not in sf.quality.checks(october)["check"].tolist()


def test_the_review_lists_the_weightiest_and_each_fact_once(october):
    found = analysis.headlines(october, "2026-10")
    assert 3 <= len(found) <= 7
    assert [each.weight for each in found] == sorted((each.weight for each in found), reverse=True)
    kinds = [each.kind for each in found]
    assert {"target_gap", "region_decline", "stretched_target", "price_change"} <= set(kinds)
    assert "level_shift_member" not in kinds  # the declining region is told once


def test_a_forecast_of_the_year_replaces_the_run_rate(october):
    landing = Finding("year_landing_short", "forecast", "revenue", -9e6, 0.9, "2026-10")
    kinds = [each.kind for each in analysis.headlines(october, "2026-10", extra=[landing])]
    assert "year_landing_short" in kinds
    assert "target_gap" not in kinds


def test_findings_are_values_a_page_can_print(everything):
    for each in everything:
        assert each.section in SECTIONS
        assert 0 <= each.certainty <= 1
        assert each.amount == each.amount
        assert all(value is None or type(value) in (str, float, int) for value in each.values.values())


def test_the_same_question_has_the_same_answer(october, everything):
    again = [each for chapter in analysis.CHAPTERS for each in chapter.findings(october, "2026-10")]
    assert again == everything


def test_chapters_without_their_data_are_skipped(make_store):
    days = pd.date_range("2025-01-10", periods=22, freq="MS").date
    with sf.open(make_store(transactions=pd.DataFrame({"date": days, "amount": 100.0})), as_of="2026-10-31") as wb:
        assert [each.kind for each in analysis.headlines(wb, "2026-10")] == ["period_result_no_target"]


def test_a_store_without_sales_has_nothing_to_say(make_store):
    store = make_store(customers=pd.DataFrame({"customer_id": ["C1"], "created_at": [date(2026, 10, 1)]}))
    with sf.open(store, as_of="2026-10-31") as wb, pytest.raises(NoData):
        analysis.headlines(wb, "2026-10")


def test_an_unfinished_month_is_reported_as_progress(store):
    with sf.open(store, period="2026-11") as wb:
        found = of_kind(sf.sales.findings(wb, "2026-11"), "period_progress")
    assert found[0].values["workdays"] < found[0].values["all_workdays"]


@pytest.mark.parametrize("group", ["finding", "action"])
def test_every_sentence_exists_in_both_languages_with_the_same_figures(group):
    for key, entry in FINDINGS[group].items():
        fields = {
            language: {(name, form) for _, name, form, _ in string.Formatter().parse(entry[language]) if name}
            for language in ("zh", "en")
        }
        assert fields["zh"] == fields["en"], key
        assert {form for _, form in fields["zh"]} <= FORMATS, key


def test_every_finding_has_its_sentence_its_figures_and_its_action(everything):
    for each in everything:
        entry = FINDINGS["finding"][each.kind]
        fields = {name for _, name, _, _ in string.Formatter().parse(entry["zh"]) if name}
        assert fields <= set(each.values), each.kind
        assert each.action is None or each.action in FINDINGS["action"]


def test_every_kind_action_note_and_check_of_the_code_has_words():
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(analysis.__file__).parent.glob("*.py"))
    assert set(re.findall(r'action="(\w+)"', code)) <= set(FINDINGS["action"])
    assert set(re.findall(r'"(\w+)", "(?:error|warning|info)"', code)) <= {*NOTES["check"], *QUALITY["check"]}
    for reason in ("void", "pending", "after_as_of", "before_1990", "no_currency_rate"):
        assert f"excluded_{reason}" in NOTES["check"]
    for start in ("period_result", "period_progress"):
        assert {start + ending for ending in ("", "_no_target", "_no_base", "_alone")} <= set(FINDINGS["finding"])
        festive = {f"{start}_{month}{ending}" for month in ("festival", "january") for ending in ("", "_no_target")}
        assert festive <= set(FINDINGS["finding"])
    for kind in ("outlier", "outlier_base"):
        assert {kind, f"{kind}_member", f"{kind}_wholly_member"} <= set(FINDINGS["finding"])
    assert {"data_rejected", "data_rejected_rows"} <= set(FINDINGS["finding"])
    for by in ("region", "channel"):
        assert {f"{by}_decline", f"{by}_growth"} <= set(FINDINGS["finding"])
        assert {f"{by}_recover", f"{by}_extend"} <= set(FINDINGS["action"])
    notes = {
        "partial",
        "festival",
        "no_data",
        "no_base",
        "no_target",
        "target_of_members",
        "unassigned",
        "reached",
        "target_other_basis",
    }
    assert notes <= set(NOTES["note"])


def test_every_note_and_check_has_both_languages():
    for group in NOTES.values():
        assert all(entry["zh"] and entry["en"] for entry in group.values())
