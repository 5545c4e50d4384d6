from itertools import product

import numpy as np
import pytest

from salesforecast.forecasting.models import ces, ets, simple, theta
from salesforecast.forecasting.models.registry import MODELS, Batch

OWN = {module.__name__ for module in (ces, ets, simple, theta)}
NAMES = sorted(name for name, model in MODELS.items() if model.forecast.__module__ in OWN)
PLAIN = [name for name in NAMES if not MODELS[name].seasonal]


def batch(histories, season=1):
    histories = sorted((np.asarray(y, dtype=float) for y in histories), key=len, reverse=True)
    lengths = np.array([len(y) for y in histories])
    y = np.full((lengths[0], len(histories)), np.nan)
    for column, history in enumerate(histories):
        y[: len(history), column] = history
    return Batch(y, lengths, season)


def sales(count, season, seed, level=1.0):
    """A growing seasonal history with noise, mean absolute value about one."""
    random = np.random.default_rng(seed)
    time = np.arange(count)
    return level * (1 + 0.005 * time + 0.2 * np.sin(2 * np.pi * time / season)) * random.lognormal(0, 0.1, count)


def forecast(name, of, horizon=6):
    with np.errstate(all="ignore"):
        return MODELS[name].forecast(of, horizon)


@pytest.mark.parametrize(("name", "season"), [*product(NAMES, (4, 12)), *product(PLAIN, (1,))])
def test_a_forecast_does_not_depend_on_the_series_beside_it(name, season):
    histories = [sales(count, max(season, 6), seed=count) for count in (60, 60, 47, 36, 36, 30)]
    histories += [np.ones(40), np.zeros(33), -sales(50, 12, 1), np.where(np.arange(44) % 3, 0.0, 2.0), np.ones(3)]
    together = batch(histories, season)
    columns = together.y.T

    for column, path in zip(columns, forecast(name, together).T, strict=True):
        alone = forecast(name, batch([column[~np.isnan(column)]], season))
        np.testing.assert_allclose(path, alone[:, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "history",
    [
        sales(40, 4, 1),
        sales(28, 4, 2) - 1,
        np.ones(30),
        np.zeros(30),
        np.r_[np.zeros(25), np.ones(5)],
        np.arange(30.0),
        2.0 ** np.arange(30) / 2.0**26,
        np.r_[np.full(15, 0.2), np.full(15, 1.8)],
        np.where(np.arange(30) == 7, 25.0, 0.2),
        np.where(np.arange(30) % 3, 1.5, 1e-9),
    ],
    ids=["sales", "both signs", "constant", "zero", "begins late", "line", "doubles", "jump", "outlier", "near zero"],
)
def test_a_healthy_history_always_gets_a_finite_forecast(name, history):
    of = batch([history], season=4)

    assert np.isfinite(forecast(name, of, 8)).all() or not MODELS[name].applies(of)[0]


@pytest.mark.parametrize(("name", "season"), [*product(NAMES, (4,)), *product(PLAIN, (1,))])
def test_the_shortest_history_that_applies_is_enough(name, season):
    histories = (batch([sales(count, 4, 3)], season) for count in range(1, 30))
    shortest = next(of for of in histories if MODELS[name].applies(of)[0])

    assert np.isfinite(forecast(name, shortest)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_forecast_scales_with_its_history(name):
    # On logs another level is another start, from which the search gets as far, not to the same digit.
    tolerance = 1e-4 if name in ("theta_log", "ets_damped") else 1e-6
    one, more = sales(48, 12, 5), sales(48, 12, 5) * 1.7

    np.testing.assert_allclose(
        forecast(name, batch([one], 12)) * 1.7, forecast(name, batch([more], 12)), rtol=tolerance
    )


@pytest.mark.parametrize("name", [name for name in NAMES if MODELS[name].seasonal] + ["theta", "dynamic_theta", "ces"])
def test_a_pure_season_is_continued(name):
    shape = np.array([0.5, 1.0, 0.8, 1.7])

    path = forecast(name, batch([np.tile(shape, 7)], 4), 8)[:, 0]

    np.testing.assert_allclose(path, np.tile(shape, 2), rtol=0.02)
