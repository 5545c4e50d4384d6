import numpy as np
import pandas as pd
import pytest

from salesforecast.forecasting.models import airline as module
from salesforecast.forecasting.models.airline import airline, log_airline
from salesforecast.forecasting.models.registry import Batch

RNG = np.random.default_rng(5)


def noisy(n, season=12, growth=0.01):
    t = np.arange(n)
    return np.exp(growth * t + 0.2 * np.sin(2 * np.pi * t / season) + 0.05 * RNG.standard_normal(n))


def batch_of(*series, season=12):
    lengths = np.array([len(each) for each in series])
    y = np.full((lengths.max(), len(series)), np.nan)
    for column, each in enumerate(series):
        y[: len(each), column] = each
    return Batch(y, lengths, season)


def fitted(y, season):
    """Parameters and forecasts of the least-squares fit."""
    lengths = np.array([len(y)])
    changes, backwards = module._changes(y[:, None], lengths, season)

    def run(parameters):
        errors = module._errors(changes, backwards, lengths, parameters, season)
        return errors, errors

    return module.search(run, module._GRID, [-0.98] * 2, [0.98] * 2, series=1, rounds=12)


@pytest.mark.parametrize("theta, seasonal", [(-0.4, -0.5), (0.3, -0.2), (-0.6, 0.1)])
def test_forecasts_for_given_parameters_are_those_of_statsmodels(theta, seasonal):
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    y, n, season, horizon = noisy(160, season=4), 160, 4, 9
    model = SARIMAX(np.diff(y[season:] - y[:-season]), order=(0, 0, 1), seasonal_order=(0, 0, 1, season))
    changes = model.smooth([theta, seasonal, 1.0]).forecast(horizon)
    expected = list(y)
    for change in changes:
        expected.append(expected[-1] + expected[-season] - expected[-season - 1] + change)

    lengths, parameters = np.array([n]), np.array([[theta], [seasonal]])
    changes, backwards = module._changes(y[:, None], lengths, season)
    errors = module._errors(changes, backwards, lengths, parameters[:, :, None], season)[:, 0]
    path = module._project(y[:, None], lengths, season, horizon, parameters, errors)
    np.testing.assert_allclose(path[:, 0], expected[n:], rtol=1e-6)


def test_errors_without_back_forecasts_are_the_conditional_ones_of_statsmodels():
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    theta, seasonal, changes = -0.5, -0.7, RNG.standard_normal(70)
    model = SARIMAX(changes, order=(0, 0, 1), seasonal_order=(0, 0, 1, 12))
    model.update([theta, seasonal, 1.0])
    # Known errors of zero before the first period: the first state holds the first shock alone.
    shock = np.asarray(model["selection"])
    model.initialize_known(np.zeros(model.k_states), shock @ shock.T)
    expected = model.filter([theta, seasonal, 1.0]).filter_results.forecasts_error[0]
    made = module._invert(changes[:, None, None].copy(), np.array([[theta]]), np.array([[seasonal]]), 12)
    np.testing.assert_allclose(made[:, 0, 0], expected, rtol=1e-9)


def test_air_passengers_have_the_parameters_of_box_and_jenkins(shared_data):
    """Box & Jenkins (1970), chapter 9: θ = 0.4 and Θ = 0.6 for logs of 1949-1960 (written 1 − θB there)."""
    y = pd.read_csv(shared_data / "sales_time_series" / "AirPassengers.csv")["value"].to_numpy(float)
    theta, seasonal = fitted(np.log(y), 12).parameters[:, 0]
    assert theta == pytest.approx(-0.4, abs=0.03)
    assert seasonal == pytest.approx(-0.6, abs=0.03)


def test_air_passengers_are_forecast_as_by_the_maximum_likelihood_of_statsmodels(shared_data):
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    y = pd.read_csv(shared_data / "sales_time_series" / "AirPassengers.csv")["value"].to_numpy(float)
    exact = SARIMAX(np.log(y), order=(0, 1, 1), seasonal_order=(0, 1, 1, 12)).filter([-0.4018, -0.5569, 0.001348])
    np.testing.assert_allclose(log_airline(batch_of(y), 12)[:, 0], np.exp(exact.forecast(12)), rtol=0.01)


def test_a_season_that_only_shifts_up_is_continued_exactly():
    y = np.tile([1.0, 5.0, 3.0, 2.0], 6) + np.arange(24)
    expected = np.tile([1.0, 5.0, 3.0, 2.0], 2) + np.arange(24, 32)
    np.testing.assert_allclose(airline(batch_of(y, season=4), 8)[:, 0], expected, atol=1e-9)


def test_a_series_does_not_depend_on_its_neighbours():
    series = [noisy(n, growth=growth) for n, growth in ((150, 0.01), (90, 0.0), (60, -0.01), (25, 0.02), (16, 0.0))]
    together = log_airline(batch_of(*series), 18)
    for column, each in enumerate(series):
        np.testing.assert_allclose(log_airline(batch_of(each), 18)[:, 0], together[:, column], rtol=1e-9)


def test_a_column_that_cannot_be_fitted_is_nan_and_harms_no_other():
    good, zero = noisy(60), noisy(60)
    zero[30] = 0.0
    short = noisy(14)
    made = log_airline(batch_of(good, zero, short), 6)
    assert np.isnan(made[:, 1:]).all()
    np.testing.assert_allclose(made[:, 0], log_airline(batch_of(good), 6)[:, 0], rtol=1e-9)
    assert np.isfinite(airline(batch_of(good, zero), 6)).all(), "zeros are no matter without logs"


def test_a_constant_series_stays_constant():
    assert airline(batch_of(np.full(40, 7.0)), 5)[:, 0] == pytest.approx(np.full(5, 7.0))


def test_a_season_of_52_weeks_is_fitted_too():
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(200) / 52)
    made = airline(batch_of(y, season=52), 10)[:, 0]
    np.testing.assert_allclose(made, 10 + 3 * np.sin(2 * np.pi * np.arange(200, 210) / 52), atol=1e-6)
