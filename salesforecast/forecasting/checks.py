"""The panel contract: what is wrong with a panel, its gaps, and the regressors that belong to it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel, BadValue
from salesforecast.forecasting.frequency import Frequency, day_of_month, infer_days

KEYS = ("unique_id", "ds", "y")
HUGE = 1e100  # values beyond have squares that no number holds; they count as infinite
_YEARS = (1700, 2200)  # of dates in nanoseconds, with room for a horizon


def check_panel(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the panel sorted by series and date, with `ds` as dates and `y` as numbers.

    Raises `BadPanel` that says what is wrong and the way out: no frame or no rows, a missing column, an empty
    `unique_id`, a date that is none, text or infinity (1e100 and more) in `y`, a series without any value, two rows
    for one period, dates off the grid, missing periods or values.

    >>> months = pd.to_datetime(["2025-01-01", "2025-02-01", "2025-04-01"])
    >>> check_panel(pd.DataFrame({"unique_id": "EU", "ds": months, "y": [1, 2, 3]}))
    Traceback (most recent call last):
    salesforecast.errors.BadPanel: Panel has 1 gaps, first in series 'EU' at 2025-03-01.
    Call fill_gaps(panel, value=0) if no sale means zero, or fill_gaps(panel, value=None) to interpolate.
    """
    tidy, columns, frequency, positions = _on_grid(panel)
    missing = np.where(np.diff(columns.codes, prepend=-1) == 0, np.diff(positions, prepend=0) - 1, 0)
    empty = np.isnan(columns.y)
    if missing.any() or empty.any():
        row = int(np.flatnonzero(empty | (missing > 0))[0])
        # A period is missing before the row, or the row itself has no value.
        number = frequency.numbers(columns.days[[row]]) - frequency.step * missing[row]
        day = str(frequency.dates(number, day_of_month(columns.days[[row]]))[0])[:10]
        raise BadPanel(
            f"Panel has {missing.sum() + empty.sum()} gaps, "
            f"first in series {named(columns.ids[columns.codes[row]])} at {day}. "
            "Call fill_gaps(panel, value=0) if no sale means zero, or fill_gaps(panel, value=None) to interpolate."
        )
    return tidy


def fill_gaps(panel: pd.DataFrame, value: float | None = 0.0) -> pd.DataFrame:
    """Return the panel with every period between the first and the last of each series present.

    Missing values of `y` become `value`; None interpolates them between their neighbours along the season before
    (`histories.fill`; before the first and after the last known one, the nearest stays). Other columns take the value
    of the row before.

    >>> months = pd.to_datetime(["2025-01-01", "2025-03-01", "2025-04-01"])
    >>> fill_gaps(pd.DataFrame({"unique_id": "EU", "ds": months, "y": [1, 2, 3]}), value=0)["y"].tolist()
    [1.0, 0.0, 2.0, 3.0]
    """
    from salesforecast.forecasting.histories import fill

    tidy, columns, frequency, positions = _on_grid(panel)
    first = np.flatnonzero(np.diff(columns.codes, prepend=-1))
    lengths = positions[np.r_[first[1:], len(positions)] - 1] + 1
    starts = np.cumsum(lengths) - lengths
    # Each row of the result takes the columns of the last row of the panel at or before it.
    place = starts[columns.codes] + positions
    there = np.zeros(lengths.sum(), dtype=bool)
    there[place] = True
    whole = tidy.take(np.cumsum(there) - 1).reset_index(drop=True)
    numbers = np.repeat(frequency.numbers(columns.days[first]) - frequency.step * starts, lengths)
    dates = frequency.dates(
        numbers + frequency.step * np.arange(len(there)), day_of_month(columns.days[first]).repeat(lengths)
    )
    y = np.where(there, whole["y"], np.nan)
    if value is not None:
        y = np.where(np.isnan(y), float(value), y)
    for series in np.unique(np.repeat(np.arange(len(lengths)), lengths)[np.isnan(y)]).tolist():
        part = slice(starts[series], starts[series] + lengths[series])
        known = np.flatnonzero(~np.isnan(y[part]))
        inner = fill(y[part][known[0] : known[-1] + 1], frequency.season)
        y[part] = np.pad(inner, (known[0], lengths[series] - 1 - known[-1]), mode="edge")
    whole = whole.assign(ds=np.where(there, whole["ds"], dates), y=y)
    whole.attrs = dict(panel.attrs)
    return whole


def check_season(season: int | None, frequency: Frequency | None) -> int:
    """Return the season in periods; None means the usual one of the frequency."""
    if season is None and frequency is not None:
        return frequency.season
    if isinstance(season, bool) or not isinstance(season, (int, np.integer)) or season < 1:
        raise BadValue(f"season is {season!r}. Give the periods in a season (12 for months of a year) or None.")
    return int(season)


