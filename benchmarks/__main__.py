"""`make bench`: run every benchmark, or those named on the command line."""

import importlib
import pkgutil
import sys

import benchmarks

names = sys.argv[1:] or [
    each.name for each in pkgutil.iter_modules(benchmarks.__path__) if not each.name.startswith("_")
]
for name in names:
    print(f"\n## {name}", flush=True)
    importlib.import_module(f"benchmarks.{name}").main()
