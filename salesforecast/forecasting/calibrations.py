"""The errors of past forecasts, learned from once for a whole panel: at its end, or at the cutoffs of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salesforecast.errors import NoData
from salesforecast.forecasting import intervals
from salesforecast.forecasting.intervals import Calibration, Shape
from salesforecast.forecasting.members import Copies, Tick
from salesforecast.forecasting.origins import origin_count
from salesforecast.forecasting.records import Looks, Record, look, origins_of
from salesforecast.forecasting.requests import Request, check_horizon, request, sample_of


def calibrate(
    panel: pd.DataFrame,
    horizon: int,
    *,
    windows: int = 0,
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
    series: int | None = None,
) -> Calibration:
    """Learn from a panel, or the sample of it (`calibration_sample`), what `forecast` of any part of it needs to know.

    With `windows`, what `backtest` of any part needs: what the errors taught at each of these cutoffs. `series` is the
    number of series of the whole panel where `panel` is its sample: a small panel looks back more often than a large
    one. Forecasts of parts made with the result are those of the whole, to 1e-9. Arguments and errors otherwise as in
    `forecast`.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"),
    ...                       "y": [3.0, 4, 3, 5, 4]})
    >>> calibrate(sales, 1).count()
    12
    """
    wanted = request(
        panel, horizon, season=season, models=models, regressors=regressors, members=members,
        ahead=0 if windows else horizon,
    )  # fmt: skip
    if windows:
        cutoffs = cutoffs_of(wanted, windows, series=series)
        samples = [each.ends(each.sample) for each in cutoffs]
        every = Copies(*(np.concatenate([getattr(each, name) for each in samples]) for name in ("series", "lengths")))
        counts = np.repeat([each.count for each in cutoffs], [len(each) for each in samples])
        return learn(wanted, cutoffs, look_at(wanted, every, counts))
    histories = wanted.histories
    count = origin_count(series or len(histories.ids))
    sample = sample_of(histories, np.arange(len(histories.ids)))
    ends = Copies(sample, histories.lengths[sample])
    record = record_of(wanted, look_at(wanted, ends, np.full(len(ends), count)), ends, count)
    return calibration_of(wanted, count, shapes_of(wanted, record))


@dataclass(frozen=True, eq=False)
class Cutoff:
    """A date (`number`: days or months since 1970) and the series that are forecast again there.

    `lengths` says how much is known of each series of the panel, `count` how many origins each gets, `sample` which
    series the calibration learns from.
    """

    number: int
    series: np.ndarray
    lengths: np.ndarray
    count: int
    sample: np.ndarray

    def ends(self, series: np.ndarray) -> Copies:
        """Return the histories of some series as they were then."""
        return Copies(series, self.lengths[series])


def cutoffs_of(
    wanted: Request, windows: int, calibration: Calibration | None = None, series: int | None = None
) -> list[Cutoff]:
    """Return the cutoffs of a panel, each with the series that are forecast again there.

    `series` is the number of series of the whole panel where this is its sample.
    """
    check_horizon(windows, "windows")
    histories = wanted.histories
    numbers: dict[int, list[int]] = {}
    for length in np.unique(histories.lengths).tolist():
        known = _past(length, wanted.season, wanted.horizon, windows)
        these = np.flatnonzero(histories.lengths == length)
        for each in known:
            for place, number in zip(
                these, histories.number(these, np.full(len(these), each - 1)).tolist(), strict=True
            ):
                numbers.setdefault(number, []).append(int(place))
    if not numbers:
        raise NoData(
            f"The longest series has {histories.lengths.max()} periods; a backtest over {wanted.horizon} needs "
            f"{wanted.horizon + 2}. Choose a shorter horizon.",
            note="no_track_record",
        )
    found = []
    for number in sorted(numbers):
        lengths = histories.length_at(number)
        alive = np.flatnonzero(lengths)
        count = calibration.count(number) if calibration else origin_count(_whole(len(alive), len(lengths), series))
        found.append(Cutoff(number, np.array(sorted(numbers[number])), lengths, count, sample_of(histories, alive)))
    return found


def learn(wanted: Request, cutoffs: list[Cutoff], looks: Looks) -> Calibration:
    """Return what the errors of the samples taught at each cutoff."""
    shapes: dict[int | None, dict[str, Shape]] = {
        each.number: shapes_of(wanted, record_of(wanted, looks, each.ends(each.sample), each.count)) for each in cutoffs
    }
    counts: dict[int | None, int] = {each.number: each.count for each in cutoffs}
    return Calibration(wanted.histories.frequency, wanted.season, wanted.horizon, counts, shapes)


def look_at(wanted: Request, ends: Copies, counts: np.ndarray, tick: Tick | None = None) -> Looks:
    """Forecast histories at their ends and origins, all in one batch."""
    origins = origins_of(wanted.histories, ends, wanted.season, wanted.horizon, counts)
    return look(wanted.histories, ends, origins, wanted.season, wanted.horizon, wanted.names, wanted.known, tick)


def record_of(wanted: Request, looks: Looks, ends: Copies, count: int) -> Record:
    """Return the record of some of the ends that were looked at."""
    origins = origins_of(wanted.histories, ends, wanted.season, wanted.horizon, np.full(len(ends), count))
    return looks.record(ends, origins, wanted.names)


def shapes_of(wanted: Request, record: Record) -> dict[str, Shape]:
    """Return what the errors of some series teach, for each model whose rows are asked for."""
    names = record.names if wanted.members else record.names[:1]
    return {name: intervals.learn(record, name, wanted.season) for name in names}


def calibration_of(wanted: Request, count: int, shapes: dict[str, Shape]) -> Calibration:
    """Return the calibration for the end of every series."""
    return Calibration(wanted.histories.frequency, wanted.season, wanted.horizon, {None: count}, {None: shapes})


def _past(length: int, season: int, horizon: int, windows: int) -> list[int]:
    """Return the lengths of history at the last `windows` cutoffs of a series, the latest first."""
    last = length - horizon
    least = min(2 * season + 1, max(2, last - 1))
    step = min(horizon, max(1, (last - least) // max(1, windows - 1)))
    return list(range(last, 1, -step))[:windows]


def _whole(alive: int, there: int, series: int | None) -> int:
    return alive if series is None else round(series * alive / there)
