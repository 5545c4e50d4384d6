"""What a period is compared with: the period before, the year before, the year to date, twelve months.

An unfinished period is compared with the same number of workdays of its bases. January and February are compared
together, because Spring Festival moves between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.calendar import Period
from salesforecast.errors import lookup
from salesforecast.measures import MEASURES

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

Span = tuple[date, date]
# The first sale of a complete period may come some days after its start.
LATE_START_DAYS = 7


def cut(wb: Workbench, period: Period) -> date:
    """Return the last day that counts for the period: its end, or the as-of date while it is unfinished."""
    return period.end if wb.finished(period) else wb.as_of


def spans(wb: Workbench, period: Period) -> dict[str, Span]:
    """Return the first and last day of each window a period is judged by.

    Keys: `value`, `previous`, `last_year`, `ytd`, `ytd_last_year`, `rolling12`, `rolling12_last_year`. While the
    period is unfinished, the bases end on the day by which as many workdays had passed. A week is compared with
    the week of the same number, so that weekdays match.
    """
    calendar = wb.calendar
    before, year_before = calendar.previous(period), calendar.last_year(period)
    end = cut(wb, period)

    def base_end(base: Period) -> date:
        return base.end if wb.finished(period) else calendar.same_progress(period, end, base)

    ytd, ytd_before = calendar.year_to_date(period), calendar.year_to_date(year_before)
    rolling, rolling_before = calendar.rolling(period), calendar.rolling(year_before)
    return {
        "value": (period.start, end),
        "previous": (before.start, base_end(before)),
        "last_year": (year_before.start, base_end(year_before)),
        "ytd": (ytd.start, end),
        "ytd_last_year": (ytd_before.start, base_end(year_before)),
        "rolling12": (rolling.start, end),
        "rolling12_last_year": (rolling_before.start, base_end(year_before)),
    }


def festival_spans(wb: Workbench, period: Period) -> dict[str, Span]:
    """Return January 1 to the end of a February and the same of the year before; empty for other periods.

    This is the comparison of the Chinese statistics office: Spring Festival falls into one or the other month, but
    always into the two together. A January alone has no aligned comparison. An unfinished February is cut to the same
    number of workdays since January 1.
    """
    if not sensitive_to_festival(wb, period) or period.grain != "month" or period.start.month != 2:
        return {}
    now = Period("month", date(period.start.year, 1, 1), period.end, f"{period.start.year}-01~02")
    base_end = wb.calendar.last_year(period).end
    before = Period("month", date(base_end.year, 1, 1), base_end, f"{base_end.year}-01~02")
    end = cut(wb, period)
    if not wb.finished(period):
        base_end = wb.calendar.same_progress(now, end, before)
    return {"festival": (now.start, end), "festival_last_year": (before.start, base_end)}


def sensitive_to_festival(wb: Workbench, period: Period) -> bool:
    """Tell whether a period holds a part of January and February but not both months.

    >>> from salesforecast.calendar import Calendar
    >>> from types import SimpleNamespace
    >>> wb = SimpleNamespace(calendar=Calendar())
    >>> [sensitive_to_festival(wb, wb.calendar.parse(text)) for text in ("2026-01", "2026-03", "2026")]
    [True, False, False]
    """
    if not wb.calendar.lunar_new_year:
        return False
    january, march = date(period.end.year, 1, 1), date(period.end.year, 3, 1)
    touches = period.start < march and period.end >= january
    return touches and not (period.start <= january and period.end >= march - timedelta(days=1))


def covered(wb: Workbench, span: Span) -> bool:
    """Tell whether the data reaches back to the start of a window.

    The first sale may be late by a week (a quarter of shorter windows, a twentieth of longer ones).
    """
    days = (span[1] - span[0]).days
    slack = max(min(LATE_START_DAYS, days // 4), days // 20)
    return wb.bounds[0] <= span[0] + timedelta(days=slack)


def totals(wb: Workbench, names: Sequence[str], windows: Mapping[str, Span], by: Sequence[str] = ()) -> pd.DataFrame:
    """Return measures over several windows in one pass: indexed by `window` and `by`, one column per measure.

    Windows without a sale are present when `by` is empty: 0 for additive measures, NaN for ratios.
    """
    ranges = ", ".join(f"('{key}', DATE '{first}', DATE '{last}')" for key, (first, last) in windows.items())
    keys = ["window_id", *by]
    frames = []
    for source in sorted({lookup(MEASURES, name, "measure").source for name in names}):
        columns = [f"{MEASURES[name].sql} AS {name}" for name in names if MEASURES[name].source == source]
        query = (
            f"SELECT {', '.join([*keys, *columns])} FROM {source} "
            f"JOIN (VALUES {ranges}) AS spans(window_id, window_first, window_last) "
            f"ON date BETWEEN window_first AND window_last GROUP BY {', '.join(keys)}"
        )
        frames.append(wb.sql(query).set_index(keys))
    frame = pd.concat(frames, axis=1) if frames else pd.DataFrame(index=pd.Index([], name="window_id"))
    frame = frame.astype("float64").reindex(columns=list(names)).rename_axis(index={"window_id": "window"})
    if by:
        return frame.sort_index()
    frame = frame.reindex(list(windows))
    return frame.fillna({name: 0.0 for name in names if MEASURES[name].additive})


def growth(value: float, base: float, unit: str = "money") -> float:
    """Return value / base − 1, or value − base for a ratio; NaN when the base is missing, zero or negative.

    >>> round(growth(112.0, 100.0), 2), growth(5.0, 0.0), round(growth(0.42, 0.40, "ratio"), 2)
    (0.12, nan, 0.02)
    """
    if pd.isna(value) or pd.isna(base):
        return float("nan")
    if unit == "ratio":
        return float(value - base)
    return float(value / base - 1) if base > 0 else float("nan")


def ratio(part: float, whole: float) -> float:
    """Return part / whole, or NaN when the whole is missing or zero.

    >>> ratio(1.0, 4.0), ratio(1.0, 0.0)
    (0.25, nan)
    """
    return float(part / whole) if whole and not np.isnan(whole) else float("nan")


def note(*codes: str | None) -> str:
    """Join note codes with spaces; empty when there is nothing to say.

    >>> note("partial", None, "no_target")
    'partial no_target'
    """
    return " ".join(code for code in codes if code)
