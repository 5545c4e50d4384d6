"""The pool of forecasters."""

from salesforecast.forecasting.models.legacy import COMBINATION, MODELS, Model, model_label, seasonal_naive

__all__ = ["COMBINATION", "MODELS", "Model", "model_label", "seasonal_naive"]
