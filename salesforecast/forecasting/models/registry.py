"""What a forecaster is: a batch of histories in, point forecasts out; each registered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from salesforecast.errors import lookup


@dataclass(frozen=True)
class Batch:
    """Histories side by side: `y` is (time, series), each column starts in row 0 and is NaN after its end.

    Columns are sorted by `lengths`, longest first, so that the series active at a time are a prefix. There are no
    gaps inside a column. `season` is in periods (1: none).
    """

    y: np.ndarray
    lengths: np.ndarray
    season: int

    @property
    def seasonal(self) -> np.ndarray:
        """Which histories show a season of at most 24 periods: two of them, and ten points besides half a season each.

        >>> Batch(np.ones((24, 2)), np.array([24, 23]), 12).seasonal.tolist()
        [True, False]
        """
        least = max(2 * self.season, 10 + 2 * (self.season // 2))
        return (1 < self.season <= 24) & (self.lengths >= least)

    def take(self, columns: np.ndarray) -> Batch:
        """Return some of the histories, in the order of `columns` (positions, or True for each one wanted).

        >>> Batch(np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([2, 1]), 1).take(np.array([1])).y.tolist()
        [[2.0]]
        """
        lengths = self.lengths[columns]
        return Batch(self.y[: lengths.max()][:, columns], lengths, self.season)


Kernel = Callable[[Batch, int], np.ndarray]


@dataclass(frozen=True)
class Model:
    """One forecaster: what it is called, what it assumes, where it comes from and when it applies.

    `forecast(batch, horizon)` returns (horizon, series) point forecasts, NaN in a column that could not be fitted.
    `least` is the shortest history it takes; a `seasonal` model also needs a season to be seen (`Batch.seasonal`),
    a `positive` one values above zero.
    """

    name: str
    zh: str
    en: str
    assumptions_zh: str
    assumptions_en: str
    source: str
    forecast: Kernel
    least: int = 1
    seasonal: bool = False
    positive: bool = False

    def applies(self, batch: Batch) -> np.ndarray:
        """Return for each series whether the model can be fitted to it."""
        fits = batch.lengths >= self.least
        if self.positive:
            fits = fits & (np.nanmin(batch.y, axis=0) > 0)
        return fits & batch.seasonal if self.seasonal else fits


MODELS: dict[str, Model] = {}
COMBINATION = "combination"


def register(
    name: str,
    *,
    zh: str,
    en: str,
    assumptions: tuple[str, str],
    source: str,
    least: int = 1,
    seasonal: bool = False,
    positive: bool = False,
) -> Callable[[Kernel], Kernel]:
    """Enter the decorated function into `MODELS`; `assumptions` are a Chinese and an English sentence."""

    def add(forecast: Kernel) -> Kernel:
        MODELS[name] = Model(name, zh, en, *assumptions, source, forecast, least, seasonal, positive)
        return forecast

    return add


def model_label(name: str) -> dict[str, str]:
    """Return the label of a value of the `model` column in both languages.

    >>> model_label("combination")["en"]
    'Combination of models'
    """
    if name == COMBINATION:
        return {"zh": "多模型组合", "en": "Combination of models"}
    model = lookup(MODELS, name, "forecast model")
    return {"zh": model.zh, "en": model.en}
