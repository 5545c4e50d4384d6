import numpy as np
import pytest

from salesforecast.forecasting.conditioning import condition, ended, leading_zeros
from salesforecast.forecasting.models.registry import Batch

MONTHS = 100 * np.exp(
    np.tile([-0.2, -0.3, 0.0, 0.1, 0.0, -0.1, 0.0, 0.1, 0.2, 0.1, 0.0, 0.3], 5)
    + 0.005 * np.arange(60)
    + np.random.default_rng(3).normal(0, 0.02, 60)
)


def batch(*series, season=12):
    """Columns as long as their series; the longest first."""
    longest = max(map(len, series))
    y = np.column_stack(
        [np.pad(np.asarray(each, float), (0, longest - len(each)), constant_values=np.nan) for each in series]
    )
    return Batch(y, np.array([len(each) for each in series]), season)


def cleaned(y, season=12):
    made, notes = condition(batch(y, season=season))
    return made.y[: len(y), 0], notes[0]


def test_an_ordinary_history_is_returned_as_it_is():
    made, notes = cleaned(MONTHS)
    assert made.tolist() == MONTHS.tolist() and notes == ()


@pytest.mark.parametrize("factor", [3, 1 / 3])
@pytest.mark.parametrize("unit", [1e-9, 1, 1e12])
def test_a_point_far_outside_its_season_is_pulled_in_at_any_magnitude(factor, unit):
    broken = MONTHS * unit
    broken[30] *= factor
    made, notes = cleaned(broken)
    assert notes == ("outliers_adjusted",)
    assert made[30] == pytest.approx(MONTHS[30] * unit, rel=0.1)
    assert np.delete(made, 30).tolist() == np.delete(broken, 30).tolist()


def test_a_peak_that_comes_every_december_is_no_outlier():
    peaks = MONTHS.copy()
    peaks[11::12] *= 4
    assert cleaned(peaks)[1] == ()


def test_an_odd_last_point_is_pulled_a_little_for_it_may_be_a_new_level():
    broken = MONTHS.copy()
    broken[-1] *= 2
    made, notes = cleaned(broken)
    assert notes == ("outliers_adjusted",)
    assert MONTHS[-1] * 1.8 < made[-1] < broken[-1]


@pytest.mark.parametrize("share", [0.3, 0.0])
def test_a_last_point_below_half_of_what_was_due_is_an_unfinished_period(share):
    broken = MONTHS.copy()
    broken[-1] *= share
    made, notes = cleaned(broken)
    assert notes == ("last_period_low",)
    assert made[-1] == pytest.approx(MONTHS[-1], rel=0.1)
    twice = np.append(broken, MONTHS[0] * share)  # two in a row: a new level
    assert cleaned(twice)[0][-1] < 0.6 * MONTHS[0]


def test_frequent_large_values_belong_to_the_series():
    wild = MONTHS.copy()
    wild[[5, 17, 22, 31, 38, 47, 53]] *= 3
    assert cleaned(wild)[1] == ()


def test_the_part_before_a_lasting_shift_is_brought_to_the_new_level():
    shifted = MONTHS.copy()
    shifted[:45] *= 0.6
    made, notes = cleaned(shifted)
    assert "level_shift" in notes
    assert made[45:].tolist() == shifted[45:].tolist()
    assert made[:45] == pytest.approx(MONTHS[:45], rel=0.1)


def test_values_with_negative_ones_are_moved_not_multiplied():
    around_zero = MONTHS - MONTHS.mean()
    shifted = around_zero.copy()
    shifted[:40] -= 300
    made, notes = cleaned(shifted)
    assert notes == ("level_shift",)
    assert made[:40] - shifted[:40] == pytest.approx(np.full(40, 300), abs=15)


def test_a_steady_trend_and_a_random_walk_have_no_shift():
    growing = 100 * 1.03 ** np.arange(60)
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.05, 60)))
    assert cleaned(growing)[1] == () and cleaned(walk)[1] == ()


def test_no_rule_looks_ahead_or_at_other_columns():
    shifted = MONTHS.copy()
    shifted[:45] *= 0.6
    shifted[20] *= 3
    together, notes = condition(batch(MONTHS, shifted, shifted[:40], MONTHS[:3]))
    alone, said = condition(batch(shifted[:40]))
    assert together.y[:40, 2].tolist() == alone.y[:, 0].tolist()
    assert notes == [(), ("level_shift", "outliers_adjusted"), ("outliers_adjusted",), ()]
    assert said == [("outliers_adjusted",)]
    assert np.isnan(together.y[40:, 2]).all()


@pytest.mark.parametrize("season", [1, 4, 7, 12, 52])
@pytest.mark.parametrize("length", [1, 2, 5, 8, 31, 140])
def test_every_history_comes_back_whole(season, length):
    rng = np.random.default_rng(length)
    kinds = [
        np.zeros(length),
        np.full(length, 7.0),
        rng.normal(size=length),
        rng.poisson(0.3, length),
        rng.lognormal(0, 3, length),
    ]
    made, notes = condition(batch(*kinds, season=season))
    assert np.isfinite(made.y).all() and len(notes) == len(kinds)
    assert (made.y[:, 3:] >= 0).all()


def test_a_series_is_over_after_half_a_year_of_months_without_sales():
    assert ended(batch([*MONTHS, 0, 0, 0, 0, 0])).tolist() == [False]
    assert ended(batch([*MONTHS, 0, 0, 0, 0, 0, 0])).tolist() == [True]
    made, notes = condition(batch([*MONTHS, 0, 0, 0, 0, 0, 0]))
    assert notes == [("ended",)] and not made.y.any()


def test_a_pause_that_was_seen_before_is_no_end():
    summer = np.tile([0, 0, 0, 5, 8, 9, 9, 7, 0, 0, 0, 0], 3)
    assert ended(batch([*summer, 0, 0])).tolist() == [False]
    assert ended(batch([*summer, *[0] * 12])).tolist() == [True]
    shop = np.tile([9, 8, 8, 8, 9, 12, 14], 20)
    assert ended(batch([*shop, *[0] * 8], season=7)).tolist() == [False]  # closed at Spring Festival


def test_zeros_before_the_first_sale_are_cut_but_not_a_closed_season():
    new = [0] * 14 + [5] * 10
    winter = np.tile([0, 0, 0, 5, 8, 9, 9, 7, 4, 2, 1, 0], 2)
    assert leading_zeros(batch(new, winter, [0] * 24)).tolist() == [14, 0, 0]
    assert leading_zeros(batch([0, 0, 3, 4], season=1)).tolist() == [2]
