"""How good and how dear are the forecasts? Peers: statsforecast, smooth, Prophet, a loop over statsmodels.

    python -m benchmarks.forecast --part accuracy cpu --sets m1_monthly weekly --data ../shared/data

`make bench` runs a short version. Every figure is a ratio of two runs on this machine, or a coverage.
"""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

from benchmarks import _forecast_cost as cost
from benchmarks import _forecast_hierarchy as hierarchy
from benchmarks import _forecast_run as run
from benchmarks import _forecast_scores as scores
from benchmarks import _forecast_sets as sets
from benchmarks._bars import Bar, show

TABLES = ("accuracy", "intervals")
PARTS = (*TABLES, *cost.PARTS, "hierarchy")
QUICK = {"part": (*TABLES, "one", "cold"), "sets": ("m1_quarterly", "m1_yearly")}
SINGLE = ("seasonal_naive", "naive2", "dot", "ces", "ets", "smooth")
ANCHOR = "median of ets, ces, dot"


def main(arguments=None):
    """Print the tables of the parts asked for, then the bars; without arguments a short version."""
    options = _options(arguments or [])
    peers = run.Peers.found(options.peers)
    if peers is None:
        print(run.MISSING)
    bars = []
    if set(options.part) & set(TABLES):
        chosen = _load(options)
        tables = {each.name: _table(each, peers) for each in chosen}
        if "accuracy" in options.part and peers:
            bars += points(tables, {each.name: each.frequency for each in chosen})
        if "intervals" in options.part:
            bars += intervals(tables, peers)
    for part in options.part:
        if part == "hierarchy":
            bars += hierarchy.measure(peers)
        elif part not in TABLES:
            bars += cost.PARTS[part](peers)
    print()
    show(bars)


def points(tables, frequencies):
    """Return the bars on point forecasts."""
    within = [name for name, frequency in frequencies.items() if frequency in ("monthly", "quarterly")]
    bars = []
    if within:
        ours, anchor = (sum(tables[name].loc[row, "owa"] for name in within) for row in (run.OURS, ANCHOR))
        bars.append(Bar(f"OWA over monthly and quarterly sets / {ANCHOR}", ours / anchor, 0.97))
        bars += [Bar(f"OWA {name} / {ANCHOR}", _ratio(tables[name], "owa", ANCHOR), 1.0) for name in within]
    for name, frequency in frequencies.items():
        if frequency == "yearly":
            bars.append(Bar(f"OWA {name} / dot", _ratio(tables[name], "owa", "dot"), 1.0))
        elif frequency == "weekly":
            bars.append(Bar(f"OWA {name} / {ANCHOR}", _ratio(tables[name], "owa", ANCHOR), 0.97))
    return bars


def intervals(tables, peers):
    """Return the bars on coverage, in points, and on the interval score."""
    bars = []
    for name, table in tables.items():
        for level in scores.LEVELS:
            found = table.loc[run.OURS, f"cover_{level}"]
            bars.append(Bar(f"{name}: {level} % covers {found:.1f} %; points away", abs(found - level), 3.0))
        if peers:
            best = table["msis_mean"].drop(run.OURS).idxmin()
            bars.append(Bar(f"{name}: mean MSIS / best peer ({best})", _ratio(table, "msis_mean", best), 0.95))
            bars.append(Bar(f"{name}: median MSIS / ets", _ratio(table, "msis_median", "ets"), 1.1))
    return bars


def _options(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=QUICK["part"])
    parser.add_argument("--sets", nargs="+", choices=sets.SETS, default=QUICK["sets"])
    parser.add_argument("--data", default=os.environ.get("SALESFORECAST_DATA"), help="folder of third-party data")
    parser.add_argument("--peers", help="the interpreter of the peers' environment")
    return parser.parse_args(arguments)


def _load(options):
    folder = Path(options.data or Path(__file__).parents[2] / "shared" / "data")
    file = folder / "forecast_competitions" / "series.parquet"
    if not file.exists():
        print(f"no {file}: only generated series are measured (give --data or SALESFORECAST_DATA)")
        return [sets.weekly()]
    return [sets.load(name, folder) for name in options.sets]


def _table(series_set, peers):
    """Print and return the scores of our engine, the peers and their combination."""
    runs = {run.OURS: run.ours(series_set)}
    if peers:
        runs |= {name: peers.forecast(name, series_set) for name in SINGLE}
        # AutoETS knows no season of 52 weeks.
        trio = ("ets_plain", "ces", "dot") if series_set.frequency == "weekly" else ("ets", "ces", "dot")
        runs |= {name: peers.forecast(name, series_set) for name in trio if name not in runs}
        runs[ANCHOR] = run.median_of([runs[name] for name in trio])
    table = scores.table(series_set, {name: each.frame for name, each in runs.items()}, "naive2" if peers else run.OURS)
    table["cpu_ms"] = pd.Series({name: each.cpu_ms for name, each in runs.items()})
    count = series_set.history["unique_id"].nunique()
    print(f"\n{series_set.name}: {count} series, horizon {series_set.horizon}, season {series_set.season}")
    print(table.drop(columns=[] if peers else "owa").round(3).to_string(), flush=True)
    return table


def _ratio(table, column, peer):
    return table.loc[run.OURS, column] / table.loc[peer, column]


if __name__ == "__main__":
    main(sys.argv[1:])
