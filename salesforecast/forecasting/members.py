"""The forecasts of all models for many histories at once: arrays in, arrays out, in chunks that stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from salesforecast.forecasting import ensemble, regression, seasons
from salesforecast.forecasting.conditioning import ENDED, STARTS_LATE, condition, ended, leading_zeros
from salesforecast.forecasting.frequency import fitted
from salesforecast.forecasting.histories import Histories, blocks
from salesforecast.forecasting.models import MODELS, Batch
from salesforecast.forecasting.scales import base_scale

CHUNK = 160  # columns that a kernel takes at a time: its arrays stay in cache
BLOCK = 16 * CHUNK  # columns that are read and conditioned at a time
INTERMITTENT = "intermittent"
OWN_SEASON = ("seasonal_naive", "long_airline")  # take histories as they are, whatever the length of the season

Tick = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Copies:
    """Histories cut at some point: the first `lengths` periods of each of `series`; a series may come several times."""

    series: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, eq=False)
class Members:
    """The forecasts of each model for each copy: `paths` is (model, step, copy), NaN where a model has none.

    `names` are sorted; `notes` are codes of what was done to a copy; `tried` tells whether it had regressors, `used`
    whether they took effect. `scale` and `level` (copy,) are the unit of the errors and the level (`base_scale`).
    """

    names: tuple[str, ...]
    paths: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    notes: list[tuple[str, ...]]
    tried: np.ndarray
    used: np.ndarray


def forecast_copies(
    histories: Histories,
    copies: Copies,
    season: int,
    horizon: int,
    names: tuple[str, ...] | None,
    known: Mapping[int, np.ndarray] | None = None,
    tick: Tick | None = None,
) -> Members:
    """Return the forecasts of the chosen models, or of those that suit each history, for every copy.

    `known` has the regressors of a series, a row for each period of its history and horizon; the effect of those that
    pass their test is taken out before the models and put back after. `tick` is told how many copies are done. Nothing
    raises: a model that fails for a copy has no path there, and a copy without any gets the seasonal naive one.
    """
    every = tuple(sorted({*(names or ensemble.POOLED), "seasonal_naive"}))
    paths = np.full((len(every), horizon, len(copies)), np.nan)
    bases = np.empty((2, len(copies)))
    notes: list[tuple[str, ...]] = [()] * len(copies)
    used = np.zeros(len(copies), dtype=bool)
    # Longest first over all copies, so that the columns of a chunk are of nearly the same length.
    order = np.argsort(-copies.lengths, kind="stable")
    for part in blocks(len(copies), BLOCK):
        chosen = order[part]
        block = Copies(copies.series[chosen], copies.lengths[chosen])
        with np.errstate(all="ignore"):
            made, base, said, took = _forecast_block(histories, block, season, horizon, names, known, every)
        paths[:, :, chosen] = made
        bases[:, chosen] = base
        used[chosen] = took
        for each, codes in zip(chosen.tolist(), said, strict=True):
            notes[each] = codes
        if tick is not None:
            tick(len(chosen))
    kept = [each for each in range(len(every)) if not np.isnan(paths[each]).all()]
    tried = np.isin(copies.series, list(known or ()))
    scale, level = bases
    return Members(tuple(every[each] for each in kept), paths[kept], scale, level, notes, tried, used)


def gather(histories: Histories, copies: Copies, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the last `longest` values of each copy as (time, copy), NaN after its end, and how many there are."""
    used = np.minimum(copies.lengths, longest)
    rows = np.arange(used.max())[:, None]
    start = histories.offsets[copies.series] + copies.lengths - used
    y = histories.y[np.minimum(start + rows, len(histories.y) - 1)]
    y[rows >= used] = np.nan
    return y, used


