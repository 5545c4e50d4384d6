"""What PostgreSQL and Spark have in common as stores: declared types, checked queries, frames as DuckDB makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.engine import Reader, bookkeeping
from salesforecast.errors import StoreError
from salesforecast.schema import PROVENANCE, SQL_TYPES, TABLES
from salesforecast.warehouse import dialect

if TYPE_CHECKING:
    import pandas as pd


class Warehouse(Reader):
    """A store that is read where it lies; `found` has the columns of each of its tables, in their order."""

    def __init__(self, label: str, found: Mapping[str, Sequence[str]]) -> None:
        self._label = label
        self._found = found
        self.path = Path(label)

    @property
    def label(self) -> str:
        """The address, without its password."""
        return self._label

    @property
    def filling(self) -> str:
        """Where rows have to be put; a page may quote it, so it names no machine."""
        return "fill it in the warehouse"

    def check(self, query: str) -> None:
        """Raise `BadValue` for anything but one SELECT."""
        dialect.check(query)

    def columns(self, table: str) -> list[str]:
        """Return the declared columns of a table, then the extra `x_` columns that it has."""
        return [*declared()[table], *extra_columns(self._found.get(table, ()))]


def declared() -> dict[str, dict[str, str]]:
    """Return the tables of a store: name → column → SQL type, provenance and bookkeeping included.

    >>> declared()["transactions"]["amount"]
    'DECIMAL(18,4)'
    """
    tables = {
        table.name: {each.name: SQL_TYPES[each.kind] for each in (*table.columns, *PROVENANCE)}
        for table in TABLES.values()
    }
    return tables | bookkeeping()


def extra_columns(present: Sequence[str]) -> list[str]:
    """Return the columns that are the user's own.

    >>> extra_columns(["amount", "x_plan", "etl_batch"])
    ['x_plan']
    """
    return [each for each in present if each.startswith("x_")]


def check_found(found: Collection[str], label: str) -> None:
    """Raise `StoreError` when none of the 12 tables is there."""
    if not set(TABLES) & set(found):
        raise StoreError(
            f"No table of a store in {label}: expected some of {', '.join(TABLES)}. "
            "Bring one there with salesforecast.warehouse.copy_store, or make views of these names."
        )


def typed_frame(names: Sequence[str], kinds: Sequence[str], columns: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return a frame with the types DuckDB gives: kinds are integer, float, flag, date, timestamp, text and other.

    Whole numbers and flags with a missing value become nullable, a text column without any value is of objects.

    >>> typed_frame(["a", "b"], ["integer", "date"], [[1, None], [None, None]]).dtypes.astype(str).tolist()
    ['Int64', 'datetime64[us]']
    """
    import pandas as pd

    frame = pd.DataFrame(
        {place: _typed(kind, values) for place, (kind, values) in enumerate(zip(kinds, columns, strict=True))}
    )
    return frame.set_axis(list(names), axis=1)


def _typed(kind: str, values: Sequence[Any]) -> pd.Series:
    import numpy as np
    import pandas as pd

    lacks = any(each is None for each in values)
    if kind == "float":
        return pd.Series(np.array([np.nan if each is None else float(each) for each in values], dtype="float64"))
    if kind in ("date", "timestamp"):
        return pd.Series(np.array(values, dtype="datetime64[us]"))
    if kind == "integer":
        return pd.Series(values, dtype="Int64" if lacks else "int64")
    if kind == "flag":
        return pd.Series(values, dtype="boolean" if lacks else "bool")
    if kind == "text" and any(each is not None for each in values):
        return pd.Series(values, dtype="str")
    return pd.Series(values, dtype="object")


def written_names(query: str, names: Sequence[str]) -> list[str]:
    """Return the names of a result as the query writes them: PostgreSQL gives them in lower case."""
    written = dialect.output_names(query)
    if written is None or [each.lower() for each in written] != [each.lower() for each in names]:
        return list(names)
    return written
