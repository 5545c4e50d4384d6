"""Histories made fit to forecast from: outliers pulled in, level shifts bridged, late starts and ends recognised.

Every rule looks at one column alone and at nothing but its own past, so a truncated copy of a history (the origin of a
backtest) is conditioned as it would have been at the time. Positive histories are judged on logs, others as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from salesforecast.forecasting.models.registry import Batch

OUTLIERS_ADJUSTED = "outliers_adjusted"
LEVEL_SHIFT = "level_shift"
ENDED = "ended"
STARTS_LATE = "starts_late"
LAST_PERIOD_LOW = "last_period_low"

_HALF = 3  # half-width of the running median: up to three odd points in a row are outliers, four are a level
_FAR = 6.0  # robust standard deviations from which a point is an outlier; it is pulled to _NEAR of them
_NEAR = 2.0
_FRESH = 0.1  # share of the way an odd last point is pulled: it may be the first of a new level
_JUMP = 5.0  # robust deviations of the local change of level from which it is a shift
_SUDDEN = (0.7, 1.5)  # the step from one period to the next as a share of the shift: neither a slope nor a bump
_QUIET = {1: 3, 4: 4, 7: 28, 12: 6, 52: 13}  # periods without sales after which a series may have ended


def condition(batch: Batch) -> tuple[Batch, list[tuple[str, ...]]]:
    """Return the batch to forecast from, of the same shape, and the note codes of every series.

    Judged are histories of at least 16 periods and two and a half seasons (eight years), with less than a tenth of
    zeros, that did not end; every other column but an ended one is returned as it is.

    `outliers_adjusted`: the point lies more than six robust standard deviations from the running median of seven
    after a robust season is taken out; it is pulled to two of them, an odd last point (or pair) only a tenth of the
    way, for it may be a new level. Where more than a twentieth of the points is odd they belong to the series and stay.

    `last_period_low`: the last point alone is odd and below half of what was due, as an unfinished period is; it is
    pulled in whole (not years).

    `level_shift`: the mean of the next few periods differs from the mean of the last few by more than five robust
    deviations of that difference, and most of it comes in one step. The part before is brought to the level after
    (multiplied where all values are positive, moved otherwise), so forecasts need no correction. The largest one only.

    `ended`: the series has stopped selling (see `ended`); its history becomes zero, so any model says zero.

    Take known-future effects out first: a promotion is no outlier.

    >>> y = np.tile([10.0, 20, 30, 40], 6)[:, None]
    >>> y[9] = 500
    >>> clean, notes = condition(Batch(y, np.array([24]), 4))
    >>> clean.y[8:12, 0].round(1).tolist(), notes
    ([10.0, 20.0, 30.0, 40.0], [('outliers_adjusted',)])
    """
    y, lengths, season = batch.y, batch.lengths, batch.season
    finished = ended(batch)
    notes: list[tuple[str, ...]] = [(ENDED,) if each else () for each in finished]
    clean = np.where(finished & ~np.isnan(y), 0.0, y)
    with np.errstate(all="ignore"):
        zeros = (y == 0).sum(axis=0)
        enough = lengths >= (max(16, -(-5 * season // 2)) if season > 1 else 8)
        judged = np.flatnonzero(enough & (10 * zeros < lengths) & ~finished & (trailing_zeros(batch) < _HALF))
        if not len(judged):
            return replace(batch, y=clean), notes
        n = lengths[judged]
        known = y[: n.max(), judged]
        lowest = np.nanmin(known, axis=0)
        values = np.where(lowest > 0, np.log(known), known)
        profile = _profile(values, n, season) if season > 1 else np.zeros((1, len(n)))
        usual = profile[np.arange(len(values)) % season]
        level = values - usual
        level, odd, low = _pull_outliers(level, usual, n, lowest > 0, season)
        level, moved = _bridge_shift(level, n, season)
        made = level + usual
        made = np.where(lowest > 0, np.exp(made), np.where(lowest >= 0, np.maximum(made, 0), made))
        changed = (odd | moved) & np.isfinite(made)
    clean[: n.max(), judged] = np.where(changed, made, known)
    for place, column in enumerate(judged):
        found = {LAST_PERIOD_LOW: low[place], LEVEL_SHIFT: moved[:, place].any()}
        found[OUTLIERS_ADJUSTED] = odd[:, place].sum() > low[place]
        notes[column] = tuple(code for code, there in found.items() if there)
    return replace(batch, y=clean), notes


def leading_zeros(batch: Batch) -> np.ndarray:
    """Return how many periods to cut from the start of each series: the zeros before its first value (`starts_late`).

    Nothing is cut from a series of zeros, nor where the series was zero again one season later (out of season). Cut
    before the batch is built, for its columns start in row 0.

    >>> y = np.array([[0.0, 0], [0, 3], [4, 0], [5, 4], [6, 0]])
    >>> leading_zeros(Batch(y, np.array([5, 5]), 2)).tolist()     # the second sells every other period
    [2, 0]
    """
    y, season = batch.y, batch.season
    there = np.nan_to_num(y) != 0
    count = np.where(there.any(axis=0), there.argmax(axis=0), 0)
    if season == 1 or not count.any():
        return count
    # A closed season repeats: each of the leading zeros has a zero one season later.
    rows = np.arange(len(y))[:, None]
    again = np.full(y.shape, True)
    again[:-season] = y[season:] == 0
    closed = (count < season) & (again | (rows >= count)).all(axis=0) & (batch.lengths >= season + count)
    return np.where(closed, 0, count)


def trailing_zeros(batch: Batch) -> np.ndarray:
    """Return the number of zeros at the end of each series.

    >>> trailing_zeros(Batch(np.array([[1.0, 2], [0, 3], [0, np.nan]]), np.array([3, 2]), 1)).tolist()
    [2, 0]
    """
    rows = np.arange(1, len(batch.y) + 1)[:, None]
    return batch.lengths - np.where(np.nan_to_num(batch.y) != 0, rows, 0).max(axis=0)


def ended(batch: Batch) -> np.ndarray:
    """Return which series have stopped selling, so that their forecast is zero.

    They end in zeros for three years, a year of quarters, half a year of months, thirteen weeks or 28 days (another
    season: its length, at least six) and for more than twice their longest earlier pause: a summer product pauses every
    year, a shop for a festival.

    >>> y = np.array([5.0, 4, 0, 0, 6, 5, 0, 0, 0, 0, 0])[:, None]
    >>> ended(Batch(y[:10], np.array([10]), 4)).tolist(), ended(Batch(y, np.array([11]), 4)).tolist()
    ([False], [True])
    """
    quiet = trailing_zeros(batch)
    found = (quiet >= _QUIET.get(batch.season, max(batch.season, 6))) & (quiet < batch.lengths)
    for column in np.flatnonzero(found):
        y = batch.y[: batch.lengths[column] - quiet[column], column]
        sold = np.flatnonzero(y)
        pause = np.diff(sold).max(initial=1) - 1
        found[column] = quiet[column] > 2 * pause
    return found


def medians(values: np.ndarray) -> np.ndarray:
    """Return the medians along the first axis, NaN left out.

    >>> medians(np.array([[1.0, 1.0], [5.0, np.nan], [2.0, 4.0]])).tolist()
    [2.0, 2.5]
    """
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)
    middle = [np.take_along_axis(ordered, each[None], axis=0)[0] for each in (low, high)]
    return (middle[0] + middle[1]) / 2


def _profile(values: np.ndarray, n: np.ndarray, season: int) -> np.ndarray:
    """Return the median distance of each position in the season from the moving average, (season, series)."""
    rows, columns = np.arange(len(values))[:, None], np.arange(len(n))
    half = season // 2
    sums = np.cumsum(np.vstack([np.zeros((1, len(n))), np.nan_to_num(values)]), axis=0)
    means = (sums[season:] - sums[:-season]) / season
    trend = np.full(values.shape, np.nan)
    trend[half : half + len(means) - (season % 2 == 0)] = means if season % 2 else (means[:-1] + means[1:]) / 2
    # The average ends half a season from both ends; it goes on with the slope of its first and last season.
    last = n - 1 - half
    span = np.minimum(season, last - half)
    slope_in = (trend[half + span, columns] - trend[half]) / np.maximum(span, 1)
    slope_out = (trend[last, columns] - trend[last - span, columns]) / np.maximum(span, 1)
    trend = np.where(rows > last, trend[last, columns] + slope_out * (rows - last), trend)
    trend = np.where(rows < half, trend[half] + slope_in * (rows - half), trend)
    years = -(-len(values) // season)
    distances = np.full((years * season, len(n)), np.nan)
    distances[: len(values)] = values - trend
    profile = medians(distances.reshape(years, season, len(n)))
    return profile - profile.mean(axis=0)


def _pull_outliers(
    level: np.ndarray, usual: np.ndarray, n: np.ndarray, positive: np.ndarray, season: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the values with outliers pulled in, where they were, and which series end in an unfinished period."""
    rows, columns = np.arange(len(level))[:, None], np.arange(len(n))
    # Without its slope a growing series does not leave its running median at the ends.
    line = medians(np.diff(level, axis=0)) * rows
    middle = _running_median(level - line, n) + line
    rest = level - middle
    size = np.abs(rest)
    # The running median passes through many points: the mean keeps the scale above what the median says then.
    noise = 1.4826 * medians(size)
    scale = np.maximum(noise, np.nansum(size, axis=0) / n)
    odd = (size > _FAR * scale) & (size > 1e-9 * np.nanmax(np.abs(level), axis=0))
    # Nothing stands before the first point that could tell a high start from an odd one.
    odd[0] = False
    odd &= odd.sum(axis=0) <= np.maximum(1, n // 20)
    last, before = rest[n - 1, columns], rest[n - 2, columns]
    pair = odd[n - 2, columns] & (last * before > 0)
    due = (middle + usual)[n - 1, columns]
    # A year is too long to be waited for: years that fall so low stay low.
    low = (
        (season > 1)
        & odd[n - 1, columns]
        & ~pair
        & np.where(positive, last < np.log(0.5), (due > 0) & (last < -due / 2))
    )
    fresh = (rows == n - 1) & ~low | (rows == n - 2) & pair & odd[n - 1, columns]
    pull = np.where(fresh, _FRESH, 1.0)
    bound = _NEAR * np.maximum(noise, np.nansum(np.where(odd, 0.0, size), axis=0) / n)
    return np.where(odd, level + pull * (middle + np.sign(rest) * bound - level), level), odd, low


def _bridge_shift(level: np.ndarray, n: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values with everything before the largest sudden shift brought to the level after it, and where."""
    width = int(np.clip(season // 3, 3, 6))
    if len(level) < 2 * width + 4:
        return level, np.zeros(level.shape, bool)
    rows, columns = np.arange(len(level))[:, None], np.arange(len(n))
    sums = np.cumsum(np.vstack([np.zeros((1, len(n))), np.nan_to_num(level)]), axis=0)
    means = (sums[width:] - sums[:-width]) / width
    change = np.full(level.shape, np.nan)
    change[width : len(level) - width + 1] = means[width:] - means[:-width]
    change[rows > n - width] = np.nan
    change -= medians(change)
    size = np.abs(change)
    scale = np.maximum(1.4826 * medians(size), np.nanmean(size, axis=0) / 4)
    step = np.diff(level, axis=0, prepend=level[:1])
    share = step / change
    shift = (size > _JUMP * scale) & (share > _SUDDEN[0]) & (share < _SUDDEN[1])
    shift &= (n >= 4 * width) & (size > 1e-9 * np.nanmax(np.abs(level), axis=0))
    at = np.where(shift, size, 0.0).argmax(axis=0)
    moved = (rows < at) & shift[at, columns]
    return np.where(moved, level + change[at, columns], level), moved


def _running_median(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the median of seven points around each; the ends are mirrored, so an odd last point stays outside."""
    count, columns = len(values), np.arange(len(n))
    padded = np.full((count + 2 * _HALF, len(n)), np.nan)
    padded[_HALF : _HALF + count] = values
    for distance in range(1, _HALF + 1):
        padded[_HALF - distance] = values[distance]
        padded[_HALF + n - 1 + distance, columns] = values[n - 1 - distance, columns]
    window = [padded[start : start + count] for start in range(2 * _HALF + 1)]
    # Odd-even transposition: seven rounds of comparing neighbours sort seven rows, all points at once.
    for turn in range(len(window)):
        for left in range(turn % 2, len(window) - 1, 2):
            pair = window[left], window[left + 1]
            window[left], window[left + 1] = np.minimum(*pair), np.maximum(*pair)
    return window[_HALF]
