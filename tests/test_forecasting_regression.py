import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue
from salesforecast.forecasting.regression import effects, estimate, slopes

SEASON = np.tile([-0.2, -0.3, 0.0, 0.1, 0.0, -0.1, 0.0, 0.1, 0.2, 0.1, 0.0, 0.1], 10)


def sales(n=60, horizon=6, promotion=0.3, price=0.0, noise=0.03, walk=0.01, seed=1):
    """Months with a season, a wandering level and two regressors: promotions and a price that wanders."""
    rng = np.random.default_rng(seed)
    count = n + horizon
    known = np.column_stack([rng.random(count) < 0.2, np.cumsum(rng.normal(0, 0.1, count))]).astype(float)
    level = np.cumsum(rng.normal(0, walk, count)) + rng.normal(0, noise, count)
    y = np.exp(SEASON[:count] + level + known @ [promotion, price])[:n]
    return 100 * y / y.mean(), known


def test_the_effects_of_a_promotion_and_of_a_price_are_found():
    y, known = sales(n=100, promotion=0.3, price=-1.2)
    found = slopes(y, known, 12, 6)
    assert found.reason == ("", "") and found.log
    assert found.slope == pytest.approx([0.3, -1.2], abs=0.1)
    assert (np.abs(found.slope - [0.3, -1.2]) < 3 * found.error).all()
    assert (np.abs(found.shrunk) < np.abs(found.slope)).all()


def test_taking_an_effect_out_and_putting_it_back_changes_nothing():
    y, known = sales()
    effect = estimate(y, known, 12, 6)
    assert effect.notes == ("regressors_used",)
    assert (effect.remove(y) * np.exp(effect.history)).tolist() == pytest.approx(y.tolist())
    assert abs(effect.history.mean()) < 1e-12  # the level stays
    assert np.ptp(effect.future[known[60:, 0] == 1]) == pytest.approx(0)


def test_noise_is_seldom_taken_for_an_effect_however_many_regressors_are_tried():
    used = 0
    for seed in range(100):
        y, _ = sales(promotion=0, seed=seed)
        noise = np.random.default_rng(1000 + seed).normal(size=(66, 8))
        used += estimate(y, noise, 12, 6).notes == ("regressors_used",)
    assert used <= 15


def test_two_columns_that_tell_the_same_count_once():
    y, known = sales()
    twice = np.column_stack([known[:, 0], known[:, 0] * 2, np.ones(66)])
    found = slopes(y, twice, 12, 6)
    assert found.reason == ("", "collinear", "constant")
    assert np.isnan(found.slope[1:]).all() and found.shrunk[1:].tolist() == [0, 0]


def test_a_freak_month_does_not_decide_about_a_promotion():
    y, known = sales(seed=4)
    broken = y.copy()
    broken[np.flatnonzero(known[:60, 0])[1]] *= 10
    assert slopes(broken, known[:, :1], 12, 6).slope[0] == pytest.approx(0.3, abs=0.15)


def test_a_regressor_known_only_lately_is_used_if_that_is_half_of_the_history():
    y, known = sales(n=100)
    late, too_late = known[:, :1].copy(), known[:, :1].copy()
    late[:30], too_late[:60] = np.nan, np.nan
    effect = estimate(y, late, 12, 6)
    assert effect.notes == ("regressors_used",) and effect.history[:30].tolist() == [0] * 30
    assert slopes(y, too_late, 12, 6).reason == ("unknown",)
    unknown_ahead = known[:, :1].copy()
    unknown_ahead[-1] = np.nan
    assert estimate(y, unknown_ahead, 12, 6).notes == ("regressors_unused",)


def test_a_short_history_says_nothing_and_a_plan_outside_experience_is_noted():
    y, known = sales()
    assert slopes(y[:8], known[:14], 1, 6).reason == ("rare", "short")
    far = known[:, :1].copy()
    far[-1] = 5
    assert estimate(y, far, 12, 6).notes == ("regressors_used", "regressors_outside")


