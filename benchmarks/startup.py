"""How light is `import salesforecast`? Peer: `import pandas, statsmodels.api`. Target: at most 0.3 of its CPU."""

import sys

from benchmarks._timing import interleaved


def main():
    """Print the table."""
    statements = {
        "python alone": "pass",
        "import salesforecast": "import salesforecast",
        "import salesforecast, pandas": "import salesforecast, pandas",
        "import pandas, statsmodels.api": "import pandas, statsmodels.api",
    }
    wall, cpu = interleaved({name: [sys.executable, "-c", code] for name, code in statements.items()})
    peer = cpu["import pandas, statsmodels.api"]
    for name in statements:
        print(f"{name:<32} wall {wall[name]:6.2f} s   CPU {cpu[name]:6.2f} s   ratio {cpu[name] / peer:5.2f}")
