"""Forecasts of the past, made with nothing but what was known then, beside what happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from salesforecast.forecasting.calibrations import Cutoff, cutoffs_of, learn, look_at, record_of
from salesforecast.forecasting.frames import frame, joined
from salesforecast.forecasting.histories import blocks
from salesforecast.forecasting.intervals import Calibration
from salesforecast.forecasting.members import Copies
from salesforecast.forecasting.progress import progress_bar
from salesforecast.forecasting.records import Looks, Record
from salesforecast.forecasting.requests import SERIES, Request, request
from salesforecast.forecasting.scales import naive_scales


def backtest(
    panel: pd.DataFrame,
    horizon: int,
    windows: int = 3,
    *,
    level: float | Sequence[float] = (80, 95),
    quantiles: Sequence[float] = (),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
    calibration: Calibration | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Repeat `forecast` as it would have been made at the last `windows` cutoffs of every series.

    The forecast at a cutoff is `forecast(panel[panel.ds <= cutoff], ...)`: values, weights and intervals use no later
    row (regressors are known in advance). The last cutoff lies one horizon before the end of a series; the earlier
    ones lie one horizon apart where history allows, closer where it does not, and a series shorter than horizon + 2
    periods has none. All cutoffs of all series are forecast in one batch.

    Returns the columns of `forecast` and `cutoff` (last period known), `y` (what happened), `naive` (the seasonal
    naive forecast) and `scale` (mean absolute in-sample error of the seasonal naive method at the cutoff, for MASE
    and MSIS; 0 for a constant history). One row per series, cutoff and future period whose outcome is known.
    `calibration` is one that `calibrate(..., windows=windows)` learned from the whole that this panel is a part of.

    Raises like `forecast`; `NoData` where no series is long enough.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> backtest(sales, 1, windows=2)[["ds", "cutoff", "mean", "y"]]
              ds     cutoff  mean    y
    0 2026-04-01 2026-03-01   3.0  3.0
    1 2026-05-01 2026-04-01   3.0  3.0
    """
    wanted = request(
        panel, horizon, level=level, quantiles=quantiles, season=calibration.season if calibration else season,
        models=models, regressors=regressors, members=members,
        frequency=calibration.frequency if calibration else None,
    )  # fmt: skip
    cutoffs = cutoffs_of(wanted, windows, calibration)
    parts = []
    with progress_bar(progress, 2 * sum(len(each.series) for each in cutoffs)) as tick:
        first = np.unique(np.concatenate([each.sample for each in cutoffs]))
        if calibration is None:
            looks = look_at(wanted, *_ends(cutoffs, first, sample=True), tick)
            calibration = learn(wanted, cutoffs, looks)
            parts += _frames(wanted, cutoffs, first, looks, calibration)
        else:
            first = first[:0]
        rest = np.setdiff1d(np.unique(np.concatenate([each.series for each in cutoffs])), first)
        for part in blocks(len(rest), SERIES):
            looks = look_at(wanted, *_ends(cutoffs, rest[part], sample=False), tick)
            parts += _frames(wanted, cutoffs, rest[part], looks, calibration)
    result = joined(parts, ("_series", "_cutoff"))
    result.attrs["refused"] = {str(name): code for name, code in wanted.histories.refused.items()}
    columns = ["unique_id", "ds", "model", "mean", *wanted.columns, "note", "cutoff", "y", "naive", "scale"]
    return result[columns]


def _ends(cutoffs: list[Cutoff], group: np.ndarray, sample: bool) -> tuple[Copies, np.ndarray]:
    """Return the ends that a group of series needs over all cutoffs, and how many origins each gets."""
    parts = [
        each.ends(np.union1d(np.intersect1d(each.series, group), each.sample if sample else each.series[:0]))
        for each in cutoffs
    ]
    counts = [np.full(len(part), each.count) for part, each in zip(parts, cutoffs, strict=True)]
    series, lengths = (np.concatenate([getattr(part, name) for part in parts]) for name in ("series", "lengths"))
    return Copies(series, lengths), np.concatenate(counts)


def _frames(
    wanted: Request, cutoffs: list[Cutoff], group: np.ndarray, looks: Looks, calibration: Calibration
) -> list[pd.DataFrame]:
    """Return the rows of a group of series at every cutoff."""
    parts = []
    for each in cutoffs:
        ends = each.ends(np.intersect1d(each.series, group))
        if len(ends):
            record = record_of(wanted, looks, ends, each.count)
            parts.append(_outcomes(wanted, record, frame(wanted, record, calibration, each.number), each))
    return parts


def _outcomes(wanted: Request, record: Record, rows: pd.DataFrame, cutoff: Cutoff) -> pd.DataFrame:
    """Return the rows whose outcome is known, with what happened and what the seasonal naive method said."""
    histories, ends, season = wanted.histories, record.ends, wanted.season
    place = np.searchsorted(ends.series, rows["_series"].to_numpy())
    series, lengths, step = ends.series[place], ends.lengths[place], rows["_step"].to_numpy()
    # A cutoff inside a gap: the history ends before it, and the horizon begins after its last value.
    position = lengths - 1 + step
    there = position < histories.lengths[series]
    at = histories.offsets[series] + np.where(there, position, 0)
    there &= histories.known[at] & (position >= cutoff.lengths[series])
    repeat = np.where(lengths >= season, lengths - season + (step - 1) % season, lengths - 1)
    dates = histories.dates(ends.series, ends.lengths - 1)
    return rows.assign(
        cutoff=dates[place],
        y=histories.y[at],
        naive=histories.y[histories.offsets[series] + repeat],
        scale=naive_scales(histories, ends.series, ends.lengths, season)[place],
        _cutoff=cutoff.number,
    )[there]
