"""The panel contract: what is wrong with a panel, its gaps, and its series as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel, BadValue
from salesforecast.forecasting.frequency import Frequency, check_grid, infer

KEYS = ("unique_id", "ds", "y")


@dataclass(frozen=True)
class Series:
    """One history without gaps; `regressors` has a row for each period of history and horizon."""

    unique_id: object
    ds: pd.DatetimeIndex
    y: np.ndarray
    notes: tuple[str, ...]
    regressors: np.ndarray | None = None


def check_panel(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the panel sorted by series and date, with `ds` as dates and `y` as numbers.

    Raises `BadPanel` that says what is wrong and the way out: no frame or no rows, a missing column, an empty
    `unique_id`, a date that is none, text or infinity in `y`, a series without any value, two rows for one period,
    dates off the grid, missing periods or values.

    >>> months = pd.to_datetime(["2025-01-01", "2025-02-01", "2025-04-01"])
    >>> check_panel(pd.DataFrame({"unique_id": "EU", "ds": months, "y": [1, 2, 3]}))
    Traceback (most recent call last):
    salesforecast.errors.BadPanel: Panel has 1 gaps, first in series 'EU' at 2025-03-01.
    Call fill_gaps(panel, value=0) if no sale means zero, or fill_gaps(panel, value=None) to interpolate.
    """
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    gaps, first = 0, ""
    for unique_id, rows in tidy.groupby("unique_id", sort=False):
        missing = _on_grid(unique_id, rows, frequency)["y"].isna()
        if missing.any() and not gaps:
            first = f"first in series {unique_id!r} at {missing.index[missing.argmax()].date()}"
        gaps += int(missing.sum())
    if gaps:
        raise BadPanel(
            f"Panel has {gaps} gaps, {first}. Call fill_gaps(panel, value=0) if no sale means zero, "
            "or fill_gaps(panel, value=None) to interpolate."
        )
    return tidy


def fill_gaps(panel: pd.DataFrame, value: float | None = 0.0) -> pd.DataFrame:
    """Return the panel with every period between the first and the last of each series present.

    Missing values of `y` become `value`; None interpolates them between their neighbours along the series' own
    season (before the first and after the last known one, the nearest stays). Other columns take the value of the
    row before.

    >>> months = pd.to_datetime(["2025-01-01", "2025-03-01", "2025-04-01"])
    >>> fill_gaps(pd.DataFrame({"unique_id": "EU", "ds": months, "y": [1, 2, 3]}), value=0)["y"].tolist()
    [1.0, 0.0, 2.0, 3.0]
    """
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    filled = []
    for unique_id, rows in tidy.groupby("unique_id", sort=False):
        whole = _on_grid(unique_id, rows, frequency)
        if value is None:
            whole["y"] = _interpolate(whole["y"].to_numpy(), frequency.season)
        else:
            whole["y"] = whole["y"].fillna(float(value))
        others = [column for column in whole.columns if column not in ("y", "ds")]
        whole[others] = whole[others].ffill()
        filled.append(whole.rename_axis("ds").reset_index())
    whole = pd.concat(filled, ignore_index=True)[list(tidy.columns)]
    whole.attrs = dict(panel.attrs)
    return whole


