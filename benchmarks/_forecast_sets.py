"""The series of the forecast benchmark: development sets of public competitions, and seeded generated ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SEASONS = {"monthly": 12, "quarterly": 4, "yearly": 1, "weekly": 52}
STEPS = {"monthly": "MS", "quarterly": "QS", "yearly": "YS", "weekly": "W-MON"}
COMPETITIONS = ("m1_monthly", "m1_quarterly", "tourism_quarterly", "m1_yearly", "tourism_yearly")
SETS = (*COMPETITIONS, "weekly")
EPOCH = "1950-01-01"
BLOCK = 10_000
SPRING_FESTIVALS = pd.to_datetime(
    [
        *("2012-01-23", "2013-02-10", "2014-01-31", "2015-02-19", "2016-02-08", "2017-01-28", "2018-02-16"),
        *("2019-02-05", "2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29"),
    ]
)


@dataclass(frozen=True)
class SeriesSet:
    """Histories (`unique_id, t, ds, y`) and what came after (`unique_id, step, y`)."""

    name: str
    frequency: str
    horizon: int
    history: pd.DataFrame
    outcome: pd.DataFrame

    @property
    def season(self):
        """Periods in a year."""
        return SEASONS[self.frequency]

    def every(self, nth):
        """Return the set with every nth of its series."""
        if nth == 1:
            return self
        ids = self.history["unique_id"].unique()[::nth]
        kept = [frame[frame["unique_id"].isin(ids)].reset_index(drop=True) for frame in (self.history, self.outcome)]
        return SeriesSet(f"{self.name}/{nth}", self.frequency, self.horizon, *kept)


def load(name, folder):
    """Return a set by name; `folder` holds `forecast_competitions/series.parquet` (generated sets need none)."""
    if name == "weekly":
        return weekly()
    dataset, frequency = name.split("_")
    return competition(Path(folder) / "forecast_competitions" / "series.parquet", dataset, frequency)


def competition(file, dataset, frequency):
    """Return one part of the competition series, split at the official horizon."""
    import duckdb

    chosen = duckdb.execute(
        f"SELECT unique_id, t, y, part, horizon FROM '{file}' WHERE dataset = ? AND frequency = ? ORDER BY ALL",
        [dataset, frequency],
    ).df()
    horizon = int(chosen["horizon"].iloc[0])
    return _split(f"{dataset}_{frequency}", frequency, horizon, chosen, chosen["part"].eq("test").to_numpy())


def weekly(series=200, horizon=13, seed=20):
    """Generate weekly sales of two to six years: drifting levels, seasons that change shape, peaks tied to dates,
    a moving Spring Festival, promotions nobody announced, level shifts, and some slow movers counted in units."""
    random = np.random.default_rng(seed)
    parts = [_weekly_series(random, f"W{number:03}", horizon) for number in range(series)]
    frame = pd.concat(parts, ignore_index=True)
    after = frame.groupby("unique_id")["t"].transform("max") - frame["t"] < horizon
    return _split("weekly", "weekly", horizon, frame, after.to_numpy())


def monthly(series, seed=7, shortest=48, longest=120):
    """Generate many monthly histories (`unique_id, ds, y`) quickly; all end in the same month."""
    sizes = [min(BLOCK, series - first) for first in range(0, series, BLOCK)]
    parts = [_monthly_block(seed + number, number, size, shortest, longest) for number, size in enumerate(sizes)]
    return pd.concat(parts, ignore_index=True)


def hierarchy(seed=11, months=84, horizon=12):
    """Generate sales of 5 regions x 4 teams x 6 products: `region, team, product, ds, y` for months + horizon.

    Products carry a season and a life cycle, regions a trend, teams shocks of their own; a third of the bottom series
    is small and noisy.
    """
    random = np.random.default_rng(seed)
    time = np.arange(months + horizon)
    dates = pd.date_range("2018-01-01", periods=len(time), freq="MS")
    common = np.cumsum(random.normal(0, 0.015, len(time)))
    parts = []
    products = [_curve(random, time, 0.25) for _ in range(6)]
    for region in range(5):
        trend = np.cumsum(random.normal(random.normal(0.002, 0.003), 0.02, len(time)))
        for team in range(4):
            own = np.cumsum(random.normal(0, 0.02, len(time)))
            for product in range(6):
                size, noise = random.normal(4.5, 1.2), random.uniform(0.08, 0.45)
                y = np.exp(size + common + trend + own + products[product] + random.normal(0, noise, len(time)))
                names = {"region": f"R{region}", "team": f"R{region}T{team}", "product": f"P{product}"}
                parts.append(pd.DataFrame({**names, "ds": dates, "y": y.round(1)}))
    return pd.concat(parts, ignore_index=True), dates[months - 1], horizon


def _split(name, frequency, horizon, frame, after):
    if "ds" not in frame.columns:
        dates = pd.date_range(EPOCH, periods=int(frame["t"].max()) + 1, freq=STEPS[frequency])
        frame = frame.assign(ds=dates.to_numpy()[frame["t"]])
    history = frame.loc[~after, ["unique_id", "t", "ds", "y"]].reset_index(drop=True)
    outcome = frame.loc[after, ["unique_id", "y"]].reset_index(drop=True)
    outcome.insert(1, "step", outcome.groupby("unique_id", sort=False).cumcount() + 1)
    return SeriesSet(name, frequency, horizon, history, outcome)


def _monthly_block(seed, number, series, shortest, longest):
    random = np.random.default_rng(seed)
    lengths = random.integers(shortest, longest + 1, series)
    time = np.arange(longest)[:, None]
    drift = np.cumsum(random.normal(0, 1, (longest, series)) * random.uniform(0.0, 0.04, series), axis=0)
    phase = random.uniform(0, 2 * np.pi, (2, series))
    swing = random.gamma(2, 0.06, (2, series))
    year = sum(swing[each] * np.sin(2 * np.pi * (each + 1) * time / 12 + phase[each]) for each in range(2))
    noise = random.normal(0, 1, (longest, series)) * random.uniform(0.02, 0.3, series)
    level = random.normal(7, 1.5, series) + random.normal(0.002, 0.004, series) * time
    y = np.exp(level + drift + year + noise)
    dates = pd.date_range("2016-01-01", periods=longest, freq="MS").to_numpy()
    kept = (time >= longest - lengths).T
    names = np.array([f"S{number * BLOCK + each:06}" for each in range(series)], object)
    ids = np.repeat(names, lengths)
    return pd.DataFrame({"unique_id": ids, "ds": np.broadcast_to(dates, kept.shape)[kept], "y": y.T[kept]})


def _weekly_series(random, unique_id, horizon):
    size = int(random.integers(104, 313)) + horizon
    last = pd.Timestamp("2024-01-01") + pd.Timedelta(weeks=int(random.integers(0, 88)))
    dates = pd.date_range(end=last, periods=size, freq="W-MON")
    year = np.asarray(dates.dayofyear) / 365.25
    slope, slopes = random.normal(0, 0.001), np.empty(size)
    for at in range(size):
        slope = 0.97 * slope + random.normal(0, 0.0004)
        slopes[at] = slope
    level = np.cumsum(slopes + random.normal(0, random.choice([0.003, 0.015, 0.03]), size))
    if random.random() < 0.2:
        level[int(random.integers(size // 4, size)) :] += random.normal(0, 0.35)
    season = sum(
        random.gamma(1.5, 0.08) / (each + 1) * np.sin(2 * np.pi * ((each + 1) * year + random.random()))
        for each in range(3)
    )
    season = season * (1 + random.normal(0, 0.1) * np.linspace(-1, 1, size))
    season = season + _peaks(random, dates)
    spread = random.choice([0.015, 0.06, 0.15, 0.3], p=[0.2, 0.3, 0.3, 0.2])
    noise = random.normal(0, spread, size)
    for at in range(1, size):
        noise[at] += 0.3 * noise[at - 1]
    promotions = np.where(random.random(size) < 0.03 * (spread > 0.03), random.uniform(0.15, 0.6, size), 0)
    promotions -= 0.25 * np.r_[0, promotions[:-1]]
    slow = random.random() < 0.1
    base = random.normal(1.5, 0.7) if slow else random.normal(8, 1.5)
    y = np.exp(base + level + season + noise + promotions)
    y = random.poisson(y).astype(float) if slow else y.round(2)
    return pd.DataFrame({"unique_id": unique_id, "t": np.arange(size), "ds": dates, "y": y})


def _peaks(random, dates):
    """Return log effects of the dates a shop may have: year's end, 18 June, 11 November, Spring Festival."""
    effect = np.zeros(len(dates))
    last_day = dates + pd.Timedelta(days=6)
    for month, day, low, high in ((12, 24, 0.2, 0.9), (6, 18, 0.1, 0.6), (11, 11, 0.2, 1.2)):
        if random.random() < 0.3:
            strength = random.uniform(low, high)
            for year in dates.year.unique():
                event = pd.Timestamp(year, month, day)
                inside = np.asarray((dates <= event) & (event <= last_day))
                effect += strength * random.normal(1, 0.15) * (inside + 0.4 * np.r_[inside[1:], False])
    if random.random() < 0.4:
        strength = random.uniform(-0.9, 0.5)
        for event in SPRING_FESTIVALS:
            weeks = np.asarray((event - dates).days) / 7
            effect += strength * random.normal(1, 0.15) * np.exp(-(((weeks - 0.3) / 0.8) ** 2))
    return effect


def _curve(random, time, swing):
    phase = random.uniform(0, 2 * np.pi, 2)
    season = swing * np.sin(2 * np.pi * time / 12 + phase[0]) + swing / 2 * np.sin(4 * np.pi * time / 12 + phase[1])
    return season + random.normal(0, 0.004) * time + np.cumsum(random.normal(0, 0.012, len(time)))
