import numpy as np
import pytest

from salesforecast.forecasting.models.decompose import seasonal_indices
from salesforecast.forecasting.models.ets import (
    additive_filter,
    ets_multiplicative,
    fit_additive,
    fit_multiplicative,
    multiplicative_filter,
    ses,
)
from salesforecast.forecasting.models.registry import Batch

INDICES = np.array([-0.2, 0.1, -0.1, 0.2])


def quarters(count=60, seed=7, indices=INDICES):
    random = np.random.default_rng(seed)
    level = 1 + np.cumsum(random.normal(0.004, 0.02, count))
    return level * np.tile(1 + indices, count)[:count] * random.lognormal(0, 0.05, count)


def reference(y, **form):
    ets = pytest.importorskip("statsmodels.tsa.exponential_smoothing.ets")
    return ets.ETSModel(y, initialization_method="known", **form)


def column(*values):
    return np.array(values)[:, None, None]


@pytest.mark.parametrize("damped", [False, True])
@pytest.mark.parametrize("seasonal", [False, True])
def test_the_additive_filter_equals_statsmodels_for_given_parameters(damped, seasonal):
    y = quarters()
    form, values = {"initial_level": 1.1}, [0.3]
    if damped:
        form |= {"trend": "add", "damped_trend": True, "initial_trend": 0.01}
        values.append(0.05)
    if seasonal:
        form |= {"seasonal": "add", "seasonal_periods": 4, "initial_seasonal": INDICES}
        values.append(0.2)
    model = reference(y, **form)
    smoothed = model.smooth(values + ([0.9] if damped else []))

    start = np.r_[1.1, 0.01 if damped else 0.0, INDICES if seasonal else []][:, None]
    damping = np.full((1, 1), 0.9) if damped else None
    errors, state = additive_filter(y[:, None], np.array([60]), column(0.3, 0.05, 0.2), damping, start)

    np.testing.assert_allclose(errors.ravel(), smoothed.resid, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(state[0, 0, 0], smoothed.level[-1], rtol=1e-8)
    if damped:
        np.testing.assert_allclose(state[1, 0, 0], smoothed.slope[-1], rtol=1e-8)


def test_the_multiplicative_filter_equals_statsmodels_for_a_fixed_season():
    # A moving season differs: statsmodels divides by the new level, the published model by the one before it.
    y = quarters()
    form = {"error": "mul", "seasonal": "mul", "seasonal_periods": 4}
    smoothed = reference(y, **form, initial_level=1.1, initial_seasonal=1 + INDICES).smooth([0.3, 0.0])

    start = np.r_[1.1, 1 + INDICES][:, None]
    ratios, state = multiplicative_filter(y[:, None], np.array([60]), column(0.3, 0.0), start)

    np.testing.assert_allclose(ratios.ravel(), y / smoothed.fittedvalues, rtol=1e-8)
    np.testing.assert_allclose(state[0, 0, 0], smoothed.level[-1], rtol=1e-8)


def test_the_multiplicative_filter_is_the_published_recursion():
    # Hyndman, Koehler, Ord & Snyder (2008), table 2.3, model MNM.
    y, level, indices, relative = quarters(), 1.1, list(1 + INDICES), []
    for time, value in enumerate(y):
        error = value / (level * indices[time % 4]) - 1
        level, indices[time % 4] = level * (1 + 0.3 * error), indices[time % 4] * (1 + 0.2 * error)
        relative.append(error)

    start = np.r_[1.1, 1 + INDICES][:, None]
    ratios, state = multiplicative_filter(y[:, None], np.array([60]), column(0.3, 0.2), start)

    np.testing.assert_allclose(ratios.ravel() - 1, relative, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(state[:, 0, 0], [level, *indices], rtol=1e-8)


def test_a_filter_leaves_ended_series_alone():
    y = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, np.nan]])
    start = np.array([[1.0, 1.0], [0.5, 0.5]])

    errors, state = additive_filter(y, np.array([3, 2]), np.full((3, 1, 2), 0.5), np.full((1, 2), 0.9), start)
    shorter, early = additive_filter(y[:2], np.array([2, 2]), np.full((3, 1, 2), 0.5), np.full((1, 2), 0.9), start)

    assert errors[2, 0].tolist() == [errors[2, 0, 0], 0.0]
    assert errors[:2, 0, 1].tolist() == shorter[:, 0, 1].tolist()
    np.testing.assert_allclose(state[:, 0, 1], early[:, 0, 1], rtol=1e-15)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damped", [False, True])
@pytest.mark.parametrize("seasonal", [False, True])
def test_the_additive_fit_is_as_good_as_that_of_statsmodels_from_the_same_start(seed, damped, seasonal):
    y = quarters(seed=seed, indices=INDICES * seasonal)
    indices = seasonal_indices(y[:, None], 4, np.array([False]))[:, 0]
    opening = (y - np.tile(indices, 15) if seasonal else y)[:10]
    slope, level = np.polyfit(np.arange(1, 11), opening, 1)
    form = {"initial_level": level if damped else opening.mean()}
    if damped:
        form |= {"trend": "add", "damped_trend": True, "initial_trend": slope}
    if seasonal:
        form |= {"seasonal": "add", "seasonal_periods": 4, "initial_seasonal": indices}

    ours = fit_additive(y[:, None], np.array([60]), 4, damped=damped, seasonal=seasonal, rounds=15)
    theirs = reference(y, **form).fit(disp=False)

    assert ours.loss[0] <= theirs.sse * 1.003


@pytest.mark.parametrize("seed", range(4))
def test_the_multiplicative_fit_is_as_likely_as_that_of_statsmodels_from_the_same_start(seed):
    y = quarters(seed=seed)
    indices = seasonal_indices(y[:, None], 4, np.array([True]))[:, 0]
    level = (y / np.tile(indices, 15))[:10].mean()
    form = {"error": "mul", "seasonal": "mul", "seasonal_periods": 4}
    model = reference(y, **form, initial_level=level, initial_seasonal=indices)

    alpha, share = fit_multiplicative(y[:, None], np.array([60]), 4, rounds=15).parameters[:, 0]
    theirs = model.fit(disp=False)

    assert model.smooth([alpha, share * (1 - alpha)]).llf >= theirs.llf - 0.01


def test_simple_exponential_smoothing_of_the_nile_agrees_with_the_textbook():
    nile = pytest.importorskip("statsmodels.datasets.nile").load().data["volume"].to_numpy(dtype=float)

    path = ses(Batch(nile[:, None] / nile.mean(), np.array([100]), 1), 1) * nile.mean()

    # Durbin & Koopman (2012), Time Series Analysis by State Space Methods, chapter 2: the local level ends at 798.
    np.testing.assert_allclose(path[0, 0], 798.4, rtol=0.02)


def test_the_multiplicative_model_gives_no_forecast_where_a_value_is_not_positive():
    y = np.c_[quarters(24), quarters(24)]
    y[5, 1] = -0.1
    with np.errstate(all="ignore"):
        path = ets_multiplicative(Batch(y, np.array([24, 24]), 4), 4)

    assert np.isfinite(path[:, 0]).all()
    assert np.isnan(path[:, 1]).all()
