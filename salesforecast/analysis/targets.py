"""Targets: attainment, pace and required run rate, and what the fiscal year comes to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from salesforecast import measures
from salesforecast.analysis import goals
from salesforecast.analysis.comparison import covered, cut, note, ratio, totals
from salesforecast.analysis.goals import Goal
from salesforecast.analysis.progress import last_year, progress, recent_span
from salesforecast.analysis.sections import section
from salesforecast.analysis.series import daily
from salesforecast.analysis.year import ahead, months, outlook, outlook_findings, track_record
from salesforecast.errors import lookup
from salesforecast.findings import Finding
from salesforecast.measures import MEASURES
from salesforecast.workbench import SCOPES

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

__all__ = [
    "ahead", "attainment", "findings", "months", "outlook", "outlook_findings", "pacing", "scope_types", "track_record",
]  # fmt: skip

NAN = float("nan")
_COLUMNS = [
    "scope_type", "scope_id", "target", "actual", "attainment", "time_progress", "time_progress_workdays", "pace",
    "landing", "gap", "remaining_workdays", "required_rate", "recent_rate", "note",
]  # fmt: skip
# When a target counts as over-stretched; see `findings`.
STRETCHED_Z = 3.0
STRETCHED_LANDING = 0.9
STRETCHED_GROWTH = 0.1
SMALLEST_SPREAD = 0.03
_STRETCHED_SCOPES = ("team", "region", "channel", "category")


@section("attainment", needs=("targets",))
def attainment(
    wb: Workbench,
    period: str | Period,
    by: str | None = None,
    measure: str = "revenue",
    version: str | None = None,
) -> pd.DataFrame:
    """Return where each scope stands against its target.

    One row for the workbench's scope, or with `by` (a scope type: team, person, region, channel, category, …) one
    row per member, sorted by target, and a last total row whose scope_id is `*`. Columns, in the unit of the measure
    unless said: scope_type, scope_id (None: not assigned to any member), target, actual, attainment (ratio),
    time_progress and time_progress_workdays (0 to 1), pace (attainment − time progress), landing (actual / time
    progress), gap (actual − target; negative is bad, also where lower is better), remaining_workdays, required_rate
    (still needed per workday; 0 once reached), recent_rate (mean of the last 20 workdays), note.

    Time progress is seasonal (see `progress.progress`) or by workdays, as the settings define. It is that of the whole
    scope for every member: a single member's daily curve is mostly noise. Ratios and counts of distinct things have no
    progress: their pace, landing and rates are NaN.

    Under a scope only targets inside it count (`goals.targets`): a channel's target of the whole company says nothing
    about one region.

    Notes: `no_target` none, or zero: attainment is NaN, never 0 % or infinite; `target_other_basis` the targets were
    set on another basis; `target_of_members` the total is held against the sum of the members that have a target;
    `unassigned`; `partial`; `reached`.
    """
    period = wb.period(period)
    lookup(MEASURES, measure, "measure")
    shared = _shared(wb, period, measure)
    if by is None:
        scope_type, scope_id = next(iter(wb.scope.items()), ("company", "*"))
        actual = totals(wb, [measure], shared["spans"])[measure]
        rows = [(scope_type, scope_id, goals.period_target(wb, period, measure, version), actual)]
    else:
        rows = _member_rows(wb, period, by, measure, version, shared["spans"])
    frame = pd.DataFrame([_row(*row, shared) for row in rows], columns=_COLUMNS)
    frame["scope_id"] = pd.Series([row[1] for row in rows], dtype=object)
    return frame


def scope_types(wb: Workbench, period: str | Period, measure: str = "revenue") -> list[str]:
    """Return the scope types that divide a period's targets, in the order a director asks; empty without any.

    A review asks for `attainment` by these: a company may set its targets by category, or none for a week. Under a
    scope, a type with a single member only repeats the whole and is left out.
    """
    period = wb.period(period)
    frame = goals.targets(wb, measure)
    found = {each: goals.member_goals(frame, wb.calendar, period, each) for each in goals.MEMBER_SCOPES}
    return [each for each, members in found.items() if len(members) > 1 or (members and not wb.scope)]


def pacing(wb: Workbench, period: str | Period, measure: str = "revenue") -> pd.DataFrame:
    """Return cumulative actual and target, day by day, for the S-curve.

    Columns: date, actual (cumulative; NaN after the as-of date), target (cumulative along the seasonal curve), even
    (cumulative by workdays), last_year (cumulative value of last year's same period up to the same day, as
    `progress.last_year` aligns it: at the as-of date it equals the headline figures' base). target and even are NaN
    without a target. `measure` must be additive.
    """
    period = wb.period(period)
    curve = progress(wb, period, measure)
    goal = goals.period_target(wb, period, measure)
    sold = daily(wb, period, measure)
    actual = pd.Series(sold["cumulative"].to_numpy(), index=pd.DatetimeIndex(sold["date"]))
    return pd.DataFrame(
        {
            "date": curve["date"],
            "actual": actual.reindex(pd.DatetimeIndex(curve["date"])).to_numpy(),
            "target": goal.value * curve["seasonal"],
            "even": goal.value * curve["even"],
            "last_year": last_year(wb, period, measure),
        }
    )


def findings(wb: Workbench, period: str | Period) -> list[Finding]:
    """Return the findings about targets.

    `target_gap` and `target_ahead` (`…_closed` when no workday remains): the fiscal year so far against its pace, and
    what every remaining workday must bring. Amount = landing − target; certainty = time progress, as a landing told
    after a tenth of the year is worth a tenth. `stretched_target`: a member of the first scope type that has targets
    (team, region, channel, category), which would land below 90 % of its target, more than three robust deviations
    below the others, and whose target asks for at least ten points more growth on last year than the others' targets
    do. Amount = landing − target; certainty = time progress × n / (n + 2) for n others.
    """
    period = wb.period(period)
    year = wb.calendar.period(period.end, "year")
    company = attainment(wb, year).iloc[0]
    found = []
    if company["target"] > 0:
        found.append(_gap(company, year, period))
    for scope_type in _STRETCHED_SCOPES:
        frame = attainment(wb, year, scope_type) if wb.has(f"sales.{scope_type}") else pd.DataFrame()
        if len(frame) and (frame["scope_id"].ne("*") & frame["target"].gt(0)).any():
            return found + _stretched(wb, frame, scope_type, year, period)
    return found


def _shared(wb: Workbench, period: Period, measure: str) -> dict:
    """Return what all scopes of a period have in common: spans, progress, workdays."""
    end = min(cut(wb, period), wb.as_of)
    finished = wb.finished(period)
    curve = progress(wb, period, measure) if MEASURES[measure].additive and not finished else None
    at = (end - period.start).days
    seasonal, even = (1.0, 1.0) if curve is None else (curve["seasonal"].iloc[at], curve["even"].iloc[at])
    workdays = wb.settings.definitions.time_progress == "workdays"
    first, last = recent_span(wb)
    return {
        "additive": MEASURES[measure].additive,
        "finished": finished,
        "progress": even if workdays else seasonal,
        "even": even,
        "remaining": 0 if finished else wb.calendar.workdays(wb.as_of + timedelta(days=1), period.end),
        "spans": {"value": (period.start, end), "recent": (first, last)},
        "recent_workdays": wb.calendar.workdays(first, last),
    }


def _member_rows(
    wb: Workbench, period: Period, by: str, measure: str, version: str | None, windows: dict
) -> list[tuple]:
    column = lookup(SCOPES, by, "scope type")
    frame = goals.targets(wb, measure, version)
    of_members = goals.member_goals(frame, wb.calendar, period, by)
    sold = totals(wb, [measure], windows, by=[column])[measure].unstack("window")
    sold = sold.reindex(columns=list(windows))
    actuals = {None if pd.isna(member) else str(member): row for member, row in sold.iterrows()}
    nothing = pd.Series(0.0 if MEASURES[measure].additive else NAN, index=list(windows))
    members = sorted(
        {*of_members, *actuals},
        key=lambda each: (-of_members.get(each or "", Goal(0.0)).value, -_number(actuals, each), str(each)),
    )
    nowhere = goals.no_goal(wb, measure)
    rows = [
        (by, each, of_members.get(each or "", nowhere), actuals.get(each, nothing).fillna(nothing)) for each in members
    ]
    whole = totals(wb, [measure], windows)[measure]
    goal = goals.period_target(wb, period, measure, version)
    if not goal.found and of_members and MEASURES[measure].additive:
        # Members without a target do not help those that have one.
        with_target = [row for row in rows if row[2].found]
        goal = Goal(sum(row[2].value for row in with_target), with_target[0][2].direction, "target_of_members")
        whole = sum((row[3] for row in with_target), start=nothing)
    scope_type = next(iter(wb.scope), "company")
    return [*rows, (scope_type, "*", goal, whole)]


def _number(actuals: dict, member: str | None) -> float:
    value = actuals[member]["value"] if member in actuals else 0.0
    return 0.0 if pd.isna(value) else float(value)


def _row(scope_type: str, scope_id: str | None, goal: Goal, sold: pd.Series, shared: dict) -> dict:
    actual = float(sold["value"])
    reached = goals.attained(actual, goal)
    additive, lower = shared["additive"], goal.direction == "lower"
    target = goal.value if goal.found else NAN
    gap = (target - actual) if lower else (actual - target)
    pace = actual / target - shared["progress"] if goal.found and additive else NAN
    remaining = shared["remaining"]
    done = goal.found and not lower and actual >= target
    return {
        "scope_type": scope_type,
        "scope_id": scope_id,
        "target": target,
        "actual": actual,
        "attainment": reached,
        "time_progress": shared["progress"],
        "time_progress_workdays": shared["even"],
        "pace": -pace if lower else pace,
        "landing": (ratio(actual, shared["progress"]) if additive else actual),
        "gap": gap,
        "remaining_workdays": remaining,
        "required_rate": max(target - actual, 0.0) / remaining
        if goal.found and additive and remaining and not lower
        else NAN,
        "recent_rate": ratio(float(sold["recent"]), shared["recent_workdays"]) if additive else NAN,
        "note": note(
            goal.note,
            "unassigned" if scope_id is None else None,
            None if shared["finished"] else "partial",
            "reached" if done else None,
        ),
    }


def _gap(row: pd.Series, year: Period, period: Period) -> Finding:
    """Return the finding about the whole scope's fiscal year."""
    short = row["landing"] - row["target"]
    values: dict[str, float | str | None] = {
        **{key: float(row[key]) for key in _COLUMNS[2:13]},
        "short": -float(short),
        "year": year.id,
        "rate_change": ratio(row["required_rate"], row["recent_rate"]) - 1,
    }
    kind = "target_gap" if short < 0 else "target_ahead"
    if not row["remaining_workdays"]:
        kind = f"{kind}_closed"
    action = "close_gap" if kind == "target_gap" else None
    return Finding(
        kind, "attainment", "revenue", float(short), float(row["time_progress"]), period.id,
        since=year.id, values=values, action=action,
    )  # fmt: skip


def _stretched(wb: Workbench, frame: pd.DataFrame, scope_type: str, year: Period, period: Period) -> list[Finding]:
    base = wb.calendar.last_year(year)
    if not covered(wb, (base.start, base.end)):
        return []
    before = measures.values(wb, ["revenue"], by=[SCOPES[scope_type]], start=base.start, end=base.end)
    last_year = before.dropna().set_index(SCOPES[scope_type])["revenue"]
    members = frame[(frame["scope_id"] != "*") & (frame["target"] > 0)].set_index("scope_id")
    members = members.assign(last_year=last_year.reindex(members.index))
    members = members[members["last_year"] > 0]
    # Shares of the target compare members of any size.
    landing, asked = members["landing"] / members["target"], members["target"] / members["last_year"] - 1
    found = []
    for name, row in members.iterrows():
        others = members.index != name
        if others.sum() < 2:
            break
        usual, usually_asked = float(landing[others].median()), float(asked[others].median())
        spread = max(1.4826 * float((landing[others] - usual).abs().median()), SMALLEST_SPREAD)
        short = landing[name] <= STRETCHED_LANDING and (usual - landing[name]) / spread >= STRETCHED_Z
        if not short or asked[name] - usually_asked < STRETCHED_GROWTH:
            continue
        gap = float(row["landing"] - row["target"])
        values: dict[str, float | str | None] = {
            "member": str(name), "attainment": float(row["attainment"]), "time_progress": float(row["time_progress"]),
            "landing": float(row["landing"]), "landing_share": float(landing[name]), "others": usual, "gap_size": -gap,
            "target": float(row["target"]), "asked": float(asked[name]), "usually_asked": usually_asked,
            "year": year.id,
        }  # fmt: skip
        certainty = others.sum() / (others.sum() + 2) * float(row["time_progress"])
        found.append(
            Finding(
                "stretched_target", "attainment", "revenue", gap, float(certainty), period.id, since=year.id,
                slice={scope_type: str(name)}, values=values, action="review_target",
            )
        )  # fmt: skip
    return found
