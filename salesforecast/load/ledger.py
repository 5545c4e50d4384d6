"""The ledger of imports: what each one stored, what it displaced, and how to take one back.

Nothing that an import displaces is thrown away at once: the rows move to `kept_<table>`, with the import that displaced
them in `kept_by`; names that it replaced by ids are written down in `resolved`. Taking an import back removes its rows,
brings back what it had displaced, and compares the exports of deals anew. At most `MOST_KEPT` rows are kept; beyond
that the oldest are dropped, and the imports that displaced them can no longer be taken back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from salesforecast import engine as engines
from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load import history
from salesforecast.load.lines import forget_key, stored_key
from salesforecast.schema import TABLES
from salesforecast.settings import Settings, locate, settings_of

if TYPE_CHECKING:
    import pandas as pd

MOST_KEPT = 2_000_000
DERIVED = "derived"  # source of rows that lines only mentioned; nothing is built on them


class Keeper:
    """Moves rows out of the way of an import; `lost` are the imports whose displaced rows were too many to keep."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.lost: set[int] = set()

    def keep(self, table: str, where: str, by: int) -> int:
        """Move the rows of a table for which `where` is true to those kept for import `by`; returns how many."""
        count = int(self.store.rows(f"SELECT count(*) FROM store.{table} WHERE {where}")[0][0])
        if not count:
            return 0
        if count > MOST_KEPT:
            self.lost.add(by)
        else:
            whole = f"SELECT * REPLACE ({stored_key(table)} AS row_key), {by} AS kept_by"
            self.put(table, f"{whole} FROM store.{table} WHERE {where}")
        self.store.execute(f"DELETE FROM store.{table} WHERE {where}")
        return count

    def put(self, table: str, rows: str) -> None:
        """Keep the rows of a query, whose column `kept_by` says which import displaced each."""
        _kept_table(self.store, table)
        self.store.execute(f"INSERT INTO store.kept_{table} BY NAME {rows}")

    def finish(self) -> None:
        """Drop the oldest kept rows beyond the limit and mark the imports that can no longer be taken back."""
        kept = _kept(self.store)
        counts: dict[int, int] = {}
        for table in kept:
            for by, rows in self.store.rows(f"SELECT kept_by, count(*) FROM store.kept_{table} GROUP BY 1"):
                counts[by] = counts.get(by, 0) + rows
        total = sum(counts.values())
        for by in sorted(counts):
            if total <= MOST_KEPT:
                break
            total -= counts[by]
            self.lost.add(by)
        for by in self.lost:
            for table in kept:
                self.store.execute(f"DELETE FROM store.kept_{table} WHERE kept_by = {by}")
            self.store.execute(f"DELETE FROM store.resolved WHERE import_id = {by}")
            self.store.execute(f"UPDATE store.imports SET undo = NULL WHERE import_id = {by}")


def imports(store: str | Path) -> pd.DataFrame:
    """Return the imports of a store, oldest first.

    One row per file, sheet and table: import_id, imported_at (UTC), file, sheet, table, source, exported_on, read,
    stored, rejected, excluded, replaced, derived, undo (`yes`, or why the import cannot be taken back).
    """
    with engines.connect(locate(Path(store).parent) / Path(store).name) as opened:
        frame = opened.frame(
            "SELECT import_id, imported_at, file, coalesce(sheet, '') AS sheet, table_name AS \"table\", source, "
            "exported_on, rows_read AS read, rows_stored AS stored, rows_rejected AS rejected, "
            "rows_excluded AS excluded, rows_replaced AS replaced, coalesce(rows_derived, 0) AS derived, undo "
            "FROM store.imports ORDER BY import_id"
        )
        undo = []
        for row in frame.itertuples():
            later = _built_on(opened, row.import_id)
            undo.append(
                "what it displaced is not kept" if not isinstance(row.undo, str) else
                f"after import {', '.join(map(str, later))}" if later else "yes"
            )  # fmt: skip
    return frame.assign(undo=undo)


def undo_import(store: str | Path, import_id: int, settings: Settings | str | Path | None = None) -> str:
    """Take one import back, so that the store is as if it had not been made; returns one line on what was done.

    Raises `BadInput` when there is no such import, when a later import is built on it (it replaced rows of it, or its
    names were looked up in it), and when what it displaced is no longer kept.
    """
    path = locate(Path(store).parent) / Path(store).name
    timezone = settings_of(path, settings).timezone
    with engines.connect(path, write=True) as opened:
        file, table, stored = _check(opened, import_id)
        with opened.transaction():
            back = take_back(opened, import_id, timezone)
    return f"Import {import_id} taken back: {file}, {stored:,} rows of {table} removed, {back:,} rows brought back."


def take_back(store: Engine, import_id: int, timezone: str) -> int:
    """Undo an import inside a transaction, without asking; returns how many displaced rows came back."""
    added = json.loads(store.rows(f"SELECT undo FROM store.imports WHERE import_id = {import_id}")[0][0] or "{}")
    _restore_names(store, import_id)
    kept = _kept(store)
    back = 0
    for table in TABLES:
        store.execute(f"DELETE FROM store.{table} WHERE import_id = {import_id}")
        if table in kept:
            back += _bring_back(store, table, import_id)
        for column in added.get("columns", {}).get(table, ()):
            _drop_empty(store, table, column)
    store.execute(forget_key())
    for table in ("rejected", "deal_snapshots", "built_on", "imports"):
        store.execute(f"DELETE FROM store.{table} WHERE import_id = {import_id}")
    history.rebuild(store, Keeper(store), timezone)
    return back


