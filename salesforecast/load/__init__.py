"""Import: exported files become the canonical tables of a store."""

from salesforecast.load.importer import import_files
from salesforecast.load.recipes import load_recipe
from salesforecast.load.report import ImportReport

__all__ = ["ImportReport", "import_files", "load_recipe"]
