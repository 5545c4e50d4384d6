"""Reconciled forecasts of generated hierarchies. Peer: DOT of every node with MinT-shrink (hierarchicalforecast)."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import salesforecast as sf
from benchmarks import _forecast_run as run
from benchmarks import _forecast_sets as sets
from benchmarks._bars import Bar
from salesforecast import forecasting
from salesforecast.forecasting.groups import ALL

LEVELS = (("region",), ("region", "team"), ("product",), ("region", "product"), ("region", "team", "product"))
SEEDS = tuple(range(11, 19))
SEASON = 12
WINDOWS = 24
PEER = "dot_mint"


def measure(peers):
    """Print MASE and RMSSE over all levels, the mean of several hierarchies; return the bars."""
    tables = [_one(seed, peers) for seed in SEEDS]
    table = sum(tables) / len(tables)
    print(f"\n{len(SEEDS)} generated hierarchies of 182 nodes, horizon 12: mean over levels, CPU seconds")
    print(table.round(3).to_string(), flush=True)
    if peers is None:
        return []
    return [
        Bar(f"hierarchy: {each} / DOT + MinT-shrink", table.loc[run.OURS, each] / table.loc[PEER, each], 0.98)
        for each in ("mase", "rmsse")
    ]


def _one(seed, peers):
    """Return one row a method for one hierarchy."""
    frame, last, horizon = sets.hierarchy(seed)
    bottom = frame[frame["ds"] <= last]
    made, seconds = _reconciled(bottom, horizon)
    methods, cpu = {run.OURS: made}, {run.OURS: seconds}
    if peers:
        told, found = _peer(bottom, horizon, peers)
        for name, rows in found.groupby("method"):
            methods[name], cpu[name] = rows, told["cpu_seconds"]
    nodes = _nodes(frame)
    table = pd.DataFrame({name: _scores(nodes, made, last) for name, made in methods.items()}).T
    return table.assign(cpu=pd.Series(cpu)).sort_index()


def _reconciled(bottom, horizon):
    """Return our coherent forecasts of all nodes and their CPU seconds."""
    keys = list(LEVELS[-1])
    started = time.process_time()
    panel = bottom.assign(unique_id=bottom[keys].agg("/".join, axis=1))
    nodes = forecasting.aggregate(panel, keys, [list(each) for each in LEVELS[:-1]])
    made = sf.forecast(nodes, horizon)
    made = forecasting.reconcile(made, nodes, sf.backtest(nodes, horizon // 2, WINDOWS))
    seconds = time.process_time() - started
    names = made[keys].apply(lambda row: "/".join(each for each in row if each != ALL) or "Total", axis=1)
    step = made.groupby("unique_id", sort=False).cumcount() + 1
    return pd.DataFrame({"unique_id": names, "step": step, "mean": made["mean"]}), seconds


def _peer(bottom, horizon, peers):
    with TemporaryDirectory() as name:
        panel, out = Path(name) / "bottom.parquet", Path(name) / "out.parquet"
        run.write(bottom, panel)
        command = [str(peers.python), str(run.FOLDER / "reconcile.py"), str(panel), str(out), "--levels"]
        command += [",".join(each) for each in LEVELS]
        told = run.child([*command, "--season", str(SEASON), "--horizon", str(horizon)])
        return told, run.read(out)


def _nodes(frame):
    """Return the history of every node: `level, unique_id, ds, y`."""
    parts = [frame.groupby("ds", as_index=False)["y"].sum().assign(level="total", unique_id="Total")]
    for keys in LEVELS:
        summed = frame.groupby([*keys, "ds"], as_index=False)["y"].sum()
        names = summed[list(keys)].agg("/".join, axis=1)
        parts.append(summed.assign(level="/".join(keys), unique_id=names)[["level", "unique_id", "ds", "y"]])
    return pd.concat(parts, ignore_index=True)


def _scores(nodes, made, last):
    """Return MASE and RMSSE, both scaled by the seasonal naive errors of the history: means of the levels' means."""
    past = nodes[nodes["ds"] <= last].assign(error=lambda each: each.groupby("unique_id")["y"].diff(SEASON))
    scales = past.groupby("unique_id")["error"].agg(
        absolute=lambda each: each.abs().mean(), squared=lambda each: (each**2).mean()
    )
    future = nodes[nodes["ds"] > last].assign(step=lambda each: each.groupby("unique_id").cumcount() + 1)
    both = future.merge(made, on=["unique_id", "step"], how="left", validate="1:1").join(scales, on="unique_id")
    if both["mean"].isna().any():
        raise ValueError(f"{both['mean'].isna().sum()} forecasts of nodes are missing")
    error = both["y"] - both["mean"]
    both = both.assign(mase=error.abs() / both["absolute"], rmsse=error**2 / both["squared"])
    by_node = both.groupby(["level", "unique_id"]).agg(mase=("mase", "mean"), rmsse=("rmsse", "mean"))
    by_node["rmsse"] = np.sqrt(by_node["rmsse"])
    return by_node.groupby("level").mean().mean().to_dict()
