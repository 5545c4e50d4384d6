"""Prediction intervals from the errors of past forecasts, pooled over series, origins and horizons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salesforecast.errors import BadValue

# How many past origins the prior knowledge is worth, in the order it is used.
PRIOR_GROWTH = 10.0  # how errors grow with the horizon
PRIOR_LEVEL = 3.0  # how large they are for the panel
PRIOR_SERIES = 3.0  # how much one series departs from the panel
PRIOR_SHAPE = 30.0  # their distribution
LARGEST = 20.0  # one past error counts as at most this many scales


def check_levels(level: float | Sequence[float]) -> tuple[float, ...]:
    """Return the levels in per cent in the order given, without repetition.

    >>> check_levels(80), check_levels((80, 95, 80))
    ((80,), (80, 95))
    """
    levels = tuple(level) if isinstance(level, Sequence) and not isinstance(level, str) else (level,)
    for each in levels:
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0 < each < 100:
            raise BadValue(f"level {each!r} is no level. Give per cent between 0 and 100, such as (80, 95).")
    if not levels:
        raise BadValue("level is empty. Give per cent between 0 and 100, such as (80, 95).")
    return tuple(dict.fromkeys(levels))


def naive_scale(y: np.ndarray, season: int) -> float:
    """Return the mean absolute error of the seasonal naive method inside a history: the scale of MASE and MSIS.

    With no more than one season, the naive method (last value) takes its place; 0 for one point or a constant.
    Hyndman & Koehler (2006), International Journal of Forecasting 22(4).

    >>> naive_scale(np.array([1.0, 2, 3, 5]), 2)     # |3 - 1|, |5 - 2|
    2.5
    """
    lag = season if len(y) > season else 1
    return float(np.abs(y[lag:] - y[:-lag]).mean()) if len(y) > lag else 0.0


def error_scale(y: np.ndarray, season: int) -> float:
    """Return the unit in which errors of a series are pooled: its seasonal-naive error, with a floor.

    The floor, 0.3 / n of the mean absolute value, keeps the interval of a short or constant history from
    pretending certainty.
    """
    return max(naive_scale(y, season), 0.3 * float(np.abs(y).mean()) / len(y))


def error_scales(y: np.ndarray, path: np.ndarray, season: int) -> np.ndarray:
    """Return the unit of the errors of a forecast at each of its steps.

    Where all values are positive, errors grow with the square root of the forecast relative to the last season's
    mean: half way between additive and multiplicative seasons, so that a December peak has a wider interval.

    >>> error_scales(np.array([4.0, 6.0, 4.0, 6.0]), np.array([5.0, 20.0]), 1).tolist()
    [2.0, 4.0]
    """
    scale = error_scale(y, season)
    if y.min() <= 0:
        return np.full(len(path), scale)
    level = y[-max(season, 4) :].mean()
    return scale * np.sqrt(np.clip(path / level, 0.05, 20.0))


@dataclass(frozen=True)
class Calibration:
    """Half-widths in error scales: `growth` (by horizon) x `factor` (by series) x a quantile."""

    growth: np.ndarray
    factors: np.ndarray
    ratios: np.ndarray
    origins: float

    def half_width(self, series: int, level: float) -> np.ndarray:
        """Return the half-width of the interval of one series at every horizon, in its error scale."""
        return self.growth * self.factors[series] * self._quantile(level / 100)

    def _quantile(self, share: float) -> float:
        """Blend the empirical quantile (with the conformal small-sample step) and a Student t with mean |u| = 1.

        The weight of the empirical one is origins / (origins + PRIOR_SHAPE); beyond 1 − 1/origins it knows nothing.
        """
        from scipy.special import gammaln, stdtrit

        freedom = 5.0
        log_mean = gammaln((freedom + 1) / 2) - gammaln(freedom / 2)
        mean = 2 * math.sqrt(freedom / math.pi) * math.exp(log_mean) / (freedom - 1)
        theory = float(stdtrit(freedom, (1 + share) / 2)) / mean
        if not len(self.ratios) or share > 1 - 1 / (self.origins + 1):
            return theory
        weight = self.origins / (self.origins + PRIOR_SHAPE)
        empirical = float(np.quantile(self.ratios, min(1.0, share * (1 + 1 / self.origins))))
        return weight * empirical + (1 - weight) * theory


def calibrate(errors: Sequence[np.ndarray], season: int, horizon: int) -> Calibration:
    """Learn how wide intervals must be from scaled absolute errors of past forecasts.

    `errors` has one array (origins x horizon) per series, in error scales, NaN where the outcome is not known yet,
    and no rows where a series was too short to look back. In this order, each shrunk to the one before:

    1. growth over the horizon: the pooled mean error, shrunk to √(1 + (step − 1)/season) and never falling;
    2. level of the panel: the pooled mean error, shrunk to 1, the error of the seasonal naive method;
    3. factor of each series: its own mean error, shrunk to the panel's;
    4. quantiles of |error| / (growth x factor), the factor of an error estimated without its own origin, shrunk to
       a Student t distribution.

    Without any error the result is the prior: intervals from in-sample seasonal-naive errors.

    >>> calibrate([np.empty((0, 2))], season=1, horizon=2).half_width(0, 80).round(2).tolist()
    [1.56, 2.2]
    """
    prior = np.sqrt(1 + np.arange(horizon) / season)
    clipped = [np.minimum(each, LARGEST) / prior for each in errors]
    stacked = np.vstack(clipped) if clipped else np.empty((0, horizon))
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    sums = np.where(known, stacked, 0.0).sum(axis=0)
    total = float(counts.sum())
    pooled = sums.sum() / total if total else 1.0
    shape = (sums + PRIOR_GROWTH * pooled) / (counts + PRIOR_GROWTH) / pooled if pooled > 0 else np.ones(horizon)
    growth = np.maximum.accumulate(prior * shape)

    relative = [each * prior / growth for each in clipped]
    # Forecasts of neighbouring origins share most of their outcome: an origin counts as half a new one.
    weights = [0.5 * float((~np.isnan(each)).any(axis=1).sum()) for each in relative]
    means = [_mean(each) for each in relative]
    origins = sum(weights)
    weighted = sum(w * m for w, m in zip(weights, means, strict=True))
    level = (weighted + PRIOR_LEVEL) / (origins + PRIOR_LEVEL)
    factors = np.array(
        [(w * m + PRIOR_SERIES * level) / (w + PRIOR_SERIES) for w, m in zip(weights, means, strict=True)]
    )
    ratios = [_ratios(each, w, level) for each, w in zip(relative, weights, strict=True)]
    pooled_ratios = np.concatenate(ratios) if ratios else np.empty(0)
    return Calibration(growth, factors, np.sort(pooled_ratios), origins)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _ratios(relative: np.ndarray, weight: float, level: float) -> np.ndarray:
    """Return |error| / factor, the factor of each origin's errors estimated from the other origins."""
    found = []
    for origin in range(len(relative)):
        others = np.delete(relative, origin, axis=0)
        own = weight - 0.5 if not np.isnan(others).all() else 0.0
        factor = (own * _mean(others) + PRIOR_SERIES * level) / (own + PRIOR_SERIES)
        row = relative[origin]
        found.append(row[~np.isnan(row)] / factor if factor > 0 else np.empty(0))
    return np.concatenate(found) if found else np.empty(0)