def named(unique_id: object) -> str:
    """Return an id as messages show it.

    >>> named("EU"), named(np.int64(7))
    ("'EU'", '7')
    """
    return repr(unique_id.item() if isinstance(unique_id, np.generic) else unique_id)


def by_text(column: pd.Series) -> pd.Series:
    """Sort ids by their text, so that ids of mixed types have an order."""
    return column if column.name == "ds" else column.astype(str)


@dataclass(frozen=True, eq=False)
class Columns:
    """The rows of a panel sorted by series (in the order of their text) and date, as arrays.

    `order` are the positions of the rows in the panel, `codes` number the series, `days` count from 1970.
    """

    ids: pd.Index
    order: np.ndarray
    codes: np.ndarray
    days: np.ndarray
    y: np.ndarray
    grain: str | None

    def positions(self, frequency: Frequency) -> tuple[np.ndarray, np.ndarray]:
        """Return the position of each row in its series, 0 for the first, and which series lie off the grid."""
        numbers = frequency.numbers(self.days)
        starts = np.flatnonzero(np.diff(self.codes, prepend=-1))
        distance = numbers - numbers[starts][self.codes]
        same = np.r_[False, (np.diff(numbers) == 0) & (np.diff(self.codes) == 0)]
        return distance // frequency.step, self._any((distance % frequency.step != 0) | same)

    def refused(self) -> np.ndarray:
        """Return for each series why it cannot be read, "" where it can."""
        reasons = np.full(len(self.ids), "", dtype="U20")
        reasons[self._any(self._twice())] = "duplicate_periods"
        reasons[self._any(np.abs(self.y) > HUGE)] = "infinite_values"
        reasons[~self._any(~np.isnan(self.y))] = "no_values"
        return reasons

    def say(self, reason: str, frequency: Frequency | None = None) -> str:
        """Return the message of the first series that is refused for this reason."""
        if reason == "no_values":
            first = self.ids[~self._any(~np.isnan(self.y))][0]
            return f"Series {named(first)} has no value at all. Drop it from the panel."
        if reason == "infinite_values":
            rows = np.abs(self.y) > HUGE
            return (
                f"Column y is infinite in {rows.sum()} rows, first in series {named(self.ids[self.codes[rows][0]])}. "
                "Replace them by NaN (unknown) or drop them; a ratio with a zero base has no value."
            )
        if reason == "duplicate_periods":
            rows = self._twice()
            row = int(np.flatnonzero(rows)[0])
            return (
                f"Panel has {rows.sum()} duplicate rows, first for series {named(self.ids[self.codes[row]])} at "
                f"{self.days[row].astype('datetime64[D]')}. Sum them to one row per series and day (or a longer "
                "period): panel.groupby(['unique_id', panel['ds'].dt.normalize()])['y'].sum().reset_index()."
            )
        first = self.ids[self.positions(frequency)[1]][0] if frequency else self.ids[0]
        return (
            f"Series {named(first)} has dates that are no whole {frequency.grain if frequency else 'period'} apart. "
            "Give every period its first day (or sum to one date a period)."
        )

    def _twice(self) -> np.ndarray:
        return np.r_[False, (np.diff(self.days) == 0) & (np.diff(self.codes) == 0)]

    def _any(self, rows: np.ndarray) -> np.ndarray:
        return np.bincount(self.codes, weights=rows, minlength=len(self.ids)) > 0


def columns_of(panel: pd.DataFrame) -> Columns:
    """Return the columns of a panel sorted and typed; raises `BadPanel` for what concerns the whole frame."""
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
    codes, ids = pd.factorize(panel["unique_id"])
    if (codes < 0).any():
        raise BadPanel(f"Panel has {(codes < 0).sum()} rows without unique_id. Name or drop them.")
    days = _dates(panel["ds"]).astype("datetime64[D]").astype(np.int64)
    y = _numbers(panel)
    ids = pd.Index(ids)
    sequence = np.argsort(ids.astype(str).to_numpy(object), kind="stable")
    rank = np.empty(len(ids), np.int64)
    rank[sequence] = np.arange(len(ids))
    codes = rank[codes]
    step = np.diff(codes)
    if ((step > 0) | ((step == 0) & (np.diff(days) >= 0))).all():
        order = np.arange(len(codes))
    else:
        order = np.lexsort((days, codes))
    return Columns(ids[sequence], order, codes[order], days[order], y[order], panel.attrs.get("grain"))


