"""From exports to a published page: seconds, size, and how long a browser needs to draw it (peer: an empty page)."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._timing import interleaved


def main():
    """Print the table; each figure beside its target."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = folder / "demo.duckdb"
        seconds, _ = _timed("import", "data/demo", "--into", store)
        print(f"demo import, all files        {seconds:6.1f} s   (target 10)")
        seconds, printed = _timed(
            "run", "monthly_sales", "--period", "2026-10", "--store", store, "--language", "zh", "--out", folder / "out"
        )
        page = Path(printed.strip().splitlines()[-1])
        print(f"monthly review, one language  {seconds:6.1f} s")
        print(f"page                          {page.stat().st_size / 1e6:6.2f} MB  (target 1.5)")
        browser = shutil.which("chromium")
        if not browser:
            print("no chromium: drawing time not measured")
            return
        empty = folder / "empty.html"
        empty.write_text("<!doctype html><title>empty</title>")
        draw = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder / 'profile'}"),
            f"--screenshot={folder / 'shot.png'}",
        ]
        wall, _ = interleaved({"empty": [*draw, empty.as_uri()], "review": [*draw, page.as_uri()]})
        print(f"drawing it, more than empty   {wall['review'] - wall['empty']:6.2f} s   (target 2)")


def _timed(*arguments):
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "salesforecast", *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, done.stdout
