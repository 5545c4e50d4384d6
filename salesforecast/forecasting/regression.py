"""Known-future regressors of a series: tested, shrunk, taken out before the models, put back after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.forecasting.checks import check_season, read_regressors, regressors_of
from salesforecast.forecasting.histories import Histories, read

REGRESSORS_USED = "regressors_used"
REGRESSORS_UNUSED = "regressors_unused"
REGRESSORS_OUTSIDE = "regressors_outside"

_WEIGHTS = np.array([0.0, 0.4, 0.7, 0.85])  # memory of the moving level: none (a random walk) to long
_FREEDOM = 10  # degrees of freedom below which nothing can be tested
# What happens now and then must be seen this often, or at least twice and in this many periods: the two or three months
# of a festival look like whatever else happened in them, its thirty days do not.
_OCCURRENCES = 4
_PERIODS = 12


@dataclass(frozen=True)
class Effect:
    """What is taken out of a history and put back into its forecast; a factor where `log`, else a difference."""

    history: np.ndarray
    future: np.ndarray
    log: bool = False
    notes: tuple[str, ...] = ()

    def remove(self, y: np.ndarray) -> np.ndarray:
        """Return the history without the effect."""
        return y / np.exp(self.history) if self.log else y - self.history

    def restore(self, path: np.ndarray) -> np.ndarray:
        """Return the forecast with the effect."""
        return path * np.exp(self.future) if self.log else path + self.future


@dataclass(frozen=True)
class Slopes:
    """What was found about each column of the regressors.

    `slope` per unit of the regressor (in logs where `log`, else in the unit of the series), its standard `error` and
    `t`; `shrunk` is what forecasts use, 0 where a column is not used; `reason` says why not: "constant", "collinear"
    (told by earlier columns), "unknown" (in the horizon or most of the history), "rare" (happened too few
    times), "short" (history) or "weak" (fails its test), "" where it is used. Values that were not estimated are NaN.
    """

    slope: np.ndarray
    error: np.ndarray
    t: np.ndarray
    shrunk: np.ndarray
    reason: tuple[str, ...]
    log: bool


def estimate(y: np.ndarray, regressors: np.ndarray, season: int, horizon: int) -> Effect:
    """Return the effect of known-future regressors on a history, as `slopes` finds it.

    `regressors` has a column each and a row for each period of the history and the horizon (rows before are ignored).
    The effect is measured from the mean of the history, so the level stays. Notes: `regressors_used`, or
    `regressors_unused` where no column passes its test; `regressors_outside` where a used one leaves its known range by
    more than half of it, so that its effect there is a guess; from a whole range beyond on the effect grows no more.

    >>> promotion = np.tile([0.0, 0, 1, 0, 0], 8)[:, None]
    >>> y = 100 * 1.5 ** promotion[:36, 0] * np.tile([1.0, 1.01, 0.99], 12)
    >>> effect = estimate(y, promotion, 1, 4)
    >>> np.exp(effect.future).round(2).tolist(), effect.notes
    ([0.92, 1.38, 0.92, 0.92], ('regressors_used',))
    """
    n = len(y)
    known = np.asarray(regressors, float)[-(n + horizon) :]
    found = slopes(y, known, season, horizon)
    used = found.shrunk != 0
    if not used.any():
        return Effect(np.zeros(n), np.zeros(horizon), notes=(REGRESSORS_UNUSED,))
    seen = known[:n, used]
    # Where a regressor was not known yet, its mean stands for it.
    mean = np.nanmean(seen, axis=0)
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    reach = (high - low) / 2
    within = np.clip(known[:, used], low - 2 * reach, high + 2 * reach)
    path = np.nan_to_num(within - mean) @ found.shrunk[used]
    outside = ((known[n:, used] < low - reach) | (known[n:, used] > high + reach)).any()
    notes = (REGRESSORS_USED, REGRESSORS_OUTSIDE) if outside else (REGRESSORS_USED,)
    return Effect(path[:n], path[n:], found.log, notes)


def effects(
    panel: pd.DataFrame, regressors: pd.DataFrame, horizon: int = 0, *, season: int | None = None
) -> pd.DataFrame:
    """Return what the regressors of `forecast(panel, horizon, regressors=…)` do to every series.

    One row per series and regressor: `unique_id, regressor, effect, lo_95, hi_95` (of one unit of the regressor, with
    its 95 % interval), `unit` ("percent" where all values of the series are positive, else "amount" in the unit of the
    series), `t`, `applied` (the shrunk effect that forecasts use, 0 where none), `swing` (the applied effect of going
    from the lowest to the highest value seen), `used` (passed its test) and `reason` (why not, see `Slopes`).
    `forecast` leaves a used effect out where it made past forecasts worse; its note says so.

    An effect is what went together in the past, other things (season, level, the other regressors) equal. It is a cause
    only where nothing else changed at the same time: promotions that are set when demand is high look better than
    they are. Raises `BadPanel` and `BadValue` like `forecast`.

    >>> months = pd.date_range("2022-01-01", periods=40, freq="MS")
    >>> promotion = pd.DataFrame({"ds": months, "promotion": np.tile([0.0, 0, 1, 0, 0], 8)})
    >>> noise = np.tile([1.0, 1.01, 0.99, 1.0], 10)
    >>> sales = pd.DataFrame({"unique_id": "A", "ds": months, "y": 100 * 1.5 ** promotion["promotion"] * noise})
    >>> effects(sales, promotion)[["regressor", "effect", "unit", "used"]].round(0)
       regressor  effect     unit  used
    0  promotion    50.0  percent  True
    """
    histories = read(panel)
    known = read_regressors(regressors)
    parts = []
    for unique_id, plan, found in found_slopes(histories, known, check_season(season, histories.frequency), horizon):
        seen = plan[: len(plan) - horizon]
        bounds = found.slope + 1.96 * np.outer([0, -1, 1], found.error)
        swing = found.shrunk * (np.nanmax(seen, axis=0) - np.nanmin(seen, axis=0))
        numbers = np.vstack([bounds, found.shrunk, swing])
        effect, low, high, applied, swing = 100 * np.expm1(numbers) if found.log else numbers
        part = {"unique_id": [unique_id] * known.shape[1], "regressor": known.columns}
        part |= {"effect": effect, "lo_95": low, "hi_95": high, "unit": "percent" if found.log else "amount"}
        part |= {"t": found.t, "applied": applied, "swing": swing}
        parts.append(pd.DataFrame({**part, "used": found.shrunk != 0, "reason": found.reason}))
    return pd.concat(parts, ignore_index=True)


def found_slopes(
    histories: Histories, known: pd.DataFrame, season: int, horizon: int
) -> Iterator[tuple[object, np.ndarray, Slopes]]:
    """Yield the id of each series, its regressors (history as the models see it, then horizon) and their slopes.

    `known` comes from `checks.read_regressors`. Raises `BadValue` where a period is missing.
    """
    longest = histories.frequency.reach(season)
    for series, (unique_id, length) in enumerate(zip(histories.ids, histories.lengths.tolist(), strict=True)):
        position = np.arange(max(0, length - longest), length + horizon)
        plan = regressors_of(known, unique_id, histories.dates(np.full(len(position), series), position))
        y = histories.prefix(series, length)[position[0] :]
        yield unique_id, plan, slopes(y, plan, season, horizon)


def slopes(y: np.ndarray, regressors: np.ndarray, season: int, horizon: int) -> Slopes:
    """Return the slope of every regressor, tested and shrunk.

    The series (its logarithm where all values are positive) is regressors × slopes + season + a moving level + noise.
    The level is that of simple exponential smoothing: all columns are differenced and filtered by the weight that fits
    best, so the test is honest for a random walk and for a steady level alike. Odd periods count less (Huber). The
    weakest column is dropped until each has |t| > √(4 + 2 ln k), where k is the number of regressors that could be
    tested: 2 for one, 2.9 for ten. What happens now and then (a festival once a year, a promotion) is known from as
    many occurrences, however many periods each of them lasted: seen once, or fewer than four times and in fewer than
    twelve periods, it is not tested; else its t is first divided by how much wider a Student t with (occurrences − 1)
    degrees of freedom is than a normal distribution. Slopes are shrunk by 1 − 1/t² (positive-part James–Stein).
    """
    n, count = len(y), regressors.shape[1]
    known = np.asarray(regressors, float)
    log = bool(y.min() > 0)
    values = np.log(y) if log else y
    slope, error, t, shrunk = np.full((4, count), np.nan)
    shrunk[:] = 0
    reason, start = _usable(known, n)
    occurrences, periods = np.array([_occurrences(column[start:n]) for column in known.T], float).T
    rare = (occurrences < 2) | (occurrences < _OCCURRENCES) & (periods < _PERIODS)
    reason = [each or ("rare" if few else "") for each, few in zip(reason, rare, strict=True)]
    columns = [each for each in range(count) if not reason[each]]
    base = _seasonal(n, season)[start + 1 :]
    if columns and n - start - 1 - base.shape[1] - len(columns) < _FREEDOM:
        reason, columns = [each or "short" for each in reason], []
    if columns:
        response, design = _filtered(values[start:], known[start:n, columns], base)
        design, columns = _independent(design, columns, reason)
    if columns:
        weights = _huber(design, response)
        bound = np.sqrt(4 + 2 * np.log(len(columns)))
        doubt = _doubt(occurrences)
        first = True
        while columns:
            found, errors = _tested(design, response, weights, len(columns))
            tested = found / errors / doubt[columns]
            weakest = int(np.argmin(np.abs(tested)))
            passed = abs(tested[weakest]) > bound
            told = slice(None) if first or passed else slice(weakest, weakest + 1)
            slope[columns[told]], error[columns[told]], t[columns[told]] = found[told], errors[told], tested[told]
            if passed:
                shrunk[columns] = found * (1 - 1 / tested**2)
                break
            reason[columns.pop(weakest)] = "weak"
            design = np.delete(design, weakest, axis=1)
            first = False
    return Slopes(slope, error, t, shrunk, tuple(reason), log)


def _occurrences(values: np.ndarray) -> tuple[float, float]:
    """Return how many runs of periods differ from the usual value, and how many periods; no end where none is usual.

    >>> promotion = [0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0]
    >>> _occurrences(np.array(promotion)), _occurrences(np.arange(12))
    ((3, 4), (inf, inf))
    """
    found, times = np.unique(values, return_counts=True)
    if 2 * times.max() < len(values):
        return np.inf, np.inf
    special = values != found[times.argmax()]
    return int(special[0]) + int((np.diff(special.astype(int)) > 0).sum()), int(special.sum())


def _doubt(occurrences: np.ndarray) -> np.ndarray:
    """Return how much wider Student's t with (occurrences − 1) degrees of freedom is than the normal, at 95 %."""
    from scipy.special import stdtrit

    return stdtrit(occurrences - 1, 0.975) / stdtrit(np.inf, 0.975)


