import subprocess

import openpyxl
import pytest

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files, sheets
from salesforecast.settings import ImportLimits

KNOWN = {"订单编号", "日期", "金额", "客户", "区域", "数量"}


@pytest.fixture
def load(tmp_path):
    """Return a function that reads one file and gives its sources and the rows of the first, row number first."""
    store = engine.connect(tmp_path / "s.duckdb", write=True)

    def read(path, **limits):
        found = files.read(store, path, path.name, 0, KNOWN.__contains__, None, ImportLimits(**limits))
        rows = store.rows(f"SELECT * FROM {found[0].relation} ORDER BY 1")
        return found, [tuple(cell or "" for cell in row) for row in rows]

    yield read
    store.close()


def book(path, *rows, merged=(), sheets=None):
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for area in merged:
        made.active.merge_cells(area)
    for name, (state, content) in (sheets or {}).items():
        sheet = made.create_sheet(name)
        sheet.sheet_state = state
        for row in content:
            sheet.append(row)
    made.save(path)
    return path


def test_a_header_over_two_rows_of_merged_cells_is_one_header(load, tmp_path):
    path = book(
        tmp_path / "a.xlsx",
        ["销售月报", None, None, None, None, None],
        ["客户", "日期", "计划", None, "实际", None],
        [None, None, "数量", "金额", "数量", "金额"],
        ["甲", "2026-01-05", 1, 10, 2, 20],
        merged=("A1:F1", "A2:A3", "B2:B3", "C2:D2", "E2:F2"),
    )
    (source,), rows = load(path)
    assert source.headers == ("客户", "日期", "计划 数量", "计划 金额", "实际 数量", "实际 金额")
    assert rows == [(4, "甲", "2026-01-05", "1", "10", "2", "20")]
    assert [each[0] for each in source.above] == ["销售月报", "客户"]


def test_groups_that_are_periods_stay_for_the_wide_reader(load, tmp_path):
    path = book(
        tmp_path / "a.xlsx",
        ["客户", "2026年1月", None],
        [None, "数量", "金额"],
        ["甲", 1, 10],
        merged=("A1:A2", "B1:C1"),
    )
    (source,), _ = load(path)
    assert (source.above, source.headers) == ((("客户", "2026年1月", ""),), ("column 1", "数量", "金额"))


def test_a_merged_label_holds_for_all_its_rows_and_a_merged_number_for_none_of_the_others(load, tmp_path):
    path = book(
        tmp_path / "a.xlsx",
        ["区域", "客户", "金额"],
        ["华东", "甲", 10],
        [None, "乙", None],
        ["华南", "丙", 30],
        merged=("A2:A3", "C2:C3"),
    )
    assert load(path)[1] == [(2, "华东", "甲", "10"), (3, "华东", "乙", ""), (4, "华南", "丙", "30")]


def test_what_is_left_out_of_a_workbook_is_said(load, tmp_path):
    path = book(
        tmp_path / "a.xlsx",
        ["客户", "金额"],
        ["甲", 1],
        sheets={
            "旧": ("hidden", [["客户", "金额"], ["乙", 2]]),
            "说明": ("visible", [["导出于 2026-01-05"]]),
            "数": ("visible", [[1, 2], [3, 4], [5, 6]]),
        },
    )
    (source,), _ = load(path)
    notes = "; ".join(source.notes)
    assert "sheet '旧' left out: it is hidden (2 rows)" in notes
    assert "sheet '说明' left out: it has one row" in notes
    assert "sheet '数' left out: a.xlsx, sheet 数 has no header" in notes


def test_a_workbook_of_hidden_sheets_only_says_what_to_do(load, tmp_path):
    path = book(tmp_path / "a.xlsx", sheets={"旧": ("hidden", [["客户", "金额"], ["乙", 2]])})
    with pytest.raises(BadInput, match=r"it is hidden.*Show the hidden sheet"):
        load(path)


