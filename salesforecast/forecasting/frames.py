"""Records put into the frame that the user sees: means, intervals, quantiles, dates and notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from salesforecast.forecasting import intervals
from salesforecast.forecasting.conditioning import ENDED
from salesforecast.forecasting.intervals import Calibration, Shape
from salesforecast.forecasting.records import Record
from salesforecast.forecasting.requests import Request


def frame(wanted: Request, record: Record, calibration: Calibration, cutoff: int | None = None) -> pd.DataFrame:
    """Return the rows of `forecast` for a record, and `_series`, `_step` to sort and join by."""
    horizon = wanted.horizon
    rows = range(len(record.names)) if wanted.members else range(1)
    means, bounds = [], []
    over = np.array([ENDED in each for each in record.notes])
    for row in rows:
        shape = calibration.shape(record.names[row], cutoff)
        mean = np.where(record.closed, 0.0, record.paths[row, :, -1])
        width = intervals.widths(record, record.names[row], shape)
        means.append(mean)
        bounds.append(
            _bounds(wanted, mean, np.where(over | record.closed, 0.0, width), shape, record.base.not_negative)
        )
    # (end, model, step), so that the rows of a series and in them those of a model lie together.
    there = ~np.isnan(np.array(means)[:, 0]).T
    kept = np.repeat(there[:, :, None], horizon, axis=2).ravel()
    values = {
        name: np.array(each).transpose(2, 0, 1).ravel()[kept]
        for name, each in zip(
            ["mean", *wanted.columns], [means, *zip(*bounds, strict=True)] if wanted.columns else [means], strict=True
        )
    }
    shown = there.sum(axis=1)
    series = np.repeat(record.ends.series, shown * horizon)
    step = np.tile(np.arange(1, horizon + 1), shown.sum())
    notes, codes = pd.factorize(pd.Index(_notes(wanted, record), dtype=object))
    models = pd.Index([record.names[row] for row in rows])
    return pd.DataFrame(
        {
            "unique_id": wanted.histories.ids.take(series),
            "ds": wanted.histories.dates(series, np.repeat(record.ends.lengths, shown * horizon) - 1 + step),
            "model": models.take(np.repeat(np.nonzero(there)[1], horizon)),
            **values,
            "note": pd.Index(codes).take(np.repeat(notes, shown * horizon)),
            "_series": series,
            "_step": step,
        }
    )


def joined(parts: list[pd.DataFrame], by: Sequence[str] = ("_series",)) -> pd.DataFrame:
    """Return frames as one, sorted by series, without the columns for sorting."""
    whole = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if len(parts) > 1:
        order = np.lexsort([whole[name].to_numpy() for name in reversed(by)])
        whole = whole.take(order).reset_index(drop=True)
    return whole.drop(columns=[name for name in whole.columns if str(name).startswith("_")])


def _bounds(
    wanted: Request, mean: np.ndarray, width: np.ndarray, shape: Shape, not_negative: np.ndarray
) -> list[np.ndarray]:
    """Return lower and upper bounds of each level and each quantile, (step, end) each."""
    below = intervals.below_zero(mean, width, shape) * not_negative
    found = []
    for level in wanted.levels:
        tail = (1 - level / 100) / 2
        low, high = (mean + width * shape.quantile(share) for share in (tail, 1 - tail))
        # Nothing lies below zero: where the lower tail has no room, the upper one is the whole of what is left out.
        full = mean + width * shape.quantile(1 - 2 * tail)
        room = np.clip((0.5 - below) / (0.5 - tail), 0.0, 1.0)
        found += [low, full + room * (high - full)]
    found += [mean + width * shape.quantile(share) for share in wanted.quantiles]
    sides = [-1, 1] * len(wanted.levels) + [1 if share >= 0.5 else -1 for share in wanted.quantiles]
    # The mean lies inside every interval.
    found = [
        np.minimum(each, mean) if side < 0 else np.maximum(each, mean) for each, side in zip(found, sides, strict=True)
    ]
    return [np.where(not_negative, np.maximum(each, 0.0), each) for each in found]


def _notes(wanted: Request, record: Record) -> list[str]:
    """Return what is special about each history, and what was done to it."""
    histories, ends = wanted.histories, record.ends
    flat = histories.flat[ends.series] >= ends.lengths
    first = histories.y[histories.offsets[ends.series]]
    found = {
        "gaps_filled": histories.gaps[ends.series],
        "all_zero": flat & (first == 0),
        "constant": flat & (first != 0),
        "negative_values": histories.lowest(ends.series, ends.lengths) < 0,
        "short_history": ends.lengths < max(2 * wanted.season, 5),
        "no_backtest": (record.origins == 0).all(axis=0) & ~flat,
    }
    codes = list(found)
    own = [[codes[each] for each in np.flatnonzero(row)] for row in np.array([found[code] for code in codes]).T]
    return [";".join(dict.fromkeys([*mine, *done])) for mine, done in zip(own, record.notes, strict=True)]
