"""Corrected targets and forecasts become new versions: what was planned or promised before is never overwritten."""

from __future__ import annotations

import re

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.mapping import Plan
from salesforecast.load.staging import SEPARATOR, Staged

_PLAN = ("kind", "measure", "scope_type", "scope_id", "grain", "period_start")


def renew(store: Engine, made: Plan, staged: Staged, import_id: int) -> int:
    """Give the rows of an import another version where they correct stored ones; returns how many rows were taken over.

    Targets: where a value differs from that of the newest version, the file is the next version (`v2` after `v1`;
    `budget.2` where the file names its version), completed by the rows of the newest that it does not name. Forecasts:
    a value that differs from what was said first on the same day is kept beside it, told apart by `run_id`.
    """
    if made.table == "targets":
        query = f"SELECT DISTINCT version FROM store.targets WHERE import_id = {import_id} ORDER BY 1"
        versions = [row[0] for row in store.rows(query)]
        named = "version" in made.columns
        return sum(_renew_targets(store, staged, import_id, version, named) for version in versions)
    if made.table == "forecasts":
        _renew_forecasts(store, staged, import_id)
    return 0


def following(version: str, taken: set[str]) -> str:
    """Return the name of the version after one: `v2` after `v1`, `budget.2` after `budget`, none that is taken.

    >>> following("v9", {"v9"}), following("budget", {"budget", "budget.2"}), following("v1.2", {"v1.2"})
    ('v10', 'budget.3', 'v1.3')
    """
    counted = re.fullmatch(r"(v|.*\.)(\d+)", version)
    head, number = (counted[1], int(counted[2])) if counted else (f"{version}.", 1)
    while f"{head}{number + 1}" in taken:
        number += 1
    return f"{head}{number + 1}"


def _renew_targets(store: Engine, staged: Staged, import_id: int, version: str, named: bool) -> int:
    mine = f"import_id = {import_id} AND version = {literal(version)}"
    planned = f"(kind, measure) IN (SELECT (kind, measure) FROM store.targets WHERE {mine})"
    rows = store.rows(
        f"SELECT DISTINCT version FROM store.targets WHERE import_id <> {import_id} AND {planned} ORDER BY 1"
    )
    known = [row[0] for row in rows if row[0]]
    # A file without versions corrects the company's plan (v1, v2, …); one that names its version corrects that.
    family = re.compile(rf"{re.escape(version)}(\.\d+)?" if named else r"v\d+")
    newest = max((each for each in known if family.fullmatch(each)), key=_natural, default=None)
    if newest is None:
        return 0
    same = " AND ".join(f"n.{each} IS NOT DISTINCT FROM o.{each}" for each in _PLAN)
    others = f"o.import_id <> {import_id} AND o.version = {literal(newest)}"
    changed = store.rows(
        f"SELECT count(*) FROM store.targets AS n JOIN store.targets AS o ON {same} WHERE n.import_id = {import_id} "
        f"AND n.version = {literal(version)} AND {others} AND n.value <> o.value"
    )[0][0]
    if not changed:
        if newest != version:
            _call(store, mine, version, newest)
        return 0
    taken = {row[0] for row in store.rows("SELECT DISTINCT version FROM store.targets WHERE version IS NOT NULL")}
    # Read as v1 a second time, a named version becomes v1.2: v2 would be a plan that its owner did not make.
    new = following(f"{newest}.1" if named and newest == version else newest, taken)
    _call(store, mine, version, new)
    columns = [each for each in store.columns("targets") if each not in ("version", "import_id", "row_key")]
    names = ", ".join(quote(each) for each in columns)
    rest = (
        f"FROM store.targets AS o WHERE {others} AND (o.kind, o.measure) IN (SELECT (kind, measure) FROM store.targets "
        f"WHERE import_id = {import_id} AND version = {literal(new)}) AND NOT EXISTS (SELECT 1 FROM store.targets AS n "
        f"WHERE n.import_id = {import_id} AND n.version = {literal(new)} AND {same})"
    )
    count = int(store.rows(f"SELECT count(*) {rest}")[0][0])
    store.execute(
        f"INSERT INTO store.built_on SELECT DISTINCT {import_id}, o.import_id {rest} AND o.import_id IS NOT NULL"
    )
    store.execute(
        f"INSERT INTO store.targets ({names}, version, import_id, row_key) SELECT {names}, {literal(new)}, "
        f"{import_id}, {_rekeyed(newest, new)} {rest}"
    )
    staged.notes.append(
        f"{changed:,} targets differ from version {newest}, which stays: this file is version {new}"
        + (f", with {count:,} targets of {newest} that it does not name" if count else "")
    )
    return count


def _call(store: Engine, where: str, old: str, new: str) -> None:
    store.execute(f"UPDATE store.targets SET version = {literal(new)}, row_key = {_rekeyed(old, new)} WHERE {where}")


def _rekeyed(old: str, new: str) -> str:
    return f"{literal(new)} || substr(row_key, {len(old) + 1})"


def _renew_forecasts(store: Engine, staged: Staged, import_id: int) -> None:
    marked = f"row_key || {literal(SEPARATOR)} || 'import-'"
    store.execute(
        "CREATE OR REPLACE TEMP TABLE said AS SELECT n.row_key AS base, arg_max(o.row_key, o.import_id) AS newest, "
        "arg_max(o.value, o.import_id) AS value FROM store.forecasts AS n JOIN store.forecasts AS o "
        f"ON o.row_key = n.row_key OR starts_with(o.row_key, n.{marked}) "
        f"WHERE n.import_id = {import_id} AND o.import_id <> {import_id} GROUP BY 1"
    )
    mine = f"t.import_id = {import_id} AND t.row_key = s.base"
    changed = store.rows(
        f"SELECT count(*) FROM store.forecasts AS t JOIN said AS s ON {mine} WHERE t.value <> s.value"
    )[0][0]
    store.execute(
        f"UPDATE store.forecasts AS t SET row_key = CASE WHEN t.value <> s.value THEN t.{marked} || '{import_id}' "
        "ELSE s.newest END, run_id = CASE WHEN t.value <> s.value THEN coalesce(t.run_id, "
        f"'import-{import_id:06d}') ELSE t.run_id END FROM said AS s WHERE {mine}"
    )
    if changed:
        staged.notes.append(
            f"{changed:,} forecasts differ from what was said before for the same day and period: both are kept, and "
            "the first one is judged"
        )


def _natural(text: str) -> list[tuple[int, int | str]]:
    parts: list[str] = re.findall(r"\d+|\D+", text)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]
