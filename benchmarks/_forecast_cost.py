"""What forecasts cost: CPU of a panel, of one series, of a cold process, of 100,000 series, and of Spark's buckets."""

import subprocess
import sys
import tempfile

from benchmarks import _forecast_run as run
from benchmarks import _forecast_sets as sets
from benchmarks._bars import Bar
from benchmarks._timing import interleaved

COLD = {
    run.OURS: "import pandas as pd, salesforecast as sf\nsf.forecast(frame(), 12)",
    "statsforecast AutoETS": (
        "import pandas as pd\nfrom statsforecast import StatsForecast\nfrom statsforecast.models import AutoETS\n"
        "StatsForecast([AutoETS(season_length=12)], freq='MS').forecast(df=frame(), h=12, level=[80, 95])"
    ),
    "statsmodels": (
        "import pandas as pd\nfrom statsmodels.tsa.holtwinters import ExponentialSmoothing\n"
        "ExponentialSmoothing(frame()['y'].to_numpy(), trend='add', seasonal='add', seasonal_periods=12)"
        ".fit().forecast(12)"
    ),
    "prophet": (
        "import pandas as pd\nfrom prophet import Prophet\nmodel = Prophet().fit(frame()[['ds', 'y']])\n"
        "model.predict(model.make_future_dataframe(12, freq='MS'))"
    ),
}
FRAME = """
def frame():
    y = [100 + each + 10 * (each % 12) + each * 7919 % 13 for each in range(120)]
    return pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2016-01-01", periods=120, freq="MS"), "y": y})
"""


def panel_cost(peers):
    """CPU a series of panels of 10, 100 and 1,000 monthly series of 120 points; peers on 50 of them."""
    many = generated(1000)
    rows = {f"{run.OURS}, {count} series": run.ours(many.every(1000 // count)).cpu_ms for count in (10, 100)}
    ours = rows[f"{run.OURS}, 1000 series"] = run.ours(many).cpu_ms
    bars = []
    if peers:
        few = many.every(20)
        for name in ("dot", "ets", "ces", "smooth", "statsmodels", "prophet"):
            rows[name] = peers.forecast(name, few, cached=False).cpu_ms
        ets, dot = ours / rows["ets"], ours / rows["dot"]
        bars = [Bar("CPU of a panel / AutoETS", ets, 1 / 30), Bar("CPU of a panel / DOT", dot, 0.4)]
    _print("CPU ms a series of 120 months, horizon 12, with intervals", rows)
    return bars


def one_cost(peers):
    """CPU of one call for one series, the mean of twenty."""
    few = generated(20)
    rows = {run.OURS: run.ours(few, singly=True).cpu_ms}
    bars = []
    if peers:
        rows |= {name: peers.forecast(name, few, cached=False, singly=True).cpu_ms for name in ("dot", "ets")}
        bars = [Bar("CPU of one series / AutoETS", rows[run.OURS] / rows["ets"], 0.35)]
    _print("CPU ms of one call for one series of 120 months", rows)
    return bars


def cold_cost(peers):
    """CPU seconds from the start of a process to its first forecast."""
    programs = {run.OURS: sys.executable} | (
        {name: str(peers.python) for name in COLD if name != run.OURS} if peers else {}
    )
    with tempfile.TemporaryDirectory() as compiled:
        # The first, uncounted run of each compiles to bytecode, whatever the environment says about writing it.
        start = ["env", "-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPYCACHEPREFIX={compiled}"]
        commands = {name: [*start, python, "-c", FRAME + COLD[name]] for name, python in programs.items()}
        _, cpu = interleaved(commands, runs=3)
    _print("CPU ms from the start of a process to the first forecast", {name: 1000 * cpu[name] for name in cpu})
    peer = cpu.get("statsforecast AutoETS")
    return [Bar("CPU of a cold process / statsforecast", cpu[run.OURS] / peer, 0.35)] if peer else []


def scale_cost(peers, count=100_000):
    """CPU minutes and peak memory of one process with very many monthly series of 48 to 120 points."""
    told = run.child([sys.executable, "-m", "benchmarks._forecast_scale", "one", str(count)])
    rows = {"CPU minutes": told["cpu_seconds"] / 60, "peak memory, GB": told["peak_mb"] / 1024}
    _print(f"one process, {count:,} monthly series", rows)
    return [
        Bar(f"CPU minutes of {count:,} series", rows["CPU minutes"], 5),
        Bar(f"peak GB of {count:,} series", rows["peak memory, GB"], 4),
    ]


def spark_cost(peers, count=10_000):
    """CPU of Spark's buckets, all its processes counted, start excluded, beside one process."""
    if subprocess.run([sys.executable, "-c", "import pyspark, pyarrow"], capture_output=True).returncode:
        print("pyspark is not installed: Spark is not measured")
        return []
    command = [sys.executable, "-m", "benchmarks._forecast_scale"]
    rows = {way: run.child([*command, way, str(count)])["cpu_seconds"] for way in ("one", "spark")}
    _print(f"CPU seconds, {count:,} monthly series", rows)
    return [Bar(f"CPU of Spark buckets / one process, {count:,} series", rows["spark"] / rows["one"], 5)]


def generated(series):
    """Return generated monthly histories of 120 points as a set; nothing is scored on them."""
    history = sets.monthly(series, shortest=120)
    history.insert(1, "t", history.groupby("unique_id", sort=False).cumcount())
    return sets.SeriesSet("generated_monthly", "monthly", 12, history, history.iloc[:0])


def _print(title, rows):
    print(f"\n{title}")
    for name, value in rows.items():
        print(f"{name:<28} {value:10.2f}", flush=True)


PARTS = {"cpu": panel_cost, "one": one_cost, "cold": cold_cost, "scale": scale_cost, "spark": spark_cost}
