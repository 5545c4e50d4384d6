"""The forecasters without parameters: seasonal naive, mean and drift."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting.models.registry import Batch, register

_HYNDMAN = "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., section 5.2"


@register(
    "seasonal_naive",
    zh="季节性朴素法",
    en="Seasonal naive",
    assumptions=("下一季与上一季相同。", "The next season repeats the last one."),
    source=_HYNDMAN,
)
def seasonal_naive(batch: Batch, horizon: int) -> np.ndarray:
    """Repeat the last season; with less than one season, the last value.

    >>> seasonal_naive(Batch(np.array([[1.0, 2, 3, 4, 5, 6]]).T, np.array([6]), 4), 5).ravel().tolist()
    [3.0, 4.0, 5.0, 6.0, 3.0]
    """
    period = np.where(batch.lengths >= batch.season, batch.season, 1)
    rows = batch.lengths - period + np.arange(horizon)[:, None] % period
    return batch.y[rows, np.arange(len(period))]


@register(
    "mean",
    zh="历史均值",
    en="Mean of the last season",
    assumptions=("水平稳定,波动是偶然的。", "A stable level; everything else is chance."),
    source=_HYNDMAN,
)
def mean(batch: Batch, horizon: int) -> np.ndarray:
    """Mean of the last season, or of the last four points where the season is shorter.

    >>> mean(Batch(np.array([[9.0, 1, 2, 3, 4]]).T, np.array([5]), 1), 2).ravel().tolist()
    [2.5, 2.5]
    """
    time = np.arange(len(batch.y))[:, None]
    recent = (time >= batch.lengths - max(batch.season, 4)) & (time < batch.lengths)
    level = np.where(recent, batch.y, 0.0).sum(axis=0) / recent.sum(axis=0)
    return np.repeat(level[None, :], horizon, axis=0)


@register(
    "drift",
    zh="漂移法",
    en="Drift",
    assumptions=("首尾连线的趋势继续。", "The line from the first to the last point goes on."),
    source=_HYNDMAN,
    least=3,
)
def drift(batch: Batch, horizon: int) -> np.ndarray:
    """Extend the line through the first and the last point.

    >>> drift(Batch(np.array([[1.0, 5, 3]]).T, np.array([3]), 1), 2).ravel().tolist()
    [4.0, 5.0]
    """
    last = batch.y[batch.lengths - 1, np.arange(len(batch.lengths))]
    return last + np.arange(1, horizon + 1)[:, None] * (last - batch.y[0]) / (batch.lengths - 1)
