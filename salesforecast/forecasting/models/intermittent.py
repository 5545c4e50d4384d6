"""Intermittent demand: the size of an order and the chance of one, each smoothed on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from salesforecast.forecasting.models.registry import Batch, register

# Syntetos & Boylan (2005) recommend weights of 0.05 to 0.2; faster ones chase single orders, slower ones are a mean.
WEIGHTS = np.array([0.05, 0.1, 0.15, 0.2])


@register(
    "tsb",
    zh="间歇需求(TSB 法)",
    en="Intermittent demand (TSB)",
    assumptions=(
        "每期有需求的概率与需求量各自缓慢变化;长期无需求时预测下降。",
        "The chance of a demand and its size change slowly, each on its own; the forecast fades while nothing is sold.",
    ),
    source="Teunter, Syntetos & Babai (2011), European Journal of Operational Research 214(3)",
    least=4,
)
def tsb(batch: Batch, horizon: int) -> np.ndarray:
    """Chance of a demand times its size: the chance is smoothed in every period, the size at each demand.

    Both start at their means over the history. The two weights are the pair of `WEIGHTS` with the smallest squared
    one-step errors. A demand is a value other than zero. Returns a flat (horizon, series).

    >>> y = np.array([[0.0], [4.0], [0.0], [4.0]])
    >>> tsb(Batch(y, np.array([4]), 1), 2).round(4).tolist()      # a demand of 4 every other period
    [[2.0095], [2.0095]]
    """
    demand, sizes, chances = _start(batch)
    size = np.repeat(sizes[None], len(WEIGHTS), axis=0)
    chance = np.repeat(chances[None], len(WEIGHTS), axis=0)
    squared = np.zeros((len(WEIGHTS), len(WEIGHTS), len(sizes)))
    weights = WEIGHTS[:, None]
    for y, sold, active in _periods(batch, demand):
        squared[:, :, :active] += (y - size[:, None, :active] * chance[None, :, :active]) ** 2
        size[:, :active] += weights * sold * (y - size[:, :active])
        chance[:, :active] += weights * (sold - chance[:, :active])
    made = (size[:, None] * chance[None]).reshape(-1, len(sizes))
    return _flat(_best(made, squared.reshape(made.shape)), horizon)


@register(
    "croston",
    zh="间歇需求(Croston-SBA 法)",
    en="Intermittent demand (Croston, SBA)",
    assumptions=(
        "需求量与需求间隔各自缓慢变化;仅在有需求时更新。",
        "The size of a demand and the interval between demands change slowly; both are updated at demands only.",
    ),
    source="Croston (1972); bias correction of Syntetos & Boylan (2005), International Journal of Forecasting 21(2)",
    least=4,
)
def croston(batch: Batch, horizon: int) -> np.ndarray:
    """Size of a demand over the interval between two, times 1 − weight / 2 (Syntetos–Boylan approximation).

    Size and interval start at their means over the history and share the one of `WEIGHTS` with the smallest squared
    one-step errors. A demand is a value other than zero. Returns a flat (horizon, series).

    >>> y = np.array([[0.0], [4.0], [0.0], [4.0]])
    >>> croston(Batch(y, np.array([4]), 1), 1).round(3).tolist()      # 4 / 2 × (1 − 0.05 / 2)
    [[1.95]]
    """
    demand, sizes, chances = _start(batch)
    size = np.repeat(sizes[None], len(WEIGHTS), axis=0)
    interval = np.repeat(1 / np.where(chances > 0, chances, 1.0)[None], len(WEIGHTS), axis=0)
    since = np.ones(len(sizes))
    squared = np.zeros((len(WEIGHTS), len(sizes)))
    weights = WEIGHTS[:, None]
    for y, sold, active in _periods(batch, demand):
        rate = (1 - weights / 2) * size[:, :active] / interval[:, :active]
        squared[:, :active] += (y - rate) ** 2
        size[:, :active] += weights * sold * (y - size[:, :active])
        interval[:, :active] += weights * sold * (since[:active] - interval[:, :active])
        since[:active] = 1 + (1 - sold) * since[:active]
    return _flat(_best((1 - weights / 2) * size / interval, squared), horizon)


def _start(batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where there is demand, the mean size of one and the share of periods with one."""
    known = np.where(np.isnan(batch.y), 0.0, batch.y)
    demand = (known != 0).astype(float)
    count = demand.sum(axis=0)
    return demand, known.sum(axis=0) / np.maximum(count, 1), count / np.maximum(batch.lengths, 1)


def _periods(batch: Batch, demand: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield the values of a period, where there is demand, and how many series are still running."""
    active = (batch.lengths[None] > np.arange(len(batch.y))[:, None]).sum(axis=1)
    for t, running in enumerate(active):
        yield batch.y[t, :running], demand[t, :running], running


def _best(made: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Return the forecast of the lane with the smallest squared error."""
    return np.take_along_axis(made, np.argmin(squared, axis=0)[None], axis=0)[0]


def _flat(level: np.ndarray, horizon: int) -> np.ndarray:
    return np.repeat(level[None], horizon, axis=0)
