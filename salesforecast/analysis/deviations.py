"""What departs from the usual: outlier months, lasting shifts, price changes, and the member that explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from salesforecast.analysis.comparison import ratio
from salesforecast.analysis.levels import benjamini_hochberg, shifts
from salesforecast.analysis.price import NEEDS as PRICE_NEEDS
from salesforecast.analysis.price import price_changes
from salesforecast.analysis.trend import ANOMALY_Z, trend
from salesforecast.findings import Finding

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

DIMENSIONS = ("region", "channel", "category")
FALSE_DISCOVERIES = 0.1
MOST_MEMBERS = 30
IN_SIGHT = 13
# An outlier of the year before puts no money at stake, but bends every comparison with it.
BASE_WEIGHT = 0.5
# A member explains a change of the whole when it makes up at least this share of it.
EXPLAINS = 0.4
# From this share on it is almost all of it.
WHOLLY = 0.95
Values = dict[str, float | str | None]
_COLUMNS = [
    "dimension", "member", "period_start", "value", "expected", "deviation", "z", "p_value", "q_value", "anomaly",
]  # fmt: skip


def scan(
    wb: Workbench,
    period: str | Period | None = None,
    measure: str = "revenue",
    dimensions: Sequence[str] = DIMENSIONS,
) -> pd.DataFrame:
    """Compare every member of some dimensions with its own expectation in one month.

    One row per dimension and member with at least two years of history, the most surprising first. Columns: dimension,
    member, period_start (the last complete month up to `period`), value, expected, deviation (value − expected), z,
    p_value, q_value (corrected over all members, Benjamini and Hochberg), anomaly (|z| > 3.5 and q ≤ 0.1). The p value
    is that of a t distribution with three degrees of freedom: months have heavier tails than a normal.
    """
    from scipy.stats import t as student

    frames = _trends(wb, period, measure, dimensions)
    rows = pd.concat([_last(frame, dimension) for dimension, frame in frames.items()] or [pd.DataFrame()])
    rows = rows.reindex(columns=_COLUMNS).dropna(subset=["z"])
    if rows.empty:
        return rows
    rows["p_value"] = 2 * student.sf(rows["z"].abs().to_numpy(float), 3)
    rows["q_value"] = benjamini_hochberg(rows["p_value"].to_numpy(float))
    rows["anomaly"] = (rows["z"].abs() > ANOMALY_Z) & (rows["q_value"] <= FALSE_DISCOVERIES)
    return rows.sort_values(["p_value", "dimension", "member"], ignore_index=True)


def findings(wb: Workbench, period: str | Period) -> list[Finding]:
    """Return the findings about outliers, lasting shifts and prices; see `sales.findings` for the kinds.

    Amounts: of an outlier its deviation from the expectation, half of it in a base year; of a level shift and a price
    change what it brought in the months since, twelve at most. Certainties: of an outlier 1 − 1/z², which no
    distribution undercuts (Chebyshev); of a level shift and a price change 1 − p, corrected for everything tried.
    """
    period = wb.period(period)
    whole = trend(wb, period=period)
    if whole["z"].notna().sum() == 0:
        return []
    frames = _trends(wb, period, "revenue", DIMENSIONS)
    return [
        *_outliers(whole, frames, period),
        *_shifts(whole, frames, period),
        *(_prices(wb, whole, period) if all(wb.has(need) for need in PRICE_NEEDS) else []),
    ]


def _trends(
    wb: Workbench, period: str | Period | None, measure: str, dimensions: Sequence[str]
) -> dict[str, pd.DataFrame]:
    frames = {}
    for dimension in dimensions:
        if not wb.has(f"sales.{dimension}"):
            continue
        frame = trend(wb, measure, period=period, by=[dimension])
        largest = frame.groupby(dimension)["value"].sum().nlargest(MOST_MEMBERS).index
        if len(largest) > 1:
            frames[dimension] = frame[frame[dimension].isin(largest)]
    return frames


def _last(frame: pd.DataFrame, dimension: str) -> pd.DataFrame:
    rows = frame[frame["period_start"] == frame.loc[frame["complete"], "period_start"].max()]
    return rows.assign(dimension=dimension, member=rows[dimension], deviation=rows["value"] - rows["expected"])


def _outliers(whole: pd.DataFrame, frames: Mapping[str, pd.DataFrame], period: Period) -> list[Finding]:
    """Return anomalies of the last 13 months, and those of the year before, which distort comparisons with it."""
    known = whole[whole["z"].notna()]
    found = []
    for position, (_, row) in enumerate(known.iloc[::-1].iterrows()):
        if position >= IN_SIGHT + 12:
            break
        if not row["anomaly"]:
            continue
        deviation = float(row["value"] - row["expected"])
        kind = "outlier" if position < IN_SIGHT else "outlier_base"
        values: Values = {
            "month": f"{row['period_start']:%Y-%m}",
            "value": float(row["value"]),
            "expected": float(row["expected"]),
            "expected_lo": float(row["expected_lo"]),
            "expected_hi": float(row["expected_hi"]),
            "deviation": deviation,
            "deviation_pct": ratio(deviation, float(row["expected"])),
            "z": float(abs(row["z"])),
        }
        why = _explained(frames, row["period_start"], deviation)
        certainty = 1 - 1 / float(row["z"]) ** 2
        amount = deviation if kind == "outlier" else BASE_WEIGHT * deviation
        found.append(_with_reason(kind, amount, certainty, values, why, period, action="check_outlier"))
    return found


def _explained(
    frames: Mapping[str, pd.DataFrame], month: pd.Timestamp, deviation: float
) -> tuple[str, str, float] | None:
    """Return (dimension, member, share) of the member that makes up most of a month's deviation."""
    best: tuple[str, str, float] | None = None
    for dimension, frame in frames.items():
        rows = frame[(frame["period_start"] == month) & frame["expected"].notna()]
        for member, own in zip(rows[dimension], rows["value"] - rows["expected"], strict=True):
            share = float(own) / deviation
            # The dimensions stand in the order a director asks; a later one must explain clearly more.
            if share >= EXPLAINS and (best is None or min(share, 1.0) > min(best[2], 1.0) + 0.15):
                best = (dimension, str(member), share)
    return best


