"""Delimited text as an all-text relation: dialect, header, and a fast way for all that has one obvious reading.

The text is checked block by block (`structure.plain`). Plain blocks go to DuckDB as they are, the file itself where all
of it is plain UTF-8; everything else is read record by record by Python's `csv` and written anew.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from salesforecast.engine import Engine
from salesforecast.errors import BadInput
from salesforecast.load.archives import limited
from salesforecast.load.dialects import Dialect, Records, cells_of_any_length, dialect_of, is_proper
from salesforecast.load.encodings import Encoding, encodings_of, utf8_blocks
from salesforecast.load.headers import find_header, named
from salesforecast.load.records import (
    HEADER_SEARCH_ROWS,
    LONGEST_RECORD_BYTES,
    STREAMED_BYTES,
    Origin,
    Rows,
    Source,
    check_unchanged,
    sha256,
    stamp_of,
)
from salesforecast.load.structure import plain
from salesforecast.settings import ImportLimits

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_CHECKED_BYTES = 1 << 19  # blocks of this size stay in the processor's cache
_HEAD_BYTES = 1 << 18


def read_text(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    scratch: Path | None = None,
    limits: ImportLimits | None = None,
) -> Source:
    """Load one delimited text file, gzipped or not.

    A large file stays where it is, or in `scratch`, which must last as long as its relation; without `scratch` all is
    loaded. Raises `BadInput` for a file that is damaged, changes while it is read, cannot be decoded, or has no header
    and row.
    """
    stamp = stamp_of(path)
    try:
        for encoding in encodings_of(path):
            with ExitStack() as stack:
                folder = scratch or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="salesforecast-")))
                stack.enter_context(cells_of_any_length())
                try:
                    source = _Text(engine, path, title, number, known, encoding, folder, stamp, limits).load(
                        scratch is not None
                    )
                except UnicodeDecodeError:
                    continue
                except RuntimeError:
                    check_unchanged(path, stamp)
                    raise
                check_unchanged(path, stamp)
                return source
    except (EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{path.name} is damaged: {error}. Export it again.") from None
    raise AssertionError("encodings_of ends with an error")


class _Text:
    """The reading of one file in one encoding."""

    def __init__(
        self,
        engine: Engine,
        path: Path,
        title: str,
        number: int | str,
        known: Callable[[str], bool],
        encoding: Encoding,
        folder: Path,
        stamp: tuple[int, int],
        limits: ImportLimits | None,
    ) -> None:
        self.engine, self.path, self.title, self.number, self.known = engine, path, title, number, known
        self.encoding, self.folder, self.stamp = encoding, folder, stamp
        self.digest = hashlib.sha256()
        self.blocks = limited(path, utf8_blocks(path, encoding, self.digest.update), limits or ImportLimits())
        self.buffer, self.at, self.ended, self.repaired = b"", 0, False, 0

    def load(self, may_stream: bool) -> Source:
        """Read the whole file and make it a relation."""
        head = _lines(self._window(_HEAD_BYTES))
        dialect, usual = dialect_of(head[: 2 * HEADER_SEARCH_ROWS])
        records: list[list[str]] = []
        ends: list[int] = []
        first = Records(iter([[line.replace("\0", "") for line in head]]).__next__, dialect, usual)
        while not first.at_end and len(records) < HEADER_SEARCH_ROWS:
            records.append(self._record(first, len(records) + 1))
            ends.append(first.taken)
        position = find_header(records, self.known, self.path.name)
        headers, notes = named(records[position])
        lines = ends[position]
        self.at = sum(len(line.encode()) for line in head[:lines])
        crlf = head[lines - 1].endswith("\r\n")
        packed = self.path.name.lower().endswith(".gz")
        origin = None
        simple = lines == position + 1 and all(records[:position]) and is_proper("".join(head[:lines]), dialect)
        if self.encoding.is_utf8 and not packed and simple:
            origin = Origin(self.path, self.at + (3 if self.encoding.name == "utf-8-sig" else 0), lines)
        place = self.folder / f"text_{self.number}.csv"
        with Rows(
            place, len(headers), first=position + 2, delimiter=dialect.delimiter, crlf=crlf, origin=origin
        ) as rows:
            self._read(rows, dialect, crlf)
            notes += rows.finish(self.path.name)
            streamed = may_stream and rows.size > STREAMED_BYTES
            relation = f"raw_{self.number}"
            rows.create(self.engine, relation, streamed=streamed)
        if self.repaired:
            notes = (*notes, f"{self.repaired} rows have a stray quote, which was read as part of its cell")
        if self.encoding.notice:
            notes = (f"read as {self.encoding.name}: {self.encoding.notice}", *notes)
        return Source(
            path=self.path, title=self.title, sheet=None, headers=headers, header_row=position + 1, relation=relation,
            rows=rows.read, blank_rows=rows.blank, sha256=sha256(self.path) if packed else self.digest.hexdigest(),
            encoding=self.encoding.name, ragged=rows.ragged, footers=rows.footers, tidy=rows.tidy, streamed=streamed,
            stamp=self.stamp, notes=notes,
        )  # fmt: skip

    def _read(self, rows: Rows, dialect: Dialect, crlf: bool) -> None:
        while block := self._window(_CHECKED_BYTES):
            last = self.ended and self.at + len(block) == len(self.buffer)
            whole = block if not last or block.endswith(b"\n") else block + (b"\r\n" if crlf else b"\n")
            found = plain(whole, dialect.delimiter, rows.width, crlf=crlf, foreign=dialect.foreign)
            if found:
                rows.add_block(block[: found.length], found.records, found.spaced)
                self.at += min(found.length, len(block))
            elif last and not block.strip(b"\r\n"):
                rows.end_blank(len(_lines(block)))
                self.at = len(self.buffer)
            else:
                self._read_exactly(rows, dialect)

    def _read_exactly(self, rows: Rows, dialect: Dialect) -> None:
        """Read the records of a block one by one, to the end of the last one that begins in it."""
        records = Records(self._take_lines, dialect, rows.width)
        while not records.at_end:
            rows.add(self._record(records, rows.next))
        self.repaired += records.repaired

    def _record(self, records: Records, row: int) -> list[str]:
        try:
            return records.read()
        except csv.Error as error:
            raise BadInput(f"{self.path.name}: row {row} cannot be read ({error}). Export it again.") from None

    def _take_lines(self) -> list[str]:
        window = self._window(_CHECKED_BYTES)
        self.at += len(window)
        return _lines(window.replace(b"\0", b""))

    def _window(self, size: int) -> bytes:
        """Return the text from here on, about `size` bytes that end with a line, without taking it."""
        while not self.ended and len(self.buffer) - self.at < size:
            self._more()
        while True:
            window = self.buffer[self.at : self.at + size]
            end = window.rfind(b"\n") + 1 or window.rfind(b"\r", 0, -1) + 1
            if end or (self.ended and self.at + size >= len(self.buffer)):
                # At the end of the file the last line need not be ended.
                return window if self.ended and self.at + size >= len(self.buffer) else window[:end]
            size *= 2
            if size > 4 * LONGEST_RECORD_BYTES:
                raise BadInput(
                    f"{self.path.name} has a line of over {LONGEST_RECORD_BYTES >> 20} million characters. "
                    "Export it again as CSV."
                )
            if not self.ended:
                self._more()

    def _more(self) -> None:
        block = next(self.blocks, None)
        self.ended = block is None
        if block:
            self.buffer, self.at = self.buffer[self.at :] + block, 0


def _lines(block: bytes) -> list[str]:
    """Return the lines of a text with their ends, which are LF, CR LF or CR."""
    return io.StringIO(block.decode(), newline="").readlines()
