"""What was forecast against what happened: vintages, lags, bias, coverage, and what each step of the chain adds."""

import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue
from salesforecast.forecasting import archive

MONTHS = pd.date_range("2026-01-01", periods=6, freq="MS")


def said(forecaster, values, *, scope=("company", "*"), made_on=None, half=10.0, **more):
    """Monthly forecasts from January 2026 on, each made on the day before its month."""
    days = MONTHS[: len(values)]
    frame = pd.DataFrame({"period_start": days, "value": np.array(values, float)})
    frame["made_on"] = pd.Timestamp(made_on) if made_on else days - pd.Timedelta(days=1)
    frame = frame.assign(forecaster=forecaster, measure="revenue", grain="month", scope_type=scope[0])
    return frame.assign(scope_id=scope[1], lo_80=frame["value"] - half, hi_80=frame["value"] + half, **more)


def happened(values, scope=("company", "*")):
    days = MONTHS[: len(values)]
    return pd.DataFrame({"measure": "revenue", "scope_type": scope[0], "scope_id": scope[1], "grain": "month",
                         "period_start": days, "y": np.array(values, float)})  # fmt: skip


def test_error_bias_and_coverage_are_those_of_the_sums():
    record = archive.evaluate(said("theta", [110, 90, 130]), happened([100, 100, 100]), "forecaster")
    row = record.iloc[0]
    assert row["n"] == 3
    assert row["wape"] == pytest.approx((10 + 10 + 30) / 300)
    assert row["bias"] == pytest.approx((10 - 10 + 30) / 300)
    assert row["coverage_80"] == pytest.approx(2 / 3)
    assert np.isnan(row["coverage_95"]) and np.isnan(row["naive_wape"])
    assert row["leaning"] == "even", "three months do not tell a leaning of 10 % from chance"


def test_a_steady_overshoot_is_a_leaning_and_its_interval_says_so():
    high = archive.evaluate(said("rep:P1", [120, 121, 119, 122, 118]), happened([100] * 5), "forecaster").iloc[0]
    assert high["leaning"] == "high"
    assert 0 < high["bias_lo"] < 0.2 < high["bias_hi"]
    low = archive.evaluate(said("rep:P1", [80, 79, 81, 80, 82]), happened([100] * 5), "forecaster").iloc[0]
    assert low["leaning"] == "low"


def test_forecasts_are_judged_beside_the_naive_ones_of_the_same_day():
    both = pd.concat([said("combination", [110, 90]), said("seasonal_naive", [80, 120])])
    record = archive.evaluate(both, happened([100, 100]), ["forecaster", "lag"]).set_index("forecaster")
    assert record.loc["combination", ["lag", "wape", "naive_wape"]].tolist() == [1, 0.1, 0.2]


def test_only_what_was_said_first_counts_and_what_has_no_outcome_is_left_out():
    first, again = said("theta", [110, 90], run_id="20260101T0-a"), said("theta", [100, 100], run_id="20260301T0-b")
    judged = archive.outcomes(pd.concat([again, first]), happened([100]))
    assert judged["value"].tolist() == [110]
    assert judged["inside_80"].tolist() == [1.0]


def test_forecasts_made_earlier_look_further_ahead():
    judged = archive.outcomes(said("theta", [1] * 4, made_on="2025-12-31"), happened([1] * 4))
    assert judged["lag"].tolist() == [1, 2, 3, 4]


def test_quarters_years_and_weeks_have_lags_of_their_own():
    made = pd.Series(pd.to_datetime(["2026-08-15", "2026-10-05", "2026-11-15", "2026-10-31"]))
    start = pd.Series(pd.to_datetime(["2026-10-01", "2026-10-01", "2026-01-01", "2026-11-09"]))
    assert archive.lags(made, start, pd.Series(["quarter", "quarter", "year", "week"])).tolist() == [1, 0, 0, 2]


def test_each_step_is_compared_over_the_targets_that_all_have_and_noise_is_no_value():
    sold = [100, 110, 90, 105, 95, 100]
    steps = pd.concat([
        said("seasonal_naive", [120, 130, 110, 125, 115, 120]),
        said("combination", [110, 120, 100, 115, 105, 110]),
        said("manager:P1", [111, 119, 101, 114, 106]),  # none for June
    ])  # fmt: skip
    chain = archive.fva(steps, happened(sold))
    assert chain["step"].tolist() == ["naive", "model", "manager"]
    assert chain["n"].tolist() == [5, 5, 5]
    assert chain["wape"].tolist() == pytest.approx([0.2, 0.1, 51 / 500])
    assert chain["fva"].tolist()[1:] == pytest.approx([0.1, 0.1 - 51 / 500])
    assert chain["verdict"].tolist()[1:] == ["adds", "even"]


def test_calls_of_reps_are_summed_to_the_company_where_they_stand_for_all_of_it():
    calls = pd.concat([said("rep:A", [60, 60], scope=("person", "A")), said("rep:B", [30, 30], scope=("person", "B"))])
    people = pd.concat([happened([50, 50], ("person", "A")), happened([50, 20], ("person", "B"))])
    company = happened([100, 100])
    whole = archive.summed(calls, pd.concat([people, company]))
    assert whole[["forecaster", "scope_type", "period_start", "value"]].values.tolist() == [
        ["rep:*", "company", MONTHS[0], 90.0]
    ], "in February the callers sold only 70 of 100"
    chain = archive.fva(pd.concat([calls, said("combination", [120, 120])]), pd.concat([people, company]))
    assert chain["step"].tolist() == ["model", "rep"] and chain["n"].tolist() == [1, 1]


def test_one_step_alone_is_no_chain():
    assert archive.fva(said("combination", [1, 2]), happened([1, 2])).empty


def test_series_of_a_dimension_become_members_and_members_keep_their_models():
    ahead = pd.DataFrame(
        {"unique_id": ["华东", "华北"], "ds": MONTHS[:1].repeat(2), "model": "theta", "mean": [1.0, 2.0]}
    )
    rows = archive.rows(ahead, "orders", scope_type="region", scope_id=None)
    assert rows[["measure", "scope_type", "scope_id", "value"]].values.tolist() == [
        ["orders", "region", "华东", 1.0], ["orders", "region", "华北", 2.0],
    ]  # fmt: skip
    assert rows["lo_80"].isna().all()


def test_an_unknown_column_to_judge_by_is_named():
    with pytest.raises(BadValue, match=r"no column 'forecastr'\. Did you mean 'forecaster'"):
        archive.evaluate(said("theta", [1]), happened([1]), "forecastr")