def _usable(known: np.ndarray, n: int) -> tuple[list[str], int]:
    """Return why a column cannot be estimated ("" where it can), and the first period where all others are known."""
    reason, start = [], 0
    for column in known.T:
        there = np.isfinite(column)
        first = int(there.argmax())
        if not there[first:].all() or 2 * first > n:
            reason.append("unknown")
        elif np.ptp(column[first:n]) == 0:
            reason.append("constant")
        else:
            reason.append("")
            start = max(start, first)
    return reason, start


def _seasonal(n: int, season: int) -> np.ndarray:
    """Return what differences of a season and a drift look like: a column each position, or smooth waves.

    Waves where fewer than three seasons are known or the season is long; a year of days beside a week where two years
    are known; a drift alone where the history has less than two seasons.
    """
    t = np.arange(n)
    parts = [np.ones((n, 1))]
    if 1 < season <= 24 and n >= 3 * season:
        parts = [np.eye(season)[t % season]]
    elif season > 1 and n >= 2 * season:
        parts.append(_waves(t, season, min(4 if season > 24 else 3, (season - 1) // 2)))
    if season == 7 and n >= 730:
        parts.append(_waves(t, 365.25, 4))
    return np.hstack(parts)


def _waves(t: np.ndarray, period: float, pairs: int) -> np.ndarray:
    angles = 2 * np.pi * np.outer(t, np.arange(1, pairs + 1)) / period
    return np.hstack([np.sin(angles), np.cos(angles)])


def _filtered(values: np.ndarray, known: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return response and design after differencing and the exponential filter that leaves the least noise."""
    raw = np.column_stack([np.diff(values), np.diff(known, axis=0), base])
    filtered = np.repeat(raw[None], len(_WEIGHTS), axis=0)
    # The recursion x[t] + weight × x[t-1] + weight² × x[t-2] + … by doubling.
    step, factor = 1, _WEIGHTS[:, None, None]
    while step < len(raw):
        filtered[:, step:] += factor * filtered[:, :-step]
        step, factor = 2 * step, factor**2
    rest = _least_squares(filtered[:, :, 1:], filtered[:, :, 0])[1]
    best = filtered[int(np.argmin((rest**2).sum(axis=1)))]
    return best[:, 0], best[:, 1:]


def _independent(design: np.ndarray, columns: list[int], reason: list[str]) -> tuple[np.ndarray, list[int]]:
    """Return the design, and the columns, without those that season and earlier columns tell almost wholly."""
    while columns:
        own = 1 / np.diag(np.linalg.inv(_gram(design)[0]))[: len(columns)]
        if own.min() > 1e-4:
            break
        last = int(np.flatnonzero(own <= 1e-4)[-1])
        reason[columns[last]] = "collinear"
        design, columns = np.delete(design, last, axis=1), columns[:last] + columns[last + 1 :]
    return design, columns


def _huber(design: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Return how much each period counts: less where it lies further than two robust deviations off."""
    weights = np.ones(len(response))
    least = 1e-12 * np.abs(response).max() + 1e-300
    for _ in range(2):
        root = np.sqrt(weights)
        coefficients, _ = _least_squares(design * root[:, None], response * root)
        rest = np.abs(response - design @ coefficients)
        middle = np.partition(rest, len(rest) // 2)[len(rest) // 2]
        weights = np.minimum(1, 2 * max(1.4826 * middle, rest.mean() / 2, least) / np.maximum(rest, least))
    return weights


def _tested(design: np.ndarray, response: np.ndarray, weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and standard errors of the first `count` columns."""
    root = np.sqrt(weights)
    weighted = design * root[:, None]
    coefficients, rest = _least_squares(weighted, response * root)
    freedom = max(weights.sum() - design.shape[1], 1.0)
    variance = max(rest @ rest / freedom, 1e-24 * (response @ response), 1e-300)
    gram, length = _gram(weighted)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(gram))[:count]) / length[0, :count]
    return coefficients[:count], np.maximum(errors, 1e-150)


def _least_squares(design: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and residuals of one regression, or of several side by side (first axis)."""
    gram, length = _gram(design)
    moments = np.swapaxes(design / length, -1, -2) @ response[..., None]
    coefficients = np.linalg.solve(gram, moments) / np.swapaxes(length, -1, -2)
    return coefficients[..., 0], response - (design @ coefficients)[..., 0]


def _gram(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the products of all columns scaled to length 1, with a trace of ridge, and the lengths."""
    length = np.sqrt(np.maximum((design**2).sum(axis=-2, keepdims=True), 1e-300))
    scaled = design / length
    return np.swapaxes(scaled, -1, -2) @ scaled + 1e-10 * np.eye(design.shape[-1]), length