def test_errors_are_missing_and_counted_and_formulas_are_not_computed(load, tmp_path):
    made = openpyxl.Workbook()
    for row in (["客户", "金额"], ["甲", "#REF!"], ["乙", "=1+1"], ["丙", 3]):
        made.active.append(row)
    made.active["B2"].data_type = "e"
    made.save(tmp_path / "a.xlsx")
    (source,), rows = load(tmp_path / "a.xlsx")
    assert [row[2] for row in rows] == ["", "", "3"]
    assert "1 cells with the error #REF! are not read" in source.notes


def test_a_cell_far_away_fills_no_memory(load, tmp_path):
    made = openpyxl.Workbook()
    made.active.append(["客户", "金额"])
    made.active["XFD1048576"] = 1
    made.save(tmp_path / "a.xlsx")
    with pytest.raises(BadInput, match=r"memory.*Ctrl\+End"):
        load(tmp_path / "a.xlsx", workbook_mb=1000)


def test_a_workbook_that_takes_too_long_is_given_up(load, tmp_path, monkeypatch):
    path = book(tmp_path / "a.xlsx", ["客户", "金额"], ["甲", 1])

    def slow(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(sheets.subprocess, "run", slow)
    with pytest.raises(BadInput, match="longer than 300 seconds"):
        load(path)


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"rows": 2}, "3 rows"), ({"columns": 1}, "2 columns"), ({"cell_characters": 3}, "a cell of 4 characters")],
)
def test_limits_of_rows_columns_and_cells_hold(load, tmp_path, limits, says):
    path = book(tmp_path / "a.xlsx", ["客户", "金额"], ["甲乙丙丁", 1], ["乙", 2])
    with pytest.raises(BadInput, match=says):
        load(path, **limits)


HTML = """<html><head><title>x</title><style>td{}</style></head><body><table><tr><th colspan=2>订单</th></tr>
<tr><th>订单编号</th><th>金额</th></tr><tr><td rowspan="2">A&amp;1</td><td>1,5<script>evil()</script></td></tr>
<tr><td>2<br>3</td></tr></table></body></html>"""
XML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><!DOCTYPE x [<!ENTITY a "aaaa">]>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="订单"><Table><Row><Cell><Data ss:Type="String">订单编号</Data></Cell>
<Cell><Data ss:Type="String">金额</Data></Cell></Row>
<Row ss:Index="4"><Cell ss:Index="2"><Data ss:Type="Number">7</Data></Cell></Row></Table></Worksheet></Workbook>"""


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_web_page_called_xls_is_read_as_the_table_it_is(load, tmp_path, encoding):
    (tmp_path / "a.xls").write_bytes(HTML.encode(encoding))
    (source,), rows = load(tmp_path / "a.xls")
    assert (source.headers, source.header_row) == (("订单编号", "金额"), 2)
    assert rows == [(3, "A&1", "1,5"), (4, "A&1", "2 3")]


def test_old_excel_xml_is_read_by_sheet_with_gaps(load, tmp_path):
    (tmp_path / "a.xls").write_text(XML, encoding="utf-8")
    (source,), rows = load(tmp_path / "a.xls")
    assert (source.sheet, source.blank_rows) == ("订单", 2)
    assert rows == [(4, "", "7")]


def test_text_called_xls_is_read_as_text_and_said(load, tmp_path):
    (tmp_path / "a.xls").write_bytes("订单编号\t金额\nA1\t5\n".encode("gb18030"))
    (source,), rows = load(tmp_path / "a.xls")
    assert rows == [(2, "A1", "5")]
    assert source.notes[0] == "text, though it ends in .xls"


@pytest.mark.parametrize(
    "content", [b"\x09\x08\x10\0\0\x06\0\0\0\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600]
)
def test_what_is_no_spreadsheet_is_refused(load, tmp_path, content):
    (tmp_path / "a.xls").write_bytes(content)
    with pytest.raises(BadInput, match=r"no spreadsheet|cannot be opened"):
        load(tmp_path / "a.xls")
