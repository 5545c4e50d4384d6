"""The spacing of a panel's dates: inferred once, then used to number periods and to step into the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel

SEASONS = {"day": 7, "week": 52, "month": 12, "quarter": 4, "year": 1}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Frequency:
    """A grain, and whether its dates are the last day of a month (they stay so in the future)."""

    grain: str
    month_end: bool = False

    @property
    def season(self) -> int:
        """Periods in the usual season: 12 months, 52 weeks, 4 quarters, 1 year, 7 days."""
        return SEASONS[self.grain]

    def positions(self, ds: pd.Series) -> np.ndarray:
        """Return how many periods each date lies after the first one; whole numbers unless dates are off the grid."""
        if self.grain in MONTHS:
            months = (ds.dt.year * 12 + ds.dt.month).to_numpy()
            return (months - months[0]) / MONTHS[self.grain]
        days = (ds - ds.iloc[0]).dt.days.to_numpy()
        return days / _DAYS[self.grain]

    def after(self, last: pd.Timestamp, periods: int) -> list[pd.Timestamp]:
        """Return the dates of the `periods` periods after `last`.

        >>> [str(each.date()) for each in Frequency("month", month_end=True).after(pd.Timestamp("2026-01-31"), 2)]
        ['2026-02-28', '2026-03-31']
        """
        if self.grain in _DAYS:
            return [last + pd.Timedelta(days=_DAYS[self.grain] * step) for step in range(1, periods + 1)]
        dates = [last + pd.DateOffset(months=MONTHS[self.grain] * step) for step in range(1, periods + 1)]
        return [each + pd.offsets.MonthEnd(0) for each in dates] if self.month_end else dates


def infer(panel: pd.DataFrame) -> Frequency:
    """Return the frequency of a panel sorted by series and date.

    The smallest distance between two dates of one series decides: 1 to 6 days is daily, 7 to 27 weekly, 28 to 88
    monthly, 89 to 359 quarterly, from 360 yearly. Where every series has one point, `panel.attrs["grain"]` (set by
    `panel()`) decides; without it, the first or last day of a month means monthly and any other day daily.

    >>> infer(pd.DataFrame({"unique_id": "A", "ds": pd.to_datetime(["2026-01-01", "2026-04-01"])})).grain
    'quarter'
    """
    ds = panel["ds"]
    month_end = bool(ds.dt.is_month_end.all())
    gaps = ds.diff().dt.days[panel["unique_id"].eq(panel["unique_id"].shift()).to_numpy()]
    gaps = gaps[gaps > 0]
    if gaps.empty:
        grain = panel.attrs.get("grain")
        if grain not in SEASONS:
            grain = "month" if month_end or (ds.dt.day == 1).all() else "day"
    else:
        bounds = ((360, "year"), (89, "quarter"), (28, "month"), (7, "week"), (1, "day"))
        grain = next(name for least, name in bounds if gaps.min() >= least)
    return Frequency(grain, month_end and grain in MONTHS)


def check_grid(unique_id: object, ds: pd.Series, positions: np.ndarray, frequency: Frequency) -> None:
    """Raise `BadPanel` where a date of one series does not lie a whole number of periods after its first."""
    off = positions != np.round(positions)
    if off.any():
        day = ds.to_numpy()[off][0]
        raise BadPanel(
            f"Series {unique_id!r} has the date {pd.Timestamp(day).date()}, which is no whole {frequency.grain} after "
            f"its first date {ds.iloc[0].date()}. Give every period its first day (or sum to one date a period)."
        )