def _shifts(whole: pd.DataFrame, frames: Mapping[str, pd.DataFrame], period: Period) -> list[Finding]:
    """Return the latest shift of the whole, and those of members, that began in the months in sight."""
    found = []
    for row in shifts(whole).to_dict("records"):
        found += _shift(row, whole, None, period)
    for dimension, frame in frames.items():
        for row in shifts(frame, by=dimension).to_dict("records"):
            own = frame[frame[dimension] == row["slice"]]
            found += _shift(row, own, (dimension, str(row["slice"])), period)
    return found


def _shift(row: dict, frame: pd.DataFrame, member: tuple[str, str] | None, period: Period) -> list[Finding]:
    known = frame[frame["complete"]]
    since = known[known["period_start"] >= row["period_start"]]
    if not 0 < len(since) <= IN_SIGHT:
        return []
    change = float(row["change_pct"])
    # What the months since would have been without the step.
    effect = float((since["value"].iloc[-12:] * (1 - 1 / (1 + change))).sum()) if change > -1 else float("nan")
    values: Values = {
        **{
            key: float(row[key])
            for key in ("before", "after", "change", "change_pct", "change_lo", "change_hi", "p_value")
        },
        "effect": effect,
        "effect_size": abs(effect),
        "months": len(since),
        "since": f"{row['period_start']:%Y-%m}",
        "value": float(known["value"].iloc[-1]),
    }
    kind, part = "level_shift", {}
    if member:
        kind, part, values["member"] = "level_shift_member", {member[0]: member[1]}, member[1]
    return [
        Finding(
            kind, "trend", "revenue", effect, 1 - float(row["p_value"]), period.id, since=str(values["since"]),
            slice=part, values=values, action="check_drop" if change < 0 else "keep_rise",
        )
    ]  # fmt: skip


def _prices(wb: Workbench, whole: pd.DataFrame, period: Period) -> list[Finding]:
    revenue = whole.loc[whole["complete"], ["period_start", "value"]]
    found = []
    for row in price_changes(wb, period).to_dict("records"):
        since = revenue[revenue["period_start"] >= row["period_start"]]
        if not 0 < len(since) <= IN_SIGHT + 12:
            continue
        change, month, member = float(row["change_pct"]), f"{row['period_start']:%Y-%m}", str(row["category"])
        sold = float(since["value"].iloc[-12:].sum()) * float(row["revenue_share"])
        effect = sold * (1 - 1 / (1 + change))
        values: Values = {
            **{key: float(row[key]) for key in ("change_pct", "change_lo", "change_hi", "p_value", "revenue_share")},
            "member": member,
            "since": month,
            "effect": effect,
        }
        found.append(
            Finding(
                "price_change", "trend", "avg_price", effect, 1 - float(row["p_value"]), period.id,
                since=month, slice={"category": member}, values=values, action="follow_price",
            )
        )  # fmt: skip
    return found


def _with_reason(
    kind: str, amount: float, certainty: float, values: Values,
    why: tuple[str, str, float] | None, period: Period, action: str,
) -> Finding:  # fmt: skip
    part = {}
    if why:
        kind, part = f"{kind}_{'wholly_member' if why[2] >= WHOLLY else 'member'}", {why[0]: why[1]}
        values = {**values, "member": why[1], "explained": min(why[2], 1.0)}
    return Finding(
        kind, "trend", "revenue", amount, certainty, period.id, since=str(values["month"]), slice=part,
        values=values, action=action,
    )  # fmt: skip
