"""A process of its own that reads one workbook: what breaks the parser, or fills its memory, ends this process only.

`sheets.py` runs this file by its path, so that nothing of the package is imported. Every sheet becomes one CSV file of
text cells; the JSON on standard output says what is in them.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

_ERROR = re.compile(rb'\bt="e"[^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]{0,9000}</f>)?<v>([^<]{1,20})<')
_BLOCK, _OVERLAP = 1 << 22, 10_000


def main(path: str, folder: str, limits: dict[str, int]) -> dict[str, Any]:
    """Write `folder`/N.csv for each sheet; returns the sheets or `error`, a text for the user."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

    sheets: list[dict[str, Any]] = []
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            for number, each in enumerate(workbook.sheets_metadata):
                if each.typ != SheetTypeEnum.WorkSheet:
                    continue
                visible = each.visible == SheetVisibleEnum.Visible
                sheet: dict[str, Any] = {"name": each.name, "number": number, "visible": visible}
                sheets.append(sheet | _write(workbook, each.name, Path(folder) / f"{number}.csv", limits))
    except PasswordError:
        return {"error": "is protected by a password. Save it without one."}
    except (CalamineError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return {"error": f"cannot be opened as a spreadsheet: {reason}. Save it again as xlsx."}
    except _TooLarge as error:
        return {"error": str(error)}
    return {"sheets": sheets, "errors": _errors(path)}


def _errors(path: str) -> dict[str, int]:
    """Count the cells of an xlsx that hold an error such as #REF!, which calamine gives as empty ones."""
    found: Counter[str] = Counter()
    if not zipfile.is_zipfile(path):
        return found
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not re.search(r"worksheets/[^/]*\.xml$", name):
                continue
            with archive.open(name) as file:
                before = b""
                while block := file.read(_BLOCK):
                    window = before + block
                    end = 0
                    for match in _ERROR.finditer(window):
                        found[match[1].decode("utf-8", "replace")] += 1
                        end = match.end()
                    before = window[max(end, len(window) - _OVERLAP) :]
    return found


def _write(workbook: Any, name: str, path: Path, limits: dict[str, int]) -> dict[str, Any]:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.end is None:
        return {"rows": 0, "merged": []}
    (first_row, first_column), (last_row, last_column) = sheet.start, sheet.end
    if last_row - first_row >= limits["rows"] or last_column - first_column >= limits["columns"]:
        raise _TooLarge(
            f"has {last_row + 1:,} rows and {last_column + 1:,} columns in sheet {name!r}, over the limits of "
            f"{limits['rows']:,} and {limits['columns']:,} (rows, columns in [import] of salesforecast.toml)."
        )
    filled = 0
    left = [""] * first_column  # the rows begin at the first column in use
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in sheet.iter_rows():
            cells = [text_of(cell) for cell in row]
            longest = max(map(len, cells), default=0)
            if longest > limits["cell_characters"]:
                raise _TooLarge(
                    f"has a cell of {longest:,} characters in sheet {name!r}, over the limit of "
                    f"{limits['cell_characters']:,} (cell_characters in [import] of salesforecast.toml)."
                )
            filled += any(cell.strip() for cell in cells)
            writer.writerow([*left, *cells])
    merged = [[*begin, *end] for begin, end in sheet.merged_cell_ranges or ()]
    return {"rows": filled, "merged": merged}


def text_of(cell: Any) -> str:
    """Return a spreadsheet cell as the text a CSV export would hold; whole numbers have no decimals."""
    if isinstance(cell, str):
        return cell.replace("\0", "")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        # Excel keeps times as fractions of a day, which miss the second by some microseconds.
        cell = (cell + dt.timedelta(milliseconds=500)).replace(microsecond=0) if cell.year < 9999 else cell
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


class _TooLarge(Exception):
    pass


if __name__ == "__main__":
    path, folder, given = sys.argv[1:]
    limits = json.loads(given)
    try:
        import resource
    except ImportError:  # Windows has no such limit; its time is limited all the same
        pass
    else:
        size = limits["workbook_mb"] << 20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = main(path, folder, limits)
    except MemoryError:
        found = {"error": "needs more memory than workbook_mb in [import] of salesforecast.toml allows."}
    json.dump(found, sys.stdout)
