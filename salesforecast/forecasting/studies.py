"""What is asked of a panel, studied at the end of its histories or at a cutoff, and put into a frame."""

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
from salesforecast.forecasting.intervals import Calibration, Shape
from salesforecast.forecasting.members import Copies, Tick
from salesforecast.forecasting.records import Looks, Record, look, origins_of
from salesforecast.forecasting.scales import Base, base_of

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


@dataclass(frozen=True, eq=False)
class Study:
    """The record of some series at one cutoff, and the scale of their errors."""

    record: Record
    base: Base

    def shapes(self, wanted: Request) -> dict[str, Shape]:
        """Return what the errors teach, for each model whose rows are asked for."""
        names = self.record.names if wanted.members else self.record.names[:1]
        return {name: intervals.learn(self.record, self.base, name, wanted.season) for name in names}


def look_at(wanted: Request, ends: Copies, counts: np.ndarray, tick: Tick | None = None) -> Looks:
    """Forecast histories at their ends and origins, all in one batch."""
    origins = origins_of(wanted.histories, ends, wanted.season, wanted.horizon, counts)
    return look(wanted.histories, ends, origins, wanted.season, wanted.horizon, wanted.names, wanted.known, tick)


def study(wanted: Request, looks: Looks, ends: Copies, count: int) -> Study:
    """Return the study of some of the ends that were looked at."""
    origins = origins_of(wanted.histories, ends, wanted.season, wanted.horizon, np.full(len(ends), count))
    record = looks.record(ends, origins, wanted.names)
    return Study(record, base_of(wanted.histories, ends, np.vstack([origins, ends.lengths]), wanted.season))


def calibration_of(wanted: Request, count: int, shapes: dict[str, Shape]) -> Calibration:
    """Return the calibration for the end of every series."""
    return Calibration(wanted.histories.frequency, wanted.season, wanted.horizon, {None: count}, {None: shapes})


def frame(wanted: Request, done: Study, calibration: Calibration, cutoff: int | None = None) -> pd.DataFrame:
    """Return the rows of `forecast` for a study, and `_series`, `_step` to sort and join by."""
    record, horizon = done.record, wanted.horizon
    rows = range(len(record.names)) if wanted.members else range(1)
    means, bounds = [], []
    over = np.array(["ended" in each for each in record.notes])
    merged = _merged(wanted, record.ends)
    for row in rows:
        shape = calibration.shape(record.names[row], cutoff)
        mean = np.where(merged, 0.0, record.paths[row, :, -1])
        width = intervals.widths(record, done.base, record.names[row], shape)
        means.append(mean)
        bounds.append(_bounds(wanted, mean, np.where(over | merged, 0.0, width), shape, done.base))
    # (end, model, step), so that the rows of a series and in them those of a model lie together.
    there = ~np.isnan(np.array(means)[:, 0]).T
    kept = np.repeat(there[:, :, None], horizon, axis=2).ravel()
    values = {
        name: np.array(each).transpose(2, 0, 1).ravel()[kept]
        for name, each in zip(
            ["mean", *wanted.columns], [means, *zip(*bounds, strict=True)] if wanted.columns else [means], strict=True
        )
    }
    shown = there.sum(axis=1)
    series = np.repeat(record.ends.series, shown * horizon)
    step = np.tile(np.arange(1, horizon + 1), shown.sum())
    notes, codes = pd.factorize(pd.Index(_notes(wanted, record, np.any(merged, axis=0)), dtype=object))
    models = pd.Index([record.names[row] for row in rows])
    return pd.DataFrame(
        {
            "unique_id": wanted.histories.ids.take(series),
            "ds": wanted.histories.dates(series, np.repeat(record.ends.lengths, shown * horizon) - 1 + step),
            "model": models.take(np.repeat(np.nonzero(there)[1], horizon)),
            **values,
            "note": pd.Index(codes).take(np.repeat(notes, shown * horizon)),
            "_series": series,
            "_step": step,
        }
    )


def joined(parts: list[pd.DataFrame], by: Sequence[str] = ("_series",)) -> pd.DataFrame:
    """Return frames as one, sorted by series, without the columns for sorting."""
    whole = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if len(parts) > 1:
        order = np.lexsort([whole[name].to_numpy() for name in reversed(by)])
        whole = whole.take(order).reset_index(drop=True)
    return whole.drop(columns=[name for name in whole.columns if str(name).startswith("_")])


def _bounds(wanted: Request, mean: np.ndarray, width: np.ndarray, shape: Shape, base: Base) -> list[np.ndarray]:
    """Return lower and upper bounds of each level and each quantile, (step, end) each."""
    below = intervals.below_zero(mean, width, shape) * base.not_negative
    found = []
    for level in wanted.levels:
        tail = (1 - level / 100) / 2
        low, high = (mean + width * shape.quantile(share) for share in (tail, 1 - tail))
        # Nothing lies below zero: where the lower tail has no room, the upper one is the whole of what is left out.
        full = mean + width * shape.quantile(1 - 2 * tail)
        room = np.clip((0.5 - below) / (0.5 - tail), 0.0, 1.0)
        found += [low, full + room * (high - full)]
    found += [mean + width * shape.quantile(share) for share in wanted.quantiles]
    sides = [-1, 1] * len(wanted.levels) + [1 if share >= 0.5 else -1 for share in wanted.quantiles]
    # The mean lies inside every interval.
    found = [
        np.minimum(each, mean) if side < 0 else np.maximum(each, mean) for each, side in zip(found, sides, strict=True)
    ]
    return [np.where(base.not_negative, np.maximum(each, 0.0), each) for each in found]


def _merged(wanted: Request, ends: Copies) -> np.ndarray:
    """Return the steps (step, end) that are never reported, their amount being part of the next period's.

    Chinese statistics report January and February as one: a position of the season that is missing in every one of at
    least two seasons, before one that is well above its own neighbour.
    """
    histories, season = wanted.histories, wanted.season
    found = np.zeros((wanted.horizon, len(ends)), dtype=bool)
    if season < 2:
        return found
    for end in np.flatnonzero(histories.gaps[ends.series] & (ends.lengths >= 2 * season)).tolist():
        start, length = histories.offsets[ends.series[end]], int(ends.lengths[end])
        phase = np.arange(length) % season
        known, y = histories.known[start : start + length], histories.y[start : start + length]
        for each in set(range(season)) - set(phase[known].tolist()):
            double, single = (y[known & (phase == (each + after) % season)] for after in (1, 2))
            if len(double) and len(single) and double.mean() > 1.4 * single.mean():
                found[:, end] |= (length + np.arange(wanted.horizon)) % season == each
    return found


def _notes(wanted: Request, record: Record, merged: np.ndarray) -> list[str]:
    """Return what is special about each history, and what was done to it."""
    histories, ends = wanted.histories, record.ends
    flat = histories.flat[ends.series] >= ends.lengths
    first = histories.y[histories.offsets[ends.series]]
    found = {
        "gaps_filled": histories.gaps[ends.series],
        "all_zero": flat & (first == 0),
        "constant": flat & (first != 0),
        "negative_values": histories.lowest(ends.series, ends.lengths) < 0,
        "short_history": ends.lengths < max(2 * wanted.season, 5),
        "merged_period": merged,
        "no_backtest": (record.origins == 0).all(axis=0) & ~flat,
    }
    codes = list(found)
    own = [[codes[each] for each in np.flatnonzero(row)] for row in np.array([found[code] for code in codes]).T]
    return [";".join(dict.fromkeys([*mine, *done])) for mine, done in zip(own, record.notes, strict=True)]


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
