"""The pool of forecasters: importing the package enters each of them into `MODELS`."""

from salesforecast.forecasting.models import (
    airline,
    ces,
    ets,
    intermittent,
    long_season,
    simple,
    theta,
)
from salesforecast.forecasting.models.registry import COMBINATION, MODELS, Batch, Model, model_label

__all__ = [
    "COMBINATION",
    "MODELS",
    "Batch",
    "Model",
    "airline",
    "ces",
    "ets",
    "intermittent",
    "long_season",
    "model_label",
    "simple",
    "theta",
]
