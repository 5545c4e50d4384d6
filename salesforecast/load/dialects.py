"""How delimited text cuts its lines into cells, and its records one by one, with stray quotes put right."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from salesforecast.load.records import LONGEST_RECORD_BYTES

DELIMITERS = (",", "\t", ";", "|")
# A quote that is never closed swallows the rest of a file; a real cell does not span this many lines.
LONGEST_CELL_LINES = 1000


@dataclass(frozen=True)
class Dialect:
    """How cells are separated and quoted."""

    delimiter: str
    quote: str = '"'
    backslash: bool = False
    spaces: bool = False

    def reader(self, lines: Iterable[str]) -> Any:
        """Return Python's reader for the dialect."""
        return csv.reader(
            lines, delimiter=self.delimiter, quotechar=self.quote, doublequote=not self.backslash,
            escapechar="\\" if self.backslash else None, skipinitialspace=self.spaces,
        )  # fmt: skip

    @property
    def foreign(self) -> bytes:
        """Bytes that mean something else in this dialect than in plain CSV."""
        return b"" if self.quote == '"' and not self.backslash else b"'\"\\"


def dialect_of(lines: Sequence[str]) -> tuple[Dialect, int]:
    r"""Return the dialect of the first lines and their usual number of cells.

    The delimiter is the one that cuts most of the lines into the same number of cells.

    >>> dialect_of(["a; 'b c'\n", "1; 'x\\'y'\n"])
    (Dialect(delimiter=';', quote="'", backslash=True, spaces=True), 2)
    """
    best, found = (0, 0), Dialect(",")
    for delimiter in DELIMITERS:
        dialect = _quoting("".join(lines), delimiter)
        # A single quote may be an apostrophe: it must not cut fewer lines alike than the double one does.
        for each in (dialect, replace(dialect, quote='"')) if dialect.quote == "'" else (dialect,):
            fits = _usual_width(each, lines)
            if fits > best:
                best, found = fits, each
    return found, best[1] or 1


def _usual_width(dialect: Dialect, lines: Sequence[str]) -> tuple[int, int]:
    """Return how many lines have the most common number of cells (from two on), and that number."""
    widths = Counter(len(row) for row in dialect.reader(lines) if any(row))
    return max(((times, width) for width, times in widths.items() if width > 1), default=(0, 0))


