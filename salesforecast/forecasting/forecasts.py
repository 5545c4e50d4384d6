"""Forecasts with intervals for every series of a panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from salesforecast.forecasting.calibrations import calibration_of, look_at, record_of, shapes_of
from salesforecast.forecasting.frames import frame, joined
from salesforecast.forecasting.intervals import Calibration
from salesforecast.forecasting.members import Copies
from salesforecast.forecasting.origins import origin_count
from salesforecast.forecasting.progress import progress_bar
from salesforecast.forecasting.records import Record
from salesforecast.forecasting.requests import Request, groups, request


def forecast(
    panel: pd.DataFrame,
    horizon: int,
    *,
    level: float | Sequence[float] = (80, 95),
    quantiles: Sequence[float] = (),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
    calibration: Calibration | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Forecast every series of a panel for the `horizon` periods after its last one.

    `panel`: one row per series and period, columns `unique_id, ds, y` (others are ignored); a missing period counts
    as unknown (it is interpolated and noted), so call `fill_gaps(panel, 0)` first where it means zero. `level` in
    per cent; `quantiles` between 0 and 1; `season` in periods (default 12 months, 52 weeks, 4 quarters, 7 days, 1
    year); `models` "auto", one name of `MODELS` or several; `regressors` has `ds`, one numeric column each and, unless
    it holds for all series, `unique_id`, for every period of history and horizon.

    Returns one row per series and future period, sorted: `unique_id, ds, model, mean`, a pair `lo_80, hi_80` for
    each level, `q_0.1` for each quantile, `note` (codes joined by ";", empty when there is nothing to say). `model` is
    "combination" unless one model was asked for. With `members` the rows of each member follow those of the
    combination. `mean` lies inside every interval; neither falls below 0 where the history never did. Deterministic;
    the order of rows and series changes nothing.

    A position of the season that is empty each time, by zeros or by missing rows (closed Sundays, panels of working
    days), is forecast as 0 for certain (`closures`); the note of missing ones is `closed_period`.

    A series that cannot be read is left out and named with a reason in `attrs["refused"]` (id as text: `no_values`,
    `infinite_values`, `duplicate_periods`, `irregular_dates`); `BadPanel` is raised only where none can be read.

    Regressors are used for a series where their effect is significant (`regression.estimate`) and the forecasts made
    with them at earlier points were not clearly worse; elsewhere the forecast is the one without them. The note says
    which: `regressors_used` or `regressors_unused`.

    Intervals come from the errors of forecasts made at earlier points of the same panel (`calibrate`), or from the
    `calibration` of a larger panel that this one is a part of. `progress` shows a bar; None: for long work that a
    terminal or notebook watches.

    Raises `BadPanel` for a broken panel, `BadValue` or `UnknownName` for a bad argument.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> forecast(sales, 1)[["unique_id", "ds", "mean", "note"]]
      unique_id         ds  mean                    note
    0         A 2026-06-01   3.0  constant;short_history
    """
    wanted = request(
        panel, horizon, level=level, quantiles=quantiles, season=calibration.season if calibration else season,
        models=models, regressors=regressors, members=members, ahead=horizon,
        frequency=calibration.frequency if calibration else None,
    )  # fmt: skip
    histories = wanted.histories
    count = calibration.count() if calibration else origin_count(len(histories.ids))
    parts = []
    with progress_bar(progress, len(histories.ids) * (1 + count)) as tick:
        for group in groups(histories, whole=calibration is None):
            ends = Copies(group, histories.lengths[group])
            record = record_of(wanted, look_at(wanted, ends, np.full(len(ends), count), tick), ends, count)
            calibration = calibration or calibration_of(wanted, count, shapes_of(wanted, record))
            parts.append(frame(wanted, record, calibration))
    result = joined(parts)
    result.attrs["refused"] = {str(name): code for name, code in histories.refused.items()}
    return result


def weights(
    panel: pd.DataFrame,
    horizon: int,
    *,
    season: int | None = None,
    regressors: pd.DataFrame | None = None,
    models: str | Sequence[str] = "auto",
) -> pd.DataFrame:
    """Return what each model counts for in the combination, and why.

    Half of the combination is the median of its models, the other half their mean with these weights. One row per
    series and model, the heaviest first: `unique_id, model, weight` (0 to 1, adding up to 1 for a series), `error`
    (root mean squared error of the model's forecasts at earlier points, in the unit of `y`; NaN where the history is
    too short to look back: the weights are equal then). Arguments and errors as in `forecast`.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=4, freq="MS"), "y": 3.0})
    >>> weights(sales, 1)[["unique_id", "model", "weight"]]
      unique_id           model  weight
    0         A  seasonal_naive     1.0
    """
    wanted = request(panel, horizon, season=season, models=models, regressors=regressors, ahead=horizon)
    histories = wanted.histories
    count = origin_count(len(histories.ids))
    parts = []
    for group in groups(histories, whole=False):
        ends = Copies(group, histories.lengths[group])
        record = record_of(wanted, look_at(wanted, ends, np.full(len(ends), count)), ends, count)
        parts.append(_weight_rows(wanted, record))
    return joined(parts)


def _weight_rows(wanted: Request, record: Record) -> pd.DataFrame:
    model, place = np.nonzero(record.weights > 0)
    weight = record.weights[model, place]
    order = np.lexsort([model, -weight, record.ends.series[place]])
    model, place = model[order], place[order]
    return pd.DataFrame(
        {
            "unique_id": wanted.histories.ids.take(record.ends.series[place]),
            "model": pd.Index(record.names).take(model),
            "weight": record.weights[model, place],
            "error": record.errors[model, place],
            "_series": record.ends.series[place],
        }
    )
