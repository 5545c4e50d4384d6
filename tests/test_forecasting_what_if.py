import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue
from salesforecast.forecasting import forecast
from salesforecast.forecasting.what_if import drivers, scenarios

DATES = pd.date_range("2020-01-01", periods=66, freq="MS")


def example():
    """A moves with promotions (+35 %), B does not; the plan has no promotion ahead."""
    rng = np.random.default_rng(2)
    promotion = (rng.random(66) < 0.25).astype(float)
    promotion[60:] = 0
    season = np.tile(rng.normal(0, 0.1, 12), 6)[:60]
    parts = []
    for name, slope in (("A", 0.3), ("B", 0.0)):
        y = 100 * np.exp(season + slope * promotion[:60] + rng.normal(0, 0.03, 60))
        parts.append(pd.DataFrame({"unique_id": name, "ds": DATES[:60], "y": y}))
    price = np.round(10 + np.cumsum(rng.normal(0, 0.3, 66)), 1)
    return pd.concat(parts, ignore_index=True), pd.DataFrame({"ds": DATES, "promo": promotion, "price": price})


PANEL, PLAN = example()


def means(made, scenario, unique_id="A"):
    return made[(made["scenario"] == scenario) & (made["unique_id"] == unique_id)].reset_index(drop=True)


def test_the_empty_scenario_is_the_forecast():
    made = scenarios(PANEL, 6, {"base": {}}, regressors=PLAN)
    assert next(iter(made)) == "scenario"
    pd.testing.assert_frame_equal(made.drop(columns="scenario"), forecast(PANEL, 6, regressors=PLAN))


def test_a_promotion_lifts_the_series_that_moves_with_it_and_no_other():
    made = scenarios(PANEL, 6, {"base": {}, "promo": {"promo": 1}}, regressors=PLAN)
    lift = means(made, "promo")["mean"] / means(made, "base")["mean"]
    assert lift.tolist() == pytest.approx([np.exp(0.3)] * 6, rel=0.05)
    assert (means(made, "promo", "B")["mean"] == means(made, "base", "B")["mean"]).all()
    assert means(made, "promo", "B")["note"].str.contains("driver_without_effect").all()
    assert not means(made, "promo")["note"].str.contains("driver_without_effect").any()


def test_a_change_can_hold_for_one_period_only():
    made = scenarios(PANEL, 6, {"base": {}, "promo": {"promo": {"2025-02-01": 1}}}, regressors=PLAN)
    lift = means(made, "promo")["mean"] / means(made, "base")["mean"]
    assert lift.round(6).tolist()[0] == 1 and lift[1] > 1.25 and lift.round(6).tolist()[2:] == [1] * 4
    with pytest.raises(BadValue, match="no period of the horizon: 2025-01-01, 2025-02-01"):
        scenarios(PANEL, 6, {"promo": {"promo": {"2026-01-01": 1}}}, regressors=PLAN)


def test_the_interval_knows_that_an_effect_is_known_inexactly():
    made = means(scenarios(PANEL, 6, {"promo": {"promo": 1}}, regressors=PLAN), "promo")
    changed = PLAN.assign(promo=PLAN["promo"].where(PLAN["ds"] < "2025-01-01", 1.0))
    certain = forecast(PANEL, 6, regressors=changed)[:6]
    assert made["mean"].tolist() == certain["mean"].tolist()
    assert (made["hi_95"] > certain["hi_95"]).all() and (made["lo_95"] < certain["lo_95"]).all()
    assert (made["hi_95"] - made["mean"] > made["hi_80"] - made["mean"]).all()


def test_growth_is_reached_step_by_step_and_a_level_at_once():
    made = scenarios(
        PANEL,
        12,
        {"base": {}, "growth": {"growth": 0.1}, "level": {"level": "10%"}, "both": {"growth": 0.1, "level": -0.1}},
    )
    base = means(made, "base")["mean"]
    assert (means(made, "growth")["mean"] / base)[[5, 11]].tolist() == pytest.approx([1.1**0.5, 1.1])
    assert (means(made, "level")["mean"] / base).tolist() == pytest.approx([1.1] * 12)
    assert (means(made, "both")["hi_80"] / means(made, "base")["hi_80"])[11] == pytest.approx(1.1 * 0.9)


def test_a_tornado_has_the_strongest_driver_first():
    made = drivers(PANEL, 6, {"level": (-0.01, 0.01), "promo": (0, 1), "price": ("-5%", "+5%")}, regressors=PLAN)
    ours = made[made["unique_id"] == "A"]
    assert ours["driver"].tolist()[0] == "promo"
    assert ours["low"].tolist()[0] == ours["base"].tolist()[0]
    assert ours.set_index("driver").loc["level", "swing"] == pytest.approx(0.02 * ours["base"].iloc[0])
    assert made["unique_id"].tolist() == ["A"] * 3 + ["B"] * 3


def test_what_cannot_be_changed_is_refused():
    with pytest.raises(BadValue, match="Did you mean 'promo'"):
        scenarios(PANEL, 6, {"x": {"promos": 1}}, regressors=PLAN)
    with pytest.raises(BadValue, match="Available: growth, level"):
        scenarios(PANEL, 6, {"x": {"promo": 1}})
    with pytest.raises(BadValue, match="A change is 'twice'"):
        scenarios(PANEL, 6, {"x": {"promo": "twice"}}, regressors=PLAN)
    with pytest.raises(BadValue, match="names no scenario"):
        scenarios(PANEL, 6, {})
    with pytest.raises(BadValue, match="Rename the column"):
        scenarios(PANEL, 6, {"x": {}}, regressors=PLAN.rename(columns={"promo": "level"}))
    with pytest.raises(BadValue, match="a low and a high change"):
        drivers(PANEL, 6, {"promo": 1}, regressors=PLAN)
