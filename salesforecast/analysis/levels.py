"""Lasting changes of level: steps in the seasonally adjusted series that chance does not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis.trend import ANOMALY_Z, SEASONS, trend

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

SHORTEST = 4
ALPHA = 0.01
MOST_STEPS = 5
_COLUMNS = ["slice", "period_start", "before", "after", "change", "change_pct", "change_lo", "change_hi", "p_value"]


def change_points(
    wb: Workbench,
    measure: str = "revenue",
    grain: str = "month",
    by: str | None = None,
    period: str | Period | None = None,
) -> pd.DataFrame:
    """Return the level shifts of the seasonally adjusted series, oldest first; with `by`, of every member.

    Columns: slice (the member; only with `by`), period_start (first period on the new level), before and after
    (level just before and after the step on the fitted line, in the unit of the measure), change (after − before),
    change_pct (after / before − 1), change_lo and change_hi (95 % interval of change_pct), p_value (corrected; at most
    0.01).

    Method: see `steps`; anomalous values are first replaced by their expectation. With `by`, the p values are
    corrected once more over all members (Benjamini and Hochberg).
    """
    frame = trend(wb, measure, grain, period, by=[by] if by else ())
    return shifts(frame, by, SEASONS[grain] - 1)


def shifts(frame: pd.DataFrame, by: str | None = None, lost: int = SEASONS["month"] - 1) -> pd.DataFrame:
    """Return the level shifts of a frame made by `trend`; columns as `change_points`, `lost` as in `steps`."""
    groups = list(frame.groupby(by, sort=True)) if by else [(None, frame)]
    found = [
        {"slice": member, **step}
        for member, group in groups
        for step in _shifts_of(group.dropna(subset=["adjusted"]), lost)
    ]
    result = pd.DataFrame(found, columns=_COLUMNS)
    if by and len(result):
        result["p_value"] = benjamini_hochberg(result["p_value"].to_numpy(), len(groups))
        result = result[result["p_value"] <= ALPHA]
    result = result.sort_values(["period_start", "p_value"], ignore_index=True)
    return result if by else result.drop(columns="slice")


def steps(y: np.ndarray, lost: int = 0) -> list[tuple[int, float, float, float]]:
    """Return (position, size, standard error, p value) of the steps in a series with a linear trend.

    Forward selection: each round adds the step (at least four values from both ends and from other steps) with the
    largest |t| to a regression on a constant, time and the steps so far. Its p value is multiplied by the
    number of positions tried (Bonferroni); the first step above 0.01 ends the search. Errors are widened by
    (1 + r) / (1 − r) for residuals with positive autocorrelation r, so that a drifting series is not called a step.
    `lost` counts the degrees of freedom that were spent on the series before, such as a season taken out of it.

    >>> y = np.array([0.0, 0.1] * 6 + [1.0, 1.1] * 6)
    >>> [(position, round(float(size), 1)) for position, size, *_ in steps(y)]
    [(12, 1.0)]
    """
    found: list[int] = []
    p_values: list[float] = []
    while len(found) < MOST_STEPS:
        places = [
            place
            for place in range(SHORTEST, len(y) - SHORTEST + 1)
            if all(abs(place - other) >= SHORTEST for other in found)
        ]
        freedom = len(y) - lost - len(found) - 3
        if not places or freedom < SHORTEST:
            break
        tried = [(abs(size) / error, place) for place in places for size, error in [_fit(y, [*found, place], lost)[-1]]]
        best, place = max(tried)
        p_value = min(1.0, _tail(best, freedom) * len(places))
        if p_value > ALPHA:
            break
        found.append(place)
        p_values.append(p_value)
    sizes = _fit(y, found, lost) if found else []
    return sorted((place, size, error, p) for place, (size, error), p in zip(found, sizes, p_values, strict=True))


def benjamini_hochberg(p_values: np.ndarray, tests: int | None = None) -> np.ndarray:
    """Return p values corrected for the share of false discoveries among `tests` (default: as many as given).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.5])).round(3).tolist()
    [0.03, 0.06, 0.5]
    """
    count = max(tests or 0, len(p_values))
    order = np.argsort(p_values)
    ranked = p_values[order] * count / np.arange(1, len(p_values) + 1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum.accumulate(ranked[::-1])[::-1].clip(max=1.0)
    return corrected


def _shifts_of(group: pd.DataFrame, lost: int) -> list[dict[str, object]]:
    adjusted = group["adjusted"].to_numpy(float)
    if len(adjusted) < 3 * SHORTEST:
        return []
    usual = np.where(_alone(group["z"].to_numpy(float)), group["trend"], adjusted)
    log = bool((usual > 0).all())
    y = np.log(usual) if log else usual
    rows, found = [], steps(y, lost)
    line = _line(y, [place for place, *_ in found])
    for place, size, error, p_value in found:
        before, after = float(line[place] - size), float(line[place])
        before, after = (float(np.exp(before)), float(np.exp(after))) if log else (before, after)
        low, pct, high = (_share(size + z * error, before, log) for z in (-1.96, 0.0, 1.96))
        rows.append(
            {
                "period_start": group["period_start"].iloc[place],
                "before": before,
                "after": after,
                "change": after - before,
                "change_pct": pct,
                "change_lo": low,
                "change_hi": high,
                "p_value": p_value,
            }
        )
    return rows


def _alone(z: np.ndarray) -> np.ndarray:
    """Tell which values are outliers between usual neighbours; several in a row may be a new level."""
    odd = np.abs(z) > ANOMALY_Z
    beside = np.zeros(len(z), bool)
    beside[1:] |= odd[:-1] & (np.sign(z[:-1]) == np.sign(z[1:]))
    beside[:-1] |= odd[1:] & (np.sign(z[1:]) == np.sign(z[:-1]))
    return odd & ~beside


def _share(step: float, before: float, log: bool) -> float:
    if log:
        return float(np.expm1(step))
    return step / abs(before) if before else float("nan")


def _fit(y: np.ndarray, places: list[int], lost: int) -> list[tuple[float, float]]:
    """Return (size, standard error) of each step in a regression on a constant, time and all steps."""
    design = _design(len(y), places)
    inverse = np.linalg.pinv(design.T @ design)
    weights = inverse @ design.T @ y
    rest = y - design @ weights
    variance = max(float(rest @ rest) / (len(y) - lost - design.shape[1]), 1e-12)
    follow = float(rest[1:] @ rest[:-1] / (rest @ rest)) if rest @ rest > 1e-12 else 0.0
    widening = (1 + max(follow, 0.0)) / (1 - min(max(follow, 0.0), 0.9))
    errors = np.sqrt(np.diag(inverse) * variance * widening)
    return list(zip(weights[2:].tolist(), errors[2:].tolist(), strict=True))


def _line(y: np.ndarray, places: list[int]) -> np.ndarray:
    """Return the fitted values of that regression."""
    design = _design(len(y), places)
    return design @ (np.linalg.pinv(design) @ y)


def _design(count: int, places: list[int]) -> np.ndarray:
    time = np.arange(count, dtype=float)
    return np.column_stack([np.ones(count), time / count, *(time >= place for place in places)])


def _tail(t: float, freedom: int) -> float:
    from scipy.stats import t as student

    return float(2 * student.sf(t, freedom))
