"""Seasons too long for a seasonal model (the year in weeks or days): taken out before the models, put back after.

A year has 52 weeks to look at and only a few cycles to learn from, so the season is a sum of Fourier terms of the true
length of the year (52.18 weeks, 365.25 days). They are fitted by generalised least squares on the changes of the
history, so that the slow swings of a random walk are not taken for a season; every frequency is shrunk by what its own
F statistic leaves of it, so that a season that is not there is not removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from salesforecast.forecasting.models.registry import Batch

YEAR = 365.25  # days
_MOST = 26  # pairs of Fourier terms: half the weeks of a year
_LEAST = 1.75  # seasons a history needs: where a part of the year is seen once, trend and season look alike
_PER_TERM = 2  # points a Fourier term needs: two seasons show every week
# The noise of the changes, (1 − φB) d = (1 + θB) e: white changes are a random walk, θ near −1 noise around a level.
_NOISE = tuple((ar, ma) for ar in (0.0, 0.5, 0.85) for ma in (-0.95, -0.7, -0.35, 0.0))


@dataclass(frozen=True)
class Profile:
    """The long season of each series, at its history (time, series) and in the future (horizon, series).

    It is a difference from the level, of logarithms where `log`. `season` is the shorter season that stays in the
    histories (7 days inside a year, 1: none).
    """

    history: np.ndarray
    future: np.ndarray
    log: np.ndarray
    season: int

    def remove(self, batch: Batch) -> Batch:
        """Return the histories without the long season."""
        y = np.where(self.log, batch.y / np.exp(self.history), batch.y - self.history)
        return Batch(y, batch.lengths, self.season)

    def restore(self, paths: np.ndarray) -> np.ndarray:
        """Return forecasts (…, horizon, series) with the long season."""
        return np.where(self.log, paths * np.exp(self.future), paths + self.future)


def profile(batch: Batch, horizon: int) -> Profile:
    """Return the long season of each series of a batch.

    A season of more than 24 periods is long: 52 or 53 are the weeks of a year, 364 to 366 its days (the weekdays stay),
    others are taken as they are. A season of 7 is taken for days, and the year is removed where it is seen. Every other
    season, and a history of less than 1.75 long seasons (91 weeks, 640 days), stays as it is.

    It is a factor where the changes of the logarithm are the steadier ones, else a difference. Each series is looked
    at alone, with nothing but its own history.

    >>> t = np.arange(168)
    >>> y = (100 + 0.1 * t + 20 * np.sin(2 * np.pi * t / (YEAR / 7)))[:, None]
    >>> season = profile(Batch(y[:156], np.array([156]), 52), 12)
    >>> bool(np.abs(season.restore(100 + 0.1 * t[156:, None]) - y[156:]).max() < 2)
    True
    """
    long, short = _seasons(batch.season)
    lengths, count = batch.lengths, len(batch.lengths)
    history, future = np.zeros(batch.y.shape), np.zeros((horizon, count))
    log = np.zeros(count, dtype=bool)
    if long is None:
        return Profile(history, future, log, short)
    with np.errstate(all="ignore"):
        log = _steadier_in_logs(batch)
        values = np.where(log, np.log(batch.y), batch.y)
        for n in np.unique(lengths[lengths >= _LEAST * long]):
            columns = np.flatnonzero((lengths == n) & np.isfinite(values[:n]).all(axis=0))
            path = _season(values[:n, columns], long, short, horizon)
            history[:n, columns], future[:, columns] = path[:n], path[n:]
    return Profile(history, future, log, short)


def recent(batch: Batch, points: int) -> Batch:
    """Return the last `points` periods of each history.

    Three years of days are needed to see the year, but not to fit the models to what is left of them.

    >>> recent(Batch(np.array([[1.0, 4.0], [2.0, 5.0], [3.0, np.nan]]), np.array([3, 2]), 1), 2).y.tolist()
    [[2.0, 4.0], [3.0, 5.0]]
    """
    if len(batch.y) <= points:
        return batch
    lengths = np.minimum(batch.lengths, points)
    rows = (batch.lengths - lengths) + np.arange(points)[:, None]
    kept = np.take_along_axis(batch.y, np.minimum(rows, len(batch.y) - 1), axis=0)
    return Batch(np.where(np.arange(points)[:, None] < lengths, kept, np.nan), lengths, batch.season)


def _seasons(season: int) -> tuple[float | None, int]:
    """Return the length of the long season, None where there is none, and the short one that stays."""
    if season == 7:
        return YEAR, 7
    if season in (52, 53):
        return YEAR / 7, 1
    if 364 <= season <= 366:
        return YEAR, 7
    return (float(season), 1) if season > 24 else (None, season)


def _steadier_in_logs(batch: Batch) -> np.ndarray:
    """Whether the changes of the logarithm have the higher likelihood (Box & Cox 1964); never with zeros or below."""
    inside = np.arange(len(batch.y))[:, None] < batch.lengths
    positive = np.where(inside, batch.y > 0, True).all(axis=0)
    logs = np.where(inside & positive, np.log(batch.y), 0.0)
    squares = [np.where(inside[1:], np.diff(each, axis=0) ** 2, 0.0).sum(axis=0) for each in (logs, batch.y)]
    return positive & (np.log(squares[0] / squares[1]) + 2 * logs.sum(axis=0) / batch.lengths < 0)


def _season(values: np.ndarray, long: float, short: int, horizon: int) -> np.ndarray:
    """Return the shrunk season (history and horizon, series) of histories of one length."""
    n, count = values.shape
    pairs = min(_MOST, int(long - 1) // 2, n // (2 * _PER_TERM))
    changes = np.diff(values, axis=0)
    path = np.zeros((n + horizon, count))
    terms = _fourier(n + horizon, long, pairs)
    noise = _noise(changes, long, short, pairs)
    for each in np.unique(noise):
        chosen = np.flatnonzero(noise == each)
        design = _design(n, long, short, pairs, *_NOISE[each])
        residual = _whiten(changes[:, chosen], *_NOISE[each])
        coefficients = np.einsum("mt,ts->ms", design.solve, residual)
        residual = residual - np.einsum("tm,ms->ts", design.terms, coefficients)
        variance = np.square(residual).sum(axis=0) / (n - 1 - design.terms.shape[1])
        pair = coefficients[: 2 * pairs].reshape(pairs, 2, -1)
        f = np.einsum("pis,pij,pjs->ps", pair, design.precision, pair) / 2 / np.maximum(variance, 1e-300)
        path[:, chosen] = np.einsum("tm,ms->ts", terms, (pair * _kept(f)[:, None]).reshape(2 * pairs, -1))
    return path


def _kept(f: np.ndarray) -> np.ndarray:
    """Return the share of each pair of terms (pair, series) that is kept, from their F statistics.

    The empirical Bayes share τ² / (τ² + 1), τ² the excess of F over what chance gives (1, and half as much again so
    that no season is made of noise), averaged over neighbouring frequencies because one F alone says little; but
    1 − 5 / F where a frequency stands out by itself (5 is about the 1 % point).
    """
    pair = np.arange(len(f))
    weights = np.maximum(0, 3 - np.abs(pair[:, None] - pair))
    weights = weights / weights.sum(axis=1, keepdims=True)
    # One strong frequency shall not speak for its neighbours.
    excess = np.maximum(0, np.einsum("jk,ks->js", weights, np.minimum(f, 20)) - 1.5)
    return np.maximum(excess / (excess + 1), 1 - 5 / np.maximum(f, 1e-300))


def _noise(changes: np.ndarray, long: float, short: int, pairs: int) -> np.ndarray:
    """Return for each series the row of `_NOISE` with the highest Whittle likelihood of what the season leaves."""
    design = _design(len(changes) + 1, long, short, pairs, 0.0, 0.0)
    residual = changes - np.einsum("tm,ms->ts", design.terms, np.einsum("mt,ts->ms", design.solve, changes))
    frequencies = np.fft.rfftfreq(len(changes))
    harmonic = frequencies * long
    taken = (np.abs(harmonic - np.round(harmonic)) < 0.5 * long / len(changes)) & (harmonic < pairs + 0.5)
    free = ~taken & (frequencies > 0)
    power = np.abs(np.fft.rfft(residual, axis=0))[free] ** 2
    waves = np.exp(-2j * np.pi * frequencies[free])
    spectra = np.array([np.abs((1 + ma * waves) / (1 - ar * waves)) ** 2 for ar, ma in _NOISE])
    variance = np.einsum("ft,ts->fs", 1 / spectra, power) / len(power)
    return np.argmin(np.log(variance) + np.log(spectra).mean(axis=1)[:, None], axis=0)


@dataclass(frozen=True)
class _Design:
    """The regression of whitened changes: its terms, what turns changes into coefficients, each pair's precision."""

    terms: np.ndarray
    solve: np.ndarray
    precision: np.ndarray


