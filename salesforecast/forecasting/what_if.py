"""What if: the forecast under changed drivers and growth, and the effect of each driver alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue, suggestion
from salesforecast.forecasting.checks import check_season, read_regressors, regressors_of
from salesforecast.forecasting.forecasts import forecast
from salesforecast.forecasting.histories import Histories, read
from salesforecast.forecasting.intervals import check_levels
from salesforecast.forecasting.regression import REGRESSORS_UNUSED, found_slopes

Change: TypeAlias = "float | str | Mapping[Any, float | str]"

GROWTH, LEVEL = "growth", "level"
NO_EFFECT = "driver_without_effect"
_A_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "quarter": 4.0, "year": 1.0}


def scenarios(
    panel: pd.DataFrame,
    horizon: int,
    changes: Mapping[str, Mapping[str, Change]],
    *,
    regressors: pd.DataFrame | None = None,
    level: float | Sequence[float] = (80, 95),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
) -> pd.DataFrame:
    """Forecast a panel under each of several scenarios.

    `changes` names the scenarios; each maps a driver to its change over the horizon, an empty one is the forecast as it
    is. A driver is a column of `regressors` (which hold the plan: history and horizon), `growth` or `level`. A change
    of a regressor is added (`1`, `-0.5`) or relative (`"+10%"`), in every period of the horizon or, as a mapping, in
    some: `{"2026-11-01": 1}`. `growth` is extra growth a year, reached step by step (0.05: 5 % more after twelve
    months, half of it after six); `level` a lift of every period (0.05: 5 % more at once).

    Returns the frame of `forecast` with `scenario` as first column, in the order given. Intervals hold if the scenario
    comes true; they are widened by what is not known about the effect of a changed regressor. The note
    `driver_without_effect` marks a series that does not move with any of the regressors changed.

    What this assumes: drivers act as they went together with the series in the past (correlation is not cause), each
    alone and in proportion, also beyond the values seen; nothing else reacts to the change. `effects` shows how well
    each is known. Growth is an assumption of the user, not a finding, and carries no uncertainty of its own.

    Raises `BadValue` for an unknown driver or a change that is none, and like `forecast`.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> scenarios(sales, 1, {"base": {}, "up": {"level": 0.5}})[["scenario", "ds", "mean"]]
      scenario         ds  mean
    0     base 2026-06-01   3.0
    1       up 2026-06-01   4.5
    """
    names = [] if regressors is None else list(read_regressors(regressors).columns)
    _check(changes, names)
    levels = check_levels(level)
    keywords: dict[str, Any] = {"level": levels, "season": season, "models": models}
    histories = read(panel)
    base = forecast(panel, horizon, regressors=regressors, **keywords)
    parts = []
    for scenario, wanted in changes.items():
        drivers = {name: change for name, change in wanted.items() if name in names}
        made = base
        if drivers and regressors is not None:
            plan, changed = _changed(regressors, drivers, histories, horizon)
            made = forecast(panel, horizon, regressors=changed.reset_index(), **keywords)
            made = _uncertain(made, histories, plan, changed, season, horizon, levels)
        ahead = made.groupby("unique_id", sort=False).cumcount() + 1
        years = ahead * histories.frequency.every / _A_YEAR[histories.frequency.grain]
        factor = (1 + _number(wanted.get(GROWTH, 0.0))) ** years * (1 + _number(wanted.get(LEVEL, 0.0)))
        columns = [name for name in made.columns if name == "mean" or name.startswith(("lo_", "hi_"))]
        made = made.assign(**{name: made[name] * factor for name in columns})
        made.insert(0, "scenario", scenario)
        parts.append(made)
    result = pd.concat(parts, ignore_index=True)
    result.attrs = dict(base.attrs)
    return result


def drivers(
    panel: pd.DataFrame,
    horizon: int,
    ranges: Mapping[str, tuple[Change, Change]],
    *,
    regressors: pd.DataFrame | None = None,
    season: int | None = None,
    models: str | Sequence[str] = "auto",
) -> pd.DataFrame:
    """Return how far each driver alone moves the sum of the horizon: the rows of a tornado chart.

    `ranges` maps a driver (as in `scenarios`) to a low and a high change, for example
    `{"promo": (-1, 1), "price": ("-5%", "+5%"), "growth": (-0.03, 0.03)}`.

    One row per series and driver: `unique_id, driver, base` (sum of the forecast as it is), `low`, `high` (sums under
    the two changes) and `swing` (|high − low|), the largest swing of a series first. The assumptions are those of
    `scenarios`. Raises `BadValue`.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> drivers(sales, 2, {"level": (-0.5, 0.5)})
      unique_id driver  base  low  high  swing
    0         A  level   6.0  3.0   9.0    6.0
    """
    for name, span in ranges.items():
        if not isinstance(span, tuple) or len(span) != 2:
            raise BadValue(f"The range of driver {name!r} is {span!r}. Give a low and a high change, such as (-1, 1).")
    sides = {(name, side): {name: span[side]} for name, span in ranges.items() for side in (0, 1)}
    labels = {str(position): wanted for position, wanted in enumerate([{}, *sides.values()])}
    made = scenarios(panel, horizon, labels, regressors=regressors, season=season, models=models)
    sums = made.groupby(["scenario", "unique_id"], sort=False)["mean"].sum().unstack("unique_id")
    parts = []
    for position, name in enumerate(ranges):
        low, high = sums.loc[str(2 * position + 1)], sums.loc[str(2 * position + 2)]
        part = pd.DataFrame({"driver": name, "base": sums.loc["0"], "low": low, "high": high})
        parts.append(part.assign(swing=(high - low).abs()).reset_index())
    order = {unique_id: position for position, unique_id in enumerate(sums.columns)}
    result = pd.concat(parts).sort_values("swing", ascending=False, kind="stable")
    return result.sort_values("unique_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)


def _check(changes: Mapping[str, Mapping[str, Change]], names: Sequence[str]) -> None:
    taken = {GROWTH, LEVEL} & set(names)
    if taken:
        raise BadValue(f"A regressor is called {taken.pop()!r}, which is a driver of its own. Rename the column.")
    if not isinstance(changes, Mapping) or not changes:
        raise BadValue('changes names no scenario. Give them like {"base": {}, "up": {"growth": 0.05}}.')
    available = [*names, GROWTH, LEVEL]
    for scenario, wanted in changes.items():
        for name, change in wanted.items():
            if name not in available:
                raise BadValue(
                    f"Scenario {scenario!r} changes {name!r}, which is no regressor.{suggestion(name, available)} "
                    f"Available: {', '.join(available)}."
                )
            each = change.values() if isinstance(change, Mapping) and name in names else [change]
            for value in each:
                _amount(value, 0.0) if name in names else _number(value)


def _number(value: object) -> float:
    """Return a share such as 0.05; text like "5%" is understood."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise BadValue(f"A change is {value!r}. Give a number such as 0.05 or a share such as '+5%'.")
    return float(value)


