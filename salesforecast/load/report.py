"""What an import did: a frozen value that adds up, reads well, and can be repeated or corrected."""

from __future__ import annotations

import csv
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.engine import Engine, literal
from salesforecast.errors import BadInput
from salesforecast.load import recipes
from salesforecast.load.preview import Preview, answers, table
from salesforecast.load.staging import REJECT_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("read", "stored", "rejected", "excluded", "replaced", "derived")
SHOWN_REJECTED = 5
KEPT_IN_MEMORY = 10_000


@dataclass(frozen=True)
class Refused:
    """The rejected rows of one file as they were: its headers and, per row, cells and reason columns.

    Many rows are not in `rows` but in the CSV file `kept`, which lives as long as this value.
    """

    file: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    kept: Path | None = None

    @staticmethod
    def of(store: Engine, file: str, headers: tuple[str, ...], query: str, count: int) -> Refused:
        """Return the rows of a query, in memory when they are few."""
        if count <= KEPT_IN_MEMORY:
            return Refused(file, headers, tuple(store.rows(query)))
        folder = tempfile.mkdtemp(prefix="salesforecast-")
        path = Path(folder) / "refused.csv"
        store.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT csv, HEADER false)")
        refused = Refused(file, headers, kept=path)
        weakref.finalize(refused, shutil.rmtree, folder, ignore_errors=True)
        return refused


@dataclass(frozen=True)
class ImportReport:
    """What was imported, from where, and what was not.

    `files`: one row per file or sheet and table: file, sheet, table, read, stored, rejected, excluded (total rows, rows
    of files that are no table, rows of joined files without lines), replaced (stored rows that took the place of an
    earlier one), derived (customers, products and people filled from lines), note. For each row
    read = stored + rejected + excluded. `rejected`: one row per refused row: file, row (as a spreadsheet numbers it),
    table, column, rule, value, message. `mapping` is what was used, in the notation of `import_files(mapping=…)`.
    """

    files: pd.DataFrame
    rejected: pd.DataFrame
    mapping: Mapping[str, Any]
    warnings: Sequence[str]
    dry_run: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    refused: Sequence[Refused] = field(default=(), repr=False)
    previews: Sequence[Preview] = field(default=(), repr=False)
    language: str = "en"

    def summary(self) -> str:
        """Return one line: how many files and rows, and how many rows were refused."""
        counts = {name: int(self.files[name].sum()) for name in COUNTS}
        done = "would be stored" if self.dry_run else "stored"
        text = (
            f"{self.files['file'].nunique()} files: {counts['read']:,} rows read, {counts['stored']:,} {done}, "
            f"{counts['rejected']:,} rejected, {counts['excluded']:,} excluded"
        )
        text += f"; {counts['replaced']:,} replaced earlier rows" if counts["replaced"] else ""
        return text + (f"; {len(self.warnings)} warnings" if self.warnings else "") + "."

    def __str__(self) -> str:
        lines = [self.summary(), ""]
        shown = self.files[["file", "sheet", "table", *COUNTS]].astype(object).fillna("")
        lines += shown.to_string(index=False).splitlines()
        for each in self.previews:
            lines += ["", each.text(self.language)]
        for row in self.files.itertuples():
            if parts := self._notes(row.note):
                lines += ["", f"{_called(row)} → {row.table or 'not imported'}", *(f"  {part}" for part in parts)]
        lines += ["", *(f"Warning: {each}" for each in self.warnings)] if self.warnings else []
        if len(self.rejected):
            lines += [
                "",
                f"Rejected rows ({len(self.rejected):,}), the first {min(SHOWN_REJECTED, len(self.rejected))}:",
            ]
            for row in self.rejected.head(SHOWN_REJECTED).itertuples():
                lines.append(f"  {row.file} row {row.row}, {row.column} {row.value!r}: {row.message}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        counts = self.files.drop(columns=["note"], errors="ignore")
        parts = [f"<p>{escape(self.summary())}</p>", _table(counts)]
        parts += [each.html(self.language) for each in self.previews]
        for row in self.files.to_dict("records"):
            parts.append(_mapped({**row, "note": "; ".join(self._notes(row["note"]))}))
        if self.warnings:
            parts.append("<ul>" + "".join(f"<li>{escape(each)}</li>" for each in self.warnings) + "</ul>")
        if len(self.rejected):
            parts.append(f"<p>Rejected rows ({len(self.rejected):,})</p>{_table(self.rejected.head(20))}")
        return "".join(parts)

    def _notes(self, note: str) -> list[str]:
        """Return what is to be said of a file; a preview has said the columns already."""
        parts = [part for part in (note or "").split("; ") if part]
        return [part for part in parts if not (self.previews and part.startswith("columns: "))]

    def edit(self) -> str:
        """Return the mapping as a table of text to edit; in a notebook it also comes as a new cell below.

        Running that cell keeps the answer (`keep_mapping`) for this import and the next. Raises `BadInput` for a report
        that is no dry run.
        """
        if not self.previews:
            raise BadInput("Only a dry run can be edited: report = import_files(…, dry_run=True).")
        text = table(self.previews, self.language)
        try:
            from IPython import get_ipython
        except ImportError:
            return text
        shell = get_ipython()
        if shell is not None and hasattr(shell, "set_next_input"):
            shell.set_next_input(f'preview.keep_mapping(r"""\n{text}\n""")')
        return text

    def keep_mapping(self, text: str) -> list[Path]:
        """Keep an edited table of `edit` as `mappings/*.toml` beside the store; returns the files written.

        The next import of files with the same headers uses it. Raises `BadInput` or `UnknownName` that name the line.
        """
        folder = Path(str(self.arguments["into"])).parent
        found = answers(text, self.previews)
        return [recipes.keep(folder, each.file, each.headers, name, entry) for each, name, entry in found]

    def save_recipe(self, path: str | Path) -> Path:
        """Write files, preset and mapping as TOML, to be repeated with `salesforecast import --recipe`."""
        return recipes.save(path, {**self.arguments, "mapping": self.mapping})

    def write_rejected(self, path: str | Path) -> list[Path]:
        """Write the rejected rows with their original columns and the reasons; returns the files written.

        One CSV (UTF-8 with BOM, so that Excel opens it) per source file; with several, the name of the source is
        added to the name of the file. Correct the cells and import the file: the reason columns are ignored.
        """
        path = Path(path)
        written = []
        for each in self.refused:
            name = Path(each.file.replace("#", "-").replace("/", "-")).stem
            target = path if len(self.refused) == 1 else path.with_name(f"{path.stem}-{name}{path.suffix}")
            with target.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([*each.headers, *REJECT_COLUMNS])
                writer.writerows(each.rows)
                if each.kept is not None:
                    file.flush()
                    with each.kept.open(encoding="utf-8", newline="") as rows:
                        shutil.copyfileobj(rows, file)
            written.append(target)
        return written


def _called(row: Any) -> str:
    return row.file if not row.sheet else f"{row.file}#{row.sheet}"


def _mapped(row: dict[str, Any]) -> str:
    """Return what was made of one file, folded away under its name."""
    lines = "".join(f"<li>{escape(each)}</li>" for each in str(row.get("note") or "").split("; ") if each)
    name = escape(f"{row['file']} → {row['table']}")
    return f"<details><summary>{name}</summary><ul>{lines}</ul></details>"


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(column))}</th>" for column in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in frame.astype(object).where(frame.notna(), "").itertuples(index=False)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
