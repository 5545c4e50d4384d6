"""The series of a panel as arrays: read in one pass, gaps filled, the periods ahead dated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel
from salesforecast.forecasting.checks import columns_of
from salesforecast.forecasting.frequency import Frequency, day_of_month, infer_days


@dataclass(frozen=True, eq=False)
class Histories:
    """The readable series of a panel, sorted by the text of their ids, laid end to end without gaps.

    Series `i` is `y[offsets[i] : offsets[i + 1]]`; `known` is False where a value was missing and is interpolated.
    Filling uses nothing after the first value that follows the gap: a history cut at a known value is filled alike.
    `first` counts days, or months, since 1970; `refused` gives a reason code for each series that cannot be read.
    """

    ids: pd.Index
    y: np.ndarray
    offsets: np.ndarray
    known: np.ndarray
    gaps: np.ndarray
    first: np.ndarray
    day: np.ndarray
    frequency: Frequency
    refused: dict[object, str] = field(default_factory=dict)

    @property
    def lengths(self) -> np.ndarray:
        """Periods of each series, from its first known value to its last."""
        return np.diff(self.offsets)

    @cached_property
    def flat(self) -> np.ndarray:
        """How many values at the start of each series are the same: no shorter history has anything to tell."""
        owner = np.repeat(np.arange(len(self.ids)), self.lengths)
        other = np.flatnonzero(self.y != self.y[self.offsets[:-1]][owner])
        first = self.lengths.copy()
        np.minimum.at(first, owner[other], other - self.offsets[owner[other]])
        return first

    def lowest(self, series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the smallest of the first `lengths` values of series, each given once."""
        ends = np.stack([self.offsets[series], self.offsets[series] + lengths], axis=1).ravel()
        return np.minimum.reduceat(np.append(self.y, np.inf), ends)[::2]

    def matrix(self, series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the first `lengths` values of series as (time, series), 0 after their end."""
        rows = np.arange(int(lengths.max()))[:, None]
        place = np.minimum(self.offsets[series] + rows, len(self.y) - 1)
        return np.where(rows < lengths, self.y[place], 0.0)

    def prefix(self, series: int, length: int) -> np.ndarray:
        """Return the first `length` values of a series."""
        start = self.offsets[series]
        return self.y[start : start + length]

    def length_at(self, cutoff: int) -> np.ndarray:
        """Return how many periods of each series are known by a date (counted like `first`); 0 for none."""
        lengths = np.clip((cutoff - self.first) // self.frequency.step + 1, 0, self.lengths)
        for each in np.flatnonzero(self.gaps & (lengths > 0)):
            there = np.flatnonzero(self.known[self.offsets[each] : self.offsets[each] + lengths[each]])
            lengths[each] = there[-1] + 1
        return lengths

    def number(self, series: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return the day or month (since 1970) of a position, 0 for the first period of its series."""
        return self.first[series] + self.frequency.step * position

    def dates(self, series: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return the dates of positions; months keep the day of their series, at most their last day."""
        return self.frequency.dates(self.number(series, position), self.day[series])

    def select(self, series: np.ndarray) -> Histories:
        """Return some of the series, in the order given."""
        lengths = self.lengths[series]
        rows = np.repeat(self.offsets[series] - np.r_[0, np.cumsum(lengths)[:-1]], lengths) + np.arange(lengths.sum())
        return Histories(
            self.ids[series], self.y[rows], np.r_[0, np.cumsum(lengths)], self.known[rows], self.gaps[series],
            self.first[series], self.day[series], self.frequency, self.refused,
        )  # fmt: skip


def read(panel: pd.DataFrame, season: int | None = None, frequency: Frequency | None = None) -> Histories:
    """Return the series of a panel as arrays; `frequency` is that of a larger panel it is a part of.

    A series that cannot be read is refused with a code and the others go on: `no_values`, `infinite_values`,
    `duplicate_periods`, `irregular_dates`. Raises `BadPanel` where nothing can be read at all, with what is wrong.
    """
    columns = columns_of(panel)
    refused = columns.refused()
    frequency = frequency or infer_days(columns.days, columns.codes, columns.grain)
    positions, irregular = columns.positions(frequency)
    refused = np.where((refused == "") & irregular, "irregular_dates", refused)
    readable = refused == ""
    if not readable.any():
        raise BadPanel(columns.say(refused[0], frequency))
    keep = readable[columns.codes] & ~np.isnan(columns.y)
    codes, positions, y = columns.codes[keep], positions[keep], columns.y[keep]
    starts = np.flatnonzero(np.r_[True, np.diff(codes) > 0])
    ends = np.r_[starts[1:], len(codes)] - 1
    lengths = (positions[ends] - positions[starts]).astype(np.int64) + 1
    offsets = np.r_[0, np.cumsum(lengths)]
    order = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(codes)]))
    flat = np.full(offsets[-1], np.nan)
    flat[offsets[order] + positions - positions[starts][order]] = y
    known = ~np.isnan(flat)
    dropped = np.bincount(columns.codes, weights=np.isnan(columns.y), minlength=len(columns.ids))[readable] > 0
    gaps = dropped | (np.add.reduceat(~known, offsets[:-1]) > 0)
    for each in np.flatnonzero(gaps):
        part = slice(offsets[each], offsets[each + 1])
        flat[part] = fill(flat[part], season or frequency.season)
    days, names = columns.days[keep], columns.ids
    return Histories(
        names[readable],
        flat,
        offsets,
        known,
        gaps,
        frequency.numbers(days[starts]),
        np.maximum.reduceat(day_of_month(days), starts),
        frequency,
        {names[each]: str(refused[each]) for each in np.flatnonzero(~readable)},
    )


def fill(y: np.ndarray, season: int) -> np.ndarray:
    """Return the values with the holes between them filled, each from its neighbours and the season before.

    A hole becomes the value one season earlier plus the change since then, interpolated between the nearest known
    values on both sides; without a season before, the values themselves are interpolated. Never below 0 where no
    value is. The first and the last value must be known.

    >>> fill(np.array([1.0, 9, 1, 9, 3, np.nan, 3]), 2).tolist()
    [1.0, 9.0, 1.0, 9.0, 3.0, 10.0, 3.0]
    """
    filled = y.copy()
    there = np.flatnonzero(~np.isnan(y))
    least = 0.0 if y[there].min() >= 0 else -np.inf
    for before, after in pairwise(there):
        if after - before == 1:
            continue
        holes = np.arange(before + 1, after)
        ends = np.array([before, after])
        if season > 1 and before >= season and after - before <= season:
            change = np.interp(holes, ends, filled[ends] - filled[ends - season])
            filled[holes] = np.maximum(filled[holes - season] + change, least)
        else:
            filled[holes] = np.interp(holes, ends, filled[ends])
    return filled


def blocks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover `count`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
