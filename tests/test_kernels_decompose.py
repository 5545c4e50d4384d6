import numpy as np
import pytest

from salesforecast.forecasting.models.decompose import (
    estimate_seasons,
    logs,
    moving_average,
    seasonal_indices,
    upcoming,
)

SHAPE = np.array([-0.3, 0.1, -0.1, 0.3])
ADDED, RATIO = np.array([False]), np.array([True])


def test_the_moving_average_equals_that_of_statsmodels():
    seasonal = pytest.importorskip("statsmodels.tsa.seasonal")
    y = np.random.default_rng(1).lognormal(0, 0.3, 30)

    for season in (3, 4, 12):
        trend = seasonal.seasonal_decompose(y, period=season).trend
        np.testing.assert_allclose(moving_average(y[:, None], season)[:, 0], trend, rtol=1e-12)


def test_without_noise_the_indices_are_the_season():
    y = (2 + 0.1 * np.arange(20) + np.tile(SHAPE, 5))[:, None]

    np.testing.assert_allclose(seasonal_indices(y, 4, ADDED)[:, 0], SHAPE, atol=1e-12)


def test_noise_shrinks_the_indices_towards_no_season():
    random = np.random.default_rng(3)
    noise = random.normal(1, 0.2, (48, 200)).clip(0.1)

    shrunk = seasonal_indices(noise, 12, np.full(200, True))
    folded = (noise / moving_average(noise, 12))[6:42].reshape(3, 12, 200).mean(axis=0)[[*range(6, 12), *range(6)]]

    assert np.square(shrunk - 1).mean() < 0.3 * np.square(folded / folded.mean(axis=0) - 1).mean()
    np.testing.assert_allclose(shrunk.mean(axis=0), 1)


def test_a_clear_season_is_hardly_shrunk():
    y = (1 + np.tile(SHAPE, 6)) * np.random.default_rng(3).lognormal(0, 0.02, 24)

    np.testing.assert_allclose(seasonal_indices(y[:, None], 4, RATIO)[:, 0], 1 + SHAPE, atol=0.03)


def test_a_season_that_turns_over_is_followed():
    first, later = np.tile(1 + SHAPE, 6), np.tile(1 - SHAPE, 12)

    seasons = estimate_seasons(np.r_[first, later][:, None], np.array([72]), 4, RATIO)

    np.testing.assert_allclose(seasons.coming[:, 0], 1 - SHAPE, atol=0.05)
    np.testing.assert_allclose(seasons.restore(np.ones((4, 1)))[:, 0], seasons.coming[:, 0])


def test_removing_and_restoring_cancel():
    y = np.random.default_rng(5).lognormal(0, 0.3, (24, 2))
    seasons = estimate_seasons(y, np.array([24, 24]), 4, np.array([True, False]))

    back = seasons.remove(y) * np.array([1, 0]) * seasons.rows + (seasons.remove(y) + seasons.rows) * np.array([0, 1])

    np.testing.assert_allclose(back, y)


@pytest.mark.parametrize(("count", "season"), [(7, 4), (100, 52), (30, 1)])
def test_a_history_under_two_seasons_or_with_a_long_season_is_left_as_it_is(count, season):
    y = np.random.default_rng(5).lognormal(0, 0.3, (count, 1))

    assert (estimate_seasons(y, np.array([count]), season, RATIO).remove(y) == y).all()


def test_ratios_near_zero_become_differences():
    y = np.tile([1e-6, 1.0, 2.0, 1.0], 6)[:, None]

    seasons = estimate_seasons(y, np.array([24]), 4, RATIO)

    assert not seasons.multiplicative[0]
    assert np.ptp(seasons.remove(y)) < 1e-9


def test_the_coming_periods_continue_each_series_own_season():
    indices = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])

    assert upcoming(indices, np.array([6, 4]), 4).T.tolist() == [[1, 2, 3, 1], [2, 3, 1, 2]]


def test_logs_are_taken_only_where_no_value_is_near_zero():
    y = np.array([[1.0, 1.0, 1e-4, -1.0], [2.0, 0.0, 1.0, -2.0], [3.0, 2.0, np.nan, -3.0]])

    values, logged = logs(y)

    assert logged.tolist() == [True, False, False, False]
    np.testing.assert_allclose(values[:, 0], np.log([1, 2, 3]))
    np.testing.assert_array_equal(values[:, 1:], y[:, 1:])