def test_a_series_with_zeros_has_effects_in_its_own_unit():
    rng = np.random.default_rng(5)
    promotion = (rng.random(60) < 0.3).astype(float)
    y = np.maximum(rng.normal(3, 3, 54), 0) + 20 * promotion[:54]
    found = slopes(y, promotion[:, None], 1, 6)
    assert y.min() == 0 and not found.log
    assert found.slope[0] == pytest.approx(20, abs=2)
    assert estimate(y * 1e9, promotion[:, None], 1, 6).future == pytest.approx(
        estimate(y, promotion[:, None], 1, 6).future * 1e9
    )


def panel_and_plan():
    y, known = sales()
    ds = pd.date_range("2020-01-01", periods=66, freq="MS")
    plan = pd.DataFrame({"ds": ds, "promotion": known[:, 0], "price": known[:, 1]})
    noise = 100 * np.exp(np.random.default_rng(10).normal(0, 0.05, 60))
    two = pd.concat([pd.DataFrame({"unique_id": each, "ds": ds[:60], "y": v}) for each, v in (("A", y), ("B", noise))])
    return two, plan


def test_the_report_says_what_each_regressor_does_to_each_series():
    panel, plan = panel_and_plan()
    report = effects(panel, plan, horizon=6).set_index(["unique_id", "regressor"])
    promotion = report.loc[("A", "promotion")]
    assert promotion["unit"] == "percent" and promotion["used"] and promotion["reason"] == ""
    assert promotion["lo_95"] < promotion["effect"] < promotion["hi_95"]
    assert promotion["effect"] == pytest.approx(100 * np.expm1(0.3), abs=5)
    assert 0 < promotion["applied"] <= promotion["effect"]
    assert promotion["swing"] == pytest.approx(promotion["applied"])  # from no promotion to one
    assert report["used"].tolist() == [True, False, False, False]
    assert report["reason"].tolist() == ["", "weak", "weak", "weak"]
    assert report.loc["B", "applied"].tolist() == [0, 0]


def test_a_plan_that_misses_periods_is_refused_with_the_first_of_them():
    panel, plan = panel_and_plan()
    with pytest.raises(BadValue, match="2025-06-01"):
        effects(panel, plan[:-1], horizon=6)


def test_a_festival_seen_three_times_in_monthly_data_is_not_told_from_whatever_else_happened_then():
    months = 36
    festival = np.zeros((months, 1))
    festival[[0, 13, 24]] = 1.0
    y = 100 * (1 + 0.01 * np.sin(np.arange(months))) * 0.6 ** festival[:, 0]
    assert slopes(y, festival, 12, 0).reason == ("rare",)
    longer = np.zeros((60, 1))
    longer[[0, 13, 24, 37, 49]] = 1.0
    y = 100 * (1 + 0.01 * np.sin(np.arange(60))) * 0.6 ** longer[:, 0]
    assert slopes(y, longer, 12, 0).reason == ("",)


def test_what_happened_once_is_not_told_from_whatever_else_happened_then():
    months = 60
    campaign = np.zeros((months, 1))
    campaign[20:34] = 1.0
    found = slopes(100 * (1 + 0.01 * np.sin(np.arange(months))) * 1.5 ** campaign[:, 0], campaign, 12, 0)
    assert found.reason == ("rare",) and np.isnan(found.slope[0])


def test_an_effect_grows_no_more_a_whole_range_beyond_what_was_seen():
    promotion = np.tile([0.0, 0, 1, 0, 0], 9)[:, None]
    y = 100 * 1.5 ** promotion[:40, 0] * np.tile([1.0, 1.01, 0.99, 1.0], 10)
    twice, mad = promotion.copy(), promotion.copy()
    twice[42], mad[42] = 2, 1e6
    assert estimate(y, mad, 1, 5).future == pytest.approx(estimate(y, twice, 1, 5).future)
    assert "regressors_outside" in estimate(y, mad, 1, 5).notes
