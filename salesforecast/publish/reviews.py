"""Where review notebooks live and how they are read: the user's `./notebooks` first, then the package's."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadInput, BadValue, SalesforecastError, lookup
from salesforecast.publish.parameters import declared

if TYPE_CHECKING:
    from nbformat import NotebookNode

_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_PACKAGE = Path(__file__).resolve().parents[1]


def notebooks(folder: str | Path = ".") -> dict[str, Path]:
    """Return the reviews and analyses that can be run, by name; `folder`/notebooks wins over the package's.

    Raises `BadValue` when one tree holds two notebooks of the same name.

    >>> "no_such_review" in notebooks()
    False
    """
    found: dict[str, Path] = {}
    for root in (packaged_notebooks(), Path(folder) / "notebooks"):
        found |= _tree(root)
    return found


def packaged_notebooks() -> Path:
    """Return the folder of notebooks inside the installed package, or of the source checkout around it."""
    inside = _PACKAGE / "notebooks"
    return inside if inside.is_dir() else _PACKAGE.parent / "notebooks"


def check_notebooks(folder: str | Path = ".") -> list[tuple[str, str | None]]:
    """Return every notebook that can be found with what keeps it from being run, None when nothing does.

    Notebooks without a parameters cell, such as a guide, are for reading in JupyterLab and have no problem.
    """
    checked: list[tuple[str, str | None]] = []
    for name, path in sorted(notebooks(folder).items()):
        problem = None
        try:
            notebook = read(path)
            if any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
                declared(notebook, path.name)
        except SalesforecastError as error:
            problem = str(error)
        checked.append((name, problem))
    return checked


def find(review: str, folder: str | Path = ".") -> Path:
    """Return the notebook of a review. Raises `UnknownName` with the nearest name.

    >>> find("../etc/passwd")
    Traceback (most recent call last):
    salesforecast.errors.UnknownName: No review named '../etc/passwd'...
    """
    return lookup(notebooks(folder), review, "review")


def read(path: Path) -> NotebookNode:
    """Return a notebook as nbformat 4 without outputs. Raises `BadInput` for a file that is no such notebook."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing or doubled cell ids are repaired below
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path.name} is not a readable Jupyter notebook: {reason}") from None
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position + 1}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    )
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def fingerprint(notebook: NotebookNode) -> str:
    """Return the SHA-256 of what a notebook says: the kind, source and tags of its cells, not outputs or ids."""
    cells = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def _tree(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(root.glob("**/*.ipynb")):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue  # JupyterLab's checkpoints
        if path.stem in found:
            raise BadValue(f"Two notebooks are named {path.stem!r} in {root.name}/. Rename one of them.")
        found[path.stem] = path
    return found


def tidy(notebook: NotebookNode, replacements: Mapping[str, str]) -> NotebookNode:
    """Return an executed notebook without what differs between machines and runs.

    Timings, ids, stderr and memory addresses go; `replacements` (such as the working folder) are made in outputs that
    are not `Show`'s own. Same notebook, parameters and data: the same bytes.
    """
    import nbformat

    tidied = copy.deepcopy(notebook)
    tidied.metadata = nbformat.from_dict({"kernelspec": notebook.metadata.get("kernelspec", {})})
    for position, cell in enumerate(tidied.cells, start=1):
        cell.id = f"cell-{position}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [
                _tidied(output, replacements)
                for output in cell.outputs
                if not (output.output_type == "stream" and output.name == "stderr")
            ]
    return tidied


def _tidied(output: NotebookNode, replacements: Mapping[str, str]) -> NotebookNode:
    if "salesforecast" in output.get("metadata", {}):
        return output

    def anonymous(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for found, instead in replacements.items():
            value = value.replace(found, instead)
        return _ADDRESS.sub("", value)

    if output.output_type == "stream":
        output.text = anonymous(output.text)
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            output.data[kind] = anonymous(value)
    return output