def _quoting(text: str, delimiter: str) -> Dialect:
    """Return how cells between this delimiter are quoted: by the mark that stands around more of them."""
    cut = re.escape(delimiter)
    spaces = len(re.findall(f"{cut} ", text)) * 5 > text.count(delimiter) * 4 and delimiter != "\t"
    gap = " ?" if spaces else ""

    def wrapped(mark: str) -> int:
        return len(
            re.findall(rf"(?:^|{cut}){gap}{mark}(?:[^{mark}]|\\{mark}|{mark}{mark})*{mark}(?={cut}|$)", text, re.M)
        )

    quote = "'" if "'" in text and wrapped("'") > wrapped('"') else '"'
    escaped = len(re.findall(rf"\\{quote}(?!{cut}|$)", text, re.M))
    backslash = escaped > 0 and escaped >= len(re.findall(rf"[^{cut}\n]{quote}{quote}[^{cut}\n]", text))
    return Dialect(delimiter, quote, backslash, spaces)


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Let Python's reader take long cells, as long as this lasts."""
    before = csv.field_size_limit(LONGEST_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class Records:
    """Cuts lines into records; `more` gives further lines (none at the end), `width` is how many cells a record has.

    Where a quote in the wrong place makes a record too long, the first of its lines is read alone, the quote as part of
    its cell, if it then has `width` cells; `repaired` counts these.
    """

    def __init__(self, more: Callable[[], list[str]], dialect: Dialect, width: int) -> None:
        self.more, self.dialect, self.width = more, dialect, width
        self.lines, self.place, self.begun, self.taken, self.repaired = list[str](), 0, 0, 0, 0
        self._take()
        self._reader = dialect.reader(self)

    def __iter__(self) -> Records:
        return self

    def __next__(self) -> str:
        if self.place == len(self.lines):
            self._take()
        if self.place == len(self.lines):
            raise StopIteration
        if self.place - self.begun >= LONGEST_CELL_LINES:
            raise csv.Error("a quote is opened in it and never closed")
        self.size += len(self.lines[self.place])
        if self.size > LONGEST_RECORD_BYTES:
            raise csv.Error(f"it has over {LONGEST_RECORD_BYTES >> 20} million characters")
        self.place += 1
        return self.lines[self.place - 1]

    @property
    def at_end(self) -> bool:
        """Whether all lines given so far are cut into records."""
        return self.place == len(self.lines)

    def read(self) -> list[str]:
        """Return the next record. Raises `csv.Error` for one that cannot be read."""
        self.begun, self.size = self.place, 0
        problem: csv.Error | None = None
        try:
            record: list[str] = next(self._reader)
        except csv.Error as error:
            problem, record = error, []
        if problem or len(record) != self.width:
            lines = self.lines[self.begun : self.place]
            mended = None if is_proper("".join(lines), self.dialect) else mend(lines[0], self.dialect, self.width)
            if mended is not None:
                self.place, record, problem = self.begun + 1, mended, None
                self.repaired += 1
                self._reader = self.dialect.reader(self)
        if problem:
            raise problem
        self.taken += self.place - self.begun
        return record

    def _take(self) -> None:
        # The lines of the record that is being read stay, in case it has to be read anew.
        self.lines, self.place, self.begun = self.lines[self.begun :] + self.more(), self.place - self.begun, 0


def is_proper(text: str, dialect: Dialect) -> bool:
    """Say whether quotes stand only around whole cells, doubled or escaped inside.

    >>> is_proper('1,"a ""b"" c",d', Dialect(",")), is_proper('1,"a "b" c",d', Dialect(","))
    (True, False)
    """
    quote, cut = dialect.quote, re.escape(dialect.delimiter)
    if quote not in text:
        return True
    inside = rf"\\.|[^{quote}\\]" if dialect.backslash else f"{quote}{quote}|[^{quote}]"
    cell = rf" *{quote}(?:{inside})*{quote} *|[^{quote}{cut}]*"
    return re.fullmatch(rf"(?:{cell})(?:{cut}(?:{cell}))*[\r\n]*", text, re.S) is not None


def mend(line: str, dialect: Dialect, width: int) -> list[str] | None:
    """Return the cells of a line with a stray quote, or None when that does not make `width` cells.

    A quote closes a cell only before a delimiter; one that would swallow other cells is part of its own.

    >>> mend('1,"say "hi" now, you",3', Dialect(","), 3), mend('"1,2,"x"', Dialect(","), 3)
    (['1', 'say "hi" now, you', '3'], ['"1', '2', 'x'])
    """
    text = line.rstrip("\r\n")
    cells, opened = _cut(text, dialect, None)
    for stray in (None, *opened):
        if stray is not None:
            cells, _ = _cut(text, dialect, stray)
        if len(cells) == width:
            return cells
    return None


def _cut(text: str, dialect: Dialect, stray: int | None) -> tuple[list[str], list[int]]:
    """Return the cells of a text and which of them are quoted; the quote before cell `stray` is part of it."""
    quote, cells, opened, begin = dialect.quote, list[str](), list[int](), 0
    closing = re.compile(f"(?<!{re.escape(quote)})(?:{quote}{quote})*{quote} *(?={re.escape(dialect.delimiter)}|$)")
    while True:
        start = begin + len(text[begin:]) - len(text[begin:].lstrip(" ")) if dialect.spaces else begin
        found = closing.search(text, start + 1) if text.startswith(quote, start) and len(cells) != stray else None
        if found:
            opened.append(len(cells))
            end = found.end()
            cells.append(text[start + 1 : end].rstrip(" ")[:-1].replace(quote * 2, quote))
        else:
            end = text.find(dialect.delimiter, begin)
            end = len(text) if end < 0 else end
            cells.append(text[start:end])
        if end == len(text):
            return cells, opened
        begin = end + 1
