"""JSON and JSON lines as all-text relations: dumps of an interface, flattened to one row per record.

The records are the list itself, or the list inside an envelope (`{"data": […]}`, `records`, `results`, `items`, …); a
document with several lists gives a table for each. A nested object becomes columns with a dot (`Owner.name`,
`Owner.id`), wrappers (`properties`, `fields`, `attributes`) disappear, lists of values are joined with `; `. Numbers
keep their digits as they are written.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from salesforecast.engine import Engine
from salesforecast.errors import BadInput
from salesforecast.load.archives import limited
from salesforecast.load.encodings import Encoding, encodings_of, utf8_blocks
from salesforecast.load.records import LONGEST_RECORD_BYTES, Source, load_records, stamp_of
from salesforecast.settings import ImportLimits

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
ENVELOPES = (
    "data", "records", "results", "result", "items", "value", "rows", "list", "datalist", "datas", "message", "d",
)  # fmt: skip
_WRAPPERS = ("properties", "fields", "attributes")
DEEPEST = 5
_FALSE = "\ufdd0"  # stands for a JSON false until all records are seen; no text holds this code point
_NAMES = ("name", "Name", "title", "label", "value", "display_name", "text", "id")


def read_json(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    limits: ImportLimits | None = None,
) -> list[Source]:
    """Load the records of a JSON document, or of a file with one record a line.

    Rows are numbered as the rows of a table would be: the first record is row 2. Raises `BadInput` for a file that is
    no JSON, holds no records, or is a document larger than `document_mb` of the limits.
    """
    limits = limits or ImportLimits()
    stamp = stamp_of(path)
    try:
        for encoding in encodings_of(path):
            try:
                sources = _JsonFile(path, encoding, limits).load(engine, title, number, known)
            except UnicodeDecodeError:
                continue
            if stamp_of(path) != stamp:
                raise BadInput(f"{path.name} changed while it was read. Import it again when nothing writes to it.")
            return sources
    except (EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{path.name} is damaged: {error}. Export it again.") from None
    raise AssertionError("encodings_of ends with an error")


class _JsonFile:
    def __init__(self, path: Path, encoding: Encoding, limits: ImportLimits) -> None:
        self.path, self.encoding, self.limits = path, encoding, limits

    def load(self, engine: Engine, title: str, number: int | str, known: Callable[[str], bool]) -> list[Source]:
        tables = {"": self._lines()} if self._is_lines() else _tables(self._document(), self.path.name)
        sources = []
        for place, (name, records) in enumerate(tables.items()):
            sheet = name if len(tables) > 1 else None
            with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
                table = _Table(file, self.limits, self.path.name)
                for record in records:
                    table.add(record)
                if not table.rows:
                    continue
                sources.append(
                    load_records(
                        engine, self.path, title, sheet, f"{number}_{place}", table.read(), known,
                        encoding=self.encoding.name, header=0,
                    )
                )  # fmt: skip
        if not sources:
            raise BadInput(f"{self.path.name} holds no records. Export it again, or leave the file out.")
        return sources

    def _blocks(self) -> Iterator[bytes]:
        return limited(self.path, utf8_blocks(self.path, self.encoding, lambda block: None), self.limits)

    def _document(self) -> Any:
        blocks, size = [], 0
        for block in self._blocks():
            size += len(block)
            if size > self.limits.document_mb * 1_000_000:
                raise BadInput(
                    f"{self.path.name} is one JSON document of over {self.limits.document_mb} MB (document_mb in "
                    "[import] of salesforecast.toml). Export one record a line (JSON lines) or CSV."
                )
            blocks.append(block)
        return _parsed(b"".join(blocks), self.path.name)

    def _is_lines(self) -> bool:
        """Say whether each of the first two lines that are not blank is a whole record."""
        start = next(self._blocks(), b"")
        lines = [line for line in start.split(b"\n")[:200] if line.strip()][:2]
        try:
            whole = [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            return False
        return all(isinstance(each, dict) for each in whole) and (
            len(whole) == 2 or (len(whole) == 1 and self.path.name.lower().endswith((".jsonl", ".ndjson")))
        )

    def _lines(self) -> Iterator[Any]:
        row, rest = 0, b""
        for block in (*self._blocks(), b"\n"):
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > LONGEST_RECORD_BYTES:
                raise BadInput(
                    f"{self.path.name} has a record of over {LONGEST_RECORD_BYTES >> 20} MB. Export it again."
                )
            for line in lines:
                row += 1
                if line.strip():
                    yield _parsed(line, f"{self.path.name}, line {row}")


class _Table:
    """Flat records on disk; columns are known when all records have been added."""

    def __init__(self, file: Any, limits: ImportLimits, where: str) -> None:
        self.file, self.limits, self.where = file, limits, where
        self.writer = csv.writer(file)
        self.headers: dict[str, int] = {}
        self.rows = 0
        self.only_flags: set[str] = set()
        self.others: set[str] = set()

    def add(self, record: Any) -> None:
        if not isinstance(record, Mapping):
            record = {"value": record}
        flat: dict[str, str] = {}
        for name, value in _flat(record):
            while name in flat:
                name += " (2)"
            flat[name] = value
            (self.only_flags if value in ("true", _FALSE) else self.others).update((name,) if value else ())
        for name in flat:
            if name not in self.headers:
                self.headers[name] = len(self.headers)
        if len(self.headers) > self.limits.columns:
            raise BadInput(
                f"{self.where} has over {self.limits.columns:,} different fields (columns in [import] of "
                "salesforecast.toml). Export fewer fields."
            )
        cells = [""] * len(self.headers)
        for name, value in flat.items():
            cells[self.headers[name]] = value
        self.writer.writerow(cells)
        self.rows += 1

    def read(self) -> Iterator[list[str]]:
        """Yield the header, then the rows; `false` means nothing where other values are no flags, as Odoo writes it."""
        empty = {self.headers[name] for name in self.others & self.only_flags}
        yield [name or "value" for name in self.headers]
        self.file.seek(0)
        width = len(self.headers)
        before = csv.field_size_limit(sys.maxsize)
        try:
            for row in csv.reader(self.file):
                row += [""] * (width - len(row))
                yield [cell if cell != _FALSE else "" if place in empty else "false" for place, cell in enumerate(row)]
        finally:
            csv.field_size_limit(before)


def _parsed(text: bytes, where: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda name: None)
    except RecursionError:
        raise BadInput(f"{where} is nested too deeply to be a table. Export a list of records.") from None
    except ValueError as error:
        raise BadInput(f"{where} is not valid JSON ({error}). Export it again.") from None


def _tables(document: Any, where: str) -> dict[str, Iterator[Any]]:
    """Return the lists of records of a document by their names."""
    if isinstance(document, list):
        return {"": iter(_with_names(document, None))}
    if not isinstance(document, Mapping):
        raise BadInput(f"{where} holds no list of records, but {str(document)[:40]!r}. Export a list of records.")
    lower = {name.lower(): name for name in document}
    for name in ENVELOPES:
        inside = document.get(lower.get(name, ""))
        if isinstance(inside, list) and (inside or len(document) == 1):
            return {"": iter(_with_names(inside, document))}
        if isinstance(inside, Mapping) and (found := _lists(inside)):
            names = [each for each in ENVELOPES if each in {key.lower() for key in found}]
            if names or len(found) == 1:
                key = next((key for key in found if key.lower() in names[:1]), next(iter(found)))
                return {"": iter(_with_names(found[key], inside))}
            return {key: iter(each) for key, each in found.items()}
    found = _lists(document)
    if len(found) == 1:
        return {"": iter(next(iter(found.values())))}
    if found:
        return {key: iter(each) for key, each in found.items()}
    return {"": iter([document])}


def _lists(document: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the lists of objects in a document."""
    return {
        name: each for name, each in document.items()
        if isinstance(each, list) and each and all(isinstance(record, Mapping) for record in each)
    }  # fmt: skip


