"""Delimited text: what is read is what was written, whichever way it is read."""

import csv
import io
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files, text
from salesforecast.load.structure import plain

numbers = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with engine.connect(tmp_path_factory.mktemp("store") / "s.duckdb", write=True) as opened:
        yield opened


@pytest.fixture
def load(tmp_path, store):
    """Return a function that writes bytes or text to a file and reads it: (source, rows below the header)."""

    def read(content, name="a.csv", known=lambda header: False, scratch=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (source,) = files.read(store, path, name, next(numbers), known, scratch)
        rows = store.rows(f"SELECT * FROM {source.relation} ORDER BY 1")
        return source, [(row[0], *(cell or "" for cell in row[1:])) for row in rows]

    return read


cells = st.text(st.sampled_from("ab1,;\"' \n\r甲　"), max_size=4)


@given(
    table=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8),
    crlf=st.booleans(), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), ended=st.booleans(),
    window=st.sampled_from([8, 64, 1 << 19]),
)  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_table_written_as_csv_is_read_back(load, table, crlf, quoting, ended, window):
    """Read = what fits + blank rows; cells are the same, numbered as written, in small windows and in one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\r\n" if crlf else "\n")
    writer.writerows([["x1", "x2", "x3"], ["first", "row", "here"], *table, ["last", "row", "here"]])
    content = buffer.getvalue() if ended else buffer.getvalue().rstrip("\r\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_CHECKED_BYTES", window)
        source, rows = load(content)
    body = list(csv.reader(io.StringIO(content, newline="")))[1:]
    filled = [(number, *row) for number, row in enumerate(body, start=2) if any(map(str.strip, row))]
    assert rows == [row for row in filled if len(row) == 4]
    assert source.rows == len(filled) == len(rows) + source.ragged
    assert source.rows + source.blank_rows == len(body)
    for place in source.tidy:
        assert all(row[place + 1] == row[place + 1].strip(" \t\r\n　") for row in rows)


def test_a_plain_block_is_what_python_reads():
    block = '1,"a,b\n""c""",甲\r\n2,x, y\r\n3,"", \r\n'.replace("\n", "\r\n").replace("\r\r", "\r").encode()
    found = plain(block, ",", 3, crlf=True)
    assert found is None  # the line break inside the quotes ends with CR LF like a record: counted, not guessed
    found = plain(block.replace(b"\r\n", b"\n"), ",", 3, crlf=False)
    assert (found.records, found.spaced) == (3, {2})


@pytest.mark.parametrize(
    "block",
    [b'1,a"b\n', b'1,"a"b\n', b"1\n", b"1,2,3\n", b",\n", b'"",""\n', b" , \n", b"1,2\r\n", b"1,2\0\n"],
)
def test_what_has_more_than_one_reading_is_not_plain(block):
    assert plain(b"1,2\n" + block, ",", 2, crlf=False) is None