def _amount(change: object, planned: Any) -> Any:
    """Return a planned value after its change: text is relative, a number is added."""
    return planned * (1 + _number(change)) if isinstance(change, str) else planned + _number(change)


def _changed(
    regressors: pd.DataFrame, wanted: Mapping[str, Change], histories: Histories, horizon: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the regressors of every series as planned, and under the scenario, indexed by `unique_id` and `ds`."""
    known = read_regressors(regressors)
    series = np.repeat(np.arange(len(histories.ids)), horizon)
    ahead = histories.dates(series, histories.lengths[series] + np.tile(np.arange(horizon), len(histories.ids)))
    future = pd.MultiIndex.from_arrays([histories.ids[series], ahead], names=["unique_id", "ds"])
    if known.index.nlevels == 1:
        known = pd.concat(dict.fromkeys(histories.ids, known), names=["unique_id"])
    changed = known.copy()
    there = known.index.isin(future)
    dates = known.index.get_level_values("ds")
    for name, change in wanted.items():
        if not isinstance(change, Mapping):
            changed.loc[there, name] = _amount(change, known.loc[there, name])
            continue
        for day, value in change.items():
            rows = there & (dates == pd.Timestamp(day))
            if not rows.any():
                known_days = ", ".join(f"{each:%Y-%m-%d}" for each in pd.DatetimeIndex(ahead).unique()[:3])
                raise BadValue(f"{name!r} changes at {day}, which is no period of the horizon: {known_days}, …")
            changed.loc[rows, name] = _amount(value, known.loc[rows, name])
    return known, changed


def _uncertain(
    made: pd.DataFrame,
    histories: Histories,
    plan: pd.DataFrame,
    changed: pd.DataFrame,
    season: int | None,
    horizon: int,
    levels: Sequence[float],
) -> pd.DataFrame:
    """Return the forecasts with intervals widened by the standard error of the effects of what was changed."""
    mean, notes, dates = made["mean"].to_numpy(), made["note"].to_numpy(object).copy(), made["ds"].to_numpy()
    spread = np.zeros(len(made))
    rows = pd.Series(np.arange(len(made))).groupby(made["unique_id"].to_numpy(), sort=False).indices
    for unique_id, planned, found in found_slopes(histories, plan, check_season(season, histories.frequency), horizon):
        own = rows[unique_id]
        moved = regressors_of(changed, unique_id, dates[own]) - planned[len(planned) - horizon :]
        moved[:, found.shrunk == 0] = 0
        if REGRESSORS_UNUSED in notes[own[0]] or not moved.any():
            notes[own] = [";".join(filter(None, (each, NO_EFFECT))) for each in notes[own]]
            continue
        error = np.sqrt(moved**2 @ np.nan_to_num(found.error) ** 2)
        spread[own] = error * np.abs(mean[own]) if found.log else error
    made = made.assign(note=notes)
    for each in levels:
        wide = NormalDist().inv_cdf(0.5 + each / 200) * spread
        low, high = made[f"lo_{each:g}"].to_numpy(), made[f"hi_{each:g}"].to_numpy()
        lower = mean - np.hypot(mean - low, wide)
        # A bound that the forecast keeps at 0 stays there.
        made[f"lo_{each:g}"] = np.where(low >= 0, np.maximum(lower, 0.0), lower)
        made[f"hi_{each:g}"] = mean + np.hypot(high - mean, wide)
    return made
