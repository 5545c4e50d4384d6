"""Forecasts of any panel of series: points, intervals from past errors, backtests, accuracy and totals.

A panel is a frame with one row per series and period: `unique_id, ds, y`. `panel(wb, ...)` makes one from a
workbench; nothing else here knows a workbench.
"""

from __future__ import annotations

from salesforecast.forecasting.backtests import backtest
from salesforecast.forecasting.checks import check_panel, fill_gaps
from salesforecast.forecasting.cutoffs import calibrate
from salesforecast.forecasting.forecasts import forecast, weights
from salesforecast.forecasting.groups import aggregate
from salesforecast.forecasting.hierarchy import coherent_paths, reconcile
from salesforecast.forecasting.models import MODELS, Model, model_label
from salesforecast.forecasting.panels import calendar_regressors, panel
from salesforecast.forecasting.paths import sample_paths
from salesforecast.forecasting.regression import effects
from salesforecast.forecasting.scores import accuracy, leaderboard
from salesforecast.forecasting.studies import calibration_sample
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
