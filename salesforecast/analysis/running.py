"""The month in progress: what is sold, what the rest of it usually brings, and how far that has been off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis.comparison import covered
from salesforecast.analysis.progress import daily_values, filled, progress

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

MONTHS = 36  # past months by which the curve is judged
LEAST_MONTHS = 6  # below these, what is known about months at large stands for the curve's own error


def remainder(wb: Workbench, ahead: pd.DataFrame, measure: str = "revenue") -> pd.DataFrame:
    """Return a monthly forecast (indexed by the first day of its months) with what is left of the month in progress.

    What is left is the part of that month's forecast that its remaining days usually bring: 1 − the curve of
    `progress.progress`, seasonal or by workdays as the settings define. It can be off in two ways: the month comes to
    something else than forecast, and it fills up in another way than its curve (`curve_errors`). They are independent,
    so their squares add up. Nothing sold is lost again: only a month that is expected to be negative takes back.
    """
    rest = ahead.copy()
    month = wb.calendar.period(wb.as_of, "month")
    start = pd.Timestamp(month.start)
    if start not in rest.index or wb.finished(month):
        return rest
    passed = (wb.as_of - month.start).days
    kind = "even" if wb.settings.definitions.time_progress == "workdays" else "seasonal"
    curve = progress(wb, month, measure).iloc[passed]
    left, whole = 1 - float(curve[kind]), float(rest.loc[start, "mean"])
    errors = curve_errors(wb, month, float(curve["even"]), kind, measure)
    for name in [each for each in rest.columns if str(each).startswith(("lo_", "hi_"))]:
        width = float(rest.loc[start, name]) - whole
        half = np.hypot(left * width, _curve_width(errors, left, whole, width, float(str(name)[3:])))
        bound = whole * left + np.copysign(half, width)
        rest.loc[start, name] = max(bound, min(0.0, whole * left))
    rest.loc[start, "mean"] = whole * left
    return rest


def curve_errors(wb: Workbench, month: Period, passed: float, kind: str, measure: str = "revenue") -> np.ndarray:
    """Return how far the curve was off in past months when the same share of their workdays had passed.

    One value a complete month before `month`, latest first, at most `MONTHS`: share sold − share expected, each curve
    made from the years before it. `kind` is the curve: `seasonal` or `even`.
    """
    values = daily_values(wb, measure, wb.bounds[0], wb.as_of)
    found = []
    for _ in range(MONTHS):
        month = wb.calendar.previous(month)
        if not covered(wb, (month.start, month.end)):
            break
        expected = progress(wb, month, measure, values)
        sold = filled(wb, month, values, np.array([passed]))
        if sold is not None:
            even = expected["even"].to_numpy()
            found.append(
                float(sold[0]) - float(np.interp(passed, np.append(0.0, even), np.append(0.0, expected[kind])))
            )
    return np.array(found)


def _curve_width(errors: np.ndarray, left: float, whole: float, width: float, level: float) -> float:
    """Return half the interval that the curve's error alone would give.

    Days that vary independently of each other leave a curve uncertain by √(left · (1 − left)) of the month's own
    width: that is what stands for it where there is little to learn from, and what counts as `LEAST_MONTHS` months
    elsewhere.
    """
    from scipy.special import stdtrit

    prior = left * (1 - left) * width**2
    if len(errors) < LEAST_MONTHS:
        return float(prior**0.5)
    quantile = stdtrit(len(errors), (1 + level / 100) / 2)
    learned = (quantile * whole) ** 2 * (errors**2).sum()
    return float(((learned + LEAST_MONTHS * prior) / (len(errors) + LEAST_MONTHS)) ** 0.5)
