"""Forecast every node of a hierarchy with DOT and reconcile with MinT-shrink, in the peers' interpreter.

    python reconcile.py BOTTOM.parquet OUT.parquet --levels region region,product --season 12 --horizon 12

The bottom has its key columns, `ds` and `y`; the output `unique_id` (keys joined by "/", "Total" for the top), `step`,
`method` (dot | dot_mint | ...) and `mean`. CPU seconds go to stdout.
"""

import argparse
import json
import logging
import time
import warnings

import pandas as pd


def main():
    """Read the arguments, forecast, reconcile, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bottom")
    parser.add_argument("out")
    parser.add_argument("--levels", nargs="+", required=True)
    parser.add_argument("--season", type=int, required=True)
    parser.add_argument("--horizon", type=int, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    bottom = pd.read_parquet(arguments.bottom)
    started = time.process_time()
    made = reconciled(bottom, [each.split(",") for each in arguments.levels], arguments.season, arguments.horizon)
    seconds = time.process_time() - started
    made.to_parquet(arguments.out, index=False)
    print(json.dumps({"cpu_seconds": seconds, "series": int(made["unique_id"].nunique())}))


def reconciled(bottom, levels, season, horizon):
    """Return DOT's forecasts of all nodes as they are and after each reconciliation."""
    from hierarchicalforecast.core import HierarchicalReconciliation
    from hierarchicalforecast.methods import BottomUp, MinTrace
    from hierarchicalforecast.utils import aggregate
    from statsforecast import StatsForecast
    from statsforecast.models import DynamicOptimizedTheta

    keys = levels[-1]
    frame = bottom.assign(total="Total")
    spec = [["total"], *(["total", *each] for each in levels)]
    nodes, summing, tags = aggregate(frame[["total", *keys, "ds", "y"]], spec)
    engine = StatsForecast([DynamicOptimizedTheta(season_length=season)], freq="MS", n_jobs=1)
    base = engine.forecast(df=nodes, h=horizon, fitted=True)
    fitted = engine.forecast_fitted_values()
    methods = [BottomUp(), MinTrace("ols"), MinTrace("mint_shrink", nonnegative=True)]
    made = HierarchicalReconciliation(methods).reconcile(Y_hat_df=base, Y_df=fitted, S_df=summing, tags=tags)
    names = {each: _short(each) for each in made.columns if each.startswith("DynamicOptimizedTheta")}
    long = made.rename(columns=names).melt(["unique_id", "ds"], list(names.values()), "method", "mean")
    long["step"] = long.groupby(["method", "unique_id"], sort=False)["ds"].rank(method="first").astype(int)
    long["unique_id"] = long["unique_id"].str.removeprefix("Total/")
    return long[["unique_id", "step", "method", "mean"]]


def _short(column):
    for part, name in (("mint", "dot_mint"), ("ols", "dot_ols"), ("BottomUp", "dot_bottom_up")):
        if part in column:
            return name
    return "dot"


if __name__ == "__main__":
    main()
