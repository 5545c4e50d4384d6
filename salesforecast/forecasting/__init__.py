"""Forecasts of any panel of series: points, intervals from past errors, backtests, accuracy and totals.

A panel is a frame with one row per series and period: `unique_id, ds, y`. `panel(wb, ...)` makes one from a
workbench; nothing else here knows a workbench.
"""

from __future__ import annotations

from salesforecast.forecasting.backtests import backtest
from salesforecast.forecasting.checks import check_panel, fill_gaps
from salesforecast.forecasting.forecasts import forecast
from salesforecast.forecasting.models import MODELS, Model, model_label
from salesforecast.forecasting.panels import calendar_regressors, panel
from salesforecast.forecasting.scores import accuracy
from salesforecast.forecasting.totals import total

__all__ = [
    "MODELS",
    "Model",
    "accuracy",
    "backtest",
    "calendar_regressors",
    "check_panel",
    "fill_gaps",
    "forecast",
    "model_label",
    "panel",
    "total",
]
