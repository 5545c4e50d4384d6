"""Records of text cells as an all-text relation: rows keep their numbers, and what does not fit is kept apart.

Nothing is interpreted here. Every sheet or file becomes a temporary table, or for a large file a view on it, with the
column `row` (its row as a spreadsheet shows it, header included) and one text column `c0, c1, …` per header, so that no
header ever becomes SQL.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load.clean import SPACES
from salesforecast.load.headers import find_header, named

HEADER_SEARCH_ROWS = 30
STREAMED_BYTES = 1 << 25  # from here on a file is not copied into a table but read anew by every query
LONGEST_RECORD_BYTES = 1 << 24
_TAIL_ROWS = 60
_NOT_A_ROW = "\x1e\x1e"  # stands for a blank or ragged record, so that the following rows keep their numbers


@dataclass(frozen=True)
class Source:
    """One file or sheet, readable as `relation`.

    `rows` counts the records below the header that are not blank. Of these, `ragged` do not fit the header (they are in
    the table `relation` + `_ragged`: row, cells) and `footers` stand below the table; neither is in `relation`. `tidy`
    are the positions of columns whose cells neither begin nor end with a space; `streamed` says that every query reads
    the file, which must then still have the size and time of change `stamp`. `notes` say what was done about headers
    and encoding. `above` are the rows above the header, of what is no text file.
    """

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
    ragged: int = 0
    footers: int = 0
    tidy: frozenset[int] = frozenset()
    streamed: bool = False
    stamp: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    above: tuple[tuple[str, ...], ...] = ()

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

    def check_unchanged(self) -> None:
        """Raise `BadInput` when the file was written to since it was first read."""
        if self.stamp is not None:
            check_unchanged(self.path, self.stamp)


def check_unchanged(path: Path, stamp: tuple[int, int]) -> None:
    """Raise `BadInput` when a file is no longer what it was when `stamp` was taken."""
    if stamp_of(path) != stamp:
        raise BadInput(f"{path.name} changed while it was read. Import it again when nothing writes to it.")


def stamp_of(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_records(
    engine: Engine,
    path: Path,
    title: str,
    sheet: str | None,
    number: int | str,
    records: Iterator[list[str]],
    known: Callable[[str], bool],
    *,
    encoding: str | None,
    header: int | None = None,
) -> Source:
    """Return the source of records (rows of cells); those that fit the header go to DuckDB through a plain CSV file.

    `number` names the temporary table; `known` says whether a text is a known header; `header` is the index of the
    header where it need not be looked for. Raises `BadInput` for records without content or with a header only.
    """
    head = list(islice(records, HEADER_SEARCH_ROWS))
    where = path.name if sheet is None else f"{path.name}, sheet {sheet}"
    position = find_header(head, known, where) if header is None else header
    headers, notes = named(head[position])
    relation = f"raw_{number}"
    with (
        tempfile.TemporaryDirectory(prefix="salesforecast-") as folder,
        Rows(Path(folder) / "rows.csv", len(headers), first=position + 2) as rows,
    ):
        for record in chain(head[position + 1 :], records):
            rows.add(record)
        notes += rows.finish(where)
        rows.create(engine, relation)
    return Source(
        path=path, title=title, sheet=sheet, headers=headers, header_row=position + 1, relation=relation,
        rows=rows.read, blank_rows=rows.blank, sha256=sha256(path), encoding=encoding, ragged=rows.ragged,
        footers=rows.footers, tidy=rows.tidy, notes=notes,
        above=tuple(tuple(cell.strip() for cell in record) for record in head[:position]),
    )  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where in a UTF-8 file the records begin: `offset` bytes or `lines` lines after its start."""

    path: Path
    offset: int
    lines: int


