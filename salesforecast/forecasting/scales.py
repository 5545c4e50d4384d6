"""In which unit the errors of a forecast are measured: what a history's own changes say about how wrong one can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salesforecast.forecasting.histories import Histories
from salesforecast.forecasting.members import Copies

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


def naive_scales(histories: Histories, ends: Copies, season: int) -> np.ndarray:
    """Return `naive_scale` of many histories."""
    y = histories.matrix(ends.series, ends.lengths)
    at, columns = ends.lengths - 1, np.arange(len(ends))
    found = []
    for lag in (season, 1):
        change = np.vstack([np.zeros((lag, len(ends))), np.abs(y[lag:] - y[:-lag])])[: len(y)]
        found.append(np.cumsum(change, axis=0)[at, columns] / np.maximum(ends.lengths - lag, 1))
    return np.where(ends.lengths > season, *found)


@dataclass(frozen=True, eq=False)
class Base:
    """For each origin and end: the seasonal-naive error brought to today's level, and the level (NaN: not positive)."""

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


def base_of(histories: Histories, ends: Copies, lengths: np.ndarray, season: int) -> Base:
    """Return the base of every copy; `lengths` is (origin, end), 0 for none (its values mean nothing).

    The mean absolute change from season to season (from period to period with no more than one season); where all
    values are positive each change is divided by the root of the level at its time and multiplied by the root of the
    last level, so that a history that has grown is not taken for as calm as it was when it was small. The floor, 0.3/n
    of the mean absolute value, keeps a short or constant history from pretending certainty.
    """
    y = histories.matrix(ends.series, ends.lengths)
    rows = np.arange(len(y))[:, None]
    at, columns = np.maximum(lengths - 1, 0), np.arange(len(ends))
    positive = np.minimum.accumulate(y, axis=0)[at, columns] > 0
    window = max(season, 4)
    sums = np.cumsum(y, axis=0)
    count = np.minimum(rows + 1, window)
    level = (sums - np.vstack([np.zeros((min(window, len(y)), len(ends))), sums[:-window]])) / count
    magnitude = np.cumsum(np.abs(y), axis=0)[at, columns] / np.maximum(lengths, 1)
    now = level[at, columns]
    with np.errstate(all="ignore"):
        seasonal, naive = (_mean_change(y, level, lag, lengths, positive) for lag in (season, 1))
    scale = np.maximum(
        np.nan_to_num(np.where(lengths > season, seasonal, naive)), 0.3 * magnitude / np.maximum(lengths, 1)
    )
    lowest = np.minimum.accumulate(y, axis=0)
    return Base(scale, np.where(positive, now, np.nan), lowest[ends.lengths - 1, columns] >= 0)


def _mean_change(y: np.ndarray, level: np.ndarray, lag: int, lengths: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the mean absolute change over `lag` periods inside each copy, positive ones brought to the last level."""
    if len(y) <= lag:
        return np.zeros(lengths.shape)
    columns, at = np.arange(y.shape[1]), np.maximum(lengths - 1, 0)
    change = np.abs(y[lag:] - y[:-lag])
    around = np.sqrt((level[lag:] + level[:-lag]) / 2)
    last, count = np.maximum(at - lag, 0), np.maximum(lengths - lag, 1)
    plain = np.cumsum(change, axis=0)[last, columns] / count
    relative = np.cumsum(np.where(around > 0, change / around, 0.0), axis=0)[last, columns] / count
    return np.where(positive, relative * np.sqrt(level[at, columns]), plain)
