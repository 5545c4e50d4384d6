"""The pool of forecasters."""

from salesforecast.forecasting.models import airline, ces, ets, intermittent, long_season, simple, theta
from salesforecast.forecasting.models.registry import COMBINATION, MODELS, Batch, Model, model_label

__all__ = ["COMBINATION", "MODELS", "Batch", "Model", "model_label"]
