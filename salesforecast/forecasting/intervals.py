"""Prediction intervals from the errors of past forecasts, pooled over series, origins and horizons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from salesforecast.errors import BadValue
from salesforecast.forecasting.frequency import Frequency
from salesforecast.forecasting.origins import FEWEST
from salesforecast.forecasting.records import Record
from salesforecast.forecasting.scales import LEAST

# How many past origins the prior knowledge is worth, in the order it is used.
PRIOR_GROWTH = 10.0  # how errors grow with the horizon
PRIOR_LEVEL = 3.0  # how large they are for the panel
PRIOR_SHAPE = 30.0  # their distribution
PRIOR_SKEW = 100.0  # whether they are larger on one side
PRIOR_DEPENDENCE = 30.0  # how much the errors of two steps have in common, compared with others as far apart
PRIOR_COMMON = 6.0  # how much errors have in common at all
LARGEST = 20.0  # one past error counts as at most this many scales
OWN = SPREAD = 1 / 3  # the scale is the geometric mean of base, own past errors and disagreement of the models
GRID = np.linspace(0, 1, 401)
FREEDOM = 5.0  # of the Student t that stands for a distribution of errors


def check_levels(level: float | Sequence[float]) -> tuple[float, ...]:
    """Return the levels in per cent in the order given, without repetition.

    >>> check_levels(80), check_levels((80, 95, 80))
    ((80,), (80, 95))
    """
    levels = _numbers(level, 100)
    if not levels or None in levels:
        raise BadValue(f"level is {level!r}. Give per cent between 0 and 100, such as (80, 95).")
    return tuple(dict.fromkeys(levels))  # type: ignore[arg-type]


def check_quantiles(quantiles: float | Sequence[float]) -> tuple[float, ...]:
    """Return the quantiles in the order given, without repetition.

    >>> check_quantiles((0.1, 0.5))
    (0.1, 0.5)
    """
    found = _numbers(quantiles, 1)
    if None in found:
        raise BadValue(f"quantiles is {quantiles!r}. Give numbers between 0 and 1, such as (0.1, 0.5, 0.9).")
    return tuple(dict.fromkeys(found))  # type: ignore[arg-type]


def _numbers(given: object, below: float) -> list[float | None]:
    """Return one number or several as a list, None for what is no number between 0 and `below`."""
    values = given if isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str) else [given]
    plain = [each.item() if isinstance(each, np.generic) else each for each in values]
    return [
        each if isinstance(each, (int, float)) and not isinstance(each, bool) and 0 < each < below else None
        for each in plain
    ]


@dataclass(frozen=True, eq=False)
class Shape:
    """What past errors of one model teach about all series of a panel.

    `growth` (by step) is how errors grow with the horizon; `own` and `spread` are the usual logarithms of a series'
    own past error and of the disagreement of its models, relative to its base scale; `level` is the mean size of an
    error in scales; `errors` and `sizes` are the distributions of u = error / (scale x growth x level) and of |u| on
    `GRID`, `origins` how many independent ones they come from; `dependence` (step, step) is the correlation of the
    errors of two steps.
    """

    growth: np.ndarray
    own: float
    spread: float
    level: float
    errors: np.ndarray | None
    sizes: np.ndarray | None
    origins: float
    dependence: np.ndarray

    def quantile(self, share: float) -> float:
        """Return the quantile of error / (scale x growth).

        A blend of the empirical quantile (with the conformal small-sample step) and a Student t with mean |u| = 1; the
        weight of the empirical one is origins / (origins + PRIOR_SHAPE), and beyond 1 − 1/origins it knows nothing.
        The empirical quantile itself is a blend of the signed errors and their sizes: that errors are larger on one
        side is believed by origins / (origins + PRIOR_SKEW).
        """
        side, covered = math.copysign(1.0, share - 0.5), abs(2 * share - 1)
        if self.errors is None or self.sizes is None:
            return self.level * side * _student(covered)
        # Beyond 1 − 1/origins past errors know nothing: from there on the theory goes on.
        told = min(covered, 1 - 1 / (self.origins + 1))
        step = min(1.0, told * (1 + 1 / self.origins))
        skew = self.origins / (self.origins + PRIOR_SKEW)
        signed = float(np.interp((1 + side * step) / 2, GRID, self.errors))
        size = side * float(np.interp(step, GRID, self.sizes))
        weight = self.origins / (self.origins + PRIOR_SHAPE)
        blend = weight * (skew * signed + (1 - skew) * size) + (1 - weight) * side * _student(told)
        return self.level * blend * (_student(covered) / _student(told) if covered > told else 1.0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a panel taught about its errors, once, for all its parts: give it to `forecast` of a part of the panel.

    Holds the frequency, the season and the number of origins that were used, and a `Shape` for each model at each
    cutoff (days or months since 1970; None for the end of every series). It knows no single series.
    """

    frequency: Frequency
    season: int
    horizon: int
    origins: dict[int | None, int]
    shapes: dict[int | None, dict[str, Shape]]

    def count(self, cutoff: int | None = None) -> int:
        """Return how many origins each series gets at a cutoff."""
        return self.origins.get(cutoff, FEWEST)

    def dependence(self) -> np.ndarray:
        """Return the correlation (step, step) of the errors of the forecast at two steps."""
        shapes = next(iter(self.shapes.values()), {})
        return next((each.dependence for each in shapes.values()), common_dependence(self.horizon))

    def shape(self, model: str, cutoff: int | None = None) -> Shape:
        """Return the shape of a model at a cutoff, or of the last one before it; the prior where there is none."""
        there = self.shapes.get(cutoff)
        if there is None:
            before = [each for each in self.shapes if each is not None and cutoff is not None and each < cutoff]
            there = self.shapes[max(before)] if before else {}
        return there.get(model) or prior(self.season, self.horizon)


