"""Forecast very many generated monthly series in a process of its own: `one` process, or `spark` with its buckets.

    python -m benchmarks._forecast_scale one 100000

CPU seconds (of the whole process tree for Spark, after its start and a first small job) and peak memory go to stdout.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import salesforecast as sf
from benchmarks._forecast_run import write
from benchmarks._forecast_sets import monthly

HORIZON = 12


def main():
    """Run the way asked for and print what it cost."""
    way, count = sys.argv[1], int(sys.argv[2])
    seconds, rows = {"one": one, "spark": spark}[way](count)
    assert rows == count * HORIZON, f"{rows} rows for {count} series"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_seconds": seconds, "series": count, "peak_mb": peak}))


def one(count):
    """Return CPU seconds and rows of one call."""
    panel = monthly(count)
    sf.forecast(panel.iloc[:500], HORIZON)
    started = time.process_time()
    made = sf.forecast(panel, HORIZON)
    return time.process_time() - started, len(made)


def spark(count):
    """Return CPU seconds and rows of Spark with two local cores; files in, files out."""
    from pyspark.sql import SparkSession

    from salesforecast.forecasting.spark import forecast_spark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    options = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "1g"}
    builder = SparkSession.builder.master("local[2]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    with TemporaryDirectory() as name:
        folder = Path(name)
        panel = monthly(count)
        write(panel, folder / "panel.parquet")
        write(panel.iloc[:5000], folder / "few.parquet")
        for file in ("few", "panel"):
            started = _tree_seconds()
            made = forecast_spark(session.read.parquet(str(folder / f"{file}.parquet")), HORIZON)
            made.write.parquet(str(folder / f"{file}_forecast"))
            seconds = _tree_seconds() - started
        rows = session.read.parquet(str(folder / "panel_forecast")).count()
    session.stop()
    return seconds, rows


def _tree_seconds():
    """Return the CPU seconds of this process, those it started and those these started, ended ones included."""
    import psutil

    here = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in (here, *here.children(recursive=True)))


if __name__ == "__main__":
    main()
