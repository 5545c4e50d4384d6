"""In which unit the errors of a forecast are measured: what a history's own changes say about how wrong one can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salesforecast.forecasting.histories import Histories
from salesforecast.forecasting.models.registry import Batch
from salesforecast.forecasting.models.search import over_time

LEAST = 0.02  # of the base: no feature makes a scale smaller than this


def naive_scale(y: np.ndarray, season: int) -> float:
    """Return the mean absolute error of the seasonal naive method inside a history: the scale of MASE and MSIS.

    With no more than one season, the naive method (last value) takes its place; 0 for one point or a constant.
    Hyndman & Koehler (2006), International Journal of Forecasting 22(4).

    >>> naive_scale(np.array([1.0, 2, 3, 5]), 2)     # |3 - 1|, |5 - 2|
    2.5
    """
    lag = season if len(y) > season else 1
    return float(np.abs(y[lag:] - y[:-lag]).mean()) if len(y) > lag else 0.0


def naive_scales(histories: Histories, series: np.ndarray, lengths: np.ndarray, season: int) -> np.ndarray:
    """Return `naive_scale` of the first `lengths` values of many series."""
    y = histories.matrix(series, lengths)
    at, columns = lengths - 1, np.arange(len(lengths))
    found = []
    for lag in (season, 1):
        change = np.vstack([np.zeros((lag, len(lengths))), np.abs(y[lag:] - y[:-lag])])[: len(y)]
        found.append(np.cumsum(change, axis=0)[at, columns] / np.maximum(lengths - lag, 1))
    return np.where(lengths > season, *found)


@dataclass(frozen=True, eq=False)
class Base:
    """The unit of errors (NaN: no origin) and the level (NaN: not all values positive) at each origin and end."""

    scale: np.ndarray
    level: np.ndarray
    not_negative: np.ndarray

    def shape(self, paths: np.ndarray) -> np.ndarray:
        """Return by how much the error of a path (step, origin, end) is larger where the path is higher.

        The square root of the path relative to the level of the last season: half way between additive and
        multiplicative seasons, so that a December peak has a wider interval. 1 where not all values are positive.
        """
        relative = np.sqrt(np.clip(paths / self.level, 0.05, 20.0))
        return np.where(np.isnan(self.level), 1.0, relative)


def base_scale(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit of errors of each history and its level, the mean of the last season (NaN: not all positive).

    The unit is the mean absolute change from season to season (from period to period with no more than one season);
    where all values are positive each change is divided by the root of the level at its time and multiplied by the root
    of the last level, so that a history that has grown is not taken for as calm as it was when it was small. The floor,
    0.3/n of the mean absolute value, keeps a short or constant history from pretending certainty. Histories are those
    the models saw: an outlier or a shift of the level that was recognised is no sign of noise.

    >>> [each.tolist() for each in base_scale(Batch(np.array([[0.0], [3.0], [1.0], [4.0]]), np.array([4]), 2))]
    [[1.0], [nan]]
    """
    y, lengths, season = batch.y, batch.lengths, batch.season
    positive = np.nanmin(y, axis=0) > 0
    rows, columns, at = np.arange(len(y))[:, None], np.arange(len(lengths)), lengths - 1
    known = np.where(rows < lengths, y, 0.0)
    window = max(season, 4)
    sums = np.cumsum(known, axis=0)
    before = np.vstack([np.zeros((min(window, len(y)), len(lengths))), sums[:-window]])
    level = (sums - before) / np.minimum(rows + 1, window)
    now = level[at, columns]
    root = np.where(positive, np.sqrt(np.abs(now)), 1.0)
    change, seasonal = np.zeros(len(lengths)), lengths > season
    for lag, chosen in ((season, seasonal), (1, ~seasonal)):
        if chosen.any():
            there = rows[lag:] < lengths
            around = np.where(positive & there, np.sqrt(np.abs(level[lag:] + level[:-lag]) / 2), 1.0)
            sizes = np.where(there, np.abs(known[lag:] - known[:-lag]) / np.maximum(around, 1e-150), 0.0)
            change[chosen] = (over_time(sizes) / np.maximum(lengths - lag, 1))[chosen]
    floor = 0.3 * over_time(np.abs(known)) / lengths**2
    return np.maximum(change * root, floor), np.where(positive, now, np.nan)
