"""Batched seasonal adjustment: classical decomposition, shrunk indices, and indices that move where the data say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salesforecast.forecasting.models.search import over_time

LONGEST_SEASON = 24  # longer seasons are not estimated index by index
_TINY = 0.01  # an index, or a value's share of the mean, too near to zero to divide by
_PACES = np.array([0.0, 0.1, 0.2, 0.35, 0.5])  # at which the indices may move from season to season


@dataclass(frozen=True)
class Seasons:
    """The seasonal indices of a batch: `rows` (time, series) of the past, `coming` (season, series) of the next season.

    Row 0 of `coming` belongs to the place of the first period. `multiplicative` (series,): ratios, not differences.
    """

    rows: np.ndarray
    coming: np.ndarray
    multiplicative: np.ndarray
    lengths: np.ndarray

    def remove(self, y: np.ndarray) -> np.ndarray:
        """Return the history without its season."""
        return _relative(y, self.rows, self.multiplicative)

    def restore(self, path: np.ndarray) -> np.ndarray:
        """Return a forecast (horizon, series) of the adjusted history with the season of its periods."""
        rows = upcoming(self.coming, self.lengths, len(path))
        return np.where(self.multiplicative, path * rows, path + rows)


def estimate_seasons(y: np.ndarray, lengths: np.ndarray, season: int, multiplicative: np.ndarray) -> Seasons:
    """Estimate the season of every series with two seasons or more; the others have none.

    `y` is (time, series), NaN after a column's end. The indices of classical decomposition are shrunk
    (`seasonal_indices`), then smoothed exponentially from season to season at the pace that predicts the detrended
    values best. Ratios with an index below 0.01 become differences. Seasons over 24 periods are taken as none.

    >>> y = np.tile([[1.0], [3.0]], (5, 1)) + np.arange(10.0)[:, None]
    >>> seasons = estimate_seasons(y, np.array([10]), 2, np.array([False]))
    >>> seasons.coming.ravel().tolist(), seasons.remove(y).ravel()[:3].tolist()
    ([-1.0, 1.0], [2.0, 3.0, 4.0])
    """
    enough = lengths >= 2 * season
    if not 1 < season <= LONGEST_SEASON or not enough.any():
        none = np.zeros((1, len(lengths)))
        return Seasons(none, none, np.zeros(len(lengths), dtype=bool), lengths)
    stable = seasonal_indices(y, season, multiplicative)
    tiny = multiplicative & (stable.min(axis=0) < _TINY)
    if tiny.any():
        multiplicative = multiplicative & ~tiny
        stable = np.where(tiny, seasonal_indices(y, season, multiplicative), stable)
    rows, coming = _moving(_detrended(y, season, multiplicative), stable)
    neutral = np.where(multiplicative, 1.0, 0.0)
    return Seasons(np.where(enough, rows, neutral), np.where(enough, coming, neutral), multiplicative, lengths)


def seasonal_indices(y: np.ndarray, season: int, multiplicative: np.ndarray) -> np.ndarray:
    """Return the indices (season, series) of classical decomposition, shrunk; row 0 belongs to the first period.

    `multiplicative` says for each series whether its indices are ratios of mean 1 or differences of mean 0. NaN with
    less than two seasons. Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, section 3.4. The
    James–Stein shrinkage towards no season is that of Miller & Williams (2003), International Journal of Forecasting
    19(4): the noisier the indices in relation to their spread, the more.

    >>> y = np.array([[1.0, 3.0, 2.0, 4.0, 3.0, 5.0]]).T             # a line and a season of -0.75, +0.75
    >>> seasonal_indices(y, 2, np.array([False])).ravel().tolist()
    [-0.75, 0.75]
    """
    detrended = _detrended(y, season, multiplicative)
    known = ~np.isnan(detrended)
    folded, counted = _folded(np.where(known, detrended, 0.0), season), _folded(known.astype(float), season)
    means = over_time(folded) / over_time(counted)
    neutral = np.where(multiplicative, 1.0, 0.0)
    indices = _relative(means, over_time(means) / season, multiplicative)
    count = known.sum(axis=0)
    scatter = over_time(over_time(counted * np.square(folded - indices)))
    noise = scatter / np.maximum(count - season, 1) * season / count
    spread = over_time(np.square(indices - neutral)) / (season - 1)
    shrink = np.clip((season - 3) / (season - 1) * noise / np.where(spread > 0, spread, 1.0), 0.0, 1.0)
    return neutral + (1 - shrink) * (indices - neutral)


def moving_average(y: np.ndarray, season: int) -> np.ndarray:
    """Centred moving average over one season, the ends at half weight where the season is even; NaN at both ends.

    >>> moving_average(np.array([[1.0, 3.0, 2.0, 4.0]]).T, 2).ravel().tolist()
    [nan, 2.25, 2.75, nan]
    """
    half = season // 2
    smooth = np.full_like(y, np.nan)
    inside = len(y) - 2 * half
    if inside > 0:
        # Shifted sums, not differences of a running sum, which would carry the rounding of the whole past along.
        middle = sum((y[shift : inside + shift] for shift in range(1, 2 * half)), start=np.zeros_like(y[:inside]))
        edges = y[:inside] + y[2 * half :]
        smooth[half : len(y) - half] = (middle + edges * (0.5 if season % 2 == 0 else 1.0)) / season
    return smooth


def logs(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of the series that bear them, the others as they are, and which are which (series,).

    A series bears them if no value is under a hundredth of its mean: a single one nearer to zero would rule the fit.

    >>> values, logged = logs(np.array([[1.0, 0.0], [np.e, 2.0]]))
    >>> values.round(6).tolist(), logged.tolist()
    ([[0.0, 0.0], [1.0, 2.0]], [True, False])
    """
    logged = np.nanmin(y, axis=0) > np.maximum(_TINY * over_time(np.nan_to_num(y)) / (~np.isnan(y)).sum(axis=0), 0.0)
    return np.log(y, out=y.copy(), where=logged), logged


