"""Members for weekly and daily histories: long enough for an autoregression, with a season of 24 periods or more."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting import seasons
from salesforecast.forecasting.models.airline import airline, log_airline
from salesforecast.forecasting.models.ets import damped_trend
from salesforecast.forecasting.models.registry import Batch, register

_MOST_LAGS = 12
_NOTED = 0.5  # spread of a season against that of the changes from period to period


@register(
    "autoregression",
    zh="自回归",
    en="Autoregression",
    assumptions=(
        "每期变化取决于最近几期的变化;正值序列取对数。",
        "Each change depends on the last few changes; on logs where all values are positive.",
    ),
    source="Burg (1975), maximum entropy spectral analysis; order by Hurvich & Tsai (1989), Biometrika 76(2)",
    least=20,
)
def autoregression(batch: Batch, horizon: int) -> np.ndarray:
    """ARIMA(p,1,0) without drift: Burg's method, p up to 12 (a fifth of the history) by the corrected AIC.

    Returns (horizon, series); NaN where the history has fewer than three points or a hole.

    >>> y = np.cumsum(0.5 ** np.arange(40.0))[:, None] - 10                      # each change is half the last one
    >>> float(autoregression(Batch(y, np.array([40]), 1), 1)[0, 0].round(6))
    -8.0
    """
    with np.errstate(all="ignore"):
        positive = _positive(batch)
        y = np.where(positive, np.log(batch.y), batch.y)
        changes, lengths = np.diff(y, axis=0), batch.lengths - 1
        inside = np.arange(len(changes))[:, None] < lengths
        weights = burg(np.where(inside, changes, 0.0), lengths)
        column = np.arange(len(lengths))
        recent = [np.where(lengths > lag, changes[lengths - 1 - lag, column], 0.0) for lag in range(len(weights))]
        path = np.empty((horizon, len(lengths)))
        for step in range(horizon):
            path[step] = sum(weight * change for weight, change in zip(weights, recent, strict=True))
            recent = [path[step], *recent[:-1]]
        path = y[lengths, column] + np.cumsum(path, axis=0)
        return np.where(lengths >= 2, np.where(positive, np.exp(path), path), np.nan)


def burg(changes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the weights (lag, series) of an autoregression without mean, zero beyond its order.

    `changes` (time, series) are zero after the end of each series. The order is the one of the smallest corrected AIC.
    """
    rows, count = np.arange(len(changes))[:, None], changes.shape[1]
    forward, backward = changes, changes
    weights, best = np.zeros((_MOST_LAGS, count)), np.zeros((_MOST_LAGS, count))
    variance = np.square(changes).sum(axis=0) / lengths
    smallest = lengths * np.log(variance)
    for lag in range(min(_MOST_LAGS, len(changes) - 1)):
        # Errors of predicting forward and backward over the same points; row t of both belongs to time t.
        there = (rows[1:] < lengths) & (rows[1:] > lag)
        ahead, behind = np.where(there, forward[1:], 0.0), np.where(there, backward[:-1], 0.0)
        reflection = 2 * (ahead * behind).sum(axis=0) / (np.square(ahead) + np.square(behind)).sum(axis=0)
        reflection = np.where(np.isfinite(reflection), reflection, 0.0)
        weights = weights.copy()
        weights[:lag] -= reflection * weights[:lag][::-1]
        weights[lag] = reflection
        nothing = np.zeros((1, count))
        forward = np.concatenate([nothing, ahead - reflection * behind])
        backward = np.concatenate([nothing, behind - reflection * ahead])
        variance = variance * (1 - reflection**2)
        order = lag + 1
        penalty = np.where(lengths >= 5 * order, 2 * order * lengths / np.maximum(lengths - order - 2, 1), np.inf)
        criterion = lengths * np.log(variance) + penalty
        better = criterion < smallest
        smallest, best = np.where(better, criterion, smallest), np.where(better, weights, best)
    return best


@register(
    "log_damped_trend",
    zh="阻尼趋势(对数)",
    en="Damped trend on logs",
    assumptions=("增长率逐渐变平,无季节。", "A rate of growth that flattens out, no season."),
    source="Gardner & McKenzie (1985), Management Science 31(10)",
    least=10,
    positive=True,
)
def log_damped_trend(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(A,Ad,N) on logarithms; NaN in a column with values of zero or less.

    >>> y = np.exp(np.arange(20) / 10)[:, None]
    >>> bool(np.log(log_damped_trend(Batch(y, np.array([20]), 1), 2)[1, 0]) < 2.1)
    True
    """
    with np.errstate(all="ignore"):
        positive = _positive(batch)
        y = np.where(positive, np.log(batch.y), batch.y)
        return np.where(positive, np.exp(damped_trend(Batch(y, batch.lengths, batch.season), horizon)), np.nan)


@register(
    "long_airline",
    zh="航空模型(长季节)",
    en="Airline model, long season",
    assumptions=(
        "水平、趋势和一年之内的季节都缓慢变化;仅用于季节明显的序列;正值序列取对数。",
        "Level, trend and the season within a year change slowly; only where the season is plain; on logs where all "
        "values are positive.",
    ),
    source="Box & Jenkins (1970), Time Series Analysis: Forecasting and Control, chapter 9",
    least=50,
)
def long_airline(batch: Batch, horizon: int) -> np.ndarray:
    """Fit the airline model at a lag of a whole long season (52 weeks), on the history as it is.

    It lets a season change that `seasons.profile` holds fixed. NaN where the season is no longer than 24 periods, not
    seen twice, or weaker than half the changes from period to period: the model then only adds noise.
    """
    paths = np.full((horizon, len(batch.lengths)), np.nan)
    with np.errstate(all="ignore"):
        plain = (batch.season > 24) & (batch.lengths >= 2 * batch.season) & _plain(batch, seasons.profile(batch, 1))
        for model, columns in ((log_airline, plain & _positive(batch)), (airline, plain & ~_positive(batch))):
            if columns.any():
                paths[:, columns] = model(batch.take(columns), horizon)
    return paths


def _positive(batch: Batch) -> np.ndarray:
    """Whether each history has values above zero only."""
    return (np.isnan(batch.y) | (batch.y > 0)).all(axis=0)


def _plain(batch: Batch, season: seasons.Profile) -> np.ndarray:
    """Whether the spread of the season is more than half the spread of the changes that it leaves."""
    rest = season.remove(batch).y
    changes = np.diff(np.where(season.log, np.log(rest), rest), axis=0)
    inside = np.arange(len(rest))[:, None] < batch.lengths
    return _spread(season.history, inside) > _NOTED * _spread(changes, inside[1:])


def _spread(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    count = inside.sum(axis=0)
    mean = np.where(inside, values, 0.0).sum(axis=0) / count
    return np.sqrt(np.where(inside, (values - mean) ** 2, 0.0).sum(axis=0) / count)
