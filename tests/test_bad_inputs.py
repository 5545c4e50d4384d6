"""Files that others made to break readers: each is stored with a report that adds up, or refused in one clear line."""

import gzip
import json
import random
import subprocess
import sys
import zipfile
from collections import Counter

import pytest

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files

FOLDERS = (
    "csv_spectrum", "frictionless", "naughty_strings", "nbsp_and_empty_columns", "open_data_survey", "poi_spreadsheets",
    "pollock", "readxl_sheets", "unquoted_commas",
)  # fmt: skip
# Reads every file of a folder twice: as what it is, and as activities, so that rows are stored. Memory is limited.
WALK = """
import json, resource, sys, tempfile, time
from pathlib import Path
from salesforecast.errors import SalesforecastError
from salesforecast import engine
from salesforecast.load import files, import_files
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
for path in sorted(Path(sys.argv[1]).rglob("*")):
    if not path.is_file():
        continue
    begun, found = time.process_time(), {"file": path.name}
    with tempfile.TemporaryDirectory() as folder:
        try:
            with engine.connect(Path(folder) / "r.duckdb", write=True) as store:
                sources = files.read(store, path, path.name, 0, lambda header: False)
                found["rows"] = [
                    [each.rows, each.ragged, each.footers, store.rows(f"SELECT count(*) FROM {each.relation}")[0][0]]
                    for each in sources
                ]
                header = sources[0].headers[0]
                found["name"] = sources[0].name
        except SalesforecastError as error:
            found["refused"] = str(error)
        else:
            entry = {"from": found["name"], "at": "=2026-01-05", "person_id": "=p", "kind": "=call", "note": header}
            try:
                report = import_files(path, Path(folder) / "s.duckdb", mapping={"activities": entry})
                found["report"] = report.files[["read", "stored", "rejected", "excluded"]].values.tolist()
            except SalesforecastError as error:
                found["refused"] = str(error)
    found["seconds"] = time.process_time() - begun
    print(json.dumps(found), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_stored_with_rows_that_add_up_or_refused_in_one_line(shared_data, folder):
    place = shared_data / "bad_inputs" / folder
    if not place.is_dir():
        pytest.skip(f"{folder} is not present")
    command = [sys.executable, "-W", "error", "-c", WALK, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {found[-1:]}: {done.stderr[-2000:]}"
    assert len(found) == sum(path.is_file() for path in place.rglob("*"))
    for each in found:
        assert each["seconds"] < 30, each
        for rows, ragged, footers, readable in each.get("rows", ()):
            assert rows == ragged + footers + readable, each
        for read, stored, rejected, excluded in each.get("report", ()):
            assert read == stored + rejected + excluded, each
        if "refused" in each:
            assert "\n" not in each["refused"] and len(each["refused"]) > 20, each
    assert sum("report" in each for each in found) >= len(found) / 4, [each.get("refused") for each in found]


def samples(folder):
    """Write one small file of each kind that holds 50 rows; returns the paths."""
    rows = [{"id": each, "owner": {"name": "x", "id": each}, "amount": each * 1.5} for each in range(50)]
    (folder / "a.json").write_text(json.dumps(rows))
    (folder / "a.csv").write_text("id,amount\n" + "".join(f'{each},"{each * 1.5}"\n' for each in range(50)))
    (folder / "a.xls").write_text(
        "<table><tr><th>a</th><th>b</th></tr>"
        + '<tr><td rowspan="2">1</td><td colspan="2">2</td></tr>' * 25
        + "</table>"
    )
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "a.csv", "a.csv")
    (folder / "a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    with engine.connect(folder / "made.duckdb", write=True) as store:
        store.execute(
            "COPY (SELECT i AS id, '2026-01-05' AS day, i * 1.5 AS amount, ['a'] AS tags, 'x' || i AS note "
            f"FROM range(50) AS r(i)) TO '{folder / 'a.parquet'}' (FORMAT parquet)"
        )
    return sorted(folder.glob("a.*"))


@pytest.mark.parametrize("seed", range(3))
def test_no_damage_to_a_file_gives_anything_but_rows_or_a_reason(tmp_path, seed):
    chance = random.Random(seed)
    paths = samples(tmp_path)
    counted = Counter()
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        for path in paths * 12:
            raw = bytearray(path.read_bytes())
            for _ in range(chance.choice([1, 2, 5, 20])):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            damaged = tmp_path / f"damaged_{path.name}"
            damaged.write_bytes(raw[: chance.randrange(1, len(raw))] if chance.random() < 0.2 else raw)
            try:
                for source in files.read(store, damaged, path.name, 0, lambda header: False):
                    cells = ", ".join(f"max(c{place})" for place in range(len(source.headers)))
                    readable = store.rows(f"SELECT count(*), {cells} FROM {source.relation}")[0][0]
                    assert source.rows == readable + source.ragged + source.footers
                counted["read"] += 1
            except BadInput as error:
                assert "\n" not in str(error)
                counted["refused"] += 1
    assert min(counted["read"], counted["refused"]) > 5
