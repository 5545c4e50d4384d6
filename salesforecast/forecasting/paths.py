"""Possible futures drawn from a forecast: each step as its intervals say, the steps together as past errors were."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue
from salesforecast.forecasting.intervals import FREEDOM, Calibration, common_dependence, dependence_of
from salesforecast.forecasting.models import COMBINATION


def sample_paths(
    forecast: pd.DataFrame,
    learned: pd.DataFrame | Calibration | None = None,
    paths: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw possible futures of every series, for whatever depends on several periods at once.

    Each step is distributed as the intervals of the forecast say (linear between them, Student tails beyond), and a
    future that is above its forecast in one month tends to be so in the next: how much, `learned` tells, a frame of
    `backtest` or a `Calibration` of the same panel; without it the correlation between any two steps is one half.
    Series are drawn independently of each other. The same seed gives the same paths.

    `forecast` needs at least one interval level; rows of members are left out. Returns one row per series, path and
    period: `unique_id, path` (1, 2, …), `ds, y`; never below 0 where the forecast's bounds are not.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 100.0,
    ...                        "lo_80": 80.0, "hi_80": 120.0, "note": ""})
    >>> drawn = sample_paths(months, paths=4000)
    >>> drawn.groupby("ds")["y"].quantile([0.1, 0.5, 0.9]).round(-1).tolist()
    [80.0, 100.0, 120.0, 80.0, 100.0, 120.0]
    """
    if isinstance(paths, bool) or not isinstance(paths, (int, np.integer)) or paths < 1:
        raise BadValue(f"paths is {paths!r}. Give a whole number from 1 on.")
    rows = main_rows(forecast)
    random = np.random.default_rng(seed)
    parts = []
    dependence = _dependence(learned, int(rows.groupby("unique_id", sort=False).size().max()))
    for unique_id, own in rows.groupby("unique_id", sort=False):
        steps = len(own)
        drawn = values_of(own, student(draws(dependence[:steps, :steps], int(paths), random)))
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": [unique_id] * (steps * paths),
                    "path": np.repeat(np.arange(1, paths + 1), steps),
                    "ds": np.tile(own["ds"].to_numpy(), paths),
                    "y": drawn.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def main_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the combination, or of the one model there is."""
    main = COMBINATION if (frame["model"] == COMBINATION).any() else frame["model"].iloc[0]
    return frame[frame["model"] == main]


def draws(dependence: np.ndarray, paths: int, random: np.random.Generator) -> np.ndarray:
    """Return correlated standard normal numbers (path, step), every second path the mirror of the one before."""
    half = random.standard_normal((-(-paths // 2), len(dependence)))
    both = np.stack([half, -half], axis=1).reshape(-1, len(dependence))[:paths]
    return both @ np.linalg.cholesky(dependence).T


def student(normal: np.ndarray) -> np.ndarray:
    """Return the Student t numbers with the same probabilities as normal ones."""
    from scipy.special import ndtr

    return t_quantile(np.clip(ndtr(normal), 1e-9, 1 - 1e-9))


def t_quantile(share: np.ndarray | float) -> np.ndarray:
    """Return the quantiles of the Student t that stands for a distribution of errors."""
    from scipy.special import stdtrit

    return stdtrit(FREEDOM, share)


def values_of(rows: pd.DataFrame, numbers: np.ndarray) -> np.ndarray:
    """Return what Student t numbers (path, step) mean for the steps of one series, by its intervals."""
    knots, bounds = knots_of(rows)
    return np.stack([piecewise(numbers[:, step], knots, bounds[:, step]) for step in range(len(rows))], axis=1)


def stated_levels(forecast: pd.DataFrame) -> list[float]:
    """Return the levels of the intervals of a forecast in the order of its columns; `BadValue` where it has none.

    >>> stated_levels(pd.DataFrame(columns=["mean", "lo_95", "hi_95", "lo_80", "hi_80"]))
    [95.0, 80.0]
    """
    stated = [float(str(name)[3:]) for name in forecast.columns if str(name).startswith("hi_")]
    if not stated:
        raise BadValue("The forecast has no interval. Make it with level=(80, 95).")
    return stated


def knots_of(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the Student t quantiles of bounds and mean, and their values (knot, row), ascending."""
    stated = sorted(stated_levels(rows))
    upper = [float(t_quantile((1 + level / 100) / 2)) for level in stated]
    names = [*(f"lo_{level:g}" for level in reversed(stated)), "mean", *(f"hi_{level:g}" for level in stated)]
    return np.array([*(-each for each in reversed(upper)), 0.0, *upper]), rows[names].to_numpy(float).T


def piecewise(numbers: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values at numbers, linear between knots and beyond the last ones; never below 0 if no knot is.

    >>> piecewise(np.array([-1.0, 0.5, 3.0]), np.array([-1.0, 0.0, 1.0]), np.array([8.0, 10.0, 14.0])).tolist()
    [8.0, 12.0, 22.0]
    """
    piece = np.clip(np.searchsorted(knots, numbers) - 1, 0, len(knots) - 2)
    slope = np.diff(values) / np.diff(knots)
    found = values[piece] + slope[piece] * (numbers - knots[piece])
    return np.maximum(found, 0.0) if values[0] >= 0 else found


def past_dependence(backtest: pd.DataFrame, steps: int) -> np.ndarray:
    """Return the correlation (step, step) of the errors of a backtest, relative to the intervals stated."""
    rows = main_rows(backtest).sort_values(["unique_id", "cutoff", "ds"], kind="stable")
    knots, bounds = knots_of(rows)
    actual, mean = rows["y"].to_numpy(float), rows["mean"].to_numpy(float)
    # The side of the narrowest interval on which the outcome lies is the unit of its error.
    middle = len(knots) // 2
    up, down = bounds[middle + 1] - mean, mean - bounds[middle - 1]
    unit = np.where(actual >= mean, up, np.where(down > 0, down, up)) / knots[middle + 1]
    errors = np.divide(actual - mean, unit, out=np.full(len(rows), np.nan), where=unit > 0)
    group = rows.groupby(["unique_id", "cutoff"], sort=False)
    step, number = group.cumcount().to_numpy(), group.ngroup().to_numpy()
    table = np.full((steps, 1, number.max() + 1), np.nan)
    inside = step < steps
    table[step[inside], 0, number[inside]] = errors[inside]
    return dependence_of(table)


def _dependence(learned: pd.DataFrame | Calibration | None, steps: int) -> np.ndarray:
    if isinstance(learned, Calibration):
        found = learned.dependence()
        if len(found) < steps:
            raise BadValue(f"The calibration reaches {len(found)} steps, the forecast {steps}. Calibrate that far.")
        return found[:steps, :steps]
    if learned is None or learned.empty:
        return common_dependence(steps)
    return past_dependence(learned, steps)
