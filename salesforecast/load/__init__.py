"""Import: exported files become the canonical tables of a store."""

from salesforecast.load.database import import_sql
from salesforecast.load.erasure import erase
from salesforecast.load.importer import import_files
from salesforecast.load.ledger import imports, undo_import
from salesforecast.load.recipes import load_recipe
from salesforecast.load.report import ImportReport

__all__ = ["ImportReport", "erase", "import_files", "import_sql", "imports", "load_recipe", "undo_import"]
