"""Tables in HTML and in Excel's old XML, which many systems export under the ending `.xls`.

One lenient parser reads both. It follows no link, fetches nothing, runs nothing and expands no entity but characters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from salesforecast.engine import Engine
from salesforecast.errors import BadInput
from salesforecast.load.encodings import encodings_of, utf8_blocks
from salesforecast.load.records import Source, load_records, stamp_of
from salesforecast.settings import ImportLimits

_TABLES = {"table", "worksheet"}
_ROWS = {"tr", "row"}
_CELLS = {"td", "th", "cell"}
_WIDEST = 2_000


def is_markup(start: bytes) -> bool:
    """Say whether the first bytes of a file are HTML or XML.

    >>> is_markup(b"<html><body>"), is_markup(b"<5;small"), is_markup(b"id;name")
    (True, False, False)
    """
    text = start.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").lstrip().lower()
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = text[2:].lstrip()
    return text.startswith(
        (b"<?xml", b"<!doctype", b"<!--", b"<html", b"<head", b"<meta", b"<table", b"<div", b"<style")
    )


def read_markup(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    limits: ImportLimits | None = None,
) -> list[Source]:
    """Load every table of an HTML page, or every sheet of an Excel 2003 XML file, that has a header and a row.

    Raises `BadInput` for a file without one, or larger than `document_mb` of the limits.
    """
    limits = limits or ImportLimits()
    stamp = stamp_of(path)
    if stamp[0] > limits.document_mb * 1_000_000:
        raise BadInput(
            f"{path.name} is a web page of over {limits.document_mb} MB (document_mb in [import] of "
            "salesforecast.toml). Export it as CSV."
        )
    tables = [each for each in _tables(path) if sum(any(cell.strip() for cell in row) for row in each.rows) > 1]
    if not tables:
        raise BadInput(f"{path.name} is a web page without a table of a header and rows. Export it as xlsx or CSV.")
    sources = []
    for place, table in enumerate(tables):
        sheet = table.name or (f"table {place + 1}" if len(tables) > 1 else None)
        records = iter([row[: limits.columns] for row in table.rows])
        sources.append(load_records(engine, path, title, sheet, f"{number}_{place}", records, known, encoding=None))
    if stamp_of(path) != stamp:
        sources[0].check_unchanged()
    return sources


@dataclass
class _Table:
    name: str | None = None
    rows: list[list[str]] = field(default_factory=list)


def _tables(path: Path) -> list[_Table]:
    for encoding in encodings_of(path):
        try:
            text = b"".join(utf8_blocks(path, encoding, lambda block: None)).decode()
        except UnicodeDecodeError:
            continue
        parser = _Parser()
        parser.feed(text)
        parser.close()
        return parser.tables
    raise AssertionError("encodings_of ends with an error")


class _Parser(HTMLParser):
    """Collects the cells of tables; a table inside a cell is a table of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self.open: list[_Table] = []
        self.cell: list[str] | None = None
        self.across = 0
        self.hidden = 0
        self.down: dict[int, tuple[int, str]] = {}  # column -> rows a cell still covers, and its text
        self.span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = tag.rpartition(":")[2]
        given = {name.rpartition(":")[2]: value or "" for name, value in attrs}
        if tag in ("style", "script", "title"):
            self.hidden += 1
        elif tag in _TABLES:
            if tag == "table" and self.open and self.open[-1].name and not self.open[-1].rows:
                return  # the table of a worksheet is that worksheet
            self._end_cell()
            self.open.append(_Table(given.get("name") if tag == "worksheet" else None))
            self.tables.append(self.open[-1])
            self.down = {}
        elif tag in _ROWS and self.open:
            self._end_cell()
            rows = self.open[-1].rows
            for _ in range(min(_number(given.get("index")) - 1 - len(rows), 1_000)):
                rows.append([])
            rows.append([])
        elif tag in _CELLS and self.open and self.open[-1].rows:
            self._end_cell()
            row = self.open[-1].rows[-1]
            place = _number(given.get("index")) - 1
            row += [""] * (min(place, _WIDEST) - len(row))
            self._cover(row)
            self.cell = []
            self.across = _number(given.get("colspan")) - 1 if "colspan" in given else _number(given.get("mergeacross"))
            self.span = _number(given.get("rowspan")) - 1 if "rowspan" in given else 0
        elif tag == "br" and self.cell is not None:
            self.cell.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag in ("style", "script", "title"):
            self.hidden = max(0, self.hidden - 1)
        elif tag in _CELLS:
            self._end_cell()
        elif tag in _ROWS and self.open and self.open[-1].rows:
            self._end_cell()
            self._cover(self.open[-1].rows[-1])
        elif tag in _TABLES and self.open and (tag == "worksheet") == (self.open[-1].name is not None):
            self._end_cell()
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.cell is not None and not self.hidden:
            self.cell.append(data)

    def close(self) -> None:
        super().close()
        self._end_cell()

    def _end_cell(self) -> None:
        if self.cell is None or not self.open:
            return
        text = " ".join("".join(self.cell).replace("\0", "").split())
        row = self.open[-1].rows[-1]
        if self.span:
            self.down[len(row)] = (min(self.span, 100_000), text)
        row.append(text)
        row += [""] * min(max(self.across, 0), _WIDEST)
        self.cell, self.span, self.across = None, 0, 0

    def _cover(self, row: list[str]) -> None:
        """Repeat the cell that reaches down into this row."""
        while len(row) in self.down and len(row) < _WIDEST:
            left, text = self.down[len(row)]
            if left > 1:
                self.down[len(row)] = (left - 1, text)
            else:
                del self.down[len(row)]
            row.append(text)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0
