import numpy as np
import pytest

from salesforecast.forecasting.models.registry import Batch
from salesforecast.forecasting.models.theta import dynamic_theta, fit_theta, optimised_theta, running_line, theta


def history(count=40, seed=1):
    random = np.random.default_rng(seed)
    return 1 + 0.03 * np.arange(count) + np.cumsum(random.normal(0, 0.05, count)) + random.normal(0, 0.05, count)


def published(y, horizon, alpha, share, start):
    """DOTM as written in Fiorucci et al. (2016), equations 8 to 12: squared errors from t = 3, and the forecast."""
    level, mean, intercept, slope = alpha * y[0] + (1 - alpha) * start, y[0], y[0], 0.0
    values, squares = list(y), 0.0
    for t in range(2, len(y) + horizon + 1):
        fade = (1 - alpha) ** (t - 1)
        mu = level + share * (fade * intercept + (1 - fade * (1 - alpha)) / alpha * slope)
        if t > len(y):
            values.append(mu)
        elif t > 2:
            squares += (y[t - 1] - mu) ** 2
        value = values[t - 1]
        level = alpha * value + (1 - alpha) * level
        slope = ((t - 2) * slope + 6 * (value - mean) / t) / (t + 1)
        mean = ((t - 1) * mean + value) / t
        intercept = mean - slope * (t + 1) / 2
    return squares, values[len(y) :]


def test_the_running_line_is_that_of_least_squares():
    y = history(12)

    intercept, slope = running_line(y[:, None])

    for count in (2, 7, 12):
        expected = np.polyfit(np.arange(1, count + 1), y[:count], 1)
        np.testing.assert_allclose([slope[count - 1, 0], intercept[count - 1, 0]], expected, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_dynamic_optimised_theta_is_the_published_recursion(seed):
    y = history(seed=seed)
    fit = fit_theta(y[:, None], np.array([40]), dynamic=True)
    alpha, (_, share, start) = fit.parameters[0, 0], fit.state[:, 0]

    squares, path = published(y, 8, alpha, share, start)

    np.testing.assert_allclose(fit.loss[0], squares, rtol=1e-9)
    np.testing.assert_allclose(dynamic_theta(Batch(y[:, None], np.array([40]), 1), 8)[:, 0], path, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_parameters_fit_the_dynamic_model_better(seed):
    optimize = pytest.importorskip("scipy.optimize")
    y = history(seed=seed)
    fit = fit_theta(y[:, None], np.array([40]), dynamic=True, rounds=10)

    best = min(
        optimize.minimize(
            lambda p: published(y, 0, *p)[0],
            [alpha, 0.5, y[0] / 2],
            bounds=[(1e-3, 0.999), (0, 1), (None, None)],
        ).fun
        for alpha in (0.05, 0.3, 0.8)
    )

    assert fit.loss[0] <= best * 1.0005


def test_theta_is_smoothing_with_half_the_slope_of_the_line():
    # Hyndman & Billah (2003), International Journal of Forecasting 19(2).
    y = history(60)
    path = theta(Batch(y[:, None], np.array([60]), 1), 12)[:, 0]

    half = np.polyfit(np.arange(60), y, 1)[0] / 2
    np.testing.assert_allclose(np.diff(path), half, rtol=0.05)


def test_theta_agrees_with_that_of_statsmodels():
    forecasting = pytest.importorskip("statsmodels.tsa.forecasting.theta")
    y = history(120)

    ours = theta(Batch(y[:, None], np.array([120]), 1), 12)[:, 0]
    theirs = forecasting.ThetaModel(y, period=2, deseasonalize=False).fit().forecast(12)

    np.testing.assert_allclose(ours, theirs, rtol=0.02)


def test_the_optimised_model_drops_the_trend_that_a_level_series_does_not_have():
    y = 1 + np.random.default_rng(2).normal(0, 0.1, 60)

    path = optimised_theta(Batch(y[:, None], np.array([60]), 1), 12)[:, 0]

    np.testing.assert_allclose(path, 1, atol=0.05)
