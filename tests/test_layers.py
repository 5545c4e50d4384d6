"""Imports point one way: a module or folder imports only what stands to its left."""

import ast
from pathlib import Path

import salesforecast

ORDER = [
    *("errors", "calendar", "settings", "schema", "engine", "warehouse", "demo", "load"),
    *("workbench", "measures", "findings"),
    *("forecasting", "analysis"),
    *("present", "publish"),
    *("cli", "__main__"),
]
PACKAGE = Path(salesforecast.__file__).parent
# Notebook-free layers: `publish` runs any notebook, `forecasting` works on any panel.
FORBIDDEN = {
    "publish": {"analysis", "forecasting", "demo", "load"},
    "present": {"demo", "load"},
    "forecasting": {"analysis", "demo", "load"},
}


def imported(path):
    """Return the rooms of the package that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "salesforecast" and len(parts) > 1 and parts[1] in ORDER:
                yield parts[1]


def rooms():
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room != "__init__":
            yield room, path


def test_every_room_stands_in_the_line():
    assert {room for room, _ in rooms()} <= set(ORDER)


def test_imports_point_left():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for room, path in rooms()
        for other in imported(path)
        if ORDER.index(other) > ORDER.index(room) or other in FORBIDDEN.get(room, set())
    ]
    assert wrong == []


def test_forecasting_knows_the_workbench_only_in_panels():
    knowing = {
        path.name
        for room, path in rooms()
        if room == "forecasting" and {"workbench", "engine", "measures"} & set(imported(path))
    }
    assert knowing <= {"panels.py"}


def test_only_the_engine_imports_duckdb():
    users = {
        str(path.relative_to(PACKAGE))
        for _, path in rooms()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == "duckdb"
    }
    assert users == {"engine.py"}
