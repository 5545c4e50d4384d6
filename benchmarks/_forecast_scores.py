"""Accuracy of point forecasts and intervals, as the competitions compute it."""

import numpy as np
import pandas as pd

LEVELS = (80, 95)
BOUNDS = tuple(f"{side}_{level}" for level in LEVELS for side in ("lo", "hi"))


def combine(frames):
    """Return the median of several methods' forecasts and bounds."""
    stacked = pd.concat(frames)
    return stacked.groupby(["unique_id", "step"], sort=False, as_index=False)[["mean", *BOUNDS]].median()


def table(series_set, forecasts, reference="naive2"):
    """Score {method: unique_id, step, mean, bounds}: one row a method.

    sMAPE in per cent and MASE as in M4 (Makridakis et al. 2020), OWA against `reference`, coverage in per cent, MSIS of
    the 95 % interval: its mean, and the median over series of their own mean. Series with a constant history have no
    MASE and no MSIS.
    """
    scales = series_set.history.groupby("unique_id")["y"].apply(lambda y: _naive_error(y.to_numpy(), series_set.season))
    rows = {name: _scores(series_set.outcome, frame, scales) for name, frame in forecasts.items()}
    scored = pd.DataFrame(rows).T
    base = scored.loc[reference]
    scored.insert(2, "owa", (scored["smape"] / base["smape"] + scored["mase"] / base["mase"]) / 2)
    return scored


def _naive_error(y, season):
    lag = season if len(y) > season else 1
    return np.abs(y[lag:] - y[:-lag]).mean() if len(y) > lag else np.nan


def _scores(outcome, forecast, scales):
    both = outcome.merge(forecast, on=["unique_id", "step"], how="left")
    if both["mean"].isna().any():
        raise ValueError(f"{both['mean'].isna().sum()} forecasts are missing or NaN")
    y, mean = both["y"], both["mean"]
    scale = both["unique_id"].map(scales).where(lambda each: each > 0)
    total = y.abs() + mean.abs()
    result = {
        "smape": (200 * (y - mean).abs() / total.where(total > 0)).fillna(0).mean(),
        "mase": ((y - mean).abs() / scale).mean(),
    }
    for level in LEVELS:
        inside = (y >= both[f"lo_{level}"]) & (y <= both[f"hi_{level}"])
        result[f"cover_{level}"] = 100 * inside[both[f"lo_{level}"].notna()].mean()
    low, high = both["lo_95"], both["hi_95"]
    msis = (high - low + 40 * (low - y).clip(lower=0) + 40 * (y - high).clip(lower=0)) / scale
    by_series = msis.groupby(both["unique_id"]).mean()
    return {**result, "msis_mean": by_series.mean(), "msis_median": by_series.median()}