class Rows:
    """Collects the records below a header in the file `path` for DuckDB; `first` is the row of the first record.

    Blocks that are plain (see `structure`) are taken as they are, without a copy while everything since `origin` was
    plain. Other records are written anew. Blank and ragged ones leave a placeholder, so that rows keep their numbers.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        *,
        first: int,
        delimiter: str = ",",
        crlf: bool = False,
        origin: Origin | None = None,
    ) -> None:
        self.path, self.width, self.first, self.delimiter, self.origin = path, width, first, delimiter, origin
        self.newline = "\r\n" if crlf else "\n"
        self.next, self.blank, self.ragged, self.footers, self.size = first, 0, 0, 0, 0
        self.spaced: set[int] = set()
        self._placeholder = [_NOT_A_ROW, *[""] * (width - 1)]
        self._placeholders = 0
        self._file: IO[bytes] | None = None
        self._unwritten: list[str] = []
        self._lost: IO[str] | None = None
        self._tail: deque[_Seen] = deque(maxlen=_TAIL_ROWS)
        self._last_block, self._block_end = b"", first
        self._footer_row, self._footer_text = 0, ""
        self._begun = origin is None

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._file, self._lost):
            if file is not None:
                file.close()

    @property
    def read(self) -> int:
        """How many records are not blank."""
        return self.next - self.first - self.blank

    def add_block(self, block: bytes, records: int, spaced: frozenset[int]) -> None:
        """Take a block of whole records as it is."""
        if self._begun:
            self._flush()
            self._out().write(block)
        self.size += len(block)
        self.next += records
        self.spaced |= spaced
        self._tail.clear()
        self._last_block, self._block_end = block, self.next

    def add(self, record: Sequence[str]) -> None:
        """Take one record."""
        seen = _Seen.of(self.next, record, self.width)
        self._tail.append(seen)
        if not seen.filled:
            self.blank += 1
            self._write(self._placeholder)
        elif seen.ragged:
            self.ragged += 1
            self._lose(record)
            self._write(self._placeholder)
        else:
            cells = record[: self.width]
            self.spaced.update(
                place for place, cell in enumerate(cells) if cell and (cell[0] in SPACES or cell[-1] in SPACES)
            )
            self._write(cells)
        self.next += 1

    def end_blank(self, count: int) -> None:
        """Count blank records at the end of the file, which nothing follows."""
        self.blank += count
        self.next += count

    @property
    def tidy(self) -> frozenset[int]:
        """The columns without a cell that begins or ends with a space."""
        return frozenset(range(self.width)) - self.spaced

    def finish(self, where: str) -> tuple[str, ...]:
        """Find the footer below the table; returns what to report about it.

        Raises `BadInput` when there is no row.
        """
        if not self.read:
            raise BadInput(f"{where} has a header but no rows. Export it again, or leave the file out.")
        self._find_footer()
        self._flush()
        for file in (self._file, self._lost):
            if file is not None:
                file.flush()
        if not self.footers:
            return ()
        return (f"{self.footers} rows below the table left out, such as {self._footer_text!r}",)

    def create(self, engine: Engine, relation: str, *, streamed: bool = False) -> None:
        """Make the rows readable as `relation`: a view when they are `streamed`, else a table."""
        types = ", ".join(f"c{each}: 'VARCHAR'" for each in range(self.width))
        path, skip = (self.path, 0) if self._begun or self.origin is None else (self.origin.path, self.origin.lines)
        line = literal("\\r\\n" if self.newline == "\r\n" else "\\n")
        reader = (
            f"read_csv({literal(str(path))}, columns = {{{types}}}, header = false, auto_detect = false, "
            f"delim = {literal(self.delimiter)}, quote = '\"', escape = '\"', new_line = {line}, skip = {skip}, "
            f"max_line_size = {2 * LONGEST_RECORD_BYTES}, buffer_size = {4 * LONGEST_RECORD_BYTES})"
        )
        kept = []
        if self._placeholders:
            kept.append(f"c0 IS DISTINCT FROM {literal(_NOT_A_ROW)}")
        if self.footers:
            kept.append(f"{quote('row')} < {self._footer_row}")
        engine.execute(
            f"CREATE OR REPLACE TEMP {'VIEW' if streamed else 'TABLE'} {relation} AS SELECT * FROM "
            f"(SELECT row_number() OVER () + {self.first - 1} AS {quote('row')}, * FROM {reader})"
            + (f" WHERE {' AND '.join(kept)}" if kept else "")
        )
        wanted = self.read - self.ragged - self.footers
        if not streamed and engine.rows(f"SELECT count(*) FROM {relation}")[0][0] != wanted:
            raise RuntimeError(
                f"{path.name}: {wanted} rows were not read alike twice. This is a fault of salesforecast."
            )
        if self.ragged:
            below = f" WHERE {quote('row')} < {self._footer_row}" if self.footers else ""
            engine.execute(
                f"CREATE OR REPLACE TEMP TABLE {relation}_ragged AS SELECT * FROM read_csv("
                f"{literal(str(self._lost_path))}, columns = {{{quote('row')}: 'BIGINT', cells: 'BIGINT', "
                f"content: 'VARCHAR'}}, header = false, auto_detect = false, delim = ',', quote = '\"', "
                f"escape = '\"', new_line = '\\r\\n'){below}"
            )

    def _out(self) -> IO[bytes]:
        if self._file is None:
            self._file = self.path.open("wb")
            if not self._begun and self.origin is not None:
                with self.origin.path.open("rb") as source:
                    source.seek(self.origin.offset)
                    _copy(source, self._file, self.size)
            self._begun = True
        return self._file

    def _write(self, record: Sequence[str]) -> None:
        if not self._begun:
            self._out()
        self._placeholders += record is self._placeholder
        quoted = f'"{self.delimiter}"'.join(cell.replace('"', '""') for cell in record)
        self._unwritten.append(f'"{quoted}"{self.newline}')
        self.size += len(quoted)
        if len(self._unwritten) > 10_000:
            self._flush()

    def _flush(self) -> None:
        if self._unwritten:
            self._out().write("".join(self._unwritten).encode())
            self._unwritten.clear()

    @property
    def _lost_path(self) -> Path:
        return self.path.with_name(self.path.name + ".ragged")

    def _lose(self, record: Sequence[str]) -> None:
        if self._lost is None:
            self._lost = self._lost_path.open("w", encoding="utf-8", newline="")
        csv.writer(self._lost).writerow([self.next, len(record), "|".join(record)[:200]])

    def _find_footer(self) -> None:
        """Take rows below the table for its footer: those with one cell, and those set off by a blank row and short."""
        tail = [*self._block_tail(), *self._tail]
        row = self.next
        place = len(tail)
        while place:
            end = place
            while end and not tail[end - 1].filled:
                end -= 1
            begin = end
            while begin and tail[begin - 1].filled:
                begin -= 1
            if begin and end > begin and all(each.ragged or self._is_remark(each) for each in tail[begin:end]):
                row, place = tail[begin].row, begin
                continue
            while end > 1 and self._is_remark(tail[end - 1]):
                row, end = tail[end - 1].row, end - 1
            break
        below = [each for each in tail if each.row >= row and each.filled]
        if below and self.read > len(below):
            self._footer_row, self._footer_text, self.footers = row, below[0].text, len(below)
            self.ragged -= sum(each.ragged for each in below)

    def _is_remark(self, row: _Seen) -> bool:
        return self.width > 2 and row.filled == 1

    def _block_tail(self) -> list[_Seen]:
        """Return the last rows of the last plain block."""
        block = self._last_block
        if b'"' not in block and len(block) > 1 << 16:
            block = block[block.index(b"\n", len(block) - (1 << 16)) + 1 :]
        lines = io.StringIO(block.decode(), newline="")
        records = deque(csv.reader(lines, delimiter=self.delimiter), maxlen=_TAIL_ROWS)
        first = self._block_end - len(records)
        return [_Seen.of(first + place, record, self.width) for place, record in enumerate(records)]


@dataclass(frozen=True)
class _Seen:
    """What is remembered of a record at the end of a file."""

    row: int
    filled: int
    ragged: bool
    text: str

    @staticmethod
    def of(row: int, record: Sequence[str], width: int) -> _Seen:
        filled = sum(1 for cell in record if cell and not cell.isspace())
        more = len(record) > width and any(cell and not cell.isspace() for cell in record[width:])
        return _Seen(row, filled, len(record) < width or more, " ".join(filter(None, record))[:60])


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        block = source.read(min(size, 1 << 22))
        target.write(block)
        size -= len(block)
