"""Positions of a season that never have a value of their own: closed Sundays, a January told with February."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting.histories import Histories

MERGED, CLOSED = "merged_period", "closed_period"
SEEN = 6  # times a position must have been empty: fewer are chance
SPARSE = 0.3  # share of zeros elsewhere from which an empty position says nothing
DOUBLE = 1.4  # of its neighbour: what holds the amount of two periods


def closed(histories: Histories, series: np.ndarray, lengths: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (season, series) that are always zero or never reported, and those never reported at all.

    Position 0 is that of the first period. A position counts when it was empty each of at least six times, in a series
    with less than 30 % zeros elsewhere (in sparse demand a position is empty by chance). Seasons of 2 to 24 periods.

    >>> import pandas as pd
    >>> from salesforecast.forecasting.histories import read
    >>> days = pd.DataFrame({"unique_id": "A", "ds": pd.bdate_range("2026-01-05", periods=40), "y": 9.0})
    >>> empty, unknown = closed(read(days), np.array([0]), np.array([54]), 7)
    >>> empty.ravel().tolist()                                   # from a Monday on
    [False, False, False, False, False, True, True]
    """
    empty = np.zeros((season, len(series)), dtype=bool)
    unknown = empty.copy()
    if not 1 < season <= 24:
        return empty, unknown
    holes = histories.gaps[series] | (histories.lowest(series, lengths) <= 0)
    some = np.flatnonzero(holes & (lengths >= SEEN * season))
    if not len(some):
        return empty, unknown
    rows = np.arange(int(lengths[some].max()))[:, None]
    inside = rows < lengths[some]
    place = np.minimum(histories.offsets[series[some]] + rows, len(histories.y) - 1)
    known = histories.known[place] & inside
    zero = known & (histories.y[place] == 0)
    there, told, zeros = (_folded(each, season) for each in (inside, known, zero))
    shut = (zeros == told) & (there >= SEEN)
    others = np.where(shut, 0, told).sum(axis=0)
    shut &= (others > 0) & (np.where(shut, 0, zeros).sum(axis=0) < SPARSE * others)
    empty[:, some], unknown[:, some] = shut, shut & (told == 0)
    return empty, unknown


def merged(histories: Histories, series: np.ndarray, lengths: np.ndarray, season: int) -> np.ndarray:
    """Return the positions (season, series) that are never reported, their amount being part of the next period's.

    Chinese statistics report January and February as one: a position of the season that is missing in every one of at
    least two seasons, before one that is well above its own neighbour.
    """
    found = np.zeros((season, len(series)), dtype=bool)
    if season < 2:
        return found
    for each in np.flatnonzero(histories.gaps[series] & (lengths >= 2 * season)).tolist():
        start, length = histories.offsets[series[each]], int(lengths[each])
        phase = np.arange(length) % season
        known, y = histories.known[start : start + length], histories.y[start : start + length]
        for position in set(range(season)) - set(phase[known].tolist()):
            double, single = (y[known & (phase == (position + after) % season)] for after in (1, 2))
            found[position, each] = len(double) and len(single) and double.mean() > DOUBLE * single.mean()
    return found


def _folded(values: np.ndarray, season: int) -> np.ndarray:
    """Return how often each position of the season has a value of True, (season, series)."""
    whole = np.zeros((-(-len(values) // season) * season, values.shape[1]), dtype=np.int64)
    whole[: len(values)] = values
    return whole.reshape(-1, season, values.shape[1]).sum(axis=0)