def prior(season: int, horizon: int) -> Shape:
    """Return the shape that holds without any past error: those of the seasonal naive method, √ growth, Student t.

    >>> (prior(1, 2).growth * prior(1, 2).quantile(0.9)).round(2).tolist()
    [1.56, 2.2]
    """
    growth = np.sqrt(1 + np.arange(horizon) / season)
    return Shape(growth, 0.0, 0.0, 1.0, None, None, 0.0, common_dependence(horizon))


def learn(record: Record, model: str, season: int) -> Shape:
    """Learn the shape of the errors of one model from what it said at earlier points of many histories.

    In this order, each shrunk to what is known without it: growth over the horizon, from the pooled mean error, never
    falling; what own past errors and the disagreement of models usually are; the level, from the pooled mean error;
    the distribution. A series' own errors count, at an origin, as far as they were known by then.
    """
    horizon = record.actual.shape[0]
    start = prior(season, horizon)
    unit = record.base.scale * record.base.shape(record.of(model))
    errors = (record.actual - record.of(model)[:, :-1]) / unit[:, :-1]
    known = ~np.isnan(errors)
    if not known.any():
        return start
    growth = _growth(np.minimum(np.abs(errors), LARGEST), known, start.growth)
    own, spread = _features(record, model, growth)
    own_mean, spread_mean = _middle(own[:-1]), _middle(spread[:-1])
    factor = _factor(own, spread, own_mean, spread_mean)
    relative = np.clip(errors / (growth[:, None, None] * factor[:-1]), -LARGEST, LARGEST)
    # Forecasts of neighbouring origins share most of their outcome: an origin counts as half a new one.
    origins = 0.5 * float(known.any(axis=0).sum())
    values = relative[known]
    level = (origins * float(np.abs(values).mean()) + PRIOR_LEVEL) / (origins + PRIOR_LEVEL)
    errors, sizes = (np.quantile(each / level, GRID) for each in (values, np.abs(values)))
    return Shape(growth, own_mean, spread_mean, level, errors, sizes, origins, dependence_of(relative / level))


def widths(record: Record, model: str, shape: Shape) -> np.ndarray:
    """Return the scale of the errors of one model at the end of each history: (step, end)."""
    own, spread = _features(record, model, shape.growth)
    factor = _factor(own[-1:], spread[-1:], shape.own, shape.spread)
    unit = record.base.scale[-1] * record.base.shape(record.of(model))[:, -1]
    return unit * shape.growth[:, None] * factor


def below_zero(mean: np.ndarray, width: np.ndarray, shape: Shape) -> np.ndarray:
    """Return the chance of a value below zero, at most one half, as the shape has it.

    >>> below_zero(np.array([0.0, 5.0]), np.array([1.0, 1.0]), prior(1, 1)).round(2).tolist()
    [0.5, 0.0]
    """
    distance = np.divide(-mean, width, out=np.full(mean.shape, -np.inf), where=width > 0)
    shares = np.linspace(0.005, 0.5, 34)
    if distance.max() < shape.quantile(shares[0]):
        return np.zeros(mean.shape)
    bounds = np.maximum.accumulate([min(shape.quantile(share), 0.0) for share in shares])
    return np.interp(distance, bounds, shares, left=0.0, right=0.5)


def _growth(sizes: np.ndarray, known: np.ndarray, start: np.ndarray) -> np.ndarray:
    relative = np.where(known, sizes, 0.0) / start[:, None, None]
    counts, sums = known.sum(axis=(1, 2)), relative.sum(axis=(1, 2))
    pooled = sums.sum() / counts.sum()
    if pooled <= 0:
        return start
    return np.maximum.accumulate(start * (sums + PRIOR_GROWTH * pooled) / (counts + PRIOR_GROWTH) / pooled)


