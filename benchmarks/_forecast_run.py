"""Run our engine and the peers on the same panel, each in its own process, and return forecasts with their CPU cost."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks import _forecast_scores as scores

FOLDER = Path(__file__).parent / "peers"
OURS = "salesforecast"
MISSING = "peers are not installed: `make bench-peers` creates their environment; shown without them"


@dataclass(frozen=True)
class Run:
    """Forecasts of one method (None where only the cost was asked), CPU seconds, series, and peak memory in MB."""

    frame: pd.DataFrame | None
    cpu_seconds: float
    series: int
    peak_mb: float = float("nan")

    @property
    def cpu_ms(self):
        """CPU milliseconds a series."""
        return 1000 * self.cpu_seconds / self.series


@dataclass(frozen=True)
class Peers:
    """The interpreter of the peers' environment; forecasts already made are kept beside it."""

    python: Path

    @classmethod
    def found(cls, python=None):
        """Return the peers, or None where their environment does not exist."""
        chosen = Path(python or os.environ.get("SALESFORECAST_PEERS", FOLDER / ".venv" / "bin" / "python"))
        return cls(chosen) if chosen.exists() else None

    def forecast(self, method, series_set, cached=True, singly=False):
        """Run one method of `peers/run.py`."""
        kept = self.python.parent.parent / "forecasts" / f"{_key(method, series_set, singly)}.parquet"
        if not (cached and kept.exists() and kept.with_suffix(".json").exists()):
            kept.parent.mkdir(exist_ok=True)
            command = [str(self.python), str(FOLDER / "run.py"), method]
            told = _run_on(command, series_set, kept, *(["--singly"] if singly else []))
            kept.with_suffix(".json").write_text(json.dumps(told))
        return Run(read(kept), **json.loads(kept.with_suffix(".json").read_text()))


def ours(series_set, singly=False):
    """Run our engine: frame in, frame with intervals out, past errors learnt on the way."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out.parquet"
        command = [sys.executable, "-m", "benchmarks._forecast_ours"]
        told = _run_on(command, series_set, out, *(["--singly"] if singly else []))
        return Run(read(out), **told)


def child(command):
    """Return what a child process says in JSON on its last line; libraries use one thread."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def read(file):
    """Return a parquet file as a frame."""
    import duckdb

    return duckdb.read_parquet(str(file)).df()


def write(frame, file):
    """Write a frame as parquet."""
    import duckdb

    duckdb.from_df(frame).write_parquet(str(file))


def median_of(runs):
    """Return the median of several runs as a run of its own: its cost is their sum."""
    return Run(scores.combine([each.frame for each in runs]), sum(each.cpu_seconds for each in runs), runs[0].series)


def _run_on(command, series_set, out, *options):
    with tempfile.TemporaryDirectory() as name:
        panel = Path(name) / "panel.parquet"
        write(series_set.history, panel)
        season, horizon = str(series_set.season), str(series_set.horizon)
        return child([*command, str(panel), str(out), "--season", season, "--horizon", horizon, *options])


def _key(method, series_set, singly):
    content = pd.util.hash_pandas_object(series_set.history, index=False).to_numpy().tobytes()
    content += (FOLDER / "run.py").read_bytes() + f"{method} {series_set.horizon} {singly}".encode()
    return f"{series_set.name.replace('/', '-')}-{method}-{hashlib.sha256(content).hexdigest()[:16]}"
