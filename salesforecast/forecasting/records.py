"""What every model and their combination say now and said at earlier points of each history, beside what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from salesforecast.forecasting import closures, ensemble
from salesforecast.forecasting.histories import Histories
from salesforecast.forecasting.members import Copies, Members, Tick, forecast_copies
from salesforecast.forecasting.models import COMBINATION
from salesforecast.forecasting.origins import plan
from salesforecast.forecasting.regression import REGRESSORS_UNUSED
from salesforecast.forecasting.scales import Base

CLEARLY_WORSE = 1.3  # squared errors with the regressors relative to those without


@dataclass(frozen=True, eq=False)
class Record:
    """Forecasts of some histories (`ends`) at their end and, before it, at the origins, by model.

    `origins` (origin, end) are lengths of history, 0 for none. `paths` is (model, step, origin, end), the last origin
    being the end itself, the first model the one asked for (the combination, or a single model), NaN where a model
    has no forecast. `actual` (step, origin, end) is NaN where nothing is known yet, or nothing ever is: `closed`
    (step, end) are the periods ahead that have no value of their own (`closures`). `weights` (model, end) of the
    combination; `errors` (model, end) are the root mean squared errors they come from, NaN where there are none. `base`
    is the unit of the errors.
    """

    ends: Copies
    origins: np.ndarray
    names: tuple[str, ...]
    paths: np.ndarray
    actual: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    base: Base
    closed: np.ndarray
    notes: list[tuple[str, ...]]

    def of(self, name: str) -> np.ndarray:
        """Return the paths (step, origin, end) of one model."""
        return self.paths[self.names.index(name)]


@dataclass(frozen=True, eq=False)
class Looks:
    """Everything the models say about the copies that some ends need, without and with regressors."""

    histories: Histories
    copies: Copies
    season: int
    plain: Members
    informed: Members | None

    def record(self, ends: Copies, origins: np.ndarray, names: tuple[str, ...] | None) -> Record:
        """Return the record of some of the ends.

        Regressors are used for an end where their effect is significant and the forecasts made with them at the
        origins were not clearly worse than those without: a few origins need not see the festival that matters.
        """
        lengths = np.vstack([origins, ends.lengths])
        places = self._places(ends.series, lengths)
        silent, notes = self._silent(ends, lengths)
        # Neither errors nor weights come from periods in which nothing can happen.
        actual = _actual(self.histories, ends, origins, self.plain.paths.shape[1])
        actual = np.where(silent[:, :-1], np.nan, actual)
        not_negative = self.histories.lowest(ends.series, ends.lengths) >= 0

        def of(made: Members) -> Record:
            record = _record(made, places, ends, lengths, actual, names, not_negative, silent[:, -1])
            return replace(record, notes=[(*own, *said) for own, said in zip(notes, record.notes, strict=True)])

        plain = of(self.plain)
        if self.informed is None:
            return plain
        informed, tried = of(self.informed), self.informed.tried[places[-1]]
        errors = [np.nan_to_num(_mean_squares(each)) for each in (informed, plain)]
        better = self.informed.used[places[-1]] & (errors[0] <= CLEARLY_WORSE * errors[1])
        said = [
            informed.notes[end] if better[end] else (*plain.notes[end], *((REGRESSORS_UNUSED,) if tried[end] else ()))
            for end in range(len(ends))
        ]
        return replace(_merged(plain, informed, better), notes=said)

    def _silent(self, ends: Copies, lengths: np.ndarray) -> tuple[np.ndarray, list[tuple[str, ...]]]:
        """Return the periods (step, origin and end, end) without a value of their own, and what the ends' notes say."""
        told = self.histories, ends.series, ends.lengths, self.season
        (empty, unknown), together = closures.closed(*told), closures.merged(*told)
        position = (lengths + np.arange(self.plain.paths.shape[1])[:, None, None]) % self.season
        column = np.arange(len(ends))
        codes = {
            closures.MERGED: together[position[:, -1], column].any(axis=0),
            closures.CLOSED: (unknown & ~together)[position[:, -1], column].any(axis=0),
        }
        notes = [tuple(code for code, there in codes.items() if there[end]) for end in range(len(ends))]
        return (empty | together)[position, column], notes

    def _places(self, series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the place of each copy, any where its length is 0."""
        longest = int(self.copies.lengths.max()) + 1
        have = self.copies.series.astype(np.int64) * longest + self.copies.lengths
        found = np.searchsorted(have, series.astype(np.int64) * longest + lengths)
        return np.where(lengths > 0, np.minimum(found, len(have) - 1), 0)


def origins_of(histories: Histories, ends: Copies, season: int, horizon: int, counts: np.ndarray) -> np.ndarray:
    """Return the lengths (origin, end) from which each end is forecast again; a constant has no past to learn from."""
    origins = np.zeros((int(counts.max()), len(ends)), dtype=np.int64)
    for count in np.unique(counts).tolist():
        these = counts == count
        origins[-count:, these] = plan(ends.lengths[these], season, horizon, count)
    origins[origins <= histories.flat[ends.series]] = 0
    return origins


def look(
    histories: Histories,
    ends: Copies,
    origins: np.ndarray,
    season: int,
    horizon: int,
    names: tuple[str, ...] | None,
    known: Mapping[int, np.ndarray] | None = None,
    tick: Tick | None = None,
) -> Looks:
    """Forecast histories at their ends and origins, each copy once, all in one batch.

    A forecast at an origin uses nothing later: its models see the history up to there, its weights the errors known
    by then. `known` has the regressors of a series.
    """
    lengths = np.vstack([origins, ends.lengths])
    longest = int(lengths.max()) + 1
    keys = np.unique((ends.series.astype(np.int64) * longest + lengths)[lengths > 0])
    copies = Copies(keys // longest, keys % longest)
    plain = forecast_copies(histories, copies, season, horizon, names, None, tick)
    informed = forecast_copies(histories, copies, season, horizon, names, known) if known else None
    return Looks(histories, copies, season, plain, informed)


def _record(
    made: Members,
    places: np.ndarray,
    ends: Copies,
    lengths: np.ndarray,
    actual: np.ndarray,
    names: tuple[str, ...] | None,
    not_negative: np.ndarray,
    closed: np.ndarray,
) -> Record:
    paths = np.where(lengths > 0, made.paths[:, :, places], np.nan)
    main, weights, errors = _main(paths, actual, lengths, made.names, names)
    # The model asked for comes first; it has no weight of its own in itself.
    first = main_name(names)
    others = [each for each, name in enumerate(made.names) if name != first]
    unknown = np.full((1, len(ends)), np.nan)
    return Record(
        ends,
        lengths[:-1],
        (first, *(made.names[each] for each in others)),
        np.concatenate([main[None], paths[others]]),
        actual,
        np.vstack([unknown, weights[others]]),
        np.vstack([unknown, errors[others]]),
        Base(np.where(lengths > 0, made.scale[places], np.nan), made.level[places], not_negative),
        closed,
        [made.notes[each] for each in places[-1]],
    )


def main_name(names: tuple[str, ...] | None) -> str:
    """Return the name in the `model` column of what was asked for."""
    return names[0] if names and len(names) == 1 else COMBINATION


def _actual(histories: Histories, ends: Copies, origins: np.ndarray, horizon: int) -> np.ndarray:
    """Return what happened (step, origin, end), NaN after the end, where nothing was known, and without an origin."""
    position = origins + np.arange(horizon)[:, None, None]
    place = np.minimum(histories.offsets[ends.series] + position, len(histories.y) - 1)
    there = (position < ends.lengths) & (origins > 0) & histories.known[place]
    return np.where(there, histories.y[place], np.nan)


def _main(
    paths: np.ndarray, actual: np.ndarray, lengths: np.ndarray, made: tuple[str, ...], names: tuple[str, ...] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the paths (step, origin, end) of what was asked for, and weights and errors (model, end) at the end."""
    models, horizon, origins, ends = paths.shape
    if names and len(names) == 1:
        asked = paths[made.index(names[0])] if names[0] in made else np.full(paths.shape[1:], np.nan)
        if "seasonal_naive" in made:
            asked = np.where(np.isnan(asked), paths[made.index("seasonal_naive")], asked)
        return asked, np.full((models, ends), np.nan), np.full((models, ends), np.nan)
    errors = (actual - paths[:, :, :-1]) ** 2
    known = lengths[:-1] + np.arange(1, horizon + 1)[:, None, None]
    main = np.empty((horizon, origins, ends))
    for origin in range(origins):
        now = paths[:, :, origin]
        there = ~np.isnan(now[:, 0])
        # Only what happened before the origin, and only where every model of the pool had a forecast.
        past = errors[:, :, :origin]
        usable = (known[:, :origin] <= lengths[origin]) & ~(np.isnan(past) & there[:, None, None, :]).any(axis=0)
        count = usable.sum(axis=(0, 1))
        squared = np.where(usable & there[:, None, None, :], past, 0.0).sum(axis=(1, 2))
        mean = np.where(there & (count > 0), squared / np.maximum(count, 1), np.nan)
        weights = ensemble.weigh(mean, there)
        main[:, origin] = ensemble.combine(now, weights)
    return main, np.where(there, weights, np.nan), np.sqrt(mean)


def _mean_squares(record: Record) -> np.ndarray:
    """Return the mean squared error over the origins of what was asked for, NaN without any."""
    errors = record.actual - record.paths[0, :, :-1]
    known = ~np.isnan(errors)
    count = known.sum(axis=(0, 1))
    return np.where(count > 0, np.where(known, errors**2, 0.0).sum(axis=(0, 1)) / np.maximum(count, 1), np.nan)


def _merged(plain: Record, informed: Record, better: np.ndarray) -> Record:
    """Return the plain record with the forecasts of the informed one where these are better."""
    names = (plain.names[0], *sorted({*plain.names[1:], *informed.names[1:]}))

    def rows(record: Record, values: np.ndarray) -> np.ndarray:
        found = np.full((len(names), *values.shape[1:]), np.nan)
        found[[names.index(name) for name in record.names]] = values
        return found

    def merge(what: str) -> np.ndarray:
        return np.where(better, rows(informed, getattr(informed, what)), rows(plain, getattr(plain, what)))

    scale, level = (
        np.where(better, getattr(informed.base, what), getattr(plain.base, what)) for what in ("scale", "level")
    )
    base = Base(scale, level, plain.base.not_negative)
    return replace(
        plain, names=names, paths=merge("paths"), weights=merge("weights"), errors=merge("errors"), base=base
    )
