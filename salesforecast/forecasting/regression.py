"""Known-future regressors and long seasons: estimated, taken out before the models, put back after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REGRESSORS_USED = "regressors_used"
REGRESSORS_UNUSED = "regressors_unused"


@dataclass(frozen=True)
class Effect:
    """What is taken out of a history and put back into its forecast; a factor where `log`, else a difference."""

    history: np.ndarray
    future: np.ndarray
    log: bool = False
    notes: tuple[str, ...] = ()

    def remove(self, y: np.ndarray) -> np.ndarray:
        """Return the history without the effect."""
        return y / np.exp(self.history) if self.log else y - self.history

    def restore(self, path: np.ndarray) -> np.ndarray:
        """Return the forecast with the effect."""
        return path * np.exp(self.future) if self.log else path + self.future


def no_effect(n: int, horizon: int) -> Effect:
    """Return the effect that changes nothing."""
    return Effect(np.zeros(n), np.zeros(horizon))


def estimate(y: np.ndarray, regressors: np.ndarray | None, season: int, horizon: int) -> Effect:
    """Return the effect of known-future regressors on a series, tested and shrunk.

    `regressors` has a column each and a row for each period of the history (its last rows are the horizon; rows
    before the history are ignored). Ordinary least squares on first differences (of logs where all values are
    positive) with a dummy for each position in the season; the weakest column is dropped until every one has
    |t| > 2; the slopes are shrunk by 1 − 1/t² (positive-part James–Stein). Fewer than ten degrees of freedom: no
    effect. The note is `regressors_used`, or `regressors_unused` where no column passes the test.
    """
    n = len(y)
    if regressors is None:
        return no_effect(n, horizon)
    unused = Effect(np.zeros(n), np.zeros(horizon), notes=(REGRESSORS_UNUSED,))
    known = regressors[-(n + horizon) :]
    log = bool(y.min() > 0)
    response = np.diff(np.log(y) if log else y)
    dummies = _seasonal_dummies(n - 1, season)
    changes = np.diff(known[:n], axis=0)
    kept = [column for column in range(known.shape[1]) if np.ptp(changes[:, column]) > 0]
    slopes = t = np.zeros(0)
    while kept:
        if n - 1 - dummies.shape[1] - len(kept) < 10:
            return unused
        slopes, t = _ols(np.hstack([changes[:, kept], dummies]), response, len(kept))
        weakest = int(np.argmin(np.abs(t)))
        if abs(t[weakest]) > 2:
            break
        kept.pop(weakest)
    if not kept:
        return unused
    slopes = slopes * np.maximum(0, 1 - 1 / t**2)
    effect = (known[:, kept] - known[:n, kept].mean(axis=0)) @ slopes
    return Effect(effect[:n], effect[n:], log, (REGRESSORS_USED,))


def long_season(y: np.ndarray, season: int, horizon: int) -> Effect:
    """Return a smooth season of more than 24 periods (weeks of a year) as an effect.

    Four pairs of Fourier terms on the trend-adjusted history (a factor where all values are positive), needs two
    seasons, shrunk by 1 − 1/F where F is the statistic of all terms together (nothing where F ≤ 2).
    """
    n = len(y)
    if season <= 24 or n < 2 * season:
        return no_effect(n, horizon)
    log = bool(y.min() > 0)
    values = np.log(y) if log else y
    t = np.arange(n + horizon)
    angles = 2 * np.pi * np.outer(t, np.arange(1, 5)) / season
    terms = np.hstack([np.sin(angles), np.cos(angles)])
    # A broken line with one knot a season follows the level well enough to see the season.
    knots = np.arange(0, n, season)
    trend = np.hstack([np.ones((n, 1)), np.maximum(0, t[:n, None] - knots)])
    design = np.hstack([terms[:n], trend])
    coefficients, *_ = np.linalg.lstsq(design, values, rcond=None)
    without, *_ = np.linalg.lstsq(trend, values, rcond=None)
    full = np.sum((values - design @ coefficients) ** 2)
    reduced = np.sum((values - trend @ without) ** 2)
    count = terms.shape[1]
    f = (reduced - full) / count / max(full / (n - design.shape[1]), 1e-12 * reduced + 1e-300)
    if f <= 2:
        return no_effect(n, horizon)
    effect = terms @ coefficients[:count] * (1 - 1 / f)
    return Effect(effect[:n], effect[n:], log)


def _seasonal_dummies(n: int, season: int) -> np.ndarray:
    """Return a constant, or one column for each position in a season that the history shows twice."""
    if season == 1 or season > 24 or n < 2 * season:
        return np.ones((n, 1))
    return np.eye(season)[np.arange(n) % season]


def _ols(design: np.ndarray, response: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and t values of the first `count` columns."""
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ response
    freedom = len(response) - design.shape[1]
    variance = np.sum((response - design @ coefficients) ** 2) / freedom
    errors = np.sqrt(np.maximum(variance * np.diag(inverse)[:count], 1e-300))
    return coefficients[:count], coefficients[:count] / errors
