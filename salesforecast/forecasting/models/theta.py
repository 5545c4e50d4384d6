"""The Theta method and its optimised and dynamic forms, all series at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from salesforecast.forecasting.models.decompose import estimate_seasons, logs
from salesforecast.forecasting.models.registry import Batch, register
from salesforecast.forecasting.models.search import Fit, lanes, over_time, search

_FIORUCCI = (
    "Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler (2016), International Journal of Forecasting 32(4); "
    "seasonal indices shrunk after Miller & Williams (2003)"
)
_ALPHAS = (0.05, 0.2, 0.4, 0.65, 0.9)
_ROUNDS = 2


@register(
    "theta",
    zh="Theta 法",
    en="Theta",
    assumptions=(
        "去季节后水平缓慢变化,并保留一半的长期趋势。",
        "A slowly moving level with half the long-run trend, once the season is removed.",
    ),
    source=f"Assimakopoulos & Nikolopoulos (2000), International Journal of Forecasting 16(4); {_FIORUCCI}",
    least=5,
)
def theta(batch: Batch, horizon: int) -> np.ndarray:
    """Theta method with θ = 2 (the standard Theta model of Fiorucci et al.).

    >>> theta(Batch(np.arange(1.0, 9.0)[:, None], np.array([8]), 1), 2).round(1).ravel().tolist()
    [8.5, 9.0]
    """
    return _adjusted(batch, batch.y, np.nanmin(batch.y, axis=0) > 0, horizon, dynamic=False, weight=0.5)


@register(
    "theta_log",
    zh="Theta 法(对数)",
    en="Theta on logs",
    assumptions=(
        "取对数并去季节后水平缓慢变化,并保留一半的长期增长率;有非正值或接近零的值时不取对数。",
        "A slowly moving level with half the long-run growth rate; without logs where a value is not clearly positive.",
    ),
    source=f"Assimakopoulos & Nikolopoulos (2000), International Journal of Forecasting 16(4); {_FIORUCCI}",
    least=5,
)
def theta_log(batch: Batch, horizon: int) -> np.ndarray:
    """Theta method with θ = 2, on logs where no value is zero, negative or near zero.

    >>> doubling = 2.0 ** np.arange(8)[:, None]
    >>> theta_log(Batch(doubling, np.array([8]), 1), 2).round().ravel().tolist()       # from 128 by √2 a period
    [181.0, 256.0]
    """
    y, logged = logs(batch.y)
    path = _adjusted(batch, y, np.zeros_like(logged), horizon, dynamic=False, weight=0.5)
    return np.where(logged, np.exp(path), path)


@register(
    "optimised_theta",
    zh="优化 Theta 法",
    en="Optimised Theta",
    assumptions=(
        "去季节后水平缓慢变化,长期趋势保留多少由历史决定。",
        "A slowly moving level with as much of the long-run trend as fits the history, once the season is removed.",
    ),
    source=_FIORUCCI,
    least=5,
)
def optimised_theta(batch: Batch, horizon: int) -> np.ndarray:
    """Optimised Theta model: θ is estimated, the line is that of the whole history.

    >>> optimised_theta(Batch(np.arange(1.0, 9.0)[:, None], np.array([8]), 1), 2).round(2).ravel().tolist()
    [9.0, 10.0]
    """
    return _adjusted(batch, batch.y, np.nanmin(batch.y, axis=0) > 0, horizon, dynamic=False)


@register(
    "dynamic_theta",
    zh="动态优化 Theta 法",
    en="Dynamic optimised Theta",
    assumptions=(
        "同优化 Theta 法,但每一期只用此前数据估计的趋势线。",
        "As optimised Theta, with the trend line of each period known at that period.",
    ),
    source=_FIORUCCI,
    least=5,
)
def dynamic_theta(batch: Batch, horizon: int) -> np.ndarray:
    """Dynamic optimised Theta model (DOTM).

    >>> dynamic_theta(Batch(np.arange(1.0, 9.0)[:, None], np.array([8]), 1), 2).round(2).ravel().tolist()
    [9.0, 10.0]
    """
    return _adjusted(batch, batch.y, np.nanmin(batch.y, axis=0) > 0, horizon, dynamic=True)


def running_line(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return intercept and slope of the least-squares line on 1, 2, …, t through the first t values, for each t.

    >>> intercept, slope = running_line(np.array([[1.0], [3.0], [5.0]]))
    >>> intercept.ravel().tolist(), slope.ravel().tolist()
    ([1.0, -1.0, -1.0], [0.0, 2.0, 2.0])
    """
    count = np.arange(1.0, len(y) + 1)[:, None]
    mean = np.cumsum(y, axis=0) / count
    product = np.cumsum(y * count, axis=0) - mean * count * (count + 1) / 2
    slope = np.where(count > 1, 12 * product / (count * np.maximum(count * count - 1, 1)), 0.0)
    return mean - slope * (count + 1) / 2, slope


