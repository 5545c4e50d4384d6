"""Import files into a store: read, recognise, clean, check, store, in one transaction, with a report that adds up."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from salesforecast import engine as engines
from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load import (
    entries,
    erasure,
    files,
    history,
    joins,
    ledger,
    lines,
    masters,
    presets,
    preview,
    recipes,
    reconcile,
    snapshots,
    staging,
    states,
    versions,
    wide,
)  # fmt: skip
from salesforecast.load.files import Source
from salesforecast.load.mapping import Plan, Unknown, plan
from salesforecast.load.presets import normalise
from salesforecast.load.refusals import Refusals
from salesforecast.load.report import COUNTS, ImportReport
from salesforecast.load.staging import Staged
from salesforecast.settings import ImportLimits, Settings, locate, settings_of

_FILE_COLUMNS = ("file", "sheet", "table", *COUNTS, "note")
_WORTH_A_WARNING = (
    "not read",
    "do not add up",
    "does not add up",
    "are fiscal",
    "includes tax",
    "left out:",
    "two-digit",
    "are damaged",
)
_REJECTED_COLUMNS = ("file", "row", "table", "column", "rule", "value", "message")


@dataclass
class _Outcome:
    """What became of one file: a row of the report and the rows it lost."""

    source: Source
    table: str | None
    read: int = 0
    stored: int = 0
    rejected: int = 0
    excluded: int = 0
    replaced: int = 0
    derived: int = 0
    note: str = ""

    def row(self) -> tuple[Any, ...]:
        if self.read != self.stored + self.rejected + self.excluded:
            raise RuntimeError(
                f"{self.source.name}: {self.read} rows read, but {self.stored} stored + {self.rejected} rejected + "
                f"{self.excluded} excluded. This is a fault of salesforecast; nothing was stored."
            )
        return (self.source.title, self.source.sheet, self.table, *(getattr(self, each) for each in COUNTS), self.note)


def import_files(
    paths: str | Path | Iterable[str | Path],
    into: str | Path,
    *,
    preset: str = "auto",
    mapping: Mapping[str, Any] | None = None,
    source: str | None = None,
    settings: Settings | str | Path | None = None,
    exported_on: str | date | None = None,
    dry_run: bool = False,
) -> ImportReport:
    r"""Import exported files into a store and say what was done.

    `paths` are files, folders or patterns (CSV, xlsx, xls, xlsb, ods, JSON, Parquet, also gzipped or in a ZIP
    file); `into` is the store, made when it is missing. Tables and columns are recognised from the headers with the
    aliases of `preset`; `mapping` settles what they leave open (see `salesforecast.load.mapping`). `source` names
    the system, by which later files replace rows of the same key; it defaults to the preset. `settings` (by default
    those of the store) give the time zone of the times in the files. `exported_on` is the day on which deals were
    exported, where neither a column nor the file's name says it: two dated exports make a history
    (`salesforecast.load.history`). With `dry_run=True` nothing is stored. Relative paths are looked for in the
    working directory, then in its parents.

    Everything is stored in one transaction: when a file fails, nothing is. A file that was imported before with the
    same mapping changes nothing. Raises `BadInput` (or its `AmbiguousMapping`) with the way out, `StoreError` and
    `StoreBusy` for the store.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "orders.csv").write_text("订单编号,订单日期,金额(万元)\nA1,2026/1/5,1.2\nA2,2026/1/6,-0.1\n")
    >>> report = import_files(folder / "orders.csv", into=folder / "sales.duckdb")
    >>> report.files[["table", "read", "stored"]].values.tolist()
    [['transactions', 2, 2]]
    """
    into = locate(Path(into).parent) / Path(into).name
    chosen = settings_of(into, settings)
    timezone = chosen.timezone
    found = files.discover(paths)
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    arguments = {"paths": [str(each) for each in given], "into": into.as_posix(), "preset": preset, "source": source}
    presets.load(preset)
    target, existed = Path(into), Path(into).exists()
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as scratch:
        if dry_run and not existed:
            target = Path(scratch) / "dry-run.duckdb"
        try:
            with engines.connect(target, write=True) as store:
                call = _Import(store, found, preset, mapping, source, timezone, arguments, dry_run, Path(scratch))
                call.first_month, call.language = chosen.fiscal.year_start_month, chosen.language
                call.folder = into.parent
                call.exported_on = snapshots.parse_day(exported_on)
                call.limits = chosen.imports
                return call.run()
        except BaseException:
            if not existed:
                target.unlink(missing_ok=True)
            raise


class _DryRun(Exception):
    pass


class _Import:
    """One call of `import_files`."""

    def __init__(
        self,
        store: Engine,
        paths: list[Path],
        preset: str,
        mapping: Mapping[str, Any] | None,
        source: str | None,
        timezone: str,
        arguments: Mapping[str, Any],
        dry_run: bool,
        scratch: Path,
    ) -> None:
        self.scratch = scratch
        self.store, self.paths, self.preset, self.mapping = store, paths, preset, mapping
        self.source, self.timezone, self.arguments, self.dry_run = source, timezone, arguments, dry_run
        self.aliases = presets.load(preset)
        self.outcomes: list[_Outcome] = []
        self.refusals = Refusals(store)
        self.first_month, self.language, self.folder = 1, "en", scratch
        self.previews: list[preview.Preview] = []
        self.exported_on: date | None = None
        self.limits = ImportLimits()
        self.keeper = ledger.Keeper(store)
        self.stored_tables: dict[str, _Outcome] = {}  # the last outcome of each table that rows were stored in
        self.warnings: list[str] = []
        self.first_id = self.next_id = 1 + (store.rows("SELECT max(import_id) FROM store.imports")[0][0] or 0)

    def run(self) -> ImportReport:
        mapping, sources = recipes.with_kept(self.mapping, self._read(), self.folder)
        self.mapping = mapping
        plans, unknown = plan(self.store, sources, self.preset, self.mapping)
        if not plans:
            raise BadInput(unknown[0].message if unknown else "Nothing to import.")
        staged = [self._stage(each, number) for number, each in enumerate(plans)]
        try:
            with self.store.transaction():
                for each, made in zip(plans, staged, strict=True):
                    self._store(each, made)
                self._settle()
                self.warnings += self._without_orders(plans)
                for other in unknown:
                    self._leave_out(other)
                rows = [outcome.row() for outcome in self.outcomes]
                if self.dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        return self._report(rows, plans)

    def _read(self) -> list[Source]:
        named = {normalise(name) for name in _names_in(self.mapping or {})}

        def known(header: str) -> bool:
            return self.aliases.knows(header) or normalise(header) in named

        return [
            source
            for number, (path, title) in enumerate(zip(self.paths, files.titles(self.paths), strict=True))
            for found in files.read(self.store, path, title, number, known, self.scratch, self.limits)
            for source in wide.lengthen(self.store, found, self.aliases, self.first_month, self.mapping)
        ]

    def _stage(self, made: Plan, number: int) -> Staged | None:
        """Stage a plan, or return None when just this was imported before."""
        earlier = self.store.rows(
            "SELECT max(import_id) FROM store.imports WHERE sha256 = $sha AND mapping = $mapping "
            "AND table_name = $table AND coalesce(sheet, '') = $sheet",
            {
                "sha": _fingerprint(made), "mapping": self._written(made),
                "table": made.table, "sheet": made.source.sheet or "",
            },
        )[0][0]  # fmt: skip
        if earlier is not None:
            note = f"unchanged since import {earlier}: nothing to do"
            self.outcomes.append(_Outcome(made.source, made.table, note=note))
            return None
        return self._staged(made, number)

    def _staged(self, made: Plan, number: int, *, whole: bool = False) -> Staged:
        source = self.source or made.preset
        staged = staging.stage(self.store, made, made.aliases, number, source, self.timezone, whole=whole)
        return states.complete(self.store, made, staged)

    def _written(self, made: Plan) -> str:
        entry = {**made.entry(), "source": self.source or made.preset}
        if self.exported_on and made.table == "deals":
            entry["exported_on"] = str(self.exported_on)
        return json.dumps(entry, ensure_ascii=False, sort_keys=True)

    def _store(self, made: Plan, staged: Staged | None) -> None:
        if staged is None:
            return
        outcome = _Outcome(made.source, made.table, read=made.source.rows)
        import_id, self.next_id = self.next_id, self.next_id + 1
        before = set(self.store.columns(made.table))
        exported = self._snapshot(made, staged, import_id)
        if made.table == "deal_events":
            entries.set_unchanged_aside(self.store, made, staged)
        outcome.stored = self._insert(made, staged, import_id)
        if self._gainsaid(made, staged, outcome.stored):
            self.store.execute(f"DELETE FROM store.{made.table} WHERE import_id = {import_id}")
            staged = self._staged(made, staged.number, whole=True)
            outcome.stored = self._insert(made, staged, import_id)
        controls: list[reconcile.Control] = []
        taken_over = versions.renew(self.store, made, staged, import_id)
        forgotten = self._forget(made, import_id)
        outcome.stored -= forgotten
        if self.dry_run:
            self.previews.append(preview.look(self.store, made, staged))
        outcome.rejected = made.source.ragged + forgotten
        outcome.excluded = made.source.footers
        if outcome.read > outcome.stored + outcome.rejected + outcome.excluded:
            rejected, totals = self.refusals.rows(made, staged, import_id)
            outcome.rejected += rejected
            outcome.excluded += totals
            if totals > staged.set_aside:
                staged.notes.append(f"{totals - staged.set_aside} total rows or repeated headers left out")
                controls = reconcile.control_totals(self.store, made, staged)
                staged.notes += map(str, controls)
        self.refusals.ragged(made.source, made.table, import_id)
        if exported:
            older = snapshots.shelve_older(self.store, self.keeper, staged.source, import_id)
            outcome.stored, outcome.excluded = outcome.stored - older, outcome.excluded + older
            if older:
                staged.notes.append(f"{older:,} deals are stored from a later export: these rows are history")
                staged.set_aside += older
        outcome.replaced = self._replace(made, staged, import_id)
        outcome.derived = taken_over + masters.derive(self.store, self.keeper, staged, import_id)
        if made.table == "deals":
            outcome.derived += entries.from_columns(self.store, self.keeper, made, staged, import_id, self.timezone)
        if made.table == "deal_events":
            outcome.derived += entries.from_log(self.store, self.keeper, made, staged, import_id)
        erasure.forget_again(self.store, "", import_id)  # what lines mention, and events
        notes = [made.why, _mapping_line(made), *made.source.notes, *staged.notes]
        if made.source.blank_rows:
            notes.append(f"{made.source.blank_rows} blank rows skipped")
        outcome.note = "; ".join(notes)
        profile = reconcile.profile(self.store, made.table, import_id)
        profile["controls"] = [asdict(each) for each in controls]
        self._ledger(made, outcome, import_id, exported, before, profile)
        unlike = reconcile.drift(self.store, made.table, staged.source, import_id, profile)
        self.warnings += [f"{made.source.name}: {each}" for each in unlike]
        self.outcomes.append(outcome)
        self.stored_tables[made.table] = outcome
        self.warnings += [
            f"{made.source.name}: {note}" for note in (*made.source.notes, *staged.notes)
            if any(word in note for word in _WORTH_A_WARNING)
        ]  # fmt: skip
        if outcome.rejected > forgotten and not outcome.stored and not staged.set_aside:
            _, row, _, column, _, value, message = self.refusals.shown[-1]
            raise BadInput(
                f"{made.source.name}: no row can be stored as {made.table}, all {outcome.rejected:,} are refused; the "
                f"last, row {row}, because {column or 'it'} {value!r}: {message}. Correct the file, map another column "
                "or leave the file out."
            )
        made.source.check_unchanged()
        for number, other in enumerate(made.joined):
            used = joins.matched(self.store, made, number)
            self.outcomes.append(
                _Outcome(
                    other, f"({made.table})", read=other.rows, stored=used, rejected=other.ragged,
                    excluded=other.rows - used - other.ragged, note=f"joined to {made.source.name}",
                )
            )  # fmt: skip
            self.refusals.ragged(other, made.table, import_id)

    def _gainsaid(self, made: Plan, staged: Staged, stored: int) -> bool:
        """Say whether rows are unlike the first ones of the file, by which it was staged."""
        if not staged.unlike or stored == made.source.rows - made.source.ragged - made.source.footers:
            return False
        return bool(self.store.rows(f"SELECT 1 FROM {staged.relation} WHERE {staged.unlike} LIMIT 1"))

    def _insert(self, made: Plan, staged: Staged, import_id: int) -> int:
        """Store the good rows, the first of each key; returns how many."""
        table = f"store.{made.table}"
        present = set(self.store.columns(made.table))
        for name in staged.extra:
            if name not in present:
                self.store.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} VARCHAR")
        columns = [*staged.columns, *staged.extra]
        provenance = {
            "source": literal(staged.source), "source_file": literal(made.source.name), "source_row": quote("row"),
            "import_id": str(import_id), "row_key": "row_key",
        }  # fmt: skip
        names = ", ".join(quote(each) for each in (*columns, *provenance))
        values = ", ".join([*(quote(each) for each in columns), *provenance.values()])
        # A streamed file comes in its own order, and sorting it would be dear.
        order = "" if staged.streamed else f" ORDER BY {quote('row')}"
        self.store.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {staged.good}{order}")
        mine = f"FROM {table} WHERE import_id = {import_id}"
        # What a hash says is looked at again below: at ten million rows those of short texts collide.
        digest, key = "hash(row_key)", lines.stored_key(made.table)
        if made.table == "transactions":
            digest = f"CASE WHEN row_key IS NULL THEN hash(order_id, line_no, person_id, txn_type) ELSE {digest} END"
        stored, keys = self.store.rows(f"SELECT count(*), count(DISTINCT {digest}) {mine}")[0]
        if keys == stored:
            return int(stored)
        staged.repeated = f"{staged.relation}_repeated"
        self.store.execute(
            f"CREATE OR REPLACE TEMP TABLE {staged.repeated} AS SELECT source_row AS {quote('row')}, row_key FROM ("
            f"SELECT source_row, row_key, row_number() OVER (PARTITION BY row_key ORDER BY source_row) AS copy FROM ("
            f"SELECT source_row, {key} AS row_key {mine} AND {digest} IN "
            f"(SELECT {digest} {mine} GROUP BY 1 HAVING count(*) > 1))) WHERE copy > 1"
        )
        self.store.execute(f"DELETE {mine} AND source_row IN (SELECT {quote('row')} FROM {staged.repeated})")
        return int(self.store.rows(f"SELECT count(*) {mine}")[0][0])

    def _replace(self, made: Plan, staged: Staged, import_id: int) -> int:
        """Remove rows of earlier imports whose key came again, and derived rows of the same id; returns the former."""
        table = f"store.{made.table}"
        mine = f"FROM {table} WHERE import_id = {import_id}"
        if not self.store.rows(f"SELECT 1 FROM {table} WHERE import_id <> {import_id} LIMIT 1"):
            return 0
        key, text = masters.KEYS.get(made.table), lines.stored_key(made.table)
        if key:
            derived = f"source = '{masters.DERIVED}' AND import_id <> {import_id} AND {key} IN (SELECT {key} {mine})"
            self.keeper.keep(made.table, derived, import_id)
        return self.keeper.keep(made.table, f"import_id <> {import_id} AND {text} IN (SELECT {text} {mine})", import_id)

    def _forget(self, made: Plan, import_id: int) -> int:
        """Keep those erased who were erased; returns how many master rows of them were refused."""
        refused, masked = erasure.forget_again(self.store, made.table, import_id)
        if refused or masked:
            self.warnings.append(
                f"{made.source.name}: {refused:,} records and {masked:,} rows belong to someone who was erased from "
                "this store: the records are refused, the rows anonymous"
            )
        if refused:
            self.refusals.erased(import_id, refused)
        return refused

    def _snapshot(self, made: Plan, staged: Staged, import_id: int) -> str | None:
        """Keep a dated export of deals for comparison; returns the SQL of its date, None where nobody says it."""
        if made.table != "deals":
            return None
        exported = snapshots.exported(self.store, made, staged, self.exported_on)
        if exported:
            staged.set_aside += snapshots.snapshot(self.store, staged, exported, import_id)
            return exported
        self.warnings += snapshots.undated(self.store, made, staged, self.first_id)
        return None

    def _settle(self) -> None:
        """Do what needs all files: resolve names, compare exports of deals, drop what is kept too long."""
        if self.stored_tables:
            self.warnings += masters.resolve_names(self.store, self.keeper, self.first_id, self.next_id - 1)
        if {"deals", "deal_events", "people"} & self.stored_tables.keys():
            for found in history.rebuild(self.store, self.keeper, self.timezone):
                self.warnings += [f"deals of {found.source}: {note}" for note in found.notes[1:]]
                outcome = self.stored_tables.get("deals")
                if outcome:
                    outcome.note += f"; history of {found.source}: {found.notes[0]}"
        self.keeper.finish()

    def _without_orders(self, plans: list[Plan]) -> list[str]:
        """Say how to count lines that are no orders, when the store has no orders at all."""
        said = [each.columns.get("txn_type", "") for each in plans if each.table == "transactions"]
        kinds = {each[1:] for each in said if each.startswith("=")}
        if not kinds or self.store.rows("SELECT 1 FROM store.transactions WHERE txn_type = 'order' LIMIT 1"):
            return []
        return [
            f"The lines are {' and '.join(sorted(kinds))} lines, and there are no orders: a review counts these. "
            'If they are orders, write txn_type = "=order" in the mapping of transactions.'
        ]

    def _leave_out(self, unknown: Unknown) -> None:
        rows = unknown.source.rows
        self.outcomes.append(_Outcome(unknown.source, None, read=rows, excluded=rows, note="not imported"))
        self.warnings.append(unknown.message)

    def _ledger(
        self,
        made: Plan,
        outcome: _Outcome,
        import_id: int,
        exported: str | None,
        before: set[str],
        profile: Mapping[str, Any],
    ) -> None:
        added = [each for each in self.store.columns(made.table) if each not in before]
        day = None
        if exported:
            query = f"SELECT max(exported_on) FROM store.deal_snapshots WHERE import_id = {import_id}"
            day = self.store.rows(query)[0][0]
        self.store.execute(
            "INSERT INTO store.imports (import_id, file, sheet, table_name, source, sha256, rows_read, rows_stored, "
            "rows_rejected, rows_excluded, rows_replaced, mapping, notes, imported_at, rows_derived, exported_on, "
            "profile, undo) "
            "VALUES ($id, $file, $sheet, $table, $source, $sha, $read, $stored, $rejected, $excluded, $replaced, "
            "$mapping, $notes, now()::TIMESTAMP, $derived, $day, $profile, $undo)",
            {
                "id": import_id, "file": made.source.title, "sheet": made.source.sheet, "table": made.table,
                "source": self.source or made.preset, "sha": _fingerprint(made), "read": outcome.read,
                "stored": outcome.stored, "rejected": outcome.rejected, "excluded": outcome.excluded,
                "replaced": outcome.replaced, "mapping": self._written(made), "notes": outcome.note,
                "derived": outcome.derived, "day": day, "profile": json.dumps(profile, ensure_ascii=False),
                "undo": json.dumps({"columns": {made.table: added}} if added else {}, ensure_ascii=False),
            },
        )  # fmt: skip

    def _report(self, rows: list[tuple[Any, ...]], plans: list[Plan]) -> ImportReport:
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(_FILE_COLUMNS)).astype(dict.fromkeys(COUNTS, "int64"))
        frame = frame.fillna({"sheet": "", "table": ""})
        if self.refusals.count > len(self.refusals.shown):
            self.warnings.append(
                f"{self.refusals.count:,} rows were refused; the report lists {len(self.refusals.shown):,} of them, "
                "the table rejected of the store and write_rejected all"
            )
        entries: dict[str, list[dict[str, Any]]] = {}
        for each in plans:
            entries.setdefault(each.table, []).append(each.entry())
        return ImportReport(
            files=frame,
            rejected=pd.DataFrame(self.refusals.shown, columns=list(_REJECTED_COLUMNS)),
            mapping={table: made[0] if len(made) == 1 else made for table, made in entries.items()},
            warnings=tuple(self.warnings),
            dry_run=self.dry_run,
            previews=tuple(self.previews),
            language=self.language,
            arguments=self.arguments,
            refused=tuple(self.refusals.whole),
        )


def _fingerprint(made: Plan) -> str:
    return "+".join(each.sha256 for each in (made.source, *made.joined))


def _mapping_line(made: Plan) -> str:
    used = (
        f"{column} ← {header.removeprefix('=')}{' (constant)' if header.startswith('=') else ''}"
        for column, header in made.columns.items()
    )
    return f"columns: {', '.join(used)}"


def _names_in(mapping: Mapping[str, Any]) -> Iterable[str]:
    for entry in mapping.values():
        for each in [entry] if isinstance(entry, Mapping) else entry:
            if isinstance(each, Mapping):
                yield from (value for value in each.values() if isinstance(value, str) and not value.startswith("="))
