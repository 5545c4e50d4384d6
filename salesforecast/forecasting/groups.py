"""Groups of a panel: every sum of its series that somebody plans by, as series of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel, BadValue, lookup
from salesforecast.forecasting.checks import by_text, check_panel

if TYPE_CHECKING:
    from scipy import sparse

ALL = "*"  # in a `by` column: every member
TOTAL = "total"


def aggregate(panel: pd.DataFrame, by: Sequence[str], levels: Sequence[Sequence[str]] | None = None) -> pd.DataFrame:
    """Return the panel of every group: the total, the levels between, and the finest series themselves.

    `panel` has `unique_id, ds, y` and the `by` columns, one series for each combination of their values (as
    `panel(wb, by=…)` returns them). `levels` are the groups between total and finest: by default the columns are
    nested and each prefix of `by` is a level (`["region", "team"]`: total, region, region/team); crossed groups name
    theirs, such as `levels=[["region"], ["category"]]`.

    Returns one row per series and period: `unique_id, ds, y, level` and the `by` columns, which hold "*" where a series
    sums all members; `unique_id` joins them by "/" (without "*" at the end; "total" for the sum of all), `level` joins
    the names of the columns. A series that begins later or ended earlier than others counts as 0 there, so that every
    series of the result ends in the same period; the finest series keep their own start.

    Raises `BadPanel` for gaps inside a series (`fill_gaps` says the way out), unknown columns, several series in one
    combination; `BadValue` for a level with a column that is not in `by`.

    >>> sales = pd.DataFrame({"unique_id": ["A", "B"], "ds": pd.Timestamp("2026-01-01"), "y": [1.0, 2.0],
    ...                       "region": ["A", "B"]})
    >>> aggregate(sales, ["region"])[["unique_id", "y", "level"]].values.tolist()
    [['total', 3.0, 'total'], ['A', 1.0, 'region'], ['B', 2.0, 'region']]
    """
    columns = [by] if isinstance(by, str) else list(by)
    groups = _levels(columns, levels)
    finest = _finest(panel, columns)
    parts = []
    for group in groups:
        summed = finest.groupby([*group, "ds"], sort=False, as_index=False)["y"].sum()
        others = {column: ALL for column in columns if column not in group}
        parts.append(summed.assign(level="/".join(group) or TOTAL, **others))
    parts.append(finest.assign(level="/".join(columns)))
    nodes = pd.concat(parts, ignore_index=True)
    nodes["unique_id"] = _names(nodes, columns)
    rank = {name: position for position, name in enumerate(nodes["level"].unique())}
    nodes = nodes.sort_values(["unique_id", "ds"], key=by_text, kind="stable")
    nodes = nodes.sort_values("level", key=lambda level: level.map(rank), kind="stable", ignore_index=True)
    if nodes.duplicated(["unique_id", "ds"]).any():
        name = nodes.loc[nodes.duplicated(["unique_id", "ds"]), "unique_id"].iloc[0]
        raise BadPanel(f"Two groups would both be called {name!r}. Rename the members whose names contain a slash.")
    result = nodes[["unique_id", "ds", "y", "level", *columns]]
    result.attrs = dict(panel.attrs)
    return result


@dataclass(frozen=True)
class Structure:
    """Which finest series each aggregate sums: `ids` are aggregates first; `sums` is (aggregates, finest)."""

    ids: np.ndarray
    sums: sparse.csr_array

    @property
    def aggregates(self) -> int:
        """Number of series that are sums."""
        return self.sums.shape[0]

    def add_up(self, finest: np.ndarray) -> np.ndarray:
        """Return all series from the finest ones."""
        return np.concatenate([self.sums @ finest, finest])


def structure(nodes: pd.DataFrame) -> Structure:
    """Return the summing structure of a panel of `aggregate`."""
    from scipy import sparse

    columns = _by_columns(nodes)
    members = nodes.drop_duplicates("unique_id")[["unique_id", *columns]].reset_index(drop=True)
    is_sum = (members[columns] == ALL).any(axis=1).to_numpy()
    finest = members[~is_sum].reset_index(drop=True)
    rows, cells = [], []
    # All aggregates of one level are found by one grouping.
    shapes = (members.loc[is_sum, columns] != ALL).apply(tuple, axis=1)
    position = {name: row for row, name in enumerate(members.loc[is_sum, "unique_id"])}
    for shape in dict.fromkeys(shapes):
        group = [column for column, used in zip(columns, shape, strict=True) if used]
        names = finest[columns].copy()
        names[[column for column in columns if column not in group]] = ALL
        rows.append(_names(names, columns).map(position).to_numpy(int))
        cells.append(np.arange(len(finest)))
    ids = np.concatenate([members.loc[is_sum, "unique_id"], finest["unique_id"]])
    shape = (int(is_sum.sum()), len(finest))
    if not rows:
        return Structure(ids, sparse.csr_array(shape))
    data = np.ones(sum(map(len, rows)))
    return Structure(ids, sparse.csr_array((data, (np.concatenate(rows), np.concatenate(cells))), shape=shape))


def _levels(columns: list[str], levels: Sequence[Sequence[str]] | None) -> list[list[str]]:
    """Return the groups between total and finest, the total first."""
    if not columns:
        raise BadValue('by is empty. Name the columns of the hierarchy, such as by=["region", "team"].')
    given = [columns[:end] for end in range(1, len(columns))] if levels is None else [list(each) for each in levels]
    for group in given:
        for column in group:
            lookup({each: each for each in columns}, column, "column of the hierarchy")
    # In the order of `by`, the total and the finest level not twice.
    ordered = [[column for column in columns if column in group] for group in given]
    middle = [each for each in ordered if 0 < len(each) < len(columns)]
    return [[], *(list(each) for each in dict.fromkeys(map(tuple, middle)))]


def _finest(panel: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the finest series, checked, each with a row for every period to the common end."""
    tidy = check_panel(panel)
    missing = [column for column in columns if column not in tidy.columns]
    if missing:
        raise BadPanel(f"Panel has no column {', '.join(missing)}. Make it with panel(wb, by={columns}).")
    tidy[columns] = tidy[columns].astype(object).where(tidy[columns].notna(), "–").astype(str)
    if (tidy[columns] == ALL).to_numpy().any():
        raise BadPanel(f'A group is called "{ALL}", which stands for all of them. Rename it in the panel.')
    if tidy.duplicated([*columns, "ds"]).any():
        raise BadPanel(f"Several series share one combination of {', '.join(columns)}. Add the column that differs.")
    last = tidy.groupby("unique_id", sort=False)["ds"].transform("max")
    ended = tidy[(tidy["ds"] == last) & (last < tidy["ds"].max())]
    if ended.empty:
        return tidy
    dates = np.sort(tidy["ds"].unique())
    rest = ended.drop(columns="ds").merge(pd.DataFrame({"ds": dates}), how="cross")
    rest = rest[rest["ds"] > rest["unique_id"].map(ended.set_index("unique_id")["ds"])]
    return pd.concat([tidy, rest.assign(y=0.0)], ignore_index=True)


def _names(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return "a/b" from the values of the columns, "*" at the end left out."""
    joined = frame[columns[0]].str.cat([frame[column] for column in columns[1:]], sep="/")
    while (loose := joined.str.endswith(f"/{ALL}")).any():
        joined = joined.where(~loose, joined.str.slice(stop=-2))
    return joined.where(joined != ALL, TOTAL)


def _by_columns(nodes: pd.DataFrame) -> list[str]:
    return [column for column in nodes.columns if column not in ("unique_id", "ds", "y", "level")]
