"""Import of the synthetic company's order lines and a monthly panel of them; the peer is raw DuckDB on the same file.

CPU seconds count, those of starting left out; every figure is a fresh process. `make bench` does 1 million lines;
`python -m benchmarks.loading 10000000` as many as said.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PANEL = """SELECT date_trunc('month', {date}) AS month, {region}, {channel}, {person}, sum({amount}) AS amount,
    count(*) AS lines, count(DISTINCT {order}) AS orders FROM {table} GROUP BY ALL"""
RAW = {"date": '"下单日期"', "region": '"区域"', "channel": '"渠道"', "person": '"业务员编号"', "amount": '"金额"',
       "order": '"订单编号"'}  # fmt: skip
STORED = {"date": "date", "region": "region", "channel": "channel", "person": "person_id", "amount": "amount",
          "order": "order_id"}  # fmt: skip


def main(lines=1_000_000):
    """Print the table."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else lines
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv, gb, parquet = folder / "lines.csv", folder / "gb18030.csv", folder / "lines.parquet"
        _run("write", csv, lines)
        _run("recode", csv, gb)
        _run("pack", csv, parquet)
        results = {
            "raw: CSV → panel": _run("raw_panel", csv),
            "raw: CSV → table → panel": _run("raw_table", csv, folder / "raw.duckdb"),
            "import, CSV": _run("load", csv, folder / "csv.duckdb"),
            "import, CSV, no row rules": _run("load_unchecked", csv, folder / "unchecked.duckdb"),
            "import, GB18030": _run("load", gb, folder / "gb.duckdb"),
            "import, Parquet": _run("load", parquet, folder / "parquet.duckdb"),
            "panel from the store": _run("stored_panel", folder / "csv.duckdb"),
            "sales by month from the workbench": _run("workbench", folder / "csv.duckdb"),
            "raw: the same sum": _run("raw_sum", folder / "csv.duckdb"),
        }
        same = _run("compare", folder / "csv.duckdb", folder / "gb.duckdb", folder / "parquet.duckdb")
        size = (folder / "csv.duckdb").stat().st_size
    raw = results["raw: CSV → panel"]["cpu"]
    print(f"{lines:,} lines; store {size / 1e6:,.0f} MB; content of the three stores: {same['content']}")
    print(f"{'':<36}    CPU s   wall s  peak MB  CPU / raw panel")
    for label, found in results.items():
        print(f"{label:<36} {found['cpu']:8.2f} {found['wall']:8.2f} {found['peak']:8.0f} {found['cpu'] / raw:8.2f}")
    load, panel = results["import, CSV"]["cpu"], results["panel from the store"]["cpu"]
    unchecked = results["import, CSV, no row rules"]["cpu"]
    print(f"import + panel / raw panel         {(load + panel) / raw:6.2f}   (target 3.5)")
    print(f"the same without row rules         {(unchecked + panel) / raw:6.2f}   (target 2.5)")
    print(f"import + panel / raw table + panel {(load + panel) / results['raw: CSV → table → panel']['cpu']:6.2f}")
    print(f"GB18030 / UTF-8 import             {results['import, GB18030']['cpu'] / load:6.2f}   (target 1.6)")
    ours, peer = results["sales by month from the workbench"]["cpu"], results["raw: the same sum"]["cpu"]
    print(f"workbench / raw sum by month       {ours / peer:6.2f}   (target 1.3)")


def _run(step, *arguments):
    """Run a step of this module in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.loading", step, *map(str, arguments)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return json.loads(done.stdout.splitlines()[-1])


def write(path, lines):
    """Write the order lines as CSV."""
    from salesforecast.demo import write_order_lines

    return {"lines": write_order_lines(path, int(lines))}


def recode(path, target):
    """Write a UTF-8 file anew as GB18030."""
    with Path(path).open(encoding="utf-8", newline="") as source, Path(target).open("wb") as out:
        while text := source.read(1 << 22):
            out.write(text.encode("gb18030"))
    return {}


def pack(path, target):
    """Write a CSV file anew as Parquet, typed."""
    _duckdb().execute(f"COPY (SELECT * FROM read_csv('{path}')) TO '{target}' (FORMAT parquet)")
    return {}


def raw_panel(path):
    """Read the file and group it, nothing else."""
    return {"rows": len(_duckdb().execute(PANEL.format(table=f"read_csv('{path}')", **RAW)).fetchall())}


def raw_table(path, store):
    """Read the file into a table on disk and group that."""
    connection = _duckdb()
    connection.execute(f"ATTACH '{store}' AS store")
    connection.execute(f"CREATE TABLE store.lines AS SELECT * FROM read_csv('{path}')")
    return {"rows": len(connection.execute(PANEL.format(table="store.lines", **RAW)).fetchall())}


def load(path, store):
    """Import the file."""
    from salesforecast.load import import_files

    report = import_files(path, store)
    return {"rows": int(report.files["stored"].sum())}


def load_unchecked(path, store):
    """Import the file with no rule of rows: what cannot be read, is missing or out of range is stored all the same."""
    from salesforecast.load import staging

    staging._Stager._checks = lambda self, typed, present: []
    return load(path, store)


def stored_panel(store):
    """Group the lines of a store."""
    connection = _duckdb()
    connection.execute(f"ATTACH '{store}' AS store (READ_ONLY)")
    return {"rows": len(connection.execute(PANEL.format(table="store.transactions", **STORED)).fetchall())}


def raw_sum(store):
    """Sum a store's lines by month and region."""
    connection = _duckdb()
    connection.execute(f"ATTACH '{store}' AS store (READ_ONLY)")
    query = "SELECT date_trunc('month', date), region, sum(amount) FROM store.transactions GROUP BY ALL"
    return {"rows": len(connection.execute(query).fetchall())}


def workbench(store):
    """Make the monthly panel by region of the workbench."""
    import salesforecast as sf

    with sf.open(store) as opened:
        return {"rows": len(sf.panel(opened, by="region"))}


def compare(*stores):
    """Say whether stores hold the same lines."""
    digests = set()
    for store in stores:
        connection = _duckdb()
        connection.execute(f"ATTACH '{store}' AS store (READ_ONLY)")
        query = (
            "SELECT count(*), bit_xor(hash(order_id, line_no, date, amount, quantity, customer_id, person_id, "
            "product_id, region, channel, category, list_amount, cost_amount, source_row)) FROM store.transactions"
        )
        digests.add(connection.execute(query).fetchall()[0])
    return {"content": "equal" if len(digests) == 1 else "NOT equal"}


def _duckdb():
    import duckdb

    return duckdb.connect()


if __name__ == "__main__":
    name, *rest = sys.argv[1:] or [""]
    if name.isdigit() or not name:
        main()
    else:
        import duckdb  # noqa: F401
        import pandas  # noqa: F401

        import salesforecast.forecasting
        import salesforecast.load
        import salesforecast.workbench  # noqa: F401

        started, before = time.perf_counter(), time.process_time()
        answer = globals()[name](*rest)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({
            **answer, "wall": time.perf_counter() - started, "cpu": time.process_time() - before,
            "peak": usage.ru_maxrss / 1e3,
        }))  # fmt: skip
