"""Decisions and actions: what was agreed last time, and what came of it."""

from __future__ import annotations

import pandas as pd

from salesforecast.analysis.sections import section
from salesforecast.calendar import Period
from salesforecast.workbench import Workbench

_KINDS = ("action", "task", "decision")


@section("decisions", needs=("register",))
def review(wb: Workbench, period: str | Period) -> pd.DataFrame:
    """Return the actions that a review of the period must answer for, the overdue ones first.

    These are the items of the register (actions, tasks, decisions) opened before the period's end that were still
    open when the period began. One row per item: `item_id, title, owner_id, opened_at, due_at, status, days_overdue`
    (days past due at the as-of date, 0 when on time, missing without a due date), `measure, expected, observed`.
    The status is the one at the as-of date: an item closed later counts as `doing`. Raises `NoData` without a register.

    Closure and overdue days: `domain.md` §2.6 (行动项关闭率).
    """
    chosen = wb.period(period)
    as_of = pd.Timestamp(wb.as_of)
    items = wb.table("register")
    items = items[items["kind"].isin(_KINDS) & (items["opened_at"] <= pd.Timestamp(chosen.end))]
    closed_at = items["closed_at"].where(items["closed_at"] <= as_of)
    items = items.assign(
        closed_at=closed_at, status=items["status"].mask(items["closed_at"].notna() & closed_at.isna(), "doing")
    )
    items = items[items["closed_at"].isna() | (items["closed_at"] >= pd.Timestamp(chosen.start))]
    late = (items["closed_at"].fillna(as_of) - items["due_at"]).dt.days
    items = items.assign(days_overdue=late.clip(lower=0))
    columns = [
        *("item_id", "title", "owner_id", "opened_at", "due_at", "status", "days_overdue"),
        *("measure", "expected", "observed"),
    ]
    order = items.assign(unfinished=items["closed_at"].isna()).sort_values(
        ["unfinished", "days_overdue", "due_at", "item_id"], ascending=[False, False, True, True]
    )
    return order[columns].reset_index(drop=True)
