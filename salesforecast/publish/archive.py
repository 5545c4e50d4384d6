"""Forecasts on their way to the store: out of the executed notebook, into a file of the run, from there into the table.

A kernel reads the store, so it cannot write it; the process that started the kernel does, once the page is published.
Until the store has taken a run's forecasts a copy of their file waits in `<out>/.forecasts/`: a busy store loses
nothing, and the next run below `out` brings them in. The table `forecasts` only ever grows. A row that it has already
(same target, same data, same figures) is not stored again, so storing twice does no harm.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.engine import Engine, connect, quote
from salesforecast.errors import PublishBlocked, StoreError
from salesforecast.publish import places
from salesforecast.publish.record import Run, hash_of, sha256
from salesforecast.schema import SQL_TYPES, TABLES

if TYPE_CHECKING:
    from nbformat import NotebookNode

FILE = "forecasts.csv"
SOURCE = "salesforecast"  # of the rows in the table, beside the systems of imported calls
WAITING = ".forecasts"
STORE_WAIT = 1.0  # seconds: nobody waits for the archive; the forecasts can

_TABLE = TABLES["forecasts"]
_GIVEN = ("forecaster", "measure", "scope_type", "scope_id", "grain", "period_start")
_FIGURES = ("value", "lo_80", "hi_80", "lo_95", "hi_95")
_COLUMNS = ("made_on", *_GIVEN, *_FIGURES, "run_id", "data_hash", "package_version", "row_key")


def is_archive(output: NotebookNode) -> bool:
    """Say whether an output hands forecasts over to the archive: it is stored, not shown."""
    mark = output.get("metadata", {}).get("salesforecast", {})
    return isinstance(mark, Mapping) and mark.get("kind") == "archive"


def collected(notebook: NotebookNode, record: Run) -> bytes | None:
    """Return the forecasts that a notebook handed over (`show.archive`) as the CSV of its run; None without any.

    Raises `PublishBlocked` for a row that the table could not hold.
    """
    rows = [_row(each, record) for each in _handed_over(notebook)]
    if not rows:
        return None
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({each["row_key"]: each for each in rows}.values())
    return text.getvalue().encode()


def keep(out: Path, store: str | Path, run_id: str, content: bytes) -> Path:
    """Let forecasts wait for their store; return the file, whose name vouches for what is in it."""
    path = _waiting_room(out, store) / f"{run_id}.{sha256(content)[:16]}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    places.replace_file(path, content)
    return path


def bring_in(out: Path, store: str | Path) -> int:
    """Store all forecasts that wait for a store, oldest run first; return how many files still wait.

    A store that is busy or cannot be written (a warehouse is only read) keeps them waiting; a damaged file waits for
    whoever looks into it.
    """
    waiting = sorted(_waiting_room(out, store).glob("*.*.csv"))
    if not waiting:
        return 0
    stored: list[Path] = []
    try:
        with connect(store, write=True, wait=STORE_WAIT) as engine, engine.transaction():
            for path in waiting:
                rows = _read(path)
                if rows is not None:
                    _insert(engine, rows)
                    stored.append(path)
    except (StoreError, OSError):
        return len(waiting)
    for path in stored:
        path.unlink(missing_ok=True)
    return len(waiting) - len(stored)


def _handed_over(notebook: NotebookNode) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if is_archive(output):
                for bundle in output.get("data", {}).values():
                    if isinstance(bundle, Mapping):
                        yield from bundle.get("rows", [])


def _row(given: Mapping[str, Any], record: Run) -> dict[str, Any]:
    try:
        period_start = date.fromisoformat(str(given["period_start"])[:10]).isoformat()
        row = {name: str(given[name]) for name in _GIVEN} | {"period_start": period_start}
        figures = {name: None if given.get(name) is None else float(given[name]) for name in _FIGURES}
    except (KeyError, TypeError, ValueError) as error:
        raise PublishBlocked(
            f"A forecast for the archive lacks or misstates {error}. Make the rows with sf.archive.rows(...)."
        ) from None
    if figures["value"] is None or any(each is not None and not math.isfinite(each) for each in figures.values()):
        raise PublishBlocked(
            f"A forecast for the archive has no figure for {row['period_start']}. Leave out rows without a value."
        )
    row = {"made_on": record.as_of, **row}
    vintage = hash_of([record.data_hash, record.versions.get("salesforecast"), list(figures.values())])
    key = "\x1f".join([*(row[name] for name in _TABLE.key), vintage[:16]])
    return {
        **row, **{name: "" if each is None else repr(each) for name, each in figures.items()},
        "run_id": record.id, "data_hash": record.data_hash,
        "package_version": record.versions.get("salesforecast", ""), "row_key": key,
    }  # fmt: skip


def _read(path: Path) -> list[dict[str, str]] | None:
    """Return the rows of a waiting file; None when it is damaged or another process has just stored it."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if sha256(content)[:16] != path.name.split(".")[-2]:
        return None
    return list(csv.DictReader(io.StringIO(content.decode())))


def _insert(engine: Engine, rows: list[dict[str, str]]) -> None:
    kinds = {each.name: SQL_TYPES[each.kind] for each in _TABLE.columns} | {"row_key": SQL_TYPES["text"]}
    names = ", ".join(quote(name) for name in (*_COLUMNS, "source"))
    values = ", ".join(f"CAST(nullif(${name}, '') AS {kinds[name]})" for name in _COLUMNS)
    for row in rows:
        engine.execute(
            f"INSERT INTO store.forecasts ({names}) SELECT {values}, '{SOURCE}' "
            f"WHERE NOT EXISTS (SELECT 1 FROM store.forecasts WHERE row_key = $row_key)",
            row,
        )


def _waiting_room(out: Path, store: str | Path) -> Path:
    """Return the folder of a store's waiting forecasts; its name tells stores apart without naming a machine's path."""
    return out / WAITING / sha256(str(store).encode())[:12]
