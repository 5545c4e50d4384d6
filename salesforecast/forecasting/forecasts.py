"""Forecasts with intervals for every series of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue
from salesforecast.forecasting import ensemble, intervals
from salesforecast.forecasting.checks import Series, by_text, check_season, read_series, tidy_panel
from salesforecast.forecasting.frequency import Frequency, infer
from salesforecast.forecasting.models import COMBINATION
from salesforecast.forecasting.regression import REGRESSORS_UNUSED, REGRESSORS_USED


def forecast(
    panel: pd.DataFrame,
    horizon: int,
    *,
    level: float | Sequence[float] = (80, 95),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
) -> pd.DataFrame:
    """Forecast every series of a panel for the `horizon` periods after its last one.

    `panel`: one row per series and period, columns `unique_id, ds, y` (others are ignored); a missing period counts
    as unknown (it is interpolated and noted), so call `fill_gaps(panel, 0)` first where it means zero. `level` in
    per cent; `season` in periods (default 12 months, 52 weeks, 4 quarters, 7 days, 1 year); `models` "auto", one
    name of `MODELS` or several; `regressors` has `ds`, one numeric column each and, unless it holds for all series,
    `unique_id`, for every period of history and horizon.

    Returns one row per series and future period, sorted: `unique_id, ds, model, mean`, a pair `lo_80, hi_80` for
    each level, `note` (codes joined by ";", empty when there is nothing to say). `model` is "combination" unless one
    model was asked for. With `members` the rows of each member follow those of the combination. `mean` lies inside
    every interval; neither falls below 0 where the history never did. Deterministic; the order of rows and series
    changes nothing.

    Regressors are used for a series where their effect is significant (`regression.estimate`) and the forecasts made
    with them at earlier points were no worse than those without; elsewhere the forecast is the one without them. The
    note says which: `regressors_used` or `regressors_unused`.

    Intervals come from the errors of forecasts made at earlier points of the same panel: `intervals.calibrate`.

    Raises `BadPanel` for a broken panel, `BadValue` or `UnknownName` for a bad argument.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> forecast(sales, 1)[["unique_id", "ds", "mean", "note"]]
      unique_id         ds  mean                    note
    0         A 2026-06-01   3.0  constant;short_history
    """
    check_horizon(horizon)
    levels = intervals.check_levels(level)
    names = ensemble.names_of(models)
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    series = read_series(tidy, frequency, check_season(season, frequency), horizon, regressors)
    return forecast_series(series, frequency, check_season(season, frequency), horizon, levels, names, members)


def forecast_series(
    series: Sequence[Series],
    frequency: Frequency,
    season: int,
    horizon: int,
    levels: Sequence[float],
    names: tuple[str, ...] | None,
    members: bool,
) -> pd.DataFrame:
    """Return the frame of `forecast` for histories that are read and checked."""
    histories = [_history(each, season, horizon, names) for each in series]
    parts = []
    for model in _shown_models(histories, members):
        blocks = _with_intervals(series, histories, model, season, horizon, levels)
        for each, history, block in zip(series, histories, blocks, strict=True):
            if block:
                known = {
                    "unique_id": [each.unique_id] * horizon,
                    "ds": frequency.after(each.ds[-1], horizon),
                    "model": model,
                }
                notes = ";".join(dict.fromkeys((*each.notes, *history.notes)))
                parts.append(pd.DataFrame({**known, **block, "note": notes}))
    # Stable: the combination comes first, members follow in the order of their names.
    return pd.concat(parts).sort_values("unique_id", key=by_text, kind="stable", ignore_index=True)


def interval_columns(levels: Sequence[float]) -> list[str]:
    """Return the column names of the intervals.

    >>> interval_columns((80, 97.5))
    ['lo_80', 'hi_80', 'lo_97.5', 'hi_97.5']
    """
    return [f"{side}_{level:g}" for level in levels for side in ("lo", "hi")]


def check_horizon(horizon: int, name: str = "horizon") -> None:
    """Raise `BadValue` unless the value is a whole number from 1 on."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise BadValue(f"{name} is {horizon!r}. Give a whole number of periods from 1 on.")


@dataclass(frozen=True)
class _History:
    """The forecasts of one series by model, and the scaled absolute errors of the same models in the past."""

    paths: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    main: str
    notes: tuple[str, ...]


def _history(series: Series, season: int, horizon: int, names: tuple[str, ...] | None) -> _History:
    y = series.y
    origins = _origins(y, season, horizon)
    made, notes = _forecasts(y, season, horizon, names, None, origins)
    if series.regressors is not None:
        informed, said = _informed(series, season, horizon, names, origins, made)
        made, notes = informed or made, (*notes, *said)
    errors = {name: _absolute_errors(y, season, origins, made[:-1], name) for name in made[-1]}
    return _History(made[-1], errors, _main_model(names), (*_notes(y, season, origins), *notes))


def _main_model(names: tuple[str, ...] | None) -> str:
    return names[0] if names and len(names) == 1 else COMBINATION