def read_regressors(regressors: pd.DataFrame) -> pd.DataFrame:
    """Return regressors indexed by `ds`, or by `unique_id` and `ds`; raises `BadValue` for anything unusable."""
    if not isinstance(regressors, pd.DataFrame) or "ds" not in regressors.columns:
        raise BadValue(
            "regressors is no DataFrame with ds and one column for each regressor. Give ds for every period."
        )
    names = [column for column in regressors.columns if column not in ("unique_id", "ds")]
    if not names:
        raise BadValue("regressors has only ds. Give one numeric column for each regressor.")
    known = regressors.assign(ds=_dates(regressors["ds"]).astype("datetime64[ns]"))
    for name in names:
        if not pd.api.types.is_numeric_dtype(known[name]) and not pd.api.types.is_bool_dtype(known[name]):
            raise BadValue(f"Regressor {name!r} is not numeric. Give numbers, for example 1 while a promotion runs.")
        if not np.isfinite(known[name].astype(float)).all():
            raise BadValue(f"Regressor {name!r} has empty or infinite values. Give a number for every period.")
    keys = ["unique_id", "ds"] if "unique_id" in known.columns else ["ds"]
    if known.duplicated(keys).any():
        raise BadValue("regressors has two rows for one period. Give one row per series and period.")
    return known.set_index(keys)[names].astype(float).sort_index()


def regressors_of(known: pd.DataFrame, unique_id: object, dates: np.ndarray) -> np.ndarray:
    """Return the rows of `read_regressors` that a series needs, one for each date."""
    if known.index.nlevels == 2:
        if unique_id not in known.index.get_level_values(0):
            raise BadValue(f"regressors has no rows for series {named(unique_id)}. Give them for every series.")
        known = known.loc[unique_id]
    found = known.reindex(pd.DatetimeIndex(dates))
    missing = found.iloc[:, 0].isna()
    if missing.any():
        day = found.index[missing.argmax()].date()
        raise BadValue(
            f"regressors misses {missing.sum()} periods of series {named(unique_id)}, first {day}. "
            "Give every period of the history and of the horizon."
        )
    return found.to_numpy()


def _on_grid(panel: pd.DataFrame) -> tuple[pd.DataFrame, Columns, Frequency, np.ndarray]:
    """Return the panel sorted and typed, its columns and frequency, and the position of each row in its series.

    Raises `BadPanel` for everything `check_panel` refuses except gaps.
    """
    columns = columns_of(panel)
    refused = columns.refused()
    if (refused != "").any():
        raise BadPanel(columns.say(refused[refused != ""][0]))
    frequency = infer_days(columns.days, columns.codes, columns.grain)
    positions, irregular = columns.positions(frequency)
    if irregular.any():
        raise BadPanel(columns.say("irregular_dates", frequency))
    dates = columns.days.astype("datetime64[D]").astype("datetime64[ns]")
    tidy = panel.iloc[columns.order].reset_index(drop=True).assign(ds=dates, y=columns.y)
    tidy.attrs = dict(panel.attrs)
    return tidy, columns, frequency, positions


def _dates(ds: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(ds.dtype):
        raise BadPanel(f"Column ds holds numbers such as {ds.iloc[0]}. Give dates such as 2026-10-01.")
    try:
        # Text that pandas would have to guess at, each row by itself, is refused: 03/04 may be two days.
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            dates = pd.to_datetime(ds.dt.to_timestamp() if isinstance(ds.dtype, pd.PeriodDtype) else ds)
    except (ValueError, TypeError, UserWarning):
        raise BadPanel(f"Column ds holds {_no_date(ds)!r}, which is no date. Give dates such as 2026-10-01.") from None
    if dates.isna().any():
        raise BadPanel(f"Column ds is empty in {dates.isna().sum()} rows. Give every row its date or drop it.")
    dates = dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
    days = dates.to_numpy().astype("datetime64[D]")
    year = days.astype("datetime64[Y]").astype(int) + 1970
    far = (year < _YEARS[0]) | (year > _YEARS[1])
    if far.any():
        raise BadPanel(
            f"Column ds holds {days[far][0]} in {far.sum()} rows; expected dates from {_YEARS[0]} to {_YEARS[1]}. "
            "Drop rows whose date stands for an unknown one."
        )
    return days


def _no_date(ds: pd.Series) -> object:
    """Return the first value that is no date in the form 2026-10-01."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = pd.to_datetime(ds, errors="coerce", format="ISO8601")
    odd = ds[parsed.isna() & ds.notna()]
    return odd.iloc[0] if len(odd) else ds.iloc[0]


def _numbers(panel: pd.DataFrame) -> np.ndarray:
    y = panel["y"]
    if y.dtype.kind in "mMc":
        raise BadPanel(f"Column y holds {y.dtype} values such as {y.iloc[0]}. Give plain numbers.")
    try:
        return pd.to_numeric(y).astype(float).to_numpy()
    except (ValueError, TypeError):
        text = next(each for each in y if not _is_number(each))
        raise BadPanel(f"Column y holds {text!r}, which is no number. Convert it or drop the row.") from None


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return value is None
    return True