def _with_names(records: list[Any], around: Mapping[str, Any] | None) -> list[Any]:
    """Make objects of rows that are lists: their names stand beside them, or in the first of them."""
    if not records or not all(isinstance(each, list) for each in records):
        return records
    names: Any = next(
        (around[each] for each in ("columns", "cols", "headers", "fields") if around and each in around), None
    )
    if names is None:
        names, records = records[0], records[1:]
    names = [str(each.get("name", each) if isinstance(each, Mapping) else each) for each in names]
    return [
        dict(zip([*names, *(f"column {n}" for n in range(len(names), len(row)))], row, strict=False)) for row in records
    ]


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if key == "attributes" and {*value} <= {"type", "url"}:
                continue  # Salesforce says of every record where it comes from
            if depth >= DEEPEST:
                yield name, _text(value)
            elif key in _WRAPPERS and not prefix:
                yield from _flat(value, "", depth + 1)
            else:
                yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, list):
            pair = len(value) == 2 and str(value[0]).isdigit() and isinstance(value[1], str) and not value[1].isdigit()
            if pair and isinstance(value[0], str) and depth == 0:
                yield f"{name}.id", value[0]  # Odoo writes a reference as [number, name]
                yield name, value[1]
            else:
                yield name, "; ".join(_shown(each) for each in value)
        else:
            yield name, _text(value)


def _shown(value: Any) -> str:
    """Return an element of a list: of an object its name."""
    if isinstance(value, Mapping):
        name = next((value[each] for each in _NAMES if isinstance(value.get(each), str)), None)
        return name if name is not None and len(value) <= 6 else _text(value)
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else _FALSE
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A lone surrogate is no character, and a null character none that a store can hold.
    return text.replace("\0", "").encode("utf-8", "replace").decode()