def test_a_large_file_is_not_copied_and_reads_the_same(load, tmp_path, monkeypatch):
    monkeypatch.setattr(text, "STREAMED_BYTES", 100)
    body = "".join(f"{number},甲{number}\n" for number in range(1000))
    source, rows = load(f"id,name\nu,v\n{body}", scratch=tmp_path)
    assert source.streamed
    assert (rows[0], rows[-1]) == ((2, "u", "v"), (1002, "999", "甲999"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    source, again = load(f"id,name\nu,v\n1\n{body}", scratch=tmp_path)
    assert (source.streamed, source.ragged) == (True, 1)
    assert again == [rows[0], *((row[0] + 1, *row[1:]) for row in rows[1:])]


def test_a_file_that_changes_while_it_is_read_is_refused(load, tmp_path, monkeypatch):
    finish = text.Rows.finish

    def changing(self, where):
        (tmp_path / "a.csv").write_text("id,name\nx,y\nz,z\n")
        return finish(self, where)

    monkeypatch.setattr(text.Rows, "finish", changing)
    with pytest.raises(BadInput, match="changed while it was read"):
        load("id,name\nx,y\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end(load, newline):
    assert load(newline.join(["a,b", "x,y", "1,2", ""]))[1] == [(2, "x", "y"), (3, "1", "2")]


def test_mixed_line_ends_are_each_one_end(load):
    assert load("a,b\nx,y\r\n1,2\r3,4\n")[1] == [(2, "x", "y"), (3, "1", "2"), (4, "3", "4")]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a;b\n'x;y';'it''s'\n'z';w\n", [(2, "x;y", "it's"), (3, "z", "w")]),
        ('a,b\n"x\\"y",z\n"1\\"",w\n', [(2, 'x"y', "z"), (3, '1"', "w")]),
        ('a, b\n"x, y", z\n"v", w\n', [(2, "x, y", "z"), (3, "v", "w")]),
        ("a|b\nx|y,z\n", [(2, "x", "y,z")]),
        ('a\tb\n12" pipe\tx\n', [(2, '12" pipe', "x")]),
    ],
)
def test_dialects(load, content, rows):
    assert [tuple(each if isinstance(each, int) else each.strip() for each in row) for row in load(content)[1]] == rows


def test_a_guessed_encoding_is_reported(load):
    source, rows = load("name,city\nMüller,München\nJosé,Málaga\n".encode("cp1252"))
    assert rows[0] == (2, "Müller", "München")
    assert "guessed" in source.notes[0]


def test_utf8_with_a_damaged_byte_is_refused_and_not_guessed(load):
    with pytest.raises(BadInput, match=r"not readable as UTF-8 \(byte 0xFF"):
        load("客户,金额\n".encode() + "甲公司,一\n".encode() * 100_000 + b"\xff,2\n")


def test_japanese_is_not_read_as_chinese(load):
    source, _ = load("名前,都市\nすずき,とうきょう\nたなか,おおさか\n".encode("shift_jis"))
    assert source.encoding != "gb18030"


def test_the_footer_below_a_table_is_left_out_and_reported(load):
    source, rows = load(
        "日期,金额,人\n2026-01-05,1,甲\n合计,1,\n\n制表人：李四\n打印时间：2026-01-31,,\n",
        known="日期金额人".__contains__,
    )
    assert [row[1] for row in rows] == ["2026-01-05", "合计"]
    assert (source.rows, source.footers, source.blank_rows, source.ragged) == (4, 2, 1, 0)
    assert "制表人" in source.notes[0]


def test_a_file_without_header_is_refused_with_what_to_do(load):
    with pytest.raises(BadInput, match=r"no header: its first row \(2026-01-05, 3.5, 甲\).*Add a first row"):
        load("2026-01-05,3.5,甲\n2026-01-06,4,乙\n2026-01-07,1,丙\n")


def test_years_as_headers_are_headers(load):
    assert load("区域,2025,2026\n华东,100,120\n华北,90,95\n")[0].headers == ("区域", "2025", "2026")


def test_repeated_and_blank_headers_get_a_name_of_their_own(load):
    source, _ = load("id,金额,金额,\nx,1,2,\ny,3,4,5\n")
    assert source.headers == ("id", "金额", "金额 (2)")
    assert "2 columns are called '金额'" in source.notes[0]
    assert source.ragged == 1


def test_three_hundred_columns_and_a_long_cell(load):
    header = ",".join(f"h{number}" for number in range(300))
    long = "长" * 300_000
    source, rows = load(f"{header}\n{long}{',x' * 299}\n")
    assert len(source.headers) == 300
    assert rows[0][1] == long


def test_a_line_without_end_is_refused(load, monkeypatch):
    monkeypatch.setattr(text, "LONGEST_RECORD_BYTES", 1 << 20)
    with pytest.raises(BadInput, match="has a line of over 1 million"):
        load("a,b\nx,y\n" + "z" * (6 << 20))
