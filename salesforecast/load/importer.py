"""Import files into a store: read, recognise, clean, check, store, in one transaction, with a report that adds up."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salesforecast import engine as engines
from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load import files, joins, masters, presets, staging
from salesforecast.load.files import Source
from salesforecast.load.mapping import Plan, Unknown, plan
from salesforecast.load.presets import normalise
from salesforecast.load.report import COUNTS, ImportReport, Refused
from salesforecast.load.staging import Staged
from salesforecast.settings import Settings, locate, settings_of

_FILE_COLUMNS = ("file", "sheet", "table", *COUNTS, "note")
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
    dry_run: bool = False,
) -> ImportReport:
    r"""Import exported files into a store and say what was done.

    `paths` are files, folders or patterns (CSV, also gzipped, xlsx, xls); `into` is the store, made when it is missing.
    Tables and columns are recognised from the headers with the aliases of `preset`; `mapping` settles what they leave
    open (see `salesforecast.load.mapping`). `source` names the system, by which later files replace rows of the same
    key; it defaults to the preset. `settings` (by default those of the store) give the time zone of the times in the
    files. With `dry_run=True` nothing is stored. Relative paths are looked for in the working directory, then in its
    parents.

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
    timezone = settings_of(into, settings).timezone
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
                return _Import(store, found, preset, mapping, source, timezone, arguments, dry_run).run()
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
    ) -> None:
        self.store, self.paths, self.preset, self.mapping = store, paths, preset, mapping
        self.source, self.timezone, self.arguments, self.dry_run = source, timezone, arguments, dry_run
        self.aliases = presets.load(preset)
        self.outcomes: list[_Outcome] = []
        self.rejected: list[tuple[Any, ...]] = []
        self.refused: list[Refused] = []
        self.warnings: list[str] = []
        self.next_id = 1 + (store.rows("SELECT max(import_id) FROM store.imports")[0][0] or 0)

    def run(self) -> ImportReport:
        sources = self._read()
        plans, unknown = plan(self.store, sources, self.preset, self.mapping)
        if not plans:
            raise BadInput(unknown[0].message if unknown else "Nothing to import.")
        staged = [self._stage(each, number) for number, each in enumerate(plans)]
        try:
            with self.store.transaction():
                for each, made in zip(plans, staged, strict=True):
                    self._store(each, made)
                self.warnings += masters.resolve_names(self.store)
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
            for source in files.read(self.store, path, title, number, known)
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
        return staging.stage(self.store, made, self.aliases, number, self.source or made.preset, self.timezone)

    def _written(self, made: Plan) -> str:
        return json.dumps({**made.entry(), "source": self.source or made.preset}, ensure_ascii=False, sort_keys=True)

    def _store(self, made: Plan, staged: Staged | None) -> None:
        if staged is None:
            return
        outcome = _Outcome(made.source, made.table, read=made.source.rows)
        counts = self.store.rows(
            "SELECT count(*) FILTER (problem IS NULL AND NOT total), count(*) FILTER (problem IS NOT NULL), "
            f"count(*) FILTER (total) FROM {staged.relation}"
        )[0]
        outcome.stored, outcome.rejected, outcome.excluded = counts
        outcome.rejected += len(made.source.ragged)
        import_id, self.next_id = self.next_id, self.next_id + 1
        self._refuse(made, staged)
        outcome.replaced = self._insert(made, staged, import_id)
        outcome.derived = masters.derive(self.store, staged, import_id)
        notes = [made.why, _mapping_line(made), *staged.notes]
        if made.source.blank_rows:
            notes.append(f"{made.source.blank_rows} blank rows skipped")
        outcome.note = "; ".join(notes)
        self._ledger(made, outcome, import_id)
        self.outcomes.append(outcome)
        self.warnings += [
            f"{made.source.name}: {note}" for note in staged.notes
            if any(word in note for word in ("not read", "includes tax", "left out:", "two-digit"))
        ]  # fmt: skip
        if outcome.rejected and not outcome.stored:
            _, row, _, column, _, value, message = self.rejected[-1]
            raise BadInput(
                f"{made.source.name}: no row can be stored as {made.table}, all {outcome.rejected:,} are refused; the "
                f"last, row {row}, because {column or 'it'} {value!r}: {message}. Correct the file, map another column "
                "or leave the file out."
            )
        for number, other in enumerate(made.joined):
            used = joins.matched(self.store, made, number)
            self.outcomes.append(
                _Outcome(
                    other, f"({made.table})", read=other.rows, stored=used, rejected=len(other.ragged),
                    excluded=other.rows - used - len(other.ragged), note=f"joined to {made.source.name}",
                )
            )  # fmt: skip
            self._ragged(other, made.table)

    def _insert(self, made: Plan, staged: Staged, import_id: int) -> int:
        """Store the good rows in place of those with the same key; returns how many had one."""
        table = f"store.{made.table}"
        present = set(self.store.columns(made.table))
        for name in staged.extra:
            if name not in present:
                self.store.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} VARCHAR")
        good = f"{staged.relation} WHERE problem IS NULL AND NOT total"
        same = f"row_key IN (SELECT row_key FROM {good})"
        key = masters.KEYS.get(made.table)
        if key:
            self.store.execute(
                f"DELETE FROM {table} WHERE source = '{masters.DERIVED}' AND {key} IN (SELECT {key} FROM {good})"
            )
        replaced = self.store.rows(f"SELECT count(*) FROM {table} WHERE {same}")[0][0]
        if replaced:
            self.store.execute(f"DELETE FROM {table} WHERE {same}")
        columns = [*staged.columns, *staged.extra]
        provenance = {
            "source": literal(staged.source), "source_file": literal(made.source.name), "source_row": quote("row"),
            "import_id": str(import_id), "row_key": "row_key",
        }  # fmt: skip
        names = ", ".join(quote(each) for each in (*columns, *provenance))
        values = ", ".join([*(quote(each) for each in columns), *provenance.values()])
        self.store.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {good} ORDER BY {quote('row')}")
        return int(replaced)

    def _refuse(self, made: Plan, staged: Staged) -> None:
        """Collect the rejected rows with their reasons and their original cells."""
        if staged.checks:
            line = "s.line_no" if made.table == "transactions" else "NULL"
            cells = ", ".join(f"r.c{each}" for each in range(len(made.source.headers)))
            found = self.store.rows(
                f"SELECT s.{quote('row')}, s.problem, s.problem_value, {line}, {cells} "
                f"FROM {staged.relation} AS s JOIN {made.source.relation} AS r USING ({quote('row')}) "
                f"WHERE s.problem IS NOT NULL ORDER BY 1"
            )
            # A line keeps its number, or the corrected row would take the place of the first line of its order.
            numbered = made.table == "transactions" and "line_no" not in made.columns and "order_id" in made.columns
            rows = []
            for row, problem, value, line_no, *originals in found:
                check = staged.checks[problem]
                self.rejected.append(
                    (made.source.name, row, made.table, check.column, check.rule, value, check.message)
                )
                number = [line_no] if numbered else []
                rows.append((*originals, *number, row, check.column, check.rule, value, check.message))
            if rows:
                headers = (*made.source.headers, *(["line_no"] if numbered else []))
                self.refused.append(Refused(made.source.name, headers, tuple(rows)))
        self._ragged(made.source, made.table)

    def _ragged(self, source: Source, table: str) -> None:
        width = len(source.headers)
        for row, cells in source.ragged:
            message = f"the row has {len(cells)} cells, the header {width}"
            self.rejected.append((source.name, row, table, None, "ragged", "|".join(cells)[:200], message))

    def _without_orders(self, plans: list[Plan]) -> list[str]:
        """Say how to count lines that are no orders, when the store has no orders at all."""
        kinds = {each.columns.get("txn_type", "")[1:] for each in plans if each.table == "transactions"}
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

    def _ledger(self, made: Plan, outcome: _Outcome, import_id: int) -> None:
        self.store.execute(
            "INSERT INTO store.imports VALUES ($id, $file, $sheet, $table, $source, $sha, $read, $stored, $rejected, "
            "$excluded, $replaced, $mapping, $notes, now()::TIMESTAMP)",
            {
                "id": import_id, "file": made.source.title, "sheet": made.source.sheet, "table": made.table,
                "source": self.source or made.preset, "sha": _fingerprint(made), "read": outcome.read,
                "stored": outcome.stored, "rejected": outcome.rejected, "excluded": outcome.excluded,
                "replaced": outcome.replaced, "mapping": self._written(made), "notes": outcome.note,
            },
        )  # fmt: skip
        own = [row for row in self.rejected if row[0] == made.source.name and row[2] == made.table]
        if own:
            import pandas as pd

            frame = pd.DataFrame(own, columns=list(_REJECTED_COLUMNS)).astype({"row": "int64"})
            self.store.register("refused_rows", frame)
            self.store.execute(f"INSERT INTO store.rejected SELECT {import_id}, * FROM refused_rows")

    def _report(self, rows: list[tuple[Any, ...]], plans: list[Plan]) -> ImportReport:
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(_FILE_COLUMNS)).astype(dict.fromkeys(COUNTS, "int64"))
        frame = frame.fillna({"sheet": "", "table": ""})
        entries: dict[str, list[dict[str, Any]]] = {}
        for each in plans:
            entries.setdefault(each.table, []).append(each.entry())
        return ImportReport(
            files=frame,
            rejected=pd.DataFrame(self.rejected, columns=list(_REJECTED_COLUMNS)),
            mapping={table: made[0] if len(made) == 1 else made for table, made in entries.items()},
            warnings=tuple(self.warnings),
            dry_run=self.dry_run,
            arguments=self.arguments,
            refused=tuple(self.refused),
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
