"""Forecasts of any panel of series: points, intervals from past errors, backtests, accuracy and totals.

A panel is a frame with one row per series and period: `unique_id, ds, y`. `panel(wb, ...)` makes one from a
workbench; nothing else here knows a workbench. How a forecast comes about, module by module:

1. `requests` checks what is asked. `checks` and `frequency` read the frame's columns and dates, `histories` lays the
   series end to end as arrays and fills gaps: no pandas from here on.
2. `origins` says from which earlier points each series is forecast again. A history cut at an origin, or whole, is a
   *copy*; `members` forecasts all copies in chunks. Around the kernels it scales each copy, takes out the effects of
   `regression`, lets `conditioning` pull in outliers and bridge level shifts, and `seasons` take out a long season;
   what was taken out is put back after.
3. `models` are the kernels: a `Batch` of histories in, paths out, each registered once; `search` is their optimiser,
   `decompose` their seasonal adjustment. `ensemble` says which of them suit a history.
4. `records` puts what was said at each origin beside what happened, weighs the models by it, combines them (`ensemble`)
   and chooses whether regressors helped. `closures` knows the periods in which nothing can happen.
5. `scales` gives the unit of an error, `intervals` learns from the errors of all series how they grow and are spread
   (a `Shape`); `calibrations` does so once for a panel, for all its parts and cutoffs (a `Calibration`).
6. `frames` makes the rows: mean, bounds, quantiles, notes. `forecasts` runs all this at the end of every series,
   `backtests` at the cutoffs of the past, in one batch; `progress` shows how far they are.

On top: `scores` judges backtests, `paths` and `totals` give futures and sums, `what_if` scenarios, `groups` and
`hierarchy` coherent forecasts of sums, `archive` what was said, `spark` panels beyond one process.
"""

from __future__ import annotations

from salesforecast.forecasting.backtests import backtest
from salesforecast.forecasting.calibrations import calibrate
from salesforecast.forecasting.checks import check_panel, fill_gaps
from salesforecast.forecasting.forecasts import forecast, weights
from salesforecast.forecasting.groups import aggregate
from salesforecast.forecasting.hierarchy import coherent_paths, reconcile
from salesforecast.forecasting.models import MODELS, Model, model_label
from salesforecast.forecasting.panels import calendar_regressors, panel
from salesforecast.forecasting.paths import sample_paths
from salesforecast.forecasting.regression import effects
from salesforecast.forecasting.requests import calibration_sample
from salesforecast.forecasting.scores import accuracy, leaderboard
from salesforecast.forecasting.totals import total
from salesforecast.forecasting.what_if import drivers, scenarios

__all__ = [
    "MODELS",
    "Model",
    "accuracy",
    "aggregate",
    "backtest",
    "calendar_regressors",
    "calibrate",
    "calibration_sample",
    "check_panel",
    "coherent_paths",
    "drivers",
    "effects",
    "fill_gaps",
    "forecast",
    "leaderboard",
    "model_label",
    "panel",
    "reconcile",
    "sample_paths",
    "scenarios",
    "total",
    "weights",
]