def _check(store: Engine, import_id: int) -> tuple[str, str, int]:
    found = store.rows(
        "SELECT file, table_name, rows_stored, undo FROM store.imports WHERE import_id = $id", {"id": import_id}
    )
    if not found:
        raise BadInput(f"No import {import_id} in {store.path}. List them: salesforecast imports --store {store.path}")
    file, table, stored, kept = found[0]
    if kept is None:
        raise BadInput(
            f"Import {import_id} ({file}) cannot be taken back: what it displaced is no longer kept. "
            "Import the files you want into a new store."
        )
    later = _built_on(store, import_id)
    if later:
        first = later[-1]
        raise BadInput(
            f"Import {import_id} ({file}) cannot be taken back yet: import {', '.join(map(str, later))} built on it. "
            f"Take that back first: salesforecast imports --undo {first}"
        )
    return file, table, int(stored or 0)


def _built_on(store: Engine, import_id: int) -> list[int]:
    """Return the later imports that displaced real rows of an import or looked names up in it."""
    parts = [f"SELECT import_id AS later FROM store.built_on WHERE on_import = {import_id}"]
    parts += [
        f"SELECT kept_by FROM store.kept_{table} WHERE import_id = {import_id} AND kept_by > {import_id} "
        f"AND source <> '{DERIVED}'"
        for table in _kept(store)
    ]
    rows = store.rows(f"SELECT DISTINCT later FROM ({' UNION ALL '.join(parts)}) WHERE later <> {import_id} ORDER BY 1")
    return [int(row[0]) for row in rows]


def _bring_back(store: Engine, table: str, import_id: int) -> int:
    """Take an import out of the pile of rows of each key; what lay beneath its rows comes back on top."""
    kept = f"store.kept_{table}"
    store.execute(
        f"UPDATE {kept} AS k SET kept_by = x.kept_by FROM (SELECT * FROM {kept} WHERE import_id = {import_id}) AS x "
        f"WHERE k.kept_by = {import_id} AND k.row_key = x.row_key"
    )
    store.execute(f"DELETE FROM {kept} WHERE import_id = {import_id}")
    # A row that lines only mentioned stays away while a real one of the same customer, product or person is there.
    masters = {"customers": "customer_id", "products": "product_id", "people": "person_id"}
    if table in masters:
        key = masters[table]
        store.execute(
            f"UPDATE {kept} AS k SET kept_by = t.by FROM (SELECT {key}, max(import_id) AS by FROM store.{table} "
            f"GROUP BY 1) AS t WHERE k.kept_by = {import_id} AND k.source = '{DERIVED}' AND k.{key} = t.{key}"
        )
    top = (
        f"SELECT row_key, arg_max(rowid, import_id) AS top, max(import_id) AS by FROM {kept} "
        f"WHERE kept_by = {import_id} GROUP BY 1"
    )
    names = ", ".join(quote(each) for each in store.columns(table) if each in set(store.columns(f"kept_{table}")))
    store.execute(
        f"INSERT INTO store.{table} ({names}) SELECT {names} FROM {kept} WHERE rowid IN (SELECT top FROM ({top}))"
    )
    count = int(store.rows(f"SELECT count(*) FROM ({top})")[0][0])
    store.execute(f"CREATE OR REPLACE TEMP TABLE brought_back AS {top}")
    store.execute(f"DELETE FROM {kept} WHERE rowid IN (SELECT top FROM brought_back)")
    store.execute(
        f"UPDATE {kept} AS k SET kept_by = b.by FROM brought_back AS b "
        f"WHERE k.kept_by = {import_id} AND k.row_key = b.row_key"
    )
    return count


def _restore_names(store: Engine, import_id: int) -> None:
    """Put the names back that an import had replaced by ids in rows of earlier imports."""
    places = store.rows(
        f"SELECT DISTINCT table_name, column_name FROM store.resolved WHERE import_id = {import_id} ORDER BY ALL"
    )
    kept = _kept(store)
    for table, column in places:
        names = (
            f"SELECT row_import, row_key, name FROM store.resolved WHERE import_id = {import_id} "
            f"AND table_name = {literal(table)} AND column_name = {literal(column)}"
        )
        for each in (table, *([f"kept_{table}"] if table in kept else [])):
            store.execute(
                f"UPDATE store.{each} AS t SET {quote(column)} = n.name FROM ({names}) AS n "
                f"WHERE {stored_key(table, 't')} = n.row_key AND t.import_id IS NOT DISTINCT FROM n.row_import"
            )
    store.execute(f"DELETE FROM store.resolved WHERE import_id = {import_id}")


def _drop_empty(store: Engine, table: str, column: str) -> None:
    """Drop an extra column that nothing fills any more."""
    if column not in store.columns(table):
        return
    if store.rows(f"SELECT count({quote(column)}) FROM store.{table}")[0][0]:
        return
    kept = f"kept_{table}"
    if column in store.columns(kept):
        if store.rows(f"SELECT count({quote(column)}) FROM store.{kept}")[0][0]:
            return
        store.execute(f"ALTER TABLE store.{kept} DROP COLUMN {quote(column)}")
    store.execute(f"ALTER TABLE store.{table} DROP COLUMN {quote(column)}")


def _kept_table(store: Engine, table: str) -> None:
    kept = f"kept_{table}"
    present = store.columns(kept)
    if not present:
        store.execute(
            f"CREATE TABLE store.{kept} AS SELECT *, CAST(NULL AS BIGINT) AS kept_by FROM store.{table} LIMIT 0"
        )
        return
    for name in store.columns(table):
        if name not in present:
            store.execute(f"ALTER TABLE store.{kept} ADD COLUMN {quote(name)} VARCHAR")


def _kept(store: Engine) -> list[str]:
    """Return the tables of which displaced rows are kept."""
    rows = store.rows(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' AND starts_with(table_name, 'kept_') "
        "ORDER BY 1"
    )
    return [row[0].removeprefix("kept_") for row in rows]
