"""Recipes: an import written down as TOML, so that a schedule can repeat it; and mappings kept for files to come.

::

    into = "sales.duckdb"            # paths are relative to the folder of the recipe
    paths = ["exports/*.csv"]
    preset = "auto"                  # of a query: url = "env:NAME" and query = "SELECT …" in place of paths

    [[mapping.transactions]]         # as in import_files(mapping=…)
    from = ["order_details.csv", "orders.csv"]
    on = "OrderID"
    date = "OrderDate"

A kept mapping (`mappings/*.toml` beside the store) holds the headers of the files it was made for::

    headers = [["签约日", "合同额"]]

    [mapping.transactions]
    date = "签约日"
    amount = "合同额"

An import uses it for every file that has all these headers, unless its own mapping names the file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadInput, suggestion
from salesforecast.load.spelling import normalise

if TYPE_CHECKING:
    from salesforecast.load.files import Source

MAPPINGS = "mappings"

KEYS = ("paths", "into", "preset", "mapping", "source", "url", "query")


def load_recipe(path: str | Path) -> dict[str, Any]:
    """Return the arguments of `import_files` that a recipe holds, paths resolved from the recipe's folder.

    Raises `BadInput` for a missing file, broken TOML, an unknown key or a recipe without paths or store.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"No recipe at {path}. Save one with report.save_recipe({path.name!r}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name} is not valid TOML: {error}.") from None
    for key in values:
        if key not in KEYS:
            raise BadInput(f"{path.name}: unknown key {key!r}.{suggestion(key, KEYS)} Known: {', '.join(KEYS)}.")
    for key in ("url", "query", "into") if "url" in values else ("paths", "into"):
        if key not in values:
            raise BadInput(f"{path.name} lacks {key!r}. Write {key} = {'[…]' if key == 'paths' else '…'}.")
    into = str(path.parent / values["into"])
    if "url" in values:
        return {**values, "into": into}
    given = [values["paths"]] if isinstance(values["paths"], str) else values["paths"]
    return {
        **values,
        "paths": [str(path.parent / each) for each in given],
        "into": into,
    }


def save(path: str | Path, arguments: Mapping[str, Any]) -> Path:
    """Write the arguments of an import as a recipe; paths become relative to its folder."""
    import tomli_w

    path = Path(path)
    folder = path.resolve().parent

    def beside(each: str | Path) -> str:
        return Path(os.path.relpath(Path(each).resolve(), folder)).as_posix()

    if ":***@" in arguments.get("url", ""):
        raise BadInput(
            "A recipe keeps no password. Import with env:NAME, a variable that holds the URL, and save again."
        )
    values = {
        "into": beside(arguments["into"]),
        **({"paths": [beside(each) for each in arguments["paths"]]} if "url" not in arguments else {}),
        **{key: arguments[key] for key in ("url", "query") if key in arguments},
        "preset": arguments["preset"],
        **({"source": arguments["source"]} if arguments.get("source") else {}),
        "mapping": arguments["mapping"],
    }
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def keep(folder: str | Path, name: str, headers: Sequence[Sequence[str]], table: str, entry: Mapping[str, Any]) -> Path:
    """Write the mapping of one file, or of files that are joined, into `folder`/mappings; returns the file written.

    >>> import tempfile
    >>> keep(tempfile.mkdtemp(), "订单 2026.csv", [["a", "b"]], "transactions", {"date": "a", "amount": "b"}).name
    '订单_2026.toml'
    """
    import tomli_w

    stem = re.sub(r"\W+", "_", re.sub(r"\.(csv|tsv|txt|gz|xlsx?|xlsb|ods|json)(?=$|#|\W)", "", name)).strip("_")
    path = Path(folder) / MAPPINGS / f"{stem or 'mapping'}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {key: value for key, value in entry.items() if key != "from"}
    path.write_text(
        tomli_w.dumps({"headers": [list(each) for each in headers], "mapping": {table: body}}), encoding="utf-8"
    )
    return path


def with_kept(
    mapping: Mapping[str, Any] | None, sources: Sequence[Source], folder: str | Path
) -> tuple[dict[str, Any] | None, list[Source]]:
    """Return the mapping with the kept entries for files that have their headers, and the sources with a note of it.

    Files that the given mapping names are left to it. Raises `BadInput` for a kept file that is not valid.
    """
    given = {
        table: [dict(each) for each in ([entries] if isinstance(entries, Mapping) else entries)]
        for table, entries in (mapping or {}).items()
    }
    named = {
        name
        for entries in given.values()
        for entry in entries
        for name in ([entry["from"]] if isinstance(entry.get("from"), str) else entry.get("from", ()))
    }
    # An entry that names columns but no file may be meant for any of them.
    open_entries = any("from" not in entry and len(entry) > 1 for entries in given.values() for entry in entries)
    free = [] if open_entries else [each for each in sources if not {each.name, each.title, each.stem} & named]
    used: dict[str, str] = {}
    for path in sorted((Path(folder) / MAPPINGS).glob("*.toml")):
        for table, entry, headers in _kept(path):
            for group in _having(headers, [each for each in free if each.name not in used]):
                used.update(dict.fromkeys((each.name for each in group), path.name))
                given.setdefault(table, []).insert(0, {"from": [each.name for each in group], **entry})
    if not used:
        return (dict(mapping) if mapping is not None else None), list(sources)
    noted = [
        replace(each, notes=(*each.notes, f"mapping kept in {MAPPINGS}/{used[each.name]}"))
        if each.name in used
        else each
        for each in sources
    ]
    return given, noted


def _kept(path: Path) -> list[tuple[str, dict[str, Any], list[list[str]]]]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        headers = [list(map(str, each)) for each in values["headers"]]
        entries = [
            (table, dict(entry), headers)
            for table, found in values["mapping"].items()
            for entry in ([found] if isinstance(found, dict) else found)
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(
            f"{MAPPINGS}/{path.name} is no kept mapping: {error}. It needs headers = [[…]] and [mapping.TABLE]; "
            "correct it or delete it."
        ) from None
    return entries


def _having(headers: Sequence[Sequence[str]], sources: Sequence[Source]) -> list[list[Source]]:
    """Return the groups of sources that have the headers: one group per file, or one for files that are joined."""
    fitting = [
        [each for each in sources if {normalise(name) for name in names if name} <= set(map(normalise, each.headers))]
        for names in headers
    ]
    if len(fitting) == 1:
        return [[each] for each in fitting[0]]
    group = [found[0] for found in fitting if found]
    return [group] if len({each.name for each in group}) == len(headers) else []