def fit_theta(
    y: np.ndarray, lengths: np.ndarray, *, dynamic: bool, weight: float | None = None, rounds: int = _ROUNDS
) -> Fit:
    """Estimate α of a Theta model, its start level and 1 − 1/θ; `weight` sets the latter.

    The one-step forecast of period t is ℓ + (1 − 1/θ)·[(1 − α)^(t−1)·A + (1 − (1 − α)^t)/α·B] with the level ℓ before
    it and the line A + B·t through the whole history, or (`dynamic`) through the periods before it. For a given α it
    is linear in the start level and in 1 − 1/θ: least squares give both, the search has only α. A dynamic model is
    judged from the third period on, the first whose line has a slope. The fit's state is (level after the end,
    1 − 1/θ, start level).
    """
    series, inside = len(lengths), np.arange(len(y))[:, None] < lengths
    known = np.where(inside, y, 0.0)
    intercept, slope = running_line(known)
    last, column = lengths - 1, np.arange(series)
    if dynamic:
        intercept, slope = (np.concatenate([np.zeros((1, series)), line[:-1]]) for line in (intercept, slope))
        judged = inside & (np.arange(len(y))[:, None] >= 2)
    else:
        intercept, slope = (np.broadcast_to(line[last, column], y.shape) for line in (intercept, slope))
        judged = inside
    target, judged = np.where(judged, known, 0.0)[:, None], judged[:, None].astype(float)
    intercept, slope = intercept[:, None], slope[:, None]
    half = y[0] / 2

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alpha = parameters[0]
        levels = _levels(known, alpha)
        fade = np.empty((len(y), *alpha.shape))
        fade[0], fade[1:] = 1.0, 1 - alpha
        np.multiply.accumulate(fade, axis=0, out=fade)
        line = (fade * intercept + (1 - fade * (1 - alpha)) / alpha * slope) * judged
        after = levels[lengths, :, column].T
        faded = fade[last, :, column].T * (1 - alpha)
        fade *= judged
        rest = target - levels[:-1] * judged - fade * half
        # The tiny ridge decides where the start level or the line leave no trace, towards half the first value and 0.
        fades, both = over_time(np.square(fade)) * (1 + 1e-9) + 1e-9, over_time(fade * line)
        start = over_time(fade * rest)
        if weight is None:
            lines, along = over_time(np.square(line)) * (1 + 1e-9) + 1e-9, over_time(line * rest)
            share = np.clip((fades * along - both * start) / (fades * lines - both * both), 0.0, 1.0)
        else:
            share = np.full(alpha.shape, weight)
        above = (start - share * both) / fades
        return rest - above * fade - share * line, np.stack([after + faded * (half + above), share, half + above])

    return search(run, lanes(_ALPHAS), [1e-3], [0.999], series=series, rounds=rounds)


def _adjusted(
    batch: Batch, y: np.ndarray, ratios: np.ndarray, horizon: int, *, dynamic: bool, weight: float | None = None
) -> np.ndarray:
    """Remove the season, fit and extend a Theta model, restore the season: ratios where `ratios` (series,) says so."""
    seasons = estimate_seasons(y, batch.lengths, batch.season, ratios)
    adjusted = seasons.remove(y)
    fit = fit_theta(adjusted, batch.lengths, dynamic=dynamic, weight=weight)
    path = _extended(adjusted, batch.lengths, fit, horizon, dynamic)
    return seasons.restore(np.where(np.isfinite(fit.loss), path, np.nan))


def _extended(y: np.ndarray, lengths: np.ndarray, fit: Fit, horizon: int, dynamic: bool) -> np.ndarray:
    """Run the model on, each forecast taken as the next value; a dynamic line goes on learning."""
    alpha, (level, share, _) = fit.parameters[0], fit.state
    column = np.arange(len(lengths))
    intercept, slope = (line[lengths - 1, column] for line in running_line(y))
    count = lengths.astype(float)
    mean, fade = intercept + slope * (count + 1) / 2, (1 - alpha) ** count
    path = np.empty((horizon, len(lengths)))
    for step in range(horizon):
        path[step] = level + share * (fade * intercept + (1 - fade * (1 - alpha)) / alpha * slope)
        level, fade = level + alpha * (path[step] - level), fade * (1 - alpha)
        if dynamic:
            slope = ((count - 1) * slope + 6 * (path[step] - mean) / (count + 1)) / (count + 2)
            mean, count = (count * mean + path[step]) / (count + 1), count + 1
            intercept = mean - slope * (count + 1) / 2
    return path


def _levels(y: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the levels (1 + time, lane, series) after 0, 1, … values, smoothed exponentially from 0."""
    levels = np.empty((len(y) + 1, *alpha.shape))
    levels[0], rest = 0.0, 1 - alpha
    np.multiply(y[:, None], alpha, levels[1:])
    for before, level in pairwise(levels):
        level += rest * before
    return levels