def _features(record: Record, model: str, growth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(own past error / base) and log(disagreement / base) for each origin and end, NaN where unknown.

    The end knows its errors from all origins. An origin is given, half and half, those known by then (the usual size
    where there are none) and those of all other origins: the first alone are fewer than the end has, the second share
    their outcomes with its own errors.
    """
    base = record.base
    grown = base.shape(record.of(model)) * growth[:, None, None]
    lengths = np.vstack([record.origins, record.ends.lengths])
    # In units of the level at the time: the root of the level goes with the errors of positive histories.
    root = np.where(np.isnan(base.level), 1.0, np.sqrt(np.abs(base.level)))
    sizes = np.abs(record.actual - record.of(model)[:, :-1]) / (grown[:, :-1] * root[:-1])
    there = ~np.isnan(sizes)
    reached = record.origins + np.arange(1, len(growth) + 1)[:, None, None]
    own = np.full(lengths.shape, np.nan)
    with np.errstate(all="ignore"):
        for place, length in enumerate(lengths):
            others = there & (np.arange(len(record.origins)) != place)[:, None]
            told = [_mean_of(sizes, each) * root[place] for each in (others & (reached <= length), others)]
            logs = [_relative(each, base.scale[place]) for each in told]
            before = np.where(np.isfinite(logs[0]), logs[0], _middle(logs[1]))
            own[place] = logs[1] if place == len(record.origins) else (before + logs[1]) / 2
        spread = _relative((_deviation(record.paths[1:]) / grown).mean(axis=0), base.scale)
    return own, spread


def _mean_of(sizes: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.where(there, sizes, 0.0).sum(axis=(0, 1)) / there.sum(axis=(0, 1))


def _relative(size: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(size, LEAST * scale) / scale)


def _deviation(paths: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the members over the models, NaN with fewer than two."""
    there = ~np.isnan(paths)
    count = there.sum(axis=0)
    mean = np.where(there, paths, 0.0).sum(axis=0) / count
    squares = np.where(there, (paths - mean) ** 2, 0.0).sum(axis=0) / count
    return np.where(count > 1, np.sqrt(squares), np.nan)


def _middle(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0


def _factor(own: np.ndarray, spread: np.ndarray, own_mean: float, spread_mean: float) -> np.ndarray:
    """Return by how much the scale of a series differs from its base; what is unknown counts as usual."""
    parts = OWN * np.where(np.isfinite(own), own - own_mean, 0.0)
    return np.exp(parts + SPREAD * np.where(np.isfinite(spread), spread - spread_mean, 0.0))


def dependence_of(errors: np.ndarray) -> np.ndarray:
    """Return the correlation (step, step) of standardised errors (step, origin, end), NaN where unknown.

    Shrunk to the mean correlation of steps as far apart, and this to one half; of steps farther apart than any seen,
    that of the farthest seen.
    """
    known = ~np.isnan(errors)
    values = np.where(known, np.clip(errors, -4.0, 4.0), 0.0).reshape(len(errors), -1)
    there = known.reshape(len(errors), -1).astype(float)
    products, squares, counts = values @ values.T, values**2 @ there.T, 0.5 * there @ there.T
    scale = np.sqrt(squares * squares.T)
    start, last = np.empty(len(errors)), 0.5
    for lag in range(len(errors)):
        apart = np.diag(scale, lag).sum()
        found = np.diag(products, lag).sum() / apart if apart > 0 else 0.0
        # Pairs of one origin tell the more, the less they go together (effective size of a correlated sample).
        pairs = np.diag(counts, lag)
        seen = max(pairs.max(), pairs.sum() * (1 - min(abs(found), 1.0)) / (1 + abs(found)))
        last = (found * seen + 0.5 * PRIOR_COMMON) / (seen + PRIOR_COMMON) if seen else last
        start[lag] = last
    steps = np.arange(len(errors))
    usual = start[np.abs(steps[:, None] - steps)]
    found = np.divide(products, scale, out=usual.copy(), where=scale > 0)
    blend = (found * counts + usual * PRIOR_DEPENDENCE) / (counts + PRIOR_DEPENDENCE)
    np.fill_diagonal(blend, 1.0)
    # Correlations of pairs seen at different origins need not fit together: the nearest ones that do.
    size, vectors = np.linalg.eigh((blend + blend.T) / 2)
    fitting = (vectors * np.maximum(size, 1e-6)) @ vectors.T
    spread = np.sqrt(np.diag(fitting))
    return fitting / np.outer(spread, spread)


def common_dependence(horizon: int) -> np.ndarray:
    """Return the correlation of the errors of two steps where nothing is known: one half."""
    return np.where(np.eye(horizon) > 0, 1.0, 0.5)


@lru_cache(maxsize=1024)
def _student(covered: float) -> float:
    """Return the half-width that covers a share of a Student t with five degrees of freedom and mean |u| = 1.

    Its distribution function has a closed form in the angle θ = atan(t/√5), found here by bisection: importing scipy
    for it would be a sixth of a first forecast. Abramowitz & Stegun (1964), Handbook of Mathematical Functions, 26.7.3.

    >>> round(_student(0.8), 4)         # 1.4759 / 0.9490
    1.5552
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        within = angle + math.sin(angle) * math.cos(angle) * (1 + 2 / 3 * math.cos(angle) ** 2)
        low, high = (angle, high) if within < covered * math.pi / 2 else (low, angle)
    mean = 2 * math.sqrt(FREEDOM / math.pi) * math.gamma((FREEDOM + 1) / 2) / math.gamma(FREEDOM / 2) / (FREEDOM - 1)
    return math.sqrt(FREEDOM) * math.tan(angle) / mean
