"""Spreadsheets (xlsx, xls, xlsb, ods) as all-text relations, one per visible sheet that holds a table.

The parser runs in a process of its own (`workbook_process.py`) with limits on memory and time: a file made to break it
breaks nothing else. Formulas are never computed; the values are those that were saved with the file.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from salesforecast.engine import Engine
from salesforecast.errors import BadInput
from salesforecast.load import workbook_process
from salesforecast.load.archives import check_archive
from salesforecast.load.headers import find_header
from salesforecast.load.periods import span_of
from salesforecast.load.records import HEADER_SEARCH_ROWS, Source, load_records, stamp_of
from salesforecast.settings import ImportLimits

_TALLEST = 6  # rows of a header
SHEET_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_NUMBER = re.compile(r"[-+(]?[¥￥$€£]?\s?[\d,.]+\s?[万亿%kKmM]?\)?")
_CODED = re.compile(r"(id|no|number|code|key|编号|编码|工号|代码|号|年份?|year|月份?|month)\.?$", re.IGNORECASE)


def read_sheets(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    limits: ImportLimits | None = None,
) -> list[Source]:
    """Load every visible sheet with a header and a row; what is left out is said in the notes of the first one.

    A header over two rows (merged cells) becomes one; a label merged over several rows holds for each of them. Raises
    `BadInput` for a file that cannot be opened, is protected, is larger than `limits`, or has no such sheet.
    """
    limits = limits or ImportLimits()
    stamp = stamp_of(path)
    check_archive(path, limits)
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as folder:
        found = _parsed(path, Path(folder), limits)
        sources: list[Source] = []
        left: list[str] = []
        reasons: list[BadInput] = []
        for each in found["sheets"]:
            if not each["visible"]:
                left += (
                    [f"sheet {each['name']!r} left out: it is hidden ({each['rows']:,} rows)"] if each["rows"] else []
                )
            elif each["rows"] == 1:
                left.append(f"sheet {each['name']!r} left out: it has one row")
            elif each["rows"]:
                sheet = _Sheet(each["name"], Path(folder) / f"{each['number']}.csv", each["merged"])
                try:
                    sources.append(sheet.load(engine, path, title, f"{number}_{each['number']}", known))
                except BadInput as error:
                    reasons.append(error)
                    left.append(f"sheet {each['name']!r} left out: {error}")
    if not sources and len(reasons) == 1 == len(left):
        raise reasons[0]
    if not sources:
        raise BadInput(
            f"{path.name} has no sheet with a header and at least one row{''.join(f'; {each}' for each in left)}. "
            f"{'Show the hidden sheet and save it' if 'is hidden' in ''.join(left) else 'Export it'} again."
        )
    for name, count in found["errors"].items():
        left.append(f"{count:,} cells with the error {name} are not read")
    sources[0] = replace(sources[0], notes=(*sources[0].notes, *left))
    sources = [replace(each, stamp=stamp) for each in sources]
    sources[0].check_unchanged()
    return sources


def _parsed(path: Path, folder: Path, limits: ImportLimits) -> dict[str, Any]:
    """Let the other process read the workbook into `folder`."""
    command = [sys.executable, "-P", str(Path(workbook_process.__file__)), str(path.resolve()), str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own file
            [*command, limits.model_dump_json()], capture_output=True, timeout=limits.workbook_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise BadInput(
            f"{path.name} took longer than {limits.workbook_seconds} seconds to open (workbook_seconds in [import] of "
            "salesforecast.toml). Save it as CSV."
        ) from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        memory = b"memory" in done.stderr or b"alloc" in done.stderr
        reason = f"it needs more than {limits.workbook_mb:,} MB of memory" if memory else "it breaks the reader"
        raise BadInput(
            f"{path.name} cannot be opened as a spreadsheet: {reason}. Delete what stands far right of and below the "
            "table (Ctrl+End shows it), or save it as CSV."
        ) from None
    if "error" in found:
        raise BadInput(f"{path.name} {found['error']}")
    return found


@dataclass(frozen=True)
class _Sheet:
    """The cells of one sheet in a CSV file, and which of them are merged: first row, first column, last of both."""

    name: str
    cells: Path
    merged: Sequence[Sequence[int]]

    def load(self, engine: Engine, path: Path, title: str, number: str, known: Callable[[str], bool]) -> Source:
        before = csv.field_size_limit(sys.maxsize)
        try:
            with self.cells.open(encoding="utf-8", newline="") as file:
                records = csv.reader(file)
                head = list(islice(records, HEADER_SEARCH_ROWS))
                titles = {first for first, left, _, right in self.merged if right > left}
                seen = [
                    [] if row in titles and sum(bool(cell.strip()) for cell in record) == 1 else record
                    for row, record in enumerate(head)
                ]
                position = find_header(seen if any(map(any, seen)) else head, known, f"{path.name}, sheet {self.name}")
                position = self._one_header(head, position)
                filled = self._filled(chain(head, records), position, head[position])
                return load_records(
                    engine, path, title, self.name, number, filled, known, encoding=None, header=position
                )
        finally:
            csv.field_size_limit(before)

    def _one_header(self, head: list[list[str]], position: int) -> int:
        """Make one header of the rows that merged cells make one of; returns its index.

        A column is called by its lowest cell, after its group where several are called so. Periods over columns stay
        as they are, for `wide.py`.
        """
        top, bottom = self._block(head, position)
        if top == bottom or bottom >= len(head):
            return position
        width = max(len(head[row]) for row in range(top, bottom + 1))
        rows = [[*head[row], *[""] * (width - len(head[row]))] for row in range(top, bottom + 1)]
        for first, left, last, right in self.merged:
            if top <= first <= last < bottom:  # what stands over others is their group
                rows[first - top][left : right + 1] = [rows[first - top][left]] * (right + 1 - left)
        if any(span_of(cell) for row in rows for cell in row if cell.strip()):
            return position
        parts = [
            list(dict.fromkeys(cell.strip() for cell in column if cell.strip())) for column in zip(*rows, strict=True)
        ]
        times = Counter(each[-1] for each in parts if each)
        head[bottom] = [
            "" if not each else " ".join(each[-2:]) if times[each[-1]] > 1 or each[-1][0] in "(（[" else each[-1]
            for each in parts
        ]
        return bottom

    def _block(self, head: list[list[str]], position: int) -> tuple[int, int]:
        """Return the first and the last row of the header."""
        over = [
            each for each in self.merged if each[0] <= position <= each[2] < each[0] + _TALLEST and each[2] > each[0]
        ]
        if over:
            return min(each[0] for each in over), max(each[2] for each in over)
        groups = [each for each in self.merged if each[0] == each[2] == position - 1 and each[3] > each[1]]
        # One cell over most of the width is a title.
        if len(groups) > 1 or any((each[3] - each[1] + 1) * 2 <= len(head[position]) for each in groups):
            return position - 1, position
        return position, position

    def _filled(self, records: Iterator[list[str]], position: int, header: list[str]) -> Iterator[list[str]]:
        """Repeat labels that are merged over several rows below the header; numbers stand for all rows together."""
        open_until: dict[int, tuple[int, str]] = {}
        starts: dict[int, list[tuple[int, int]]] = {}
        for first, column, last, right in self.merged:
            if first > position and last > first and column == right:
                starts.setdefault(first, []).append((column, last))
        for row, record in enumerate(records):
            for column, last in starts.get(row, ()):
                text = record[column] if column < len(record) else ""
                if text and (not _NUMBER.fullmatch(text) or _CODED.search(header[column].strip())):
                    open_until[column] = (last, text)
            for column, (last, text) in list(open_until.items()):
                if row > last:
                    del open_until[column]
                elif not record[column].strip():
                    record[column] = text
            yield record
