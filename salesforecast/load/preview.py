"""What an import would do, shown before it does it: each column with its field, examples and how sure, and first rows.

The table can be edited as text (`table`) and read back (`answers`); `recipes` keeps the answer for the next import.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from salesforecast.engine import Engine, quote
from salesforecast.errors import BadInput, lookup
from salesforecast.load.mapping import OPTIONS, Plan
from salesforecast.load.presets import load
from salesforecast.load.staging import Staged
from salesforecast.schema import TABLES

FIRST_ROWS = 3
_LOOKED_AT = 200  # rows of which examples are taken
_WORDS = {
    "zh": {
        "column": "文件中的列", "field": "字段", "examples": "示例", "sure": "把握", "unused": "未识别，原样保留",
        "mapping": "已指定", "preset": "确定", "alias": "较确定", "similar": "请核对", "": "", "constant": "固定值",
        "empty": "（空）", "first": "前几行", "is": "认作",
    },
    "en": {
        "column": "column of the file", "field": "field", "examples": "examples", "sure": "how sure", "mapping": "said",
        "preset": "sure", "alias": "likely", "similar": "please check", "": "", "constant": "constant",
        "unused": "not known, kept as it is", "empty": "(empty)", "first": "first rows", "is": "is",
    },
}  # fmt: skip
_GUIDE = {
    "zh": "# 改箭头右边的字段名；留空 = 不作为字段；= 开头是固定值。改完运行本格即保存，下次导入自动使用。",
    "en": "# Change the field right of the arrow; blank = no field; =… is a constant. Run this cell to save it for the "
    "next import.",
}


@dataclass(frozen=True)
class Line:
    """One column of a file: `field` is empty when it is not known; `how` is mapping, preset, alias or similar."""

    header: str
    field: str
    how: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """What becomes of one file: its table, why, its columns, and the first rows as they would be stored."""

    file: str
    table: str
    why: str
    lines: tuple[Line, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    headers: tuple[tuple[str, ...], ...]
    entry: Mapping[str, Any]

    def text(self, language: str = "en") -> str:
        """Return the preview as text, in Chinese or English."""
        words = _WORDS[language]
        heading = (words["column"], words["field"], words["sure"], words["examples"])
        body = [
            (line.header, _field(self.table, line.field, language) or words["unused"], words[line.how],
             " | ".join(line.examples) or words["empty"])
            for line in self.lines
        ]  # fmt: skip
        shown = [tuple(_field(self.table, name, language) for name in self.columns), *map(_cells, self.rows)]
        return "\n".join(
            [
                f"{self.file} {words['is']} {self._named(language)}  ({self._why(language)})",
                *_aligned([heading, *body]), "", f"{words['first']}:", *_aligned(shown),
            ]
        )  # fmt: skip

    def html(self, language: str = "en") -> str:
        """Return the preview as HTML; what the file holds is only ever text."""
        words = _WORDS[language]
        body = "".join(
            f"<tr><td>{escape(line.header)}</td>"
            f"<td>{escape(_field(self.table, line.field, language) or words['unused'])}</td>"
            f"<td>{words[line.how]}</td><td>{escape(' | '.join(line.examples) or words['empty'])}</td></tr>"
            for line in self.lines
        )
        heads = "".join(f"<th>{words[each]}</th>" for each in ("column", "field", "sure", "examples"))
        first = "".join(f"<th>{escape(_field(self.table, name, language))}</th>" for name in self.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row)) + "</tr>" for row in self.rows
        )
        return (
            f"<h4>{escape(self.file)} {words['is']} {escape(self._named(language))}</h4>"
            f"<p>{escape(self._why(language))}</p>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{words['first']}</p><table><thead><tr>{first}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _why(self, language: str) -> str:
        if language != "zh":
            return self.why
        text = re.sub(r"headers (.+?); (\d+)% of the columns known", r"依据列名 \1，认得 \2% 的列", self.why)
        return text.replace("as the mapping says", "按给出的映射")

    def _named(self, language: str) -> str:
        return f"{TABLES[self.table].zh} ({self.table})" if language == "zh" else self.table


def look(engine: Engine, plan: Plan, staged: Staged) -> Preview:
    """Return the preview of a plan that is staged."""
    places = {header: place for place, header in enumerate(staged.headers) if header}
    cells = ", ".join(f"c{place}" for place in places.values())
    seen = engine.rows(f"SELECT {cells} FROM {staged.raw} LIMIT {_LOOKED_AT}") if places else []
    found = {column: header for column, header in plan.columns.items() if header}
    fields: dict[str, list[str]] = {}
    for column, header in found.items():
        fields.setdefault(header, []).append(column)
    lines = []
    for position, header in enumerate(places):
        values = dict.fromkeys(str(row[position]).strip() for row in seen if row[position] is not None)
        examples = tuple(value[:40] for value in values if value)[:3]
        for column in fields.get(header, [""]):
            lines.append(Line(header, column, plan.how.get(column, "alias") if column else "", examples))
    lines += [Line(header, column, "constant", ()) for column, header in found.items() if header.startswith("=")]
    columns = tuple(name for name in staged.columns if name in found or name in ("status", "amount"))
    rows = engine.rows(f"SELECT {', '.join(map(quote, columns))} FROM {staged.good} LIMIT {FIRST_ROWS}")
    sources = (plan.source, *plan.joined)
    return Preview(
        plan.name, plan.table, plan.why, tuple(lines), columns, tuple(rows), tuple(each.headers for each in sources),
        plan.entry(),
    )  # fmt: skip


def table(previews: Sequence[Preview], language: str = "en") -> str:
    """Return the previews as one table of text that can be edited and given to `answers`."""
    parts = [_GUIDE[language]]
    for each in previews:
        parts += ["", f"[{each.file} -> {each.table}]"]
        for line in each.lines:
            if line.how == "constant":
                parts.append(f"{each.entry.get(line.field, '')} -> {line.field}")
            else:
                parts.append(
                    f"{line.header} -> {line.field}" + (f"    # {' | '.join(line.examples)}" if line.examples else "")
                )
    return "\n".join(parts)


def answers(text: str, previews: Sequence[Preview]) -> list[tuple[Preview, str, dict[str, Any]]]:
    """Return what an edited table says: the preview it is about, the table and its entry of a mapping.

    A column that lost its field is left out, so that it is not recognised again. Raises `BadInput` for a line or file
    that is not of the table, `UnknownName` for a table or field that does not exist.
    """
    found: list[tuple[Preview, str, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r"\s{2,}#.*$", "", line).strip()
        if not bare or bare.startswith("#"):
            continue
        left, arrow, right = (
            (part.strip() for part in bare.strip("[]").rpartition("->")) if "->" in bare else (bare, "", "")
        )
        if not arrow:
            raise BadInput(f"Line {number} of the table, {bare!r}, has no arrow. Write it as: column -> field.")
        if bare.startswith("["):
            preview = next((each for each in previews if each.file == left), None)
            if preview is None:
                raise BadInput(f"Line {number}: no file {left!r} in the preview. Files: {', '.join(_files(previews))}.")
            lookup(TABLES, right, "table")
            kept = {key: value for key, value in preview.entry.items() if key in ("on", *OPTIONS)}
            found.append((preview, right, kept))
        elif not found:
            raise BadInput(f"Line {number}: name the file first, such as [{_files(previews)[0]} -> transactions].")
        elif right:
            known = dict.fromkeys(
                (*TABLES[found[-1][1]].names, *load("auto").columns[found[-1][1]], *found[-1][0].entry)
            )
            lookup(known, right, f"column of {found[-1][1]}")
            found[-1][2][right] = left
    for preview, name, entry in found:
        if name == preview.table:
            lost = {line.field for line in preview.lines if line.field} - set(entry)
            entry.update(dict.fromkeys(sorted(lost), ""))
    return found


def _files(previews: Sequence[Preview]) -> list[str]:
    return [each.file for each in previews]


def _field(name: str, column: str, language: str) -> str:
    """Return how to call a column: with its Chinese name where the reader is Chinese."""
    if language != "zh" or not column:
        return column
    zh = next((each.zh for each in (*TABLES[name].columns, *TABLES[name].virtual) if each.name == column), "")
    return f"{zh} {column}" if zh else column


def _cells(row: Sequence[Any]) -> tuple[str, ...]:
    """Return cells as text: decimals without the zeros at their end."""
    plain = (f"{cell:f}".rstrip("0").rstrip(".") if isinstance(cell, Decimal) else cell for cell in row)
    return tuple("" if cell is None else str(cell)[:40] for cell in plain)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text in columns; Chinese characters are two wide."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
