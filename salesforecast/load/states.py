"""What an export says about its rows beside the canonical columns: deleted records, and how deals and tasks stand.

Mappings name these columns like attributes:

=================== ==================================================================================================
`row.deleted`       a flag; deleted records are left out and counted
`row.life_status`   Fxiaoke's 生命状态; what is neither normal nor changing (作废, 审核中) is left out and counted
`row.done`          a flag of tasks; without it a task is done when it has a closing day
`deal.is_won`, `deal.is_lost`, `deal.is_closed`   flags; closed and not won is lost
`deal.won_at`, `deal.lost_at`   days of winning and losing; filled means that it happened
`deal.active`       a flag of Odoo: archived deals are lost
=================== ==================================================================================================

Where no column says how a deal stands, its stage does (`Closed Won`, `7-输单`). The day it closed is the close date of
a closed deal, as CRMs keep one date for both.
"""

from __future__ import annotations

from salesforecast.engine import Engine, literal, quote
from salesforecast.load import clean
from salesforecast.load.mapping import Plan
from salesforecast.load.staging import Staged

_ALIVE = ("normal", "正常", "in_change", "变更中", "under_review", "审核中")
_UNFINISHED = "('open', 'doing')"


def complete(engine: Engine, plan: Plan, staged: Staged) -> Staged:
    """Leave out deleted rows and fill in status and closing day; adds to the notes what was done."""
    steps = []
    if plan.table == "deals":
        steps += _deal_states(engine, plan, staged)
    if plan.table == "register":
        steps += _task_states(staged)
    gone = _gone(staged)
    for note, replaced in steps:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {staged.relation} AS SELECT {replaced} FROM {staged.relation}")
        if note:
            staged.notes.append(note)
    if gone:
        count = engine.rows(f"SELECT count(*) FROM {staged.relation} WHERE NOT total AND {gone}")[0][0]
        if count:
            engine.execute(f"UPDATE {staged.relation} SET total = true, problem = NULL WHERE {gone}")
            staged.notes.append(f"{count:,} deleted or void records left out")
            staged.set_aside += count
    return staged


def _gone(staged: Staged) -> str:
    """Return SQL that is true for records that the system itself has thrown away."""
    parts = []
    if "row.deleted" in staged.attributes:
        parts.append(f"coalesce({clean.flag(quote('row.deleted'))}, false)")
    if "row.life_status" in staged.attributes:
        alive = ", ".join(map(literal, _ALIVE))
        parts.append(f"coalesce(lower({quote('row.life_status')}) NOT IN ({alive}), false)")
    return " OR ".join(parts) and f"({' OR '.join(parts)})"


def _deal_states(engine: Engine, plan: Plan, staged: Staged) -> list[tuple[str, str]]:
    steps = []
    cases, words = _cases(plan, staged)
    said = plan.columns.get("status")
    if cases and (said is None or said == plan.columns.get("stage")):
        status = f"CASE {' '.join(cases)} ELSE 'open' END"
        changed = engine.rows(f"SELECT count(*) FROM {staged.relation} WHERE {status} <> 'open' AND NOT total")[0][0]
        if said is None or changed:
            steps.append((f"status from {words}", f"* REPLACE ({status} AS status)"))
        if "status" not in staged.columns:
            staged.columns.append("status")
    ended = "status IN ('won', 'lost')"
    if "closed_at" not in staged.columns:
        day = _closing_day(engine, staged)
        if day:
            steps.append(
                (f"closed_at = {day[0]} of deals won or lost", f"*, CASE WHEN {ended} THEN {day[1]} END AS closed_at")
            )
            staged.columns.append("closed_at")
    if {"amount", "won_amount"} & set(staged.columns) == {"amount"}:
        steps.append(("", "*, CASE WHEN status = 'won' THEN amount END AS won_amount"))
        staged.columns.append("won_amount")
    return steps


def _cases(plan: Plan, staged: Staged) -> tuple[list[str], str]:
    """Return WHEN clauses of the status, the surest first, and the headers they read."""
    cases, words = [], []

    def flag(name: str, condition: str, status: str) -> None:
        if name in staged.attributes:
            cases.append(f"WHEN {condition} THEN '{status}'")
            words.append(plan.columns[name])

    flag("deal.is_won", clean.flag(quote("deal.is_won")), "won")
    flag("deal.is_lost", clean.flag(quote("deal.is_lost")), "lost")
    flag("deal.won_at", f"{quote('deal.won_at')} IS NOT NULL", "won")
    flag("deal.lost_at", f"{quote('deal.lost_at')} IS NOT NULL", "lost")
    # A number before the name of a stage (`7-输单`, `100% Won`) is its rank.
    bare = "regexp_replace(stage, '^\\s*\\d+\\s*%?\\s*[-.、:：)]?\\s*', '')"
    codes = plan.aliases.codes("deals", "status")
    for status in ("won", "lost", "void"):
        mine = {alias: code for alias, code in codes.items() if code == status}
        cases.append(f"WHEN {clean.code(bare, mine)} = '{status}' THEN '{status}'")
    words.append(plan.columns.get("stage", "stage").removeprefix("="))
    flag("deal.is_closed", clean.flag(quote("deal.is_closed")), "lost")
    flag("deal.active", f"NOT {clean.flag(quote('deal.active'))}", "lost")
    return cases, ", ".join(dict.fromkeys(words))


def _closing_day(engine: Engine, staged: Staged) -> tuple[str, str] | None:
    """Return where the closing day comes from (header or column) and its SQL."""
    days, names = [], []
    for name in ("deal.won_at", "deal.lost_at"):
        if name in staged.attributes:
            dates = clean.profile_dates(engine, staged.relation, name, label=staged.plan.columns[name])
            days.append(f"CAST({clean.date(quote(name), dates)} AS DATE)")
            names.append(staged.plan.columns[name])
    if "expected_close" in staged.columns:
        days.append("expected_close")
        names.append("expected_close")
    return (" or ".join(names), f"coalesce({', '.join(days)})") if days else None


def _task_states(staged: Staged) -> list[tuple[str, str]]:
    """Return the step that calls tasks done by a flag or by their closing day, where no column gives their status."""
    if staged.plan.columns.get("status"):
        return []
    done = []
    if "row.done" in staged.attributes:
        done.append(f"coalesce({clean.flag(quote('row.done'))}, false)")
    if "closed_at" in staged.columns:
        done.append("closed_at IS NOT NULL")
    if not done:
        return []
    named = ", ".join(staged.plan.columns[name] for name in ("row.done", "closed_at") if name in staged.plan.columns)
    status = f"CASE WHEN {' OR '.join(done)} THEN 'done' ELSE status END"
    return [(f"status done where {named} says so", f"* REPLACE ({status} AS status)")]
