"""A table with periods down its first column and names across its head, turned to names × periods."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.files import Source
from salesforecast.load.layouts import is_dated, rows_above, rows_of, value_of
from salesforecast.load.periods import span_of
from salesforecast.load.presets import Preset

MOST_ROWS = 400
_NAMED = (
    ("业务员", r"业务员|销售员|人员|员工|个人|销售代表|姓名"), ("部门", r"部门|团队|小组|分公司"),
    ("区域", r"区域|大区|地区|省"), ("产品", r"产品|商品|品类"), ("客户", r"客户"),
    ("Sales Rep", r"\breps?\b|salespe|salesm|by person|employee|member"),
    ("Team", r"\bteam|department"), ("Region", r"region|territor|countr"), ("Product", r"product|item"),
    ("Customer", r"customer|client|account"),
)  # fmt: skip
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜"
    "范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚"
)


def names_by_periods(engine: Engine, source: Source, aliases: Preset) -> Source:
    """Return the table with a row for each name, when its rows are periods and its headers names that nobody knows.

    A table of known columns by month (月份, 销售额, 成本) stays as it is. Totals are kept and found later. What the
    names are is taken from the title, or from how they look; else the column has no name, and the scope is asked for.
    """
    headers = list(source.headers)
    unknown = [each for each in headers[1:] if not aliases.knows(each)]
    if len(headers) < 3 or not 2 <= source.rows <= MOST_ROWS or len(unknown) < 2:
        return source
    if any(aliases.knows(each) and not _is_sum(each) for each in headers[1:]):
        return source
    rows = [(number, cells) for number, cells in rows_of(engine, source) if any(cells)]
    first = [cells[0] for _, cells in rows]
    periods = [each for each in first if not _is_sum(each)]
    if len(periods) < 2 or len(set(first)) < len(first) or not all(_is_period(each) for each in periods):
        return source
    if not all(value_of(cell) is not None for _, cells in rows for cell in cells[1:] if cell):
        return source
    title = " ".join([*(cell for row in rows_above(source) for cell in row), source.sheet or "", source.stem])
    table = [[headers[place], *(cells[place] for _, cells in rows)] for place in range(1, len(headers))]
    relation = f"{source.relation}_turned"
    _store(engine, relation, table)
    note = f"{len(unknown)} names across turned to rows, {len(first)} periods to columns: row 2 is column 2 of the file"
    return replace(
        source, relation=relation, headers=(_called(title, unknown), *first), rows=len(table), tidy=frozenset(),
        notes=(*source.notes, note), ragged=0, footers=0,
    )  # fmt: skip


def _is_sum(text: str) -> bool:
    span = span_of(text)
    return span is not None and span.grain in ("total", "subtotal")


def _is_period(text: str) -> bool:
    span = span_of(text)
    return is_dated(span) and span is not None and not span.rest


def _called(title: str, names: Sequence[str]) -> str:
    named = next((name for name, words in _NAMED if re.search(words, title.lower())), None)
    if named:
        return named
    if all(re.fullmatch(f"[{_SURNAMES}][一-鿿]{{1,2}}", each) for each in names):
        return "业务员"
    return ""


def _store(engine: Engine, relation: str, table: Sequence[Sequence[str]]) -> None:
    width = len(table[0])
    with tempfile.TemporaryDirectory(prefix="salesforecast-") as folder:
        path = Path(folder) / "turned.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[number, *row] for number, row in enumerate(table, start=2)])
        columns = ", ".join([f"{quote('row')}: 'BIGINT'", *(f"c{place}: 'VARCHAR'" for place in range(width))])
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT * FROM read_csv({literal(str(path))}, "
            f"columns = {{{columns}}}, header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"')"
        )
