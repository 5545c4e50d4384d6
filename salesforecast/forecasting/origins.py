"""From which earlier points a history is forecast again, to learn weights and intervals from what happened then."""

from __future__ import annotations

import numpy as np

FEWEST, MOST, COLUMNS = 3, 12, 300  # origins of a series in a large and a small panel; columns a small panel affords


def origin_count(series: int) -> int:
    """Return how many origins each series of a panel gets: a small panel looks back more often.

    A panel of many series learns from its neighbours and needs three; one of up to 25 affords twelve.

    >>> [origin_count(each) for each in (1, 25, 50, 1000)]
    [12, 12, 6, 3]
    """
    return int(np.clip(COLUMNS // max(series, 1), FEWEST, MOST))


def past_lengths(length: int, season: int, horizon: int, count: int) -> tuple[int, ...]:
    """Return the lengths of history, ascending, from which the past of a series is forecast again.

    They lie a third of the horizon apart and end that far before the end: an origin close to the end knows nearly as
    much as the forecast itself, the others tell how errors grow. None has less than two seasons where the whole
    history has more, none less than half of a short one, at least three points; closer together where that leaves
    little room.

    >>> past_lengths(60, 12, 6, 3), past_lengths(12, 1, 6, 3), past_lengths(60, 12, 18, 3), past_lengths(3, 1, 6, 3)
    ((54, 56, 58), (6, 8, 10), (42, 48, 54), ())
    """
    if length < 4:
        return ()
    least = 2 * season + 1 if length > 2 * season + horizon else max(3, length // 2)
    step = max(1.0, horizon / 3)
    last = max(length - round(step), least)
    first = min(max(length - round(step * count), least), last)
    return tuple(np.unique(np.linspace(first, last, count).round().astype(int)).tolist())


def plan(lengths: np.ndarray, season: int, horizon: int, count: int) -> np.ndarray:
    """Return `past_lengths` of many series as (origin, series), 0 where there are fewer; the last row is the latest."""
    found = np.zeros((count, len(lengths)), dtype=np.int64)
    for length in np.unique(lengths).tolist():
        past = past_lengths(length, season, horizon, count)
        if past:
            found[count - len(past) :, lengths == length] = np.array(past)[:, None]
    return found
