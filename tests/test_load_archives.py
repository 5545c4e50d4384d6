import gzip
import zipfile

import pytest

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import archives, files, import_files
from salesforecast.settings import ImportLimits

ORDERS = "订单编号,订单日期,金额\nA1,2026-01-05,10\nA2,2026-01-06,20\n"


def packed(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read(tmp_path, path, **limits):
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        return files.read(store, path, path.name, 0, {"订单编号", "金额"}.__contains__, None, ImportLimits(**limits))


def test_every_table_of_an_archive_is_a_file_and_the_rest_is_named(tmp_path):
    inner = {
        "export/订单.csv": ORDERS, "export/people.json": '[{"person_id": "p", "team": "t"}]', "readme.pdf": "x",
        "__MACOSX/订单.csv": "x", "export/": "",
    }  # fmt: skip
    first, second = read(tmp_path, packed(tmp_path / "dump.zip", inner))
    assert (first.name, first.stem, first.rows) == ("dump.zip/export/订单.csv", "订单", 2)
    assert second.title == "dump.zip/export/people.json"
    assert first.notes[-1] == "1 files of dump.zip are no tables: readme.pdf"


def test_an_archive_imports_like_its_files_with_rows_that_add_up(tmp_path):
    path = packed(tmp_path / "dump.zip", {"a.csv": ORDERS, "b.csv": ORDERS.replace("A", "B") + "B3,soon,1\n"})
    report = import_files(path, tmp_path / "sales.duckdb")
    assert report.files[["read", "stored", "rejected"]].values.tolist() == [[2, 2, 0], [3, 2, 1]]


def test_no_name_in_an_archive_leads_outside(tmp_path):
    path = packed(tmp_path / "evil.zip", {"../../evil.csv": ORDERS, "C:\\x\\..\\evil2.csv": ORDERS, "/abs.csv": ORDERS})
    folder = tmp_path / "deep" / "folder"
    found = [place for _, place in archives.unpack(path, folder, ImportLimits())]
    assert all(place.resolve().is_relative_to(folder.resolve()) for place in found)
    assert [place.name for place in found] == ["evil.csv", "evil2.csv", "abs.csv"]


def test_names_in_gbk_are_read(tmp_path):
    path = packed(tmp_path / "a.zip", {"????.csv": ORDERS})
    path.write_bytes(path.read_bytes().replace(b"????", "订单".encode("gbk")))
    assert read(tmp_path, path)[0].title == "a.zip/订单.csv"


def encrypted(path):
    packed(path, {"a.csv": ORDERS})
    raw = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("make", "limits", "says"),
    [
        (lambda path: packed(path, {"inner.zip": b"PK\x05\x06" + b"\0" * 18}), {}, "another archive, inner.zip"),
        (encrypted, {}, "is encrypted"),
        (lambda path: packed(path, {"notes.pdf": "x"}), {}, "no tables, only notes.pdf"),
        (lambda path: packed(path, {}), {}, "no tables, nothing"),
        (lambda path: packed(path, {"a.csv": b"a,b\n" + b"0" * 60_000_000}), {}, "over 200 times its size"),
        (lambda path: packed(path, {"a.csv": "a,b\n" + "1,2\n" * 300_000}), {"unpacked_mb": 1}, "over 1 MB"),
        (lambda path: packed(path, {"a.csv": ORDERS, "b.csv": ORDERS}), {"zip_files": 1}, "2 files, over the limit"),
        (lambda path: packed(path, {"a.csv": "a,b\n"}), {}, "a.zip: a.csv has a header but no rows"),
    ],
)
def test_archives_that_should_not_be_opened_are_refused(tmp_path, make, limits, says):
    with pytest.raises(BadInput, match=says):
        read(tmp_path, make(tmp_path / "a.zip"), **limits)


@pytest.mark.parametrize("keep", [100, 40])
def test_a_damaged_archive_is_refused(tmp_path, keep):
    path = packed(tmp_path / "a.zip", {"a.csv": ORDERS})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput):
        read(tmp_path, path)


def test_a_wrong_size_in_the_directory_is_found_while_unpacking(tmp_path):
    path = packed(tmp_path / "a.zip", {"a.csv": "a,b\n" + "1,2\n" * 100_000})
    raw = bytearray(path.read_bytes())
    place = raw.index(b"PK\x01\x02")
    raw[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(BadInput):
        read(tmp_path, path)


@pytest.mark.parametrize("line", [b"0" * 4096, b"1,2\n" * 1024])
def test_a_gzip_bomb_is_given_up_before_it_fills_the_disk(tmp_path, line):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + line * 25_000))
    with pytest.raises(BadInput, match=r"times its size|line of over"):
        read(tmp_path, path)


def test_typed_values_of_parquet_become_text_as_they_are(tmp_path):
    path = tmp_path / "a.parquet"
    with engine.connect(tmp_path / "p.duckdb", write=True) as store:
        store.execute(
            f"COPY (SELECT 7.0::DOUBLE AS id, 0.1::DOUBLE AS share, 12.50::DECIMAL(9,2) AS amount, ['a', 'b'] AS tags, "
            f"'nan'::DOUBLE AS nothing, timezone('Asia/Shanghai', TIMESTAMP '2026-01-05 08:00') AS at, "
            f"DATE '2026-01-05' AS day, true AS flag, 1234567890123456789::BIGINT AS long) TO '{path}' (FORMAT parquet)"
        )
    with engine.connect(tmp_path / "s.duckdb", write=True) as store:
        (source,) = files.read(store, path, path.name, 0, lambda header: False)
        row = store.rows(f"SELECT * EXCLUDE (row) FROM {source.relation}")[0]
    assert dict(zip(source.headers, row, strict=True)) == {
        "id": "7", "share": "0.1", "amount": "12.50", "tags": "a; b", "nothing": None, "at": "2026-01-05 00:00:00Z",
        "day": "2026-01-05", "flag": "true", "long": "1234567890123456789",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"PAR1" + b"\0" * 100 + b"PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_refused(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(BadInput, match="Parquet"):
        read(tmp_path, tmp_path / "a.parquet")
