"""Which files are given, what each is, and who reads it.

What a file is, its first bytes say (spreadsheet, archive, Parquet, web page, else text); only JSON is known by its
ending.
"""

from __future__ import annotations

import glob
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from salesforecast.engine import Engine
from salesforecast.errors import BadInput
from salesforecast.load.archives import is_workbook, unpack
from salesforecast.load.json_files import JSON_SUFFIXES, read_json
from salesforecast.load.markup import is_markup, read_markup
from salesforecast.load.parquet import PARQUET_SUFFIXES, read_parquet
from salesforecast.load.records import Source
from salesforecast.load.sheets import SHEET_SUFFIXES, read_sheets
from salesforecast.load.text import TEXT_SUFFIXES, read_text
from salesforecast.settings import ImportLimits, locate

_TABLE_SUFFIXES = (*TEXT_SUFFIXES, *SHEET_SUFFIXES, *PARQUET_SUFFIXES, *JSON_SUFFIXES)

__all__ = ["Source", "discover", "is_table_file", "read", "titles"]


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
    return name.endswith((*_TABLE_SUFFIXES, ".zip")) and not name.startswith(("~$", "."))


def read(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    scratch: Path | None = None,
    limits: ImportLimits | None = None,
) -> list[Source]:
    """Load one file into temporary tables named after `number`; `known` says whether a text is a known header.

    A large text stays in its file, or in the folder `scratch`: its relation is a view and works as long as that lasts.
    Raises `BadInput` for a file that is empty, has a header only, cannot be decoded or opened, or is larger than
    `limits`.
    """
    limits = limits or ImportLimits()
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise BadInput(f"{path.name} is empty. Export it again.")
    if path.stat().st_size > limits.file_mb * 1_000_000:
        raise BadInput(
            f"{path.name} has over {limits.file_mb:,} MB (file_mb in [import] of salesforecast.toml). Split it, or "
            "raise the limit."
        )
    sources = _read(engine, path, title, number, known, scratch, limits, start)
    for each in sources:
        if each.path == path:  # the members of an archive have been looked at
            _check_size(engine, each, limits)
    return sources


def _read(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    scratch: Path | None,
    limits: ImportLimits,
    start: bytes,
) -> list[Source]:
    name = path.name.lower()
    if start.startswith(b"PAR1"):
        return [read_parquet(engine, path, title, number, scratch)]
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not is_workbook(path):
        return _read_archive(engine, path, title, number, known, scratch, limits)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return read_sheets(engine, path, title, number, known, limits)
    if name.endswith(JSON_SUFFIXES):
        return read_json(engine, path, title, number, known, limits)
    if is_markup(start):
        return read_markup(engine, path, title, number, known, limits)
    if name.endswith(SHEET_SUFFIXES):
        if b"\0\0\0" in start:
            raise BadInput(f"{path.name} is no spreadsheet, whatever its ending says. Export it again as xlsx or CSV.")
        found = read_text(engine, path, title, number, known, scratch, limits)
        return [replace(found, notes=(f"text, though it ends in {path.suffix}", *found.notes))]
    if name.endswith(PARQUET_SUFFIXES):
        raise BadInput(f"{path.name} is not a Parquet file, whatever its ending says. Export it again.")
    return [read_text(engine, path, title, number, known, scratch, limits)]


def _read_archive(
    engine: Engine,
    path: Path,
    title: str,
    number: int | str,
    known: Callable[[str], bool],
    scratch: Path | None,
    limits: ImportLimits,
) -> list[Source]:
    """Load the tables in a ZIP file, each as a file of its own; other members are named in a note."""
    sources: list[Source] = []
    others = []
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as temporary:
        folder = (scratch or Path(temporary)) / f"zip_{number}"
        for place, (name, member) in enumerate(unpack(path, folder, limits)):
            if not name.lower().endswith(_TABLE_SUFFIXES):
                others.append(name)
                continue
            try:
                sources += read(engine, member, f"{title}/{name}", f"{number}_{place}", known, scratch, limits)
            except BadInput as error:
                raise BadInput(f"{path.name}: {error}") from None
    if not sources:
        found = f"only {', '.join(others[:3])}" if others else "nothing"
        raise BadInput(f"{path.name} holds no tables, {found}. Expected files ending in {_endings()}.")
    if others:
        note = f"{len(others)} files of {path.name} are no tables: {', '.join(others[:5])}"
        sources[0] = replace(sources[0], notes=(*sources[0].notes, note))
    return sources


def _check_size(engine: Engine, source: Source, limits: ImportLimits) -> None:
    longest = 0
    if not source.streamed and source.path.stat().st_size > limits.cell_characters:
        cells = ", ".join(f"max(length(c{place}))" for place in range(len(source.headers)))
        longest = engine.rows(f"SELECT greatest({cells}, 0) FROM {source.relation}")[0][0]
    found = {
        "rows": (source.rows, "rows"),
        "columns": (len(source.headers), "columns"),
        "cell_characters": (longest, "characters in a cell"),
    }
    for name, (size, words) in found.items():
        if size > getattr(limits, name):
            raise BadInput(
                f"{source.name} has {size:,} {words}, over the limit of {getattr(limits, name):,} ({name} in [import] "
                "of salesforecast.toml). Export less at a time, or raise the limit."
            )


def _endings() -> str:
    return ", ".join((*TEXT_SUFFIXES[:2], ".csv.gz", *SHEET_SUFFIXES[:2]))
