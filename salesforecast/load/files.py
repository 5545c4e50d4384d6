"""Exported files as all-text relations: delimited text in the encodings CRMs write, and spreadsheets.

Nothing is interpreted here. Every sheet or file becomes a temporary table with the column `row` (its row as a
spreadsheet shows it, header included) and one text column `c0, c1, …` per header, so that no header ever becomes SQL.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import glob
import gzip
import hashlib
import io
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.settings import locate

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SHEET_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
DELIMITERS = (",", "\t", ";", "|")
HEADER_SEARCH_ROWS = 30
# A quote that is never closed swallows the rest of a file; a real cell does not span this many lines.
LONGEST_CELL_LINES = 1000


@dataclass(frozen=True)
class Source:
    """One file or sheet, readable as `relation`; `ragged` holds rows that do not fit the header."""

    path: Path
    title: str
    sheet: str | None
    headers: tuple[str, ...]
    header_row: int
    relation: str
    rows: int
    blank_rows: int
    sha256: str
    encoding: str | None
    ragged: tuple[tuple[int, tuple[str, ...]], ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The title of the file, with `#sheet` for a workbook.

        >>> Source(Path("a/b.xls"), "b.xls", "Orders", ("x",), 1, "r", 0, 0, "", None).name
        'b.xls#Orders'
        """
        return self.title if self.sheet is None else f"{self.title}#{self.sheet}"

    @property
    def stem(self) -> str:
        """The file name without folder and endings.

        >>> Source(Path("a/orders.csv.gz"), "orders.csv.gz", None, ("x",), 1, "r", 0, 0, "", None).stem
        'orders'
        """
        return self.path.name.split(".")[0] if self.path.name.endswith(".gz") else self.path.stem

    @property
    def words(self) -> str:
        """What the names of file and sheet say, in lower case, as evidence of what is in it."""
        return f"{self.stem} {self.sheet or ''}".lower()


def discover(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the files that files, folders and globs stand for, each once, in a stable order.

    A folder gives its own tables, not those of its subfolders. Raises `BadInput` for a path that leads to nothing.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: dict[Path, None] = {}
    for each in given:
        path = locate(each)
        if path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if file.is_file() and is_table_file(file)]
            if not inside:
                raise BadInput(f"No tables in folder {path}. Expected files ending in {_endings()}.")
        elif path.is_file():
            inside = [path]
        else:
            inside = [Path(match) for match in sorted(glob.glob(str(each)))]  # noqa: PTH207
            inside = [file for file in inside if file.is_file()]
            if not inside:
                raise BadInput(f"No file at {path}. Give existing files, folders or patterns such as exports/*.csv.")
        found.update(dict.fromkeys(inside))
    if not found:
        raise BadInput("No files to import. Give at least one file, folder or pattern.")
    return list(found)


