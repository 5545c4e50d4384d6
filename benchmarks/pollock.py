"""CSV files polluted in one way each, against their clean tables; peers: the readers of pandas and DuckDB.

A file's score is the share of the expected cells, header included, that stand where they should, times the share of the
rows read that are expected; a file that cannot be read scores 0. Our rows are those that go on to be cleaned; rows
refused with a reason count as not read.
"""

import csv
import json
import sys
import tempfile
import warnings
from pathlib import Path

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files


def main(folder=None):
    """Print the score of each file and reader, and the means of each collection."""
    root = Path(folder or "../shared/data/bad_inputs")
    if not root.is_dir():
        print(f"no folder {root}: not measured")
        return
    for name, cases in collections(root).items():
        print(f"{name:<58} ours   pandas DuckDB")
        totals = [0.0, 0.0, 0.0]
        for path, expected in cases:
            scores = [score(reader, path, expected) for reader in (ours, by_pandas, by_duckdb)]
            totals = [total + each for total, each in zip(totals, scores, strict=True)]
            print(f"  {path.name[:54]:<54} " + " ".join(f"{each:6.3f}" for each in scores))
        print(f"  {'mean':<54} " + " ".join(f"{total / len(cases):6.3f}" for total in totals))


def collections(root):
    """Return {collection: [(file, expected rows with the header)]}."""
    found = {}
    for name in ("pollock", "open_data_survey"):
        inputs = sorted((root / name / "input").glob("*.csv"))
        found[name] = [(path, rows_of(root / name / "expected" / path.name)) for path in inputs]
    spectrum = sorted((root / "csv_spectrum" / "csvs").glob("*.csv"))
    found["csv_spectrum"] = [
        (path, records_of(root / "csv_spectrum" / "json" / f"{path.stem}.json")) for path in spectrum
    ]
    return {name: cases for name, cases in found.items() if cases}


def rows_of(path):
    """Return the rows of a clean CSV file."""
    for encoding in ("utf-8", "cp1252"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                return list(csv.reader(file))
        except UnicodeDecodeError:
            continue
    return []


def records_of(path):
    """Return header and rows of a list of JSON objects."""
    records = json.loads(path.read_text(encoding="utf-8"))
    records = records if isinstance(records, list) else [records]
    return [list(records[0]), *(list(each.values()) for each in records)]


def score(reader, path, expected):
    """Return the score of one reader on one file."""
    try:
        found = reader(path)
    except Exception:
        found = None
    if not expected or expected == [[]]:
        return float(not found)
    if not found:
        return 0.0
    cells = right = 0
    # Rows are compared in order, skipping what only one side has.
    place = 0
    wanted = [[_plain(cell) for cell in row] for row in expected]
    have = [[_plain(cell) for cell in row] for row in found]
    matched = 0
    for row in wanted:
        cells += len(row)
        at = next((n for n in range(place, min(place + 5, len(have))) if have[n][: len(row)] == row), None)
        if (
            at is None
            and place < len(have)
            and sum(a == b for a, b in zip(row, have[place], strict=False)) * 2 > len(row)
        ):
            at = place
        if at is not None:
            right += sum(a == b for a, b in zip(row, have[at], strict=False))
            matched += 1
            place = at + 1
    return right / cells * matched / max(len(have), matched)


def ours(path):
    """Read a file as the importer does."""
    with tempfile.TemporaryDirectory() as folder, engine.connect(Path(folder) / "s.duckdb", write=True) as store:
        try:
            (source,) = files.read(store, path, path.name, 0, lambda header: False)
        except BadInput as error:
            if "is empty" in str(error):
                return []
            raise
        rows = store.rows(f'SELECT * FROM {source.relation} ORDER BY "row"')
    header = tuple(source.headers)
    return [header, *(row[1:] for row in rows if tuple((cell or "").strip() for cell in row[1:]) != header)]


def by_pandas(path):
    """Read a file with the defaults of pandas, all as text."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [list(frame.columns), *frame.to_numpy().tolist()]


def by_duckdb(path):
    """Read a file with DuckDB's detection, all as text."""
    import duckdb

    result = duckdb.connect().execute("SELECT * FROM read_csv($path, all_varchar = true)", {"path": str(path)})
    return [[each[0] for each in result.description], *result.fetchall()]


def _plain(cell):
    return " ".join(str("" if cell is None else cell).split())


if __name__ == "__main__":
    main(*sys.argv[1:])
