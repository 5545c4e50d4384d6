"""The sum over a horizon (a quarter, the rest of a year): its interval and the chance of reaching a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from salesforecast.forecasting.intervals import check_levels, common_dependence
from salesforecast.forecasting.paths import draws, knots_of, main_rows, past_dependence, piecewise, student, t_quantile
from salesforecast.forecasting.requests import interval_columns

PATHS = 4000


def total(
    forecast: pd.DataFrame,
    backtest: pd.DataFrame | None = None,
    level: float | Sequence[float] = (80, 95),
    target: float | Mapping[object, float] | None = None,
) -> pd.DataFrame:
    """Sum a forecast over its periods.

    The sum of lower bounds is no lower bound of the sum: errors of neighbouring months partly cancel. How much they
    do is learned from `backtest`: how the errors of two steps went together, pooled over all series and cutoffs and
    shrunk to a correlation of 0.5 between periods (all that is known without a backtest). The interval of the sum
    comes from possible futures drawn by it (`sample_paths`), so it is wider on the side where those of the periods are.

    `forecast` needs at least one interval level. `target` is one amount for every series or a mapping from
    `unique_id`. Returns one row per series: `unique_id, mean`, a pair `lo_80, hi_80` for each level, `p_reach` (0 to
    1, the chance that the sum reaches the target; NaN without target). Lower bounds are 0 where the forecast's are
    never below it. Rows of members are left out. Deterministic.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 100.0,
    ...                        "lo_80": 80.0, "hi_80": 120.0, "note": ""})
    >>> total(months, level=80, target=200.0).round(1)
      unique_id   mean  lo_80  hi_80  p_reach
    0         A  200.0  164.3  235.7      0.5
    """
    levels = check_levels(level)
    rows = main_rows(forecast)
    knots, bounds = knots_of(rows)
    sizes = rows.groupby("unique_id", sort=False).size()
    ends = np.cumsum(sizes.to_numpy())
    steps = int(sizes.max())
    known = backtest is not None and not backtest.empty
    dependence = past_dependence(backtest, steps) if known else common_dependence(steps)
    # Every series meets the same futures: their sums are compared with their own targets, never with each other.
    numbers = student(draws(dependence, PATHS, np.random.default_rng(0)))
    found: dict[str, list[float]] = {name: [] for name in ("mean", *interval_columns(levels), "p_reach")}
    for unique_id, start, end in zip(sizes.index, ends - sizes.to_numpy(), ends, strict=True):
        sums = np.zeros(PATHS)
        for step, row in enumerate(range(start, end)):
            sums += piecewise(numbers[:, step], knots, bounds[:, row])
        mean = float(bounds[len(knots) // 2, start:end].sum())
        found["mean"].append(mean)
        for each in levels:
            shares = np.array([(1 - each / 100) / 2, (1 + each / 100) / 2])
            # One period needs no drawing.
            low, high = (
                np.quantile(sums, shares) if end - start > 1 else piecewise(t_quantile(shares), knots, bounds[:, start])
            )
            found[f"lo_{each:g}"].append(min(float(low), mean))
            found[f"hi_{each:g}"].append(max(float(high), mean))
        found["p_reach"].append(_chance(sums, mean, _target(target, unique_id)))
    return pd.DataFrame({"unique_id": sizes.index.to_numpy(), **found})


def _target(target: float | Mapping[object, float] | None, unique_id: object) -> float:
    if target is None:
        return float("nan")
    return float(target.get(unique_id, np.nan)) if isinstance(target, Mapping) else float(target)


def _chance(sums: np.ndarray, mean: float, target: float) -> float:
    if np.isnan(target):
        return float("nan")
    if np.ptp(sums) == 0:
        return float(mean >= target)
    # Half a future on either side: nothing is impossible because it was not drawn.
    return float(((sums >= target).sum() + 0.5) / (len(sums) + 1))