def _forecasts(
    y: np.ndarray,
    season: int,
    horizon: int,
    names: tuple[str, ...] | None,
    regressors: np.ndarray | None,
    origins: Sequence[int],
) -> tuple[list[dict[str, np.ndarray]], tuple[str, ...]]:
    """Return forecasts by model from every origin and, last, from the end, with the notes of the last ones."""
    main = _main_model(names)
    made: list[dict[str, np.ndarray]] = []
    notes: tuple[str, ...] = ()
    for origin in (*origins, len(y)):
        known = None if regressors is None else regressors[: origin + horizon]
        paths, notes = ensemble.member_forecasts(y[:origin], season, horizon, names, known)
        if main == COMBINATION:
            paths[main] = ensemble.combine(paths, _squared_errors(y[:origin], origins, made))
        elif main not in paths:
            paths[main] = next(iter(paths.values()))
        if y[:origin].min() >= 0:
            paths = {name: np.maximum(path, 0.0) for name, path in paths.items()}
        made.append(paths)
    return made, notes


def _informed(
    series: Series,
    season: int,
    horizon: int,
    names: tuple[str, ...] | None,
    origins: Sequence[int],
    plain: list[dict[str, np.ndarray]],
) -> tuple[list[dict[str, np.ndarray]] | None, tuple[str, ...]]:
    """Return forecasts that use the regressors, or None where these fail their test or did not lower past errors."""
    y, main = series.y, _main_model(names)
    _, notes = ensemble.member_forecasts(y, season, horizon, names, series.regressors)
    if REGRESSORS_USED not in notes:
        return None, (REGRESSORS_UNUSED,)
    made, notes = _forecasts(y, season, horizon, names, series.regressors, origins)
    errors = [_squared_errors(y, origins, each[:-1]).get(main, 0.0) for each in (made, plain)]
    return (made, notes) if errors[0] <= errors[1] else (None, (REGRESSORS_UNUSED,))


def _origins(y: np.ndarray, season: int, horizon: int) -> tuple[int, ...]:
    """Return the lengths of history from which the past is forecast again.

    They lie on a grid counted from the start of the series, so that later rows never move earlier ones; the last
    ones that cover the horizon and eight steps more are used, none that has less than two seasons when the whole
    history has them.
    """
    n = len(y)
    if n < 4 or np.ptp(y) == 0:
        return ()
    step = max(1, season // 6 if season > 7 else 1, -(-horizon // 8))
    least = 2 * season + 1 if n > 2 * season + 2 * step else max(3, n // 2)
    grid = [origin for origin in range(step * -(-least // step), n, step) if np.ptp(y[:origin]) > 0]
    return tuple(grid[-(-(-horizon // step) + 8) :])


def _squared_errors(y: np.ndarray, origins: Sequence[int], made: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
    """Return each member's mean squared error over what was known at the end of `y`, where three origins tell it."""
    squared: dict[str, list[np.ndarray]] = {}
    for origin, paths in zip(origins, made, strict=False):
        steps = min(len(y) - origin, len(next(iter(paths.values()))))
        for name, path in paths.items():
            squared.setdefault(name, []).append((y[origin : origin + steps] - path[:steps]) ** 2)
    return {name: float(np.concatenate(each).mean()) for name, each in squared.items() if len(each) >= 3}


def _absolute_errors(
    y: np.ndarray, season: int, origins: Sequence[int], made: Sequence[dict[str, np.ndarray]], name: str
) -> np.ndarray:
    rows = []
    for origin, paths in zip(origins, made, strict=True):
        if name in paths:
            path = paths[name]
            row = np.full(len(path), np.nan)
            actual = y[origin : origin + len(path)]
            row[: len(actual)] = np.abs(actual - path[: len(actual)])
            rows.append(row / intervals.error_scales(y[:origin], path, season))
    return np.array(rows) if rows else np.empty((0, len(made[0][name]) if made and name in made[0] else 0))


def _shown_models(histories: Sequence[_History], members: bool) -> list[str]:
    main = histories[0].main
    others = sorted({name for each in histories for name in each.paths} - {main})
    return [main, *others] if members else [main]


def _with_intervals(
    series: Sequence[Series],
    histories: Sequence[_History],
    model: str,
    season: int,
    horizon: int,
    levels: Sequence[float],
) -> list[dict[str, np.ndarray]]:
    """Return, for each series, `mean` and interval columns of one model, calibrated over the whole panel."""
    none = np.empty((0, horizon))
    errors = [each.errors.get(model, none).reshape(-1, horizon) for each in histories]
    calibration = intervals.calibrate(errors, season, horizon)
    blocks: list[dict[str, np.ndarray]] = []
    for position, (each, history) in enumerate(zip(series, histories, strict=True)):
        if model not in history.paths:
            blocks.append({})
            continue
        mean = history.paths[model]
        block = {"mean": mean}
        scale = intervals.error_scales(each.y, mean, season)
        for level in levels:
            half = scale * calibration.half_width(position, level)
            low = mean - half
            block[f"lo_{level:g}"] = np.maximum(low, 0.0) if each.y.min() >= 0 else low
            block[f"hi_{level:g}"] = mean + half
        blocks.append(block)
    return blocks


def _notes(y: np.ndarray, season: int, origins: Sequence[int]) -> tuple[str, ...]:
    """Return what is special about a history."""
    flat, zero = np.ptp(y) == 0, not y.any()
    ended = not zero and ensemble.pool(y, season) == ("seasonal_naive",) and not flat
    found = {
        "all_zero": zero,
        "constant": flat and not zero,
        "ended": ended,
        "intermittent": ensemble.is_intermittent(y, season),
        "negative_values": bool(y.min() < 0),
        "short_history": len(y) < max(2 * season, 5),
        "no_backtest": not origins and not flat,
    }
    return tuple(code for code, there in found.items() if there)
