import numpy as np

from salesforecast.forecasting.models.ces import ces, ces_filter
from salesforecast.forecasting.models.registry import Batch


def test_the_filter_is_the_published_recursion():
    # Svetunkov, Kourentzes & Ord (2022): ℓ' = ℓ − (1 − α₁)·c + (α₀ − α₁)·e and c' = ℓ + (1 − α₀)·c + (α₀ + α₁)·e.
    y, (level, potential), season, errors = [1.2, 0.9, 1.4, 1.3, 1.1], (1.0, 0.9), [0.1, -0.1], []
    for time, value in enumerate(y):
        error = value - level - season[time % 2]
        season[time % 2] += 0.3 * error
        level, potential = (
            level - (1 - 1.05) * potential + (1.4 - 1.05) * error,
            level + (1 - 1.4) * potential + (1.4 + 1.05) * error,
        )
        errors.append(error)

    parameters = np.array([1.4, 1.05, 0.3])[:, None, None]
    found, state = ces_filter(np.array(y)[:, None], np.array([5]), parameters, np.array([1.0, 0.9, 0.1, -0.1])[:, None])

    np.testing.assert_allclose(found.ravel(), errors, rtol=1e-12)
    np.testing.assert_allclose(state.ravel(), [level, potential, *season], rtol=1e-12)


def test_lanes_and_series_are_filtered_apart_and_ended_series_keep_their_state():
    y = np.array([[1.2, 0.8], [0.9, 1.1], [1.4, np.nan]])
    start = np.ones((2, 2))
    parameters = np.array([[1.2, 1.6], [1.0, 1.05], [0.0, 0.0]])[:, :, None].repeat(2, axis=2)

    errors, state = ces_filter(y, np.array([3, 2]), parameters, start)

    for lane in range(2):
        for series, count in enumerate((3, 2)):
            alone, end = ces_filter(
                y[:count, series : series + 1],
                np.array([count]),
                parameters[:, lane : lane + 1, :1],
                start[:, :1],
            )
            assert errors[:count, lane, series].tolist() == alone.ravel().tolist()
            assert state[:, lane, series].tolist() == end.ravel().tolist()
    assert errors[2, :, 1].tolist() == [0, 0]


def test_a_trend_is_continued_without_a_trend_in_the_model():
    y = 1 + 0.02 * np.arange(60.0)

    path = ces(Batch(y[:, None], np.array([60]), 1), 6)[:, 0]

    np.testing.assert_allclose(path, 1 + 0.02 * np.arange(60, 66), rtol=0.03)
    assert (np.diff(path) > 0).all()


def test_a_season_that_changes_is_followed():
    random = np.random.default_rng(4)
    growing = np.linspace(0, 0.5, 80) * np.tile([-1, 1, -1, 1], 20)
    y = (1 + growing) * random.lognormal(0, 0.02, 80)

    path = ces(Batch(y[:, None], np.array([80]), 4), 4)[:, 0]

    np.testing.assert_allclose(path, [0.5, 1.5, 0.5, 1.5], atol=0.1)
