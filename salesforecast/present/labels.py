"""Every word a reader sees, in Chinese and English side by side, read from `labels/*.toml`.

An entry is a table with both languages: `[column.yoy]  zh = "同比"  en = "YoY"`. The first part of its name is the
group, the rest is the key, so `[chart.trend.alt]` is the key `trend.alt` of the group `chart`. A column may also
say its `format` (see `words.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from salesforecast.errors import BadSettings, lookup

FOLDER = Path(__file__).with_name("labels")
LANGUAGES = ("zh", "en")
_MARK = re.compile(r"(?<!\d)[,:]|[,:](?!\d)|[;()?!]")
_FULL_WIDTH = str.maketrans(",:;()?!", "，：；（）？！")


def label(group: str, key: str, language: str) -> str:
    """Return the words of one entry in one language.

    Raises `UnknownName`, with the nearest key, when there is no such entry.

    >>> label("column", "yoy", "zh"), label("column", "yoy", "en")
    ('同比', 'YoY')
    >>> label("column", "yoyy", "zh")
    Traceback (most recent call last):
    salesforecast.errors.UnknownName: No column label named 'yoyy'. Did you mean 'yoy'?...
    """
    return str(lookup(entries(group), key, f"{group} label")[language])


def has_label(group: str, key: str) -> bool:
    """Say whether there is such an entry.

    >>> has_label("column", "yoy"), has_label("column", "no such column")
    (True, False)
    """
    return key in groups().get(group, {})


def entries(group: str) -> Mapping[str, Mapping[str, str]]:
    """Return all entries of a group by key; `UnknownName` when no file has the group.

    >>> entries("column")["yoy"]["format"]
    'change'
    """
    return lookup(groups(), group, "group of labels")


@cache
def groups() -> dict[str, dict[str, Mapping[str, str]]]:
    """Return group → key → entry over all label files, read once.

    Raises `BadSettings` naming the file when it is not TOML or when an entry lacks a language. Where two files have
    the same entry, the first by file name counts (a test keeps that from staying).
    """
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise BadSettings(f"{path.name} is not valid TOML: {error}.") from None
        for name, entry in _flatten(content):
            group, _, key = name.partition(".")
            if any(not isinstance(entry.get(each), str) or not entry[each] for each in LANGUAGES):
                raise BadSettings(f"{path.name}: [{name}] needs both `zh` and `en`; found {dict(entry)!r}.")
            found.setdefault(group, {}).setdefault(key, {**entry, "zh": full_width(entry["zh"])})
    return found


def full_width(text: str) -> str:
    """Return Chinese with Chinese punctuation, whatever keyboard it was typed on; `{fields}` and `1,234` stay.

    >>> full_width("同比 {yoy:pct},环比(近似):1,234")
    '同比 {yoy:pct}，环比（近似）：1,234'
    """
    parts = re.split(r"(\{[^}]*\})", text)
    return "".join(part if part.startswith("{") else _MARK.sub(_full, part) for part in parts)


def _full(match: re.Match[str]) -> str:
    return match[0].translate(_FULL_WIDTH)


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in content.items():
        if not isinstance(value, Mapping):
            continue
        if any(isinstance(value.get(each), str) for each in LANGUAGES):
            yield prefix + name, value
        yield from _flatten(value, f"{prefix}{name}.")