@lru_cache(maxsize=64)
def _design(n: int, long: float, short: int, pairs: int, ar: float, ma: float) -> _Design:
    """Fourier pairs of the long season, of the short one, a drift and the unknown error before the history."""
    short_pairs = short // 2 if short > 1 else 0
    levels = np.hstack([_fourier(n, long, pairs), _fourier(n, float(short), short_pairs), np.arange(n)[:, None]])
    start = np.eye(n - 1)[:, :1]
    terms = _whiten(np.hstack([np.diff(levels, axis=0), start]), ar, ma)
    covariance = np.linalg.inv(terms.T @ terms)
    blocks = np.array([covariance[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] for k in range(pairs)])
    return _Design(terms, covariance @ terms.T, np.linalg.inv(blocks))


def _fourier(n: int, season: float, pairs: int) -> np.ndarray:
    """Return cosine and sine (time, 2 × pairs) of each multiple of the season's frequency."""
    return _waves(season, -(-n // 512) * 512)[:n, : 2 * pairs]


@lru_cache(maxsize=8)
def _waves(season: float, n: int) -> np.ndarray:
    angles = 2 * np.pi * np.arange(n)[:, None] * np.arange(1, _MOST + 1) / season
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(n, 2 * _MOST)
    waves.setflags(write=False)  # shared by all callers
    return waves


def _whiten(changes: np.ndarray, ar: float, ma: float) -> np.ndarray:
    """Return the errors e of (1 − φB) d = (1 + θB) e, starting from zeros."""
    errors = changes.copy()
    errors[1:] -= ar * changes[:-1]
    # 1 / (1 + θB) = (1 − θB)(1 + θ²B²)(1 + θ⁴B⁴)…: one pass for each doubling instead of one for each period.
    factor, lag = -ma, 1
    while lag < len(errors) and factor:
        errors[lag:] += factor * errors[:-lag].copy()
        factor, lag = factor * factor, 2 * lag
    return errors
