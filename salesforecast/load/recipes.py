"""Recipes: an import written down as TOML, so that a schedule can repeat it.

::

    into = "sales.duckdb"            # paths are relative to the folder of the recipe
    paths = ["exports/*.csv"]
    preset = "auto"

    [[mapping.transactions]]         # as in import_files(mapping=…)
    from = ["order_details.csv", "orders.csv"]
    on = "OrderID"
    date = "OrderDate"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from salesforecast.errors import BadInput, suggestion

KEYS = ("paths", "into", "preset", "mapping", "source")


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
    for key in ("paths", "into"):
        if key not in values:
            raise BadInput(f"{path.name} lacks {key!r}. Write {key} = {'[…]' if key == 'paths' else '…'}.")
    given = [values["paths"]] if isinstance(values["paths"], str) else values["paths"]
    return {
        **values,
        "paths": [str(path.parent / each) for each in given],
        "into": str(path.parent / values["into"]),
    }


def save(path: str | Path, arguments: Mapping[str, Any]) -> Path:
    """Write the arguments of an import as a recipe; paths become relative to its folder."""
    import tomli_w

    path = Path(path)
    folder = path.resolve().parent

    def beside(each: str | Path) -> str:
        return Path(os.path.relpath(Path(each).resolve(), folder)).as_posix()

    values = {
        "into": beside(arguments["into"]),
        "paths": [beside(each) for each in arguments["paths"]],
        "preset": arguments["preset"],
        **({"source": arguments["source"]} if arguments.get("source") else {}),
        "mapping": arguments["mapping"],
    }
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path