def upcoming(indices: np.ndarray, lengths: np.ndarray, horizon: int) -> np.ndarray:
    """Return what belongs to the `horizon` periods after each series' end, of `indices` (season, series).

    >>> upcoming(np.array([[10.0, 10.0], [20.0, 20.0]]), np.array([4, 3]), 2).tolist()
    [[10.0, 20.0], [20.0, 10.0]]
    """
    return indices[(lengths + np.arange(horizon)[:, None]) % len(indices), np.arange(indices.shape[1])]


def _detrended(y: np.ndarray, season: int, multiplicative: np.ndarray) -> np.ndarray:
    return _relative(y, moving_average(y, season), multiplicative)


def _relative(values: np.ndarray, base: np.ndarray, multiplicative: np.ndarray) -> np.ndarray:
    return np.divide(values, base, out=values - base, where=multiplicative)


def _folded(values: np.ndarray, season: int) -> np.ndarray:
    """Reshape (time, series) to (cycle, season, series), filled up with zeros."""
    filled = np.zeros((-(-len(values) // season) * season, values.shape[1]))
    filled[: len(values)] = values
    return filled.reshape(-1, season, values.shape[1])


def _moving(detrended: np.ndarray, stable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index at each time, known before it, and the last ones, smoothed at the best pace.

    The stable indices have seen the whole history, so that a season is moved only where that clearly pays.
    """
    season, series = stable.shape
    known = _folded((~np.isnan(detrended)).astype(float), season)
    values = _folded(np.where(np.isnan(detrended), 0.0, detrended), season)
    pace = _PACES[:, None, None]
    indices = np.repeat(stable[None], len(_PACES), axis=0)
    past = np.empty((len(values), *indices.shape))
    squares = np.zeros((len(_PACES), series))
    for cycle, (value, there) in enumerate(zip(values, known, strict=True)):
        past[cycle] = indices
        error = (value - indices) * there
        squares += over_time(np.square(error).swapaxes(0, 1))
        indices = indices + pace * error
    best, column = squares.argmin(axis=0), np.arange(series)
    rows = past[:, best, :, column].transpose(1, 2, 0).reshape(-1, series)[: len(detrended)]
    return rows, indices[best, :, column].T
