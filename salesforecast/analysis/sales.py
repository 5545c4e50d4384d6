"""Sales of a period: the headline figures, and the findings of the chapters on sales and trend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis import deviations, goals
from salesforecast.analysis.comparison import (
    Span,
    covered,
    festival_spans,
    growth,
    note,
    ratio,
    sensitive_to_festival,
    spans,
    totals,
)
from salesforecast.analysis.deviations import scan
from salesforecast.analysis.levels import change_points
from salesforecast.analysis.price import price_changes
from salesforecast.analysis.sections import section
from salesforecast.analysis.series import daily, series
from salesforecast.analysis.trend import trend
from salesforecast.findings import Finding
from salesforecast.measures import MEASURES

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

__all__ = ["change_points", "daily", "findings", "kpis", "price_changes", "scan", "series", "trend"]

# A margin that moved less than this many points is noise of the mix.
MARGIN_POINTS = 0.01
KPIS = (
    "revenue", "orders", "quantity", "customers", "new_customers", "aov", "gm", "gm_pct", "return_rate",
)  # fmt: skip
# (column of the change, column of the value, window of the base)
_CHANGES = (
    ("mom", "value", "previous"),
    ("yoy", "value", "last_year"),
    ("ytd_yoy", "ytd", "ytd_last_year"),
    ("rolling12_yoy", "rolling12", "rolling12_last_year"),
    ("festival_yoy", "festival", "festival_last_year"),
)
_COLUMNS = [
    "value", "previous", "mom", "last_year", "yoy", "ytd", "ytd_last_year", "ytd_yoy",
    "rolling12", "rolling12_last_year", "rolling12_yoy", "festival", "festival_last_year", "festival_yoy",
    "per_workday", "per_workday_mom", "per_workday_yoy", "target", "attainment", "note",
]  # fmt: skip


@section("kpis")
def kpis(wb: Workbench, period: str | Period, names: tuple[str, ...] = KPIS) -> pd.DataFrame:
    """Return the headline measures of a period beside everything they are compared with.

    One row per measure (index `measure`). Columns: value; previous and mom (环比); last_year and yoy (同比); ytd,
    ytd_last_year, ytd_yoy (the fiscal year to the period's end); rolling12, rolling12_last_year, rolling12_yoy;
    festival, festival_last_year, festival_yoy (January and February together, for a February only); per_workday,
    per_workday_mom, per_workday_yoy (additive measures only); target, attainment; note.

    Changes of a ratio are differences (0.02 is two points), all others relative (0.12 is 12 %). A change is NaN
    when its base is missing, incomplete, zero or negative; a measure whose columns were never loaded is NaN.

    Notes (codes, separated by spaces): `partial` the period is unfinished and its bases are cut to the same number of
    workdays; `festival` Spring Festival makes mom and yoy of this period incomparable; `no_data`; `no_base` no
    complete same period of last year; `no_target`; `target_of_members`.

    Raises `NoData` when the period lies outside the data.
    """
    period = wb.period(period)
    windows = {**spans(wb, period), **festival_spans(wb, period)}
    known = [name for name in names if all(wb.has(need) for need in MEASURES[name].needs)]
    frame = totals(wb, known, windows).reindex(columns=list(names)).T.astype("float64")
    frame[[key for key, span in windows.items() if key != "value" and not covered(wb, span)]] = np.nan
    frame = frame.reindex(columns=_COLUMNS).astype({"note": object})
    for change, value, base in _CHANGES:
        frame[change] = [growth(row[value], row[base], MEASURES[name].unit) for name, row in frame.iterrows()]
    _add_per_workday(wb, frame, windows)
    for name in names:
        goal = goals.period_target(wb, period, name) if name in known else goals.Goal()
        # An unfinished period is held against its whole target; `targets.attainment` says how it paces.
        frame.loc[name, "target"] = goal.value
        frame.loc[name, "attainment"] = goals.attained(frame.loc[name, "value"], goal)
        frame.loc[name, "note"] = note(
            None if name in known else "no_data",
            "partial" if not wb.finished(period) else None,
            "festival" if sensitive_to_festival(wb, period) else None,
            "no_base" if name in known and not covered(wb, windows["last_year"]) else None,
            goal.note if name == "revenue" or goal.found else None,
        )
    return frame[_COLUMNS].rename_axis(index="measure", columns=None)


def findings(wb: Workbench, period: str | Period) -> list[Finding]:
    """Return the findings of the chapters on headline figures and trend.

    `period_result` is the verdict: revenue against last year, the period before and target (amount = change against
    last year, else the gap to target; certainty 1). Its variants say what is missing (`_no_target`, `_no_base`,
    `_alone`) and, as `period_progress…`, that the period is unfinished. Where Spring Festival moves, a February leads
    with January and February together (`…_festival`, amount = their change) and a January says that it does not
    compare alone (`…_january`). `margin_drop` and `margin_rise`: the margin differs from last year's by at least one
    point (amount = points times revenue; certainty = 1 − p that orders as different as these differ so much by chance;
    few orders make it low). From `deviations`:
    `outlier`, `outlier_base`, `level_shift` and `price_change`, with `_member` where one member explains it and
    `_wholly_member` where it explains at least 95 %.
    """
    period = wb.period(period)
    frame = kpis(wb, period)
    found = [*_result(wb, period, frame), *_margin(wb, period, frame)]
    return [*found, *deviations.findings(wb, period)]


def _add_per_workday(wb: Workbench, frame: pd.DataFrame, windows: dict[str, Span]) -> None:
    days = {key: wb.calendar.workdays(*windows[key]) for key in ("value", "previous", "last_year")}
    for name, row in frame.iterrows():
        if not MEASURES[str(name)].additive:
            continue
        rate = {key: ratio(row[key], days[key]) for key in days}
        frame.loc[name, "per_workday"] = rate["value"]
        frame.loc[name, "per_workday_mom"] = growth(rate["value"], rate["previous"])
        frame.loc[name, "per_workday_yoy"] = growth(rate["value"], rate["last_year"])


def _result(wb: Workbench, period: Period, frame: pd.DataFrame) -> list[Finding]:
    row = frame.loc["revenue"]
    has_base, has_target = not np.isnan(row["yoy"]), row["target"] > 0
    stem = "period_result" if wb.finished(period) else "period_progress"
    ending = {(True, True): "", (True, False): "_no_target", (False, True): "_no_base", (False, False): "_alone"}
    end = spans(wb, period)["value"][1]
    values = {
        **{key: _plain(row[key]) for key in _COLUMNS[:-1]},
        "as_of": end.isoformat(),
        "workdays": wb.calendar.workdays(period.start, end),
        "all_workdays": wb.calendar.workdays(period.start, period.end),
        "gap": _plain(row["value"] - row["target"]),
        "change": _plain(row["value"] - row["last_year"]),
        "period": period.id,
    }
    amount = row["value"] - (row["last_year"] if has_base else row["target"] if has_target else 0.0)
    kind = stem + ending[has_base, has_target]
    january = period.grain == "month" and period.start.month == 1 and sensitive_to_festival(wb, period)
    if not np.isnan(row["festival_yoy"]):
        amount = row["festival"] - row["festival_last_year"]
        kind = f"{stem}_festival{ending[True, has_target]}"
    elif has_base and january:
        kind = f"{stem}_january{ending[True, has_target]}"
    return [Finding(kind, "kpis", "revenue", float(amount), 1.0, period.id, values=values)]


def _margin(wb: Workbench, period: Period, frame: pd.DataFrame) -> list[Finding]:
    if "gm_pct" not in frame.index:
        return []
    row, revenue = frame.loc["gm_pct"], float(frame.loc["revenue", "value"])
    if np.isnan(row["yoy"]) or abs(row["yoy"]) < MARGIN_POINTS:
        return []
    change = float(row["yoy"])
    values = {
        "value": float(row["value"]),
        "last_year": float(row["last_year"]),
        "change": change,
        "effect": change * revenue,
        "effect_size": abs(change * revenue),
    }
    kind, action = ("margin_drop", "check_discount") if change < 0 else ("margin_rise", None)
    certainty = _margin_certainty(wb, period, change)
    return [Finding(kind, "kpis", "gm_pct", change * revenue, certainty, period.id, values=values, action=action)]


def _margin_certainty(wb: Workbench, period: Period, change: float) -> float:
    """Return 1 − p of a change of margin, from the spread of margins over the orders of both periods.

    The margin is a ratio of sums over orders: its standard error is the linearised one of a ratio, and the degrees of
    freedom are those of the period with fewer orders. 0 when one of them has fewer than two.
    """
    from scipy.stats import t as student

    windows = spans(wb, period)
    counts, variance = [], 0.0
    for key in ("value", "last_year"):
        first, last = windows[key]
        orders = wb.sql(
            "WITH lines AS (SELECT coalesce(order_id, '#' || row_number() OVER ()) AS id, amount, cost_amount "
            "FROM sales WHERE date BETWEEN $first AND $last AND cost_amount IS NOT NULL) "
            "SELECT sum(amount) AS revenue, sum(amount - cost_amount) AS margin FROM lines GROUP BY id ORDER BY ALL",
            first=first,
            last=last,
        ).astype("float64")
        counts.append(len(orders))
        if len(orders) < 2:
            return 0.0
        revenue, margin = orders["revenue"], orders["margin"]
        rest = margin - revenue * margin.sum() / revenue.sum()
        variance += float((rest**2).sum()) * len(orders) / (len(orders) - 1) / float(revenue.sum()) ** 2
    if variance <= 0:
        return 1.0
    return float(1 - 2 * student.sf(abs(change) / np.sqrt(variance), min(counts) - 1))


def _plain(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
