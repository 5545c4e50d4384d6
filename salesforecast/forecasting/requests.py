"""What is asked of a panel: arguments checked, the panel read, its series put into groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue
from salesforecast.forecasting import ensemble, intervals
from salesforecast.forecasting.checks import check_season, read_regressors, regressors_of
from salesforecast.forecasting.frequency import Frequency
from salesforecast.forecasting.histories import Histories, blocks, read

SAMPLE = 1000  # series that a calibration learns from: three past forecasts of each tell enough
SERIES = 2000  # series that are forecast at a time: memory stays bounded


@dataclass(frozen=True, eq=False)
class Request:
    """A panel that is read, and what is asked of it."""

    histories: Histories
    season: int
    horizon: int
    names: tuple[str, ...] | None
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    members: bool
    known: Mapping[int, np.ndarray]

    @property
    def columns(self) -> list[str]:
        """The names of the interval and quantile columns."""
        return [*interval_columns(self.levels), *(f"q_{each:g}" for each in self.quantiles)]


def request(
    panel: pd.DataFrame,
    horizon: int,
    *,
    level: float | Sequence[float] = (80, 95),
    quantiles: Sequence[float] = (),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
    frequency: Frequency | None = None,
    ahead: int = 0,
) -> Request:
    """Check arguments and read the panel; regressors must be there for every period and `ahead` more."""
    check_horizon(horizon)
    levels, shares = intervals.check_levels(level), intervals.check_quantiles(quantiles)
    names = ensemble.names_of(models)
    if season is not None:
        check_season(season, None)
    histories = read(panel, season, frequency)
    season = check_season(season, histories.frequency)
    known = _known(histories, regressors, ahead)
    return Request(histories, season, int(horizon), names, levels, shares, members, known)


def check_horizon(horizon: int, name: str = "horizon") -> None:
    """Raise `BadValue` unless the value is a whole number from 1 on."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise BadValue(f"{name} is {horizon!r}. Give a whole number of periods from 1 on.")


def interval_columns(levels: Sequence[float]) -> list[str]:
    """Return the column names of the intervals.

    >>> interval_columns((80, 97.5))
    ['lo_80', 'hi_80', 'lo_97.5', 'hi_97.5']
    """
    return [f"{side}_{level:g}" for level in levels for side in ("lo", "hi")]


def calibration_sample(ids: Sequence[object] | pd.Index) -> pd.Index:
    """Return the ids of the series that a calibration learns from: all, or the 1,000 with the smallest hash.

    The sample of a whole is the sample of the samples of its parts.

    >>> calibration_sample(["A", "B"]).tolist(), len(calibration_sample(range(5000)))
    (['A', 'B'], 1000)
    """
    ids = pd.Index(ids)
    return ids[_sample(ids)]


def sample_of(histories: Histories, series: np.ndarray) -> np.ndarray:
    """Return which of some series a calibration learns from."""
    return series[_sample(histories.ids[series])]


def groups(histories: Histories, whole: bool) -> list[np.ndarray]:
    """Return the series in groups to study one after the other; the sample of a calibration first if `whole`."""
    every = np.arange(len(histories.ids))
    first = sample_of(histories, every) if whole else every[:0]
    rest = np.setdiff1d(every, first)
    return [*([first] if len(first) else []), *(rest[part] for part in blocks(len(rest), SERIES))]


def _sample(ids: pd.Index) -> np.ndarray:
    if len(ids) <= SAMPLE:
        return np.arange(len(ids))
    text = ids.astype(str).to_numpy(object)
    hashes = pd.util.hash_array(text, categorize=False)
    return np.sort(np.lexsort([text, hashes])[:SAMPLE])


def _known(histories: Histories, regressors: pd.DataFrame | None, ahead: int) -> dict[int, np.ndarray]:
    if regressors is None:
        return {}
    table = read_regressors(regressors)
    known = {}
    for series, length in enumerate(histories.lengths.tolist()):
        positions = np.arange(length + ahead)
        dates = histories.dates(np.full(len(positions), series), positions)
        known[series] = regressors_of(table, histories.ids[series], dates)
    return known
