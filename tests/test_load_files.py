import gzip
import math

import openpyxl
import pytest

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files


@pytest.fixture
def load(tmp_path):
    """Return a function that reads one file and gives (source, rows) with the rows as tuples."""
    store = engine.connect(tmp_path / "s.duckdb", write=True)

    def read(path, known=lambda header: False):
        (source,) = files.read(store, path, path.name, 0, known)
        return source, store.rows(f"SELECT * FROM {source.relation} ORDER BY 1")

    yield read
    store.close()


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_chinese_is_read_in_the_encodings_that_exports_use(load, tmp_path, encoding, found):
    source, rows = load(write(tmp_path / "a.csv", "地区,地区经理\r\n东北,楚杰\r\n", encoding))
    assert source.encoding == found
    assert source.headers == ("地区", "地区经理")
    assert rows == [(2, "东北", "楚杰")]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_found_and_quotes_protect_it(load, tmp_path, delimiter):
    text = f'a{delimiter}b\n"x{delimiter}y"{delimiter}"line 1\nline ""2"""\n'
    assert load(write(tmp_path / "a.csv", text))[1] == [(2, f"x{delimiter}y", 'line 1\nline "2"')]


def test_rows_are_numbered_as_a_spreadsheet_shows_them(load, tmp_path):
    source, rows = load(write(tmp_path / "a.csv", "销售报表,\n,\n日期,金额\n2026-01-05,1\n,\n2026-01-06,2\n"),
                        known={"日期", "金额"}.__contains__)  # fmt: skip
    assert (source.header_row, source.blank_rows) == (3, 1)
    assert [row[0] for row in rows] == [4, 6]


def test_ragged_rows_are_kept_apart_with_their_number(load, tmp_path):
    source, rows = load(write(tmp_path / "a.csv", "a,b\nu,2\n3\n4,5,6\n7,8,\n"))
    assert source.ragged == 2
    assert rows == [(2, "u", "2"), (5, "7", "8")]
    assert source.rows == 4


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"a,b\n", "no rows"), (b"\n\n", "no content"), (b"PK\x03\x04broken", "cannot be opened")],
)
def test_a_file_without_rows_says_so(load, tmp_path, content, says):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        load(path)


def test_a_quote_that_is_never_closed_swallows_nothing(load, tmp_path):
    source, rows = load(write(tmp_path / "a.csv", 'a,b\nx,"2\n' + "3,4\n" * 5000))
    assert rows[:2] == [(2, "x", '"2'), (3, "3", "4")]
    assert source.rows == 5001
    assert "stray quote" in source.notes[0]


def test_a_quote_that_leaves_no_reading_is_refused(load, tmp_path):
    with pytest.raises(BadInput, match=r"row 3 cannot be read .*never closed"):
        load(write(tmp_path / "a.csv", 'a,b\nx,y\n"2\n' + "3,4\n" * 5000))


@pytest.mark.parametrize("kept", [15, -20])
def test_a_damaged_gzip_file_is_refused(load, tmp_path, kept):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 10_000)[:kept])
    with pytest.raises(BadInput, match="damaged"):
        load(path)


def test_null_characters_disappear(load, tmp_path):
    assert load(write(tmp_path / "a.csv", "a,b\nx\0y,2\n"))[1] == [(2, "xy", "2")]


def test_a_sheet_keeps_ids_dates_and_numbers_as_an_export_would(load, tmp_path):
    import datetime as dt

    book = openpyxl.Workbook()
    book.active.append(["id", "date", "at", "amount", "flag"])
    book.active.append(["007", dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 9, 30), 10248.0, True])
    book.active.append([10248, None, None, math.pi, False])
    book.save(tmp_path / "a.xlsx")
    _, rows = load(tmp_path / "a.xlsx")
    assert [tuple(cell or "" for cell in row) for row in rows] == [
        (2, "007", "2026-01-05", "2026-01-05 09:30:00", "10248", "true"),
        (3, "10248", "", "", "3.141592653589793", "false"),
    ]


def test_line_breaks_of_every_kind_stay_inside_their_cell(load, tmp_path):
    assert load(write(tmp_path / "a.csv", 'a,b\n"1\r\n2\r3\n4",x\n'))[1] == [(2, "1\r\n2\r3\n4", "x")]


def test_folders_and_patterns_give_each_table_once(tmp_path):
    for name in ("b.csv", "a.csv", "notes.md", "~$c.xlsx"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in files.discover([tmp_path, tmp_path / "*.csv"])] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("path", ["missing.csv", "*.xls"])
def test_a_path_that_leads_nowhere_is_an_error(tmp_path, path):
    with pytest.raises(BadInput, match="No file at"):
        files.discover(tmp_path / path)
