"""The airline model of Box and Jenkins: ARIMA(0,1,1)(0,1,1) of a season, by least squares with back-forecasting."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting.models.registry import Batch, register
from salesforecast.forecasting.models.search import lanes, search

_BOUND = 0.98  # invertible, with some distance from a season that never changes
_GRID = lanes([-0.7, -0.2], [-0.7, -0.3])
_SOURCE = "Box & Jenkins (1970), Time Series Analysis: Forecasting and Control, chapter 9"


@register(
    "airline",
    zh="航空模型",
    en="Airline model",
    assumptions=(
        "水平、趋势和季节都缓慢变化,季节幅度不随水平变化。",
        "Level, trend and season change slowly; the season keeps its size.",
    ),
    source=_SOURCE,
    seasonal=True,
)
def airline(batch: Batch, horizon: int) -> np.ndarray:
    """SARIMA(0,1,1)(0,1,1): (1 − B)(1 − B^s) y = (1 + θB)(1 + ΘB^s) e.

    θ and Θ minimise the unconditional sum of squares of Box and Jenkins within ±0.98: the model run backwards from the
    end of the history gives the season and period before it, which the errors begin with. Returns (horizon, series);
    NaN where the history is shorter than a season and three periods.

    >>> y = np.array([1.0, 5, 3, 2, 6, 4, 3, 7])[:, None]                    # rises by 1 each season of three
    >>> airline(Batch(y, np.array([8]), 3), 4)[:, 0].round(6).tolist()
    [5.0, 4.0, 8.0, 6.0]
    """
    return _forecast(batch.y, batch.lengths, batch.season, horizon)


@register(
    "log_airline",
    zh="航空模型(对数)",
    en="Airline model on logs",
    assumptions=(
        "水平、趋势和季节都缓慢变化,季节幅度与水平成比例。",
        "Level, trend and season change slowly; the season grows with the level.",
    ),
    source=_SOURCE,
    seasonal=True,
    positive=True,
)
def log_airline(batch: Batch, horizon: int) -> np.ndarray:
    """Fit the airline model to logarithms; NaN in a column with values of zero or less."""
    with np.errstate(all="ignore"):
        return np.exp(_forecast(np.log(batch.y), batch.lengths, batch.season, horizon))


def _forecast(y: np.ndarray, lengths: np.ndarray, season: int, horizon: int) -> np.ndarray:
    paths = np.full((horizon, len(lengths)), np.nan)
    # A hole (the logarithm of zero) would spread over every error after it.
    holes = (~np.isfinite(y) & (np.arange(len(y))[:, None] < lengths)).any(axis=0)
    sound = (lengths >= season + 3) & ~holes
    if not sound.any():
        return paths
    lengths, y = lengths[sound], y[: lengths[sound].max(), sound]
    with np.errstate(all="ignore"):
        changes, backwards = _changes(y, lengths, season)

        def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            errors = _errors(changes, backwards, lengths, parameters, season)
            return errors, errors

        best = search(run, _GRID, [-_BOUND] * 2, [_BOUND] * 2, series=len(lengths), rounds=3)
        paths[:, sound] = _project(y, lengths, season, horizon, best.parameters, best.state)
    return paths


def _changes(y: np.ndarray, lengths: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (1 − B)(1 − B^s) y, zero after the end of each series, and the same from each end to the start."""
    changes = np.diff(y[season:] - y[:-season], axis=0)
    changes = np.where(np.isnan(changes), 0.0, changes)
    rows = lengths - season - 2 - np.arange(len(changes))[:, None]
    return changes, np.take_along_axis(changes, np.maximum(rows, 0), axis=0) * (rows >= 0)


def _errors(
    changes: np.ndarray, backwards: np.ndarray, lengths: np.ndarray, parameters: np.ndarray, season: int
) -> np.ndarray:
    """Return the errors (time, lane, series) from the first period of the history on, zero after its end.

    The first season and period have no differences; the model run backwards from the end forecasts them.
    """
    theta, seasonal = parameters
    before, past = season + 1, lengths - season - 1
    reverse = _invert(np.repeat(backwards[:, None], len(theta), axis=1), theta, seasonal, season)
    rows = past + np.arange(-before, 0)[:, None]
    last = np.take_along_axis(reverse, np.maximum(rows, 0)[:, None], axis=0) * (rows >= 0)[:, None]
    errors = np.empty((len(changes) + before, *theta.shape))
    errors[before:] = changes[:, None]
    earlier = theta * seasonal * last
    earlier[:-1] += seasonal * last[1:]
    earlier[0] += theta * last[-1]
    errors[:before] = earlier[::-1]
    errors = _invert(errors, theta, seasonal, season)
    errors *= (np.arange(len(errors))[:, None] < lengths)[:, None]
    return errors


def _invert(errors: np.ndarray, theta: np.ndarray, seasonal: np.ndarray, season: int) -> np.ndarray:
    """Divide by (1 + θB)(1 + ΘB^s) in place, starting from zeros; the seasonal part goes in blocks of a season."""
    for start in range(season, len(errors), season):
        block = errors[start : start + season]
        block -= seasonal * errors[start - season : start - season + len(block)]
    before, share = errors[0], np.empty_like(errors[0])
    for error in errors[1:]:
        np.multiply(theta, before, share)
        np.subtract(error, share, error)
        before = error
    return errors


def _project(
    y: np.ndarray, lengths: np.ndarray, season: int, horizon: int, parameters: np.ndarray, errors: np.ndarray
) -> np.ndarray:
    """Return the forecasts (horizon, series) for given θ and Θ and the errors of the history."""
    rows = lengths + np.arange(-season - 1, 0)[:, None]
    to_come = np.zeros((horizon, len(lengths)))
    path = np.concatenate([np.take_along_axis(y, rows, axis=0), to_come])
    error = np.concatenate([np.take_along_axis(errors, rows, axis=0), to_come])
    theta, seasonal = parameters
    for t in range(season + 1, len(path)):
        change = theta * error[t - 1] + seasonal * error[t - season] + theta * seasonal * error[t - season - 1]
        path[t] = path[t - 1] + path[t - season] - path[t - season - 1] + change
    return path[season + 1 :]
