"""Targets of a period: found in its own row, or summed from finer rows that cover it completely."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from salesforecast.errors import UnknownName, suggestion
from salesforecast.measures import MEASURES
from salesforecast.workbench import SCOPES, company_basis

if TYPE_CHECKING:
    from salesforecast.calendar import Calendar, Period
    from salesforecast.workbench import Workbench

NAN = float("nan")
_FINER = ("quarter", "month", "week", "day")
# A company without a target of its own is held against the sum of these, the first that covers all its sellers.
MEMBER_SCOPES = ("region", "team", "channel", "category", "person")


@dataclass(frozen=True)
class Goal:
    """The target of one scope and period; `value` is NaN when there is none, and `note` says so."""

    value: float = NAN
    direction: str = "higher"
    note: str | None = "no_target"

    @property
    def found(self) -> bool:
        """Whether there is a target to be held against; a target of zero is none."""
        return self.value > 0


def attained(actual: float, goal: Goal) -> float:
    """Return actual / target, or target / actual where lower is better; NaN without a target.

    >>> attained(90.0, Goal(100.0, note=None)), attained(50.0, Goal(40.0, "lower", None)), attained(1.0, Goal())
    (0.9, 0.8, nan)
    """
    if not goal.found or pd.isna(actual):
        return NAN
    if goal.direction == "lower":
        return goal.value / actual if actual > 0 else NAN
    return actual / goal.value


def targets(wb: Workbench, measure: str = "revenue", version: str | None = None) -> pd.DataFrame:
    """Return the targets of one version: scope_type, scope_id, grain, period_start (date), value, direction.

    Without `version` it is the latest by name, numbers counted as numbers (`v10` after `v9`). Under a scope only
    targets inside it: its own, and those that were split from it (`parent_scope`, in one or more steps). No rows where
    the targets were set on another basis than the workbench's (`other_basis`), except that on payments those of
    `receipts` serve for revenue. Raises `UnknownName` for a version that the store does not have.
    """
    if not other_basis(wb, measure):
        return _stored(wb, measure, version)
    if wb.basis == "payment" and measure == "revenue":
        return _stored(wb, "receipts", version)
    return _stored(wb, measure, version).iloc[:0]


def other_basis(wb: Workbench, measure: str = "revenue") -> bool:
    """Tell whether a measure's targets were set on another basis than the workbench's.

    They were set on `targets.basis` of the settings, else on the company's basis: that of the settings, else the first
    that the store has lines of. Measures that follow no basis (cash, and those that are no measure of sales) never are.
    """
    if measure not in MEASURES or MEASURES[measure].source != "sales":
        return False
    own = wb.settings.targets.basis or company_basis(wb.engine, wb.settings)
    return own != wb.basis


def no_goal(wb: Workbench, measure: str = "revenue") -> Goal:
    """Return the missing target, whose note says why: none is set, or they are set on another basis."""
    unused = other_basis(wb, measure) and targets(wb, measure).empty and len(_stored(wb, measure, None))
    return Goal(note="target_other_basis") if unused else Goal()


def _stored(wb: Workbench, measure: str, version: str | None) -> pd.DataFrame:
    frame = wb.sql(
        "SELECT coalesce(version, 'v1') AS version, scope_type, scope_id, grain, period_start, value, direction, "
        "parent_scope FROM targets "
        "WHERE coalesce(kind, 'target') = 'target' AND measure = $measure",
        measure=measure,
    )
    versions = frame["version"].unique().tolist()
    if version is not None and version not in versions:
        known = ", ".join(sorted(versions)) or "none"
        raise UnknownName(f"No target version {version!r}.{suggestion(version, versions)} Available: {known}.")
    latest = version or max(versions, key=_natural, default=None)
    frame = frame[frame["version"] == latest].drop(columns="version").reset_index(drop=True)
    frame["period_start"] = pd.to_datetime(frame["period_start"]).dt.date
    for kind, member in wb.scope.items():
        frame = frame[_inside(frame, kind, member)]
    frame = frame.drop(columns="parent_scope")
    return frame.sort_values(["scope_type", "scope_id", "grain", "period_start"], ignore_index=True)


def goal(rows: pd.DataFrame, calendar: Calendar, period: Period) -> Goal:
    """Return the target of a period from the target rows of one scope.

    Its own row counts first; else the coarsest finer grain whose rows tile the period without a gap.
    """
    if rows.empty:
        return Goal()
    whole = calendar.period(period.start, period.grain)
    if (whole.start, whole.end) == (period.start, period.end):
        own = rows[(rows["grain"] == period.grain) & (rows["period_start"] == period.start)]
        if len(own):
            return _goal(own)
    for grain in _FINER:
        finer = rows[(rows["grain"] == grain) & rows["period_start"].between(period.start, period.end)]
        if len(finer) and set(finer["period_start"]) == _tiles(calendar, period, grain):
            return _goal(finer)
    return Goal()


def member_goals(frame: pd.DataFrame, calendar: Calendar, period: Period, scope_type: str) -> dict[str, Goal]:
    """Return the targets of every member of a scope type that has one in the period."""
    rows = frame[frame["scope_type"] == scope_type]
    goals = {str(member): goal(group, calendar, period) for member, group in rows.groupby("scope_id")}
    return {member: each for member, each in goals.items() if each.found}


def period_target(wb: Workbench, period: Period, measure: str = "revenue", version: str | None = None) -> Goal:
    """Return the target of the workbench's scope for a period.

    A whole company without a target of its own is held against the sum of its members' (note `target_of_members`),
    if every member that sold in the period has one.
    """
    frame = targets(wb, measure, version)
    if len(wb.scope) > 1 or frame.empty:
        return no_goal(wb, measure)
    scope_type, scope_id = next(iter(wb.scope.items()), ("company", "*"))
    own = frame[(frame["scope_type"] == scope_type) & (frame["scope_id"] == scope_id)]
    found = goal(own, wb.calendar, period)
    additive = measure in MEASURES and MEASURES[measure].additive
    return found if found.found or wb.scope or not additive else _goal_of_members(wb, frame, period)


def _goal_of_members(wb: Workbench, frame: pd.DataFrame, period: Period) -> Goal:
    for scope_type in MEMBER_SCOPES:
        goals = member_goals(frame, wb.calendar, period, scope_type)
        if goals and _sellers(wb, scope_type, period.start, period.end) <= set(goals):
            directions = {each.direction for each in goals.values()}
            total = sum(each.value for each in goals.values())
            return Goal(total, directions.pop(), "target_of_members") if len(directions) == 1 else Goal()
    return Goal()


def _sellers(wb: Workbench, scope_type: str, first: date, last: date) -> set[str | None]:
    column = SCOPES[scope_type]
    rows = wb.sql(
        f"SELECT DISTINCT {column} AS member FROM sales WHERE date BETWEEN $first AND $last",
        first=first,
        last=last,
    )
    return {None if pd.isna(member) else str(member) for member in rows["member"]}


def _inside(frame: pd.DataFrame, kind: str, member: str) -> pd.Series:
    """Tell which targets are the member's own or, in one or more steps, parts of it; siblings never are."""
    key = frame["scope_type"] + ":" + frame["scope_id"]
    parent = frame["parent_scope"].astype("str").str.replace(r"\s*[:：/]\s*", ":", n=1, regex=True)
    own = key == f"{kind}:{member}"
    inside, wider = own, own | (parent == f"{kind}:{member}")
    while not wider.equals(inside):
        inside, wider = wider, wider | parent.isin(key[wider])
    return inside & (own | (frame["scope_type"] != kind))


def _goal(rows: pd.DataFrame) -> Goal:
    value = float(rows["value"].sum())
    direction = str(rows["direction"].fillna("higher").iloc[0])
    return Goal(value, direction, None) if value > 0 else Goal(direction=direction)


def _tiles(calendar: Calendar, period: Period, grain: str) -> set[date]:
    tiles = calendar.periods(period.start, period.end, grain)
    if not tiles or tiles[0].start != period.start or tiles[-1].end != period.end:
        return set()
    return {each.start for each in tiles}


def _natural(name: str) -> list[tuple[int, int | str]]:
    parts: Iterable[str] = re.findall(r"\d+|\D+", name)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]
