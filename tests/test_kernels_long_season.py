import numpy as np
import pytest

from salesforecast.forecasting.models.long_season import autoregression, burg, log_damped_trend, long_airline
from salesforecast.forecasting.models.registry import Batch

RNG = np.random.default_rng(4)


def batch_of(*series, season=52):
    lengths = np.array([len(each) for each in series])
    y = np.full((lengths.max(), len(series)), np.nan)
    for column, each in enumerate(series):
        y[: len(each), column] = each
    return Batch(y, lengths, season)


def momentum(n, weights=(0.6,)):
    """Logs whose changes follow an autoregression."""
    changes = np.zeros(n)
    for t in range(n):
        past = sum(w * changes[t - lag - 1] for lag, w in enumerate(weights) if t > lag)
        changes[t] = past + RNG.normal(0, 0.01)
    return np.exp(np.cumsum(changes))


def weekly(n, size=0.3):
    return 100 * np.exp(size * np.sin(2 * np.pi * np.arange(n) / 52.18) + np.cumsum(RNG.normal(0, 0.02, n)))


def test_burg_gives_the_weights_of_statsmodels():
    from statsmodels.regression.linear_model import burg as reference

    changes = np.diff(np.log(momentum(200, (0.5, 0.0, 0.3))))
    made = burg(changes[:, None], np.array([199]))[:, 0]
    order = np.flatnonzero(made).max() + 1
    assert order >= 3
    np.testing.assert_allclose(made[:order], reference(changes, order, demean=False)[0], rtol=1e-9)


def test_the_order_is_that_of_the_smallest_corrected_aic():
    from statsmodels.regression.linear_model import burg as reference

    changes = np.diff(np.log(momentum(120, (0.4, 0.2))))
    n, variance, criterion = len(changes), np.mean(changes**2), []
    for order in range(13):
        if order:
            variance *= 1 - reference(changes, order, demean=False)[0][-1] ** 2
        criterion.append(n * np.log(variance) + 2 * order * n / (n - order - 2))
    made = burg(changes[:, None], np.array([n]))[:, 0]
    assert np.count_nonzero(made) == np.argmin(criterion)


def test_a_random_walk_is_continued_at_its_last_value():
    changes = np.r_[[0.01, -0.01, -0.01, 0.01] * 15]
    made = autoregression(batch_of(np.exp(np.cumsum(changes))), 3)
    assert made.shape == (3, 1)
    constant = autoregression(batch_of(np.full(40, 5.0)), 3)
    assert constant[:, 0].tolist() == pytest.approx([5.0] * 3)


def test_a_short_history_has_few_lags():
    y = momentum(20)
    assert np.flatnonzero(burg(np.diff(y)[:, None], np.array([19]))[:, 0]).max(initial=-1) < 4


def test_growth_that_slows_is_continued_on_logs():
    made = log_damped_trend(batch_of(np.exp(np.arange(30) / 20)), 6)[:, 0]
    rates = np.diff(np.log(made))
    assert ((rates > 0) & (rates < 0.05)).all()


def test_the_long_airline_model_works_only_where_the_season_is_plain():
    made = long_airline(batch_of(weekly(300), weekly(300, size=0.0), weekly(120), weekly(80)), 13)
    assert np.isnan(made).all(axis=0).tolist() == [False, True, False, True]
    assert np.isnan(long_airline(batch_of(weekly(100), season=12), 4)).all(), "months have their own airline model"


@pytest.mark.parametrize("model", [autoregression, log_damped_trend, long_airline])
def test_a_series_does_not_depend_on_its_neighbours(model):
    series = [weekly(n) for n in (220, 220, 150, 110, 60)]
    together = model(batch_of(*series), 8)
    for column, each in enumerate(series):
        np.testing.assert_allclose(model(batch_of(each), 8)[:, 0], together[:, column], rtol=1e-9)


@pytest.mark.parametrize("model", [autoregression, log_damped_trend, long_airline])
def test_odd_histories_raise_nothing_and_warn_of_nothing(model):
    zeros = np.r_[weekly(119), 0.0]
    made = model(batch_of(np.full(150, 3.0), zeros, np.zeros(60), np.array([2.0, 3.0]), np.array([2.0])), 4)
    assert made.shape == (4, 5)
    if model is log_damped_trend:
        assert np.isnan(made[:, 1:3]).all()
