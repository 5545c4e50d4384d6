"""Which models a history gets, their forecasts, and the robust combination of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from salesforecast.errors import BadValue, lookup
from salesforecast.forecasting import regression
from salesforecast.forecasting.models import MODELS, seasonal_naive

LONGEST = 240  # points that a fit looks back at most, or eight seasons: older years say little and cost much


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
    return chosen


def pool(y: np.ndarray, season: int) -> tuple[str, ...]:
    """Return the names of the models that suit a history.

    A history that ends in a season (at least six) of zeros is taken as ended; one with 30 % zeros or more as
    intermittent; one with two seasons or more gets the seasonal models; a season longer than 24 periods is removed
    beforehand, so that the models without season apply.

    >>> pool(np.array([5.0, 6.0]), 12)
    ('seasonal_naive', 'mean')
    """
    if np.ptp(y) == 0 or _ended(y, season):
        return ("seasonal_naive",)
    if len(y) < 10:
        few = ("seasonal_naive", "mean", "drift", "theta")
        return tuple(name for name in few if MODELS[name].applies(y, season))
    if y.min() >= 0 and np.mean(y == 0) >= 0.3:
        return ("ses", "mean", "seasonal_naive")
    if MODELS["ets_additive"].applies(y, season):
        last = "ets_multiplicative" if y.min() > 0 else "seasonal_naive"
        return ("theta", "ets_damped", "ets_additive", last)
    return ("theta", "ses", "damped_trend", "seasonal_naive" if len(y) >= season > 1 else "drift")


def is_intermittent(y: np.ndarray, season: int) -> bool:
    """Whether the intermittent pool applies."""
    return pool(y, season) == ("ses", "mean", "seasonal_naive")


def _ended(y: np.ndarray, season: int) -> bool:
    quiet = max(season, 6)
    return len(y) > quiet and not y[-quiet:].any()


def member_forecasts(
    y: np.ndarray, season: int, horizon: int, names: tuple[str, ...] | None, regressors: np.ndarray | None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the forecasts of the members that worked and note codes for the rest.

    `regressors` has one row for each period of the history and the horizon. Fits are remembered: a forecast and a
    backtest of the same panel share most of their origins.
    """
    known = None if regressors is None else regressors.tobytes()
    members, notes = _remembered(y.tobytes(), season, horizon, names, known)
    return dict(members), notes


@lru_cache(maxsize=20_000)
def _remembered(
    values: bytes, season: int, horizon: int, names: tuple[str, ...] | None, known: bytes | None
) -> tuple[tuple[tuple[str, np.ndarray], ...], tuple[str, ...]]:
    y = np.frombuffer(values)
    unit = np.abs(y).mean()
    if unit == 0 or not np.isfinite(unit):
        return (("seasonal_naive", np.zeros(horizon)),), ()
    regressors = None if known is None else np.frombuffer(known).reshape(len(y) + horizon, -1)
    longest = max(8 * season, LONGEST)
    scaled = (y / unit)[-longest:]
    effect = regression.estimate(scaled, regressors, season, horizon)
    adjusted = effect.remove(scaled)
    profile = regression.long_season(adjusted, season, horizon)
    base = profile.remove(adjusted)
    members, notes = [], list(effect.notes)
    for name in names or pool(scaled, season):
        # The seasonal naive method keeps its own season.
        own = name == "seasonal_naive"
        path = _fit(name, adjusted if own else base, season, horizon)
        if path is None:
            notes.append(f"model_failed:{name}")
            continue
        members.append((name, effect.restore(path if own else profile.restore(path)) * unit))
    if not members:
        members = [("seasonal_naive", seasonal_naive(scaled, season, horizon) * unit)]
    for _, path in members:
        path.setflags(write=False)
    return tuple(members), tuple(notes)


def _fit(name: str, y: np.ndarray, season: int, horizon: int) -> np.ndarray | None:
    """Return the forecast, or None where the model does not apply, fails or leaves the range of the history."""
    model = MODELS[name]
    if not model.applies(y, season):
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            path = model.fit(y, season, horizon)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError):
            return None
    low, high, reach = y.min(), y.max(), np.ptp(y) + 1e-9 * np.abs(y).max()
    # Three times the range beyond the history allows steep growth over a long horizon, not an explosion.
    if path.shape != (horizon,) or not np.isfinite(path).all():
        return None
    return path if path.min() >= low - 3 * reach and path.max() <= high + 3 * reach else None


def combine(members: Mapping[str, np.ndarray], errors: Mapping[str, float]) -> np.ndarray:
    """Return half the median and half the mean of the members weighted by 1 / (squared backtest error).

    `errors` are mean squared errors of past forecasts; members without one make the weights equal.

    >>> paths = {"a": np.array([10.0]), "b": np.array([20.0])}
    >>> combine(paths, {"a": 1.0, "b": 3.0}).tolist()      # median 15, weighted mean 12.5
    [13.75]
    """
    paths = np.array([members[name] for name in sorted(members)])
    middle = np.median(paths, axis=0)
    weights = _weights(sorted(members), errors)
    return 0.5 * middle + 0.5 * (weights @ paths)


def _weights(names: list[str], errors: Mapping[str, float]) -> np.ndarray:
    if any(name not in errors for name in names):
        return np.full(len(names), 1 / len(names))
    squared = np.array([errors[name] for name in names])
    inverse = 1 / np.maximum(squared, 1e-6 * squared.max() if squared.max() > 0 else 1.0)
    return inverse / inverse.sum()
