"""Which models a history gets, and the robust combination of their forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from salesforecast.errors import BadValue, lookup
from salesforecast.forecasting.conditioning import ended, medians
from salesforecast.forecasting.models import MODELS, Batch

# Which models suit which history. Those that do not apply to a series (values of zero, too few points) are left out.
POOLS: dict[str, tuple[str, ...]] = {
    "flat": ("seasonal_naive",),
    "short": ("seasonal_naive", "mean", "drift", "theta"),
    "intermittent": ("ses", "tsb", "croston", "mean"),
    "seasonal": (
        *("theta_log", "dynamic_theta", "ces", "ets_multiplicative", "ets_damped", "ets_additive"),
        *("airline", "log_airline", "seasonal_naive"),
    ),
    "long": ("theta_log", "dynamic_theta", "damped_trend", "log_damped_trend", "autoregression", "long_airline"),
    "plain": ("theta_log", "optimised_theta", "dynamic_theta", "ces", "damped_trend", "drift"),
}
POOLED = tuple(sorted({name for pool in POOLS.values() for name in pool}))


def names_of(models: str | Sequence[str]) -> tuple[str, ...] | None:
    """Return the chosen model names, or None for "auto".

    >>> names_of("theta"), names_of("auto")
    (('theta',), None)
    """
    if isinstance(models, str) and models == "auto":
        return None
    chosen = (models,) if isinstance(models, str) else tuple(models)
    if not chosen:
        raise BadValue('models is empty. Give "auto", one name or several: ' + ", ".join(MODELS) + ".")
    for name in chosen:
        lookup(MODELS, name, "forecast model")
    return tuple(dict.fromkeys(chosen))


def pools(batch: Batch) -> np.ndarray:
    """Return the key of `POOLS` that suits each history of a batch.

    A history that has ended (`conditioning.ended`) or has a single value goes on as it is; one with 30 % zeros or more
    is intermittent, not counting positions in the season that are always zero (a shop closed on Sundays); one with two
    seasons or more gets the seasonal models, and a season of more than 24 periods models of its own.

    >>> pools(Batch(np.array([[5.0, 0.0], [6.0, 0.0]]), np.array([2, 2]), 12)).tolist()
    ['short', 'flat']
    """
    y, lengths, season = batch.y, batch.lengths, batch.season
    low, high = np.nanmin(y, axis=0), np.nanmax(y, axis=0)
    return np.select(
        [
            (low == high) | ended(batch),
            lengths < 6,
            (low >= 0) & (_zeros(batch) >= 0.3),
            batch.seasonal,
            np.full(len(lengths), season > 24),
        ],
        ["flat", "short", "intermittent", "seasonal", "long"],
        "plain",
    )


def _zeros(batch: Batch) -> np.ndarray:
    """Return the share of zeros, leaving out positions in the season that are always zero."""
    empty, there = batch.y == 0, ~np.isnan(batch.y)
    zeros, counts = empty.sum(axis=0), batch.lengths.copy()
    seasonal = batch.seasonal
    if seasonal.any():
        for position in range(batch.season):
            own = there[position :: batch.season].sum(axis=0)
            # Six times: that demand is sparse would make a position look closed by chance.
            closed = seasonal & (own >= 6) & (empty[position :: batch.season].sum(axis=0) == own)
            zeros, counts = zeros - closed * own, counts - closed * own
    return zeros / np.maximum(counts, 1)


def combine(paths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return half the median and half the weighted mean of the members, NaN where there is none.

    `paths` is (model, step, copy), NaN where a model has no forecast; `weights` (model, copy) add up to 1 over the
    models that have one.

    >>> paths = np.array([10.0, 20.0]).reshape(2, 1, 1)
    >>> combine(paths, np.array([[0.75], [0.25]])).tolist()      # median 15, weighted mean 12.5
    [[13.75]]
    """
    mean = np.where(np.isnan(paths), 0.0, paths * weights[:, None, :]).sum(axis=0)
    return 0.5 * medians(paths) + 0.5 * mean


def weigh(mean: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the weight of each model for each copy: 1 / mean squared backtest error, adding up to 1.

    `mean` (model, copy) is NaN where nothing was judged: the weights are equal then. `there` says which models have a
    forecast; the others weigh nothing.

    >>> weigh(np.array([[1.0], [3.0]]), np.array([[True], [True]])).ravel().tolist()
    [0.75, 0.25]
    """
    judged = (~there | ~np.isnan(mean)).all(axis=0)
    largest = np.where(there & judged, mean, 0.0).max(axis=0)
    inverse = 1 / np.maximum(np.where(there & judged, mean, 1.0), np.where(largest > 0, 1e-6 * largest, 1.0))
    raw = np.where(there, inverse, 0.0)
    return raw / np.maximum(raw.sum(axis=0), 1e-300)