def tidy_panel(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the panel sorted and typed; raises `BadPanel` for everything `check_panel` refuses except gaps."""
    if not isinstance(panel, pd.DataFrame):
        raise BadPanel(f"A panel is a DataFrame with unique_id, ds and y; found {type(panel).__name__}.")
    missing = [column for column in KEYS if column not in panel.columns]
    if missing:
        raise BadPanel(
            f"Panel has no column {', '.join(missing)}; it has {', '.join(map(str, panel.columns))}. "
            "Rename your columns to unique_id, ds and y."
        )
    if panel.empty:
        raise BadPanel("Panel has no rows. Give at least one series with one value.")
    if panel["unique_id"].isna().any():
        raise BadPanel(f"Panel has {panel['unique_id'].isna().sum()} rows without unique_id. Name or drop them.")
    tidy = panel.assign(ds=_dates(panel["ds"]), y=_numbers(panel))
    tidy = tidy.sort_values(["unique_id", "ds"], key=by_text, kind="stable", ignore_index=True)
    twice = tidy.duplicated(["unique_id", "ds"])
    if twice.any():
        row = tidy[twice].iloc[0]
        raise BadPanel(
            f"Panel has {twice.sum()} duplicate rows, first for series {row['unique_id']!r} at {row['ds'].date()}. "
            "Sum them to one row per series and period: panel.groupby(['unique_id', 'ds'], as_index=False)['y'].sum()."
        )
    empty = tidy["y"].isna().groupby(tidy["unique_id"], sort=False).all()
    if empty.any():
        raise BadPanel(f"Series {empty[empty].index[0]!r} has no value at all. Drop it from the panel.")
    tidy.attrs = dict(panel.attrs)
    return tidy


def read_series(
    tidy: pd.DataFrame, frequency: Frequency, season: int, horizon: int, regressors: pd.DataFrame | None
) -> list[Series]:
    """Return the series of a tidy panel; gaps are interpolated and noted, regressors aligned with the periods."""
    known = None if regressors is None else _regressors(regressors)
    series = []
    for unique_id, rows in tidy.groupby("unique_id", sort=False):
        whole = _on_grid(unique_id, rows, frequency)
        values = whole["y"].iloc[: int(np.flatnonzero(whole["y"].notna())[-1]) + 1]
        values = values.iloc[int(np.flatnonzero(values.notna())[0]) :]
        notes = ("gaps_filled",) if values.isna().any() or len(values) < len(whole) else ()
        ds = pd.DatetimeIndex(values.index)
        needed = None
        if known is not None:
            needed = _regressors_of(known, unique_id, [*ds, *frequency.after(ds[-1], horizon)])
        series.append(Series(unique_id, ds, _interpolate(values.to_numpy(float), season), notes, needed))
    return series


def check_season(season: int | None, frequency: Frequency) -> int:
    """Return the season in periods; None means the usual one of the frequency."""
    if season is None:
        return frequency.season
    if isinstance(season, bool) or not isinstance(season, (int, np.integer)) or season < 1:
        raise BadValue(f"season is {season!r}. Give the periods in a season (12 for months of a year) or None.")
    return int(season)


def by_text(column: pd.Series) -> pd.Series:
    """Sort ids by their text, so that ids of mixed types have an order."""
    return column if column.name == "ds" else column.astype(str)


def _dates(ds: pd.Series) -> pd.Series:
    try:
        dates = pd.to_datetime(ds.dt.to_timestamp() if isinstance(ds.dtype, pd.PeriodDtype) else ds)
    except (ValueError, TypeError) as error:
        raise BadPanel(f"Column ds holds something that is no date ({error}). Give dates such as 2026-10-01.") from None
    if pd.api.types.is_numeric_dtype(ds.dtype):
        raise BadPanel(f"Column ds holds numbers such as {ds.iloc[0]}. Give dates such as 2026-10-01.")
    if dates.isna().any():
        raise BadPanel(f"Column ds is empty in {dates.isna().sum()} rows. Give every row its date or drop it.")
    dates = dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
    return dates.dt.normalize().astype("datetime64[ns]")


def _numbers(panel: pd.DataFrame) -> pd.Series:
    y = panel["y"]
    try:
        numbers = pd.to_numeric(y).astype(float)
    except (ValueError, TypeError):
        text = next(each for each in y if not _is_number(each))
        raise BadPanel(f"Column y holds {text!r}, which is no number. Convert it or drop the row.") from None
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        found = panel["unique_id"].to_numpy()[infinite][0]
        raise BadPanel(
            f"Column y is infinite in {infinite.sum()} rows, first in series {found!r}. "
            "Replace them by NaN (unknown) or drop them; a ratio with a zero base has no value."
        )
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return value is None
    return True


def _on_grid(unique_id: object, rows: pd.DataFrame, frequency: Frequency) -> pd.DataFrame:
    """Return the rows of one series indexed by every period from its first to its last."""
    positions = frequency.positions(rows["ds"])
    check_grid(unique_id, rows["ds"], positions, frequency)
    count = int(positions[-1]) + 1
    first = rows["ds"].iloc[0]
    indexed = rows.set_index("ds")
    if count == len(rows):
        return indexed
    return indexed.reindex(pd.DatetimeIndex([first, *frequency.after(first, count - 1)]))


def _interpolate(y: np.ndarray, season: int) -> np.ndarray:
    """Return the values with holes filled linearly, after the mean of each position in the season is taken out."""
    known = ~np.isnan(y)
    if known.all():
        return y
    position = np.arange(len(y)) % season
    usual = np.zeros(season)
    if len(y) >= 2 * season > 2:
        for each in range(season):
            there = known & (position == each)
            usual[each] = y[there].mean() - y[known].mean() if there.any() else 0.0
    level = y - usual[position]
    filled = np.interp(np.arange(len(y)), np.flatnonzero(known), level[known]) + usual[position]
    if y[known].min() >= 0:
        filled = np.maximum(filled, 0.0)
    return np.where(known, y, filled)


def _regressors(regressors: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(regressors, pd.DataFrame) or "ds" not in regressors.columns:
        raise BadValue(
            "regressors is no DataFrame with ds and one column for each regressor. Give ds for every period."
        )
    names = [column for column in regressors.columns if column not in ("unique_id", "ds")]
    if not names:
        raise BadValue("regressors has only ds. Give one numeric column for each regressor.")
    known = regressors.assign(ds=_dates(regressors["ds"]))
    for name in names:
        if not pd.api.types.is_numeric_dtype(known[name]) and not pd.api.types.is_bool_dtype(known[name]):
            raise BadValue(f"Regressor {name!r} is not numeric. Give numbers, for example 1 while a promotion runs.")
        if not np.isfinite(known[name].astype(float)).all():
            raise BadValue(f"Regressor {name!r} has empty or infinite values. Give a number for every period.")
    keys = ["unique_id", "ds"] if "unique_id" in known.columns else ["ds"]
    if known.duplicated(keys).any():
        raise BadValue("regressors has two rows for one period. Give one row per series and period.")
    return known.set_index(keys)[names].astype(float).sort_index()


def _regressors_of(known: pd.DataFrame, unique_id: object, dates: list[pd.Timestamp]) -> np.ndarray:
    if known.index.nlevels == 2:
        if unique_id not in known.index.get_level_values(0):
            raise BadValue(f"regressors has no rows for series {unique_id!r}. Give them for every series.")
        known = known.loc[unique_id]
    found = known.reindex(pd.DatetimeIndex(dates))
    missing = found.iloc[:, 0].isna()
    if missing.any():
        day = found.index[missing.argmax()].date()
        raise BadValue(
            f"regressors misses {missing.sum()} periods of series {unique_id!r}, first {day}. "
            "Give every period of the history and of the horizon."
        )
    return found.to_numpy()
