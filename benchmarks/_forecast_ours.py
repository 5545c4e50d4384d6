"""Forecast a parquet panel with salesforecast in a process of its own; CPU seconds and peak memory go to stdout.

The same arguments as `peers/run.py`, without the method.
"""

import argparse
import json
import resource
import time

import pandas as pd

import salesforecast as sf
from benchmarks._forecast_run import read, write
from benchmarks._forecast_scores import BOUNDS


def main():
    """Read the arguments, warm up on three series, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("panel")
    parser.add_argument("out")
    parser.add_argument("--season", type=int, required=True)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--singly", action="store_true")
    arguments = parser.parse_args()
    panel = read(arguments.panel)[["unique_id", "ds", "y"]]
    panels = [rows for _, rows in panel.groupby("unique_id", sort=False)] if arguments.singly else [panel]
    sf.forecast(panel[panel["unique_id"].isin(panel["unique_id"].unique()[:3])], arguments.horizon)
    started = time.process_time()
    parts = [sf.forecast(each, arguments.horizon, level=(80, 95), season=arguments.season) for each in panels]
    seconds = time.process_time() - started
    made = pd.concat(parts, ignore_index=True)
    made["step"] = made.groupby("unique_id", sort=False).cumcount() + 1
    write(made[["unique_id", "step", "mean", *BOUNDS]], arguments.out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_seconds": seconds, "series": int(panel["unique_id"].nunique()), "peak_mb": peak}))


if __name__ == "__main__":
    main()