def _forecast_block(
    histories: Histories,
    copies: Copies,
    season: int,
    horizon: int,
    names: tuple[str, ...] | None,
    known: Mapping[int, np.ndarray] | None,
    every: tuple[str, ...],
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, ...]], np.ndarray]:
    y, lengths, late = _begun(*gather(histories, copies, histories.frequency.reach(season)), season)
    not_negative = np.nanmin(y, axis=0) >= 0
    unit = np.nanmean(np.abs(y), axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    batch = Batch(y / unit, lengths, season)
    # Effects first: a promotion is no outlier.
    effects = _effects(batch, copies, horizon, known)
    plain = _without(batch, effects) if effects else batch
    batch, notes = condition(plain)
    # What has ended is forecast from zeros, but was as noisy as it was.
    over = np.array([ENDED in each for each in notes])
    base = np.array(base_scale(Batch(np.where(over, plain.y, batch.y), lengths, season) if over.any() else batch))
    paths = np.full((len(every), horizon, len(copies)), np.nan)
    if names is None:
        kinds = ensemble.pools(batch)
        notes = [
            (*said, INTERMITTENT) if kind == INTERMITTENT else said for said, kind in zip(notes, kinds, strict=True)
        ]
        chosen = [(np.flatnonzero(kinds == kind), pool) for kind, pool in ensemble.POOLS.items()]
    else:
        chosen = [(np.arange(len(copies)), names)]
    for columns, pool in chosen:
        # Zeros cut off at the start may have changed the order of the lengths.
        columns = columns[np.argsort(-lengths[columns], kind="stable")]
        for part in blocks(len(columns), CHUNK):
            _run(batch, columns[part], pool, horizon, every, paths)
    if names is not None:
        failed = [(name, np.isnan(paths[every.index(name), 0])) for name in names]
        notes = [
            (*said, *(f"model_failed:{name}" for name, where in failed if where[each]))
            for each, said in enumerate(notes)
        ]
    lost = np.flatnonzero(np.isnan(paths[:, 0]).all(axis=0))
    if len(lost):
        lost = lost[np.argsort(-lengths[lost], kind="stable")]
        _run(batch, lost, ("seasonal_naive",), horizon, every, paths, guarded=False)
    for each, effect in effects.items():
        there = ~np.isnan(paths[:, 0, each])
        paths[there, :, each] = [effect.restore(path) for path in paths[there, :, each]]
        notes[each] = (*notes[each], *effect.notes)
    for each in np.flatnonzero(late).tolist():
        notes[each] = (*notes[each], STARTS_LATE)
    paths *= unit
    paths[:, :, not_negative] = np.maximum(paths[:, :, not_negative], 0.0)
    used = np.zeros(len(copies), dtype=bool)
    used[[each for each, effect in effects.items() if regression.REGRESSORS_USED in effect.notes]] = True
    return paths, base * unit, notes, used


def _run(
    batch: Batch,
    columns: np.ndarray,
    pool: tuple[str, ...],
    horizon: int,
    every: tuple[str, ...],
    paths: np.ndarray,
    guarded: bool = True,
) -> None:
    """Write the paths of the models of a pool for some columns of a batch, NaN where they fail or explode."""
    own = batch.take(columns)
    profile = seasons.profile(own, horizon)
    base = seasons.recent(profile.remove(own), fitted(batch.season))
    for name in pool:
        model = MODELS[name]
        # What zeros are is seen in the history as it is.
        alone = name in OWN_SEASON or pool == ensemble.POOLS[INTERMITTENT]
        source = own if alone else base
        fits = model.applies(source)
        if not fits.any():
            continue
        path = np.full((horizon, len(columns)), np.nan)
        path[:, fits] = model.forecast(source if fits.all() else source.take(np.flatnonzero(fits)), horizon)
        path = path if alone else profile.restore(path)
        if guarded:
            path = np.where(_sane(path, own), path, np.nan)
        paths[every.index(name)][:, columns] = path


def _begun(y: np.ndarray, lengths: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return histories without the zeros before their first value, their lengths, and which ones had several."""
    cut = leading_zeros(Batch(y, lengths, season))
    if not cut.any():
        return y, lengths, cut > 2
    rows = np.arange(len(y))[:, None]
    moved = y[np.minimum(cut + rows, len(y) - 1), np.arange(len(cut))]
    moved[rows >= lengths - cut] = np.nan
    return moved, lengths - cut, cut > 2


def _sane(path: np.ndarray, batch: Batch) -> np.ndarray:
    """Whether each forecast is finite and stays near its history.

    Three times the range beyond the history allows steep growth over a long horizon, not an explosion.
    """
    low, high = np.nanmin(batch.y, axis=0), np.nanmax(batch.y, axis=0)
    reach = 3 * (high - low + 1e-9 * np.maximum(np.abs(low), np.abs(high)))
    return np.isfinite(path).all(axis=0) & (path.min(axis=0) >= low - reach) & (path.max(axis=0) <= high + reach)


def _effects(
    batch: Batch, copies: Copies, horizon: int, known: Mapping[int, np.ndarray] | None
) -> dict[int, regression.Effect]:
    """Return the estimated effect of the regressors for each column that has some."""
    if not known:
        return {}
    effects = {}
    # What has ended stays so, whatever a regressor says of the days to come.
    over = ended(batch)
    for each, (series, length) in enumerate(zip(copies.series.tolist(), copies.lengths.tolist(), strict=True)):
        if series in known and not over[each]:
            y = batch.y[: batch.lengths[each], each]
            effects[each] = regression.estimate(y, known[series][: length + horizon], batch.season, horizon)
    return effects


def _without(batch: Batch, effects: Mapping[int, regression.Effect]) -> Batch:
    y = batch.y.copy()
    for each, effect in effects.items():
        y[: batch.lengths[each], each] = effect.remove(y[: batch.lengths[each], each])
    return Batch(y, batch.lengths, batch.season)