def titles(paths: Sequence[Path]) -> list[str]:
    """Return what to call each file: its name, with its folder where two files share the name.

    >>> titles([Path("2026-09/orders.csv"), Path("2026-10/orders.csv"), Path("people.csv")])
    ['2026-09/orders.csv', '2026-10/orders.csv', 'people.csv']
    """
    times = Counter(path.name for path in paths)
    return [path.name if times[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in paths]


def is_table_file(path: Path) -> bool:
    """Say whether a file in a folder is taken for a table: by its ending, temporary files of Excel left out.

    >>> [is_table_file(Path(name)) for name in ("订单.csv", "~$订单.xlsx", "notes.md")]
    [True, False, False]
    """
    name = path.name.lower()
    return name.endswith((*TEXT_SUFFIXES, *SHEET_SUFFIXES)) and not name.startswith(("~$", "."))


def read(engine: Engine, path: Path, title: str, number: int, known: Callable[[str], bool]) -> list[Source]:
    """Load one file into temporary tables named after `number`; `known` says whether a text is a known header.

    Raises `BadInput` for a file that is empty, has a header only, or cannot be decoded or opened.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise BadInput(f"{path.name} is empty. Export it again.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _read_sheets(engine, path, title, number, known)
    if path.name.lower().endswith(SHEET_SUFFIXES):
        raise BadInput(f"{path.name} is not a spreadsheet, whatever its ending says. Export it again as xlsx or CSV.")
    try:
        return [_read_text(engine, path, title, number, known)]
    except (EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{path.name} is damaged: {error}. Export it again.") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encoding_of(path: Path) -> str:
    """Return the encoding a text file is read with: utf-8-sig, utf-16, utf-8 or gb18030.

    GB18030 decodes almost anything, so it is accepted only if what comes out reads as Chinese. Raises `BadInput`
    that names the encodings tried.
    """
    with _bytes(path) as file:
        start = file.read(4)
    if start.startswith(codecs.BOM_UTF8):
        candidates: tuple[str, ...] = ("utf-8-sig",)
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ("utf-16",)
    else:
        candidates = ("utf-8", "gb18030")
    problem: UnicodeDecodeError | None = None
    for encoding in candidates:
        try:
            sample = _decode_all(path, encoding)
        except UnicodeDecodeError as error:
            problem = problem or error
        else:
            if encoding != "gb18030" or reads_as_chinese(sample):
                return encoding
    detail = f"byte 0x{problem.object[problem.start]:02X} is not valid" if problem else "the text is not Chinese"
    raise BadInput(
        f"{path.name} is not readable as {' or '.join(candidates)} ({detail} there). "
        "Save it as 'CSV UTF-8' and import it again."
    )


def reads_as_chinese(text: str) -> bool:
    """Say whether text decoded as GB18030 is plausible Chinese: nearly all of it in GB2312, mostly its common half.

    Western text decoded as GB18030 gives rare characters outside GB2312.

    >>> reads_as_chinese("地区,地区经理 东北,楚杰"), reads_as_chinese("München".encode("cp1252").decode("gb18030"))
    (True, False)
    """
    seen = Counter(character for character in text if ord(character) > 127)
    total = sum(seen.values())
    common = plain = 0
    for character, times in seen.items():
        encoded = character.encode("gb18030")
        if len(encoded) == 2 and encoded[1] >= 0xA1 and 0xA1 <= encoded[0] <= 0xF7:
            plain += times
            common += times if encoded[0] <= 0xA3 or 0xB0 <= encoded[0] <= 0xD7 else 0
    return total > 0 and plain >= 0.9 * total and common >= 0.6 * total


def find_header(rows: Sequence[Sequence[str]], known: Callable[[str], bool]) -> int:
    """Return the index of the header among the first rows: most known headers, else the first full row.

    >>> find_header([["销售报表"], [], ["日期", "金额"], ["2026-01-05", "3"]], {"日期", "金额"}.__contains__)
    2
    """
    scores = [sum(bool(cell.strip()) and known(cell) for cell in row) for row in rows]
    if max(scores, default=0) >= 2:
        return scores.index(max(scores))
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    usual = Counter(count for count in filled if count).most_common(1)[0][0]
    return next(position for position, count in enumerate(filled) if count >= usual)


def _endings() -> str:
    return ", ".join((*TEXT_SUFFIXES[:2], ".csv.gz", *SHEET_SUFFIXES[:2]))


def _bytes(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _decode_all(path: Path, encoding: str) -> str:
    """Decode the whole file strictly, block by block, and return its beginning."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    sample = ""
    with _bytes(path) as file:
        while block := file.read(1 << 20):
            text = decoder.decode(block)
            if len(sample) < 1 << 16:
                sample += text[: 1 << 16]
        decoder.decode(b"", final=True)
    return sample


def _read_text(engine: Engine, path: Path, title: str, number: int, known: Callable[[str], bool]) -> Source:
    encoding = encoding_of(path)
    with _bytes(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        lines = (line.replace("\0", "") if "\0" in line else line for line in text)
        head = list(islice(lines, HEADER_SEARCH_ROWS * 2))
        delimiter = _delimiter(head)
        reader = csv.reader(_chain(head, lines), delimiter=delimiter)
        return _load(engine, path, title, None, number, _records(reader, path), known, encoding=encoding)


def _chain(head: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from rest


def _records(reader: Any, path: Path) -> Iterator[list[str]]:
    line = 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(f"{path.name}: line {reader.line_num} cannot be read ({error}). Export it again.") from None
        if reader.line_num - line > LONGEST_CELL_LINES:
            raise BadInput(f"{path.name}: a quote opened on line {line + 1} is never closed. Export it again.")
        line = reader.line_num
        yield record


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts most of the lines into the same number of cells."""
    best = (0, 0, ",")
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if any(row))
        width, times = max(
            ((width, times) for width, times in widths.items() if width > 1),
            key=lambda each: (each[1], each[0]),
            default=(0, 0),
        )
        if (times, width) > best[:2]:
            best = (times, width, delimiter)
    return best[2]


def _read_sheets(engine: Engine, path: Path, title: str, number: int, known: Callable[[str], bool]) -> list[Source]:
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    sources = []
    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            sheets = [
                each.name
                for each in workbook.sheets_metadata
                if each.typ == SheetTypeEnum.WorkSheet and each.visible == SheetVisibleEnum.Visible
            ]
            for position, sheet in enumerate(sheets):
                cells = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
                records = [[_cell_text(cell) for cell in row] for row in cells]
                if sum(any(cell.strip() for cell in row) for row in records) < 2:
                    continue  # an empty sheet, or a title alone
                name = f"{number}_{position}"
                sources.append(_load(engine, path, title, sheet, name, iter(records), known, encoding=None))
    except (CalamineError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path.name} cannot be opened as a spreadsheet: {reason}. Save it again as xlsx.") from None
    if not sources:
        raise BadInput(f"{path.name} has no sheet with a header and at least one row. Export it again.")
    return sources


def _cell_text(cell: Any) -> str:
    """Return a spreadsheet cell as the text a CSV export would hold; whole numbers have no decimals."""
    if isinstance(cell, str):
        return cell.replace("\0", "")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


def _load(
    engine: Engine,
    path: Path,
    title: str,
    sheet: str | None,
    number: int | str,
    records: Iterator[list[str]],
    known: Callable[[str], bool],
    *,
    encoding: str | None,
) -> Source:
    """Write the records that fit the header to a plain CSV file and let DuckDB read that."""
    head = list(islice(records, HEADER_SEARCH_ROWS))
    if not any(any(cell.strip() for cell in row) for row in head):
        raise BadInput(f"{path.name} has no content. Export it again.")
    position = find_header(head, known)
    headers = [cell.strip() for cell in head[position]]
    while headers and not headers[-1]:
        headers.pop()
    width, ragged, rows, blank = len(headers), [], 0, 0
    relation = f"raw_{number}"
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as folder:
        plain = Path(folder) / "rows.csv"
        with plain.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            for row, record in enumerate(_after(head, position, records), start=position + 2):
                if not any(cell and not cell.isspace() for cell in record):
                    blank += 1
                elif len(record) != width and (len(record) < width or any(cell.strip() for cell in record[width:])):
                    ragged.append((row, tuple(record)))
                else:
                    rows += 1
                    writer.writerow([row, *record[:width]])
        if not rows and not ragged:
            where = path.name if sheet is None else f"{path.name}, sheet {sheet}"
            raise BadInput(f"{where} has a header but no rows. Export it again, or leave the file out.")
        types = ", ".join([f"{quote('row')}: 'BIGINT'", *(f"c{each}: 'VARCHAR'" for each in range(width))])
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT * FROM read_csv({literal(str(plain))}, "
            f"columns = {{{types}}}, header = false, auto_detect = false, delim = ',', quote = '\"', "
            "escape = '\"', new_line = '\\r\\n', max_line_size = 33554432)"
        )
    return Source(
        path=path, title=title, sheet=sheet, headers=tuple(headers), header_row=position + 1, relation=relation,
        rows=rows + len(ragged), blank_rows=blank, sha256=sha256(path), encoding=encoding, ragged=tuple(ragged),
    )  # fmt: skip


def _after(head: list[list[str]], position: int, rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield from head[position + 1 :]
    yield from rest
