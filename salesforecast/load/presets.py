"""Alias dictionaries, one TOML file per source system: which header means which canonical column.

A preset is data. Its format is explained at the top of `presets/generic_zh.toml`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from salesforecast.errors import lookup
from salesforecast.schema import TABLES

FOLDER = Path(__file__).with_name("presets")
GENERIC = ("generic_zh", "generic_en")
KINDS = ("order", "shipment", "invoice", "payment", "return", "refund")

Tiers = tuple[frozenset[str], ...]  # aliases of equal rank, best rank first

_BRACKETS = re.compile(r"[(\[【〔<《{]([^)\]】〕>》}]*)[)\]】〕>》}]")


@dataclass(frozen=True)
class Kind:
    """What headings and file names say that lines are: orders, payments, returns and so on."""

    words: tuple[str, ...]
    columns: Mapping[str, Tiers]


@dataclass(frozen=True)
class Preset:
    """The aliases of one source system: `columns[table][column]`, event kinds, and codes of enumerations."""

    name: str
    columns: Mapping[str, Mapping[str, Tiers]]
    kinds: Mapping[str, Kind]
    values: Mapping[str, Mapping[str, Mapping[str, str]]]
    tax_included: frozenset[str]
    words: Mapping[str, tuple[str, ...]]

    def codes(self, table: str, column: str) -> dict[str, str]:
        """Return what a source writes, normalised -> canonical code.

        >>> load("generic_zh").codes("deals", "status")["赢单"]
        'won'
        """
        values = next((each.values for each in TABLES[table].columns if each.name == column), ())
        own = {normalise(code): code for code in values}
        return {**own, **self.values.get("any", {}).get(column, {}), **self.values.get(table, {}).get(column, {})}

    def knows(self, header: str) -> bool:
        """Say whether a text is a header of any table."""
        return normalise(header) in _all_aliases(self.name)


@cache
def _all_aliases(name: str) -> frozenset[str]:
    preset = load(name)
    groups = [*preset.columns.values(), *(kind.columns for kind in preset.kinds.values())]
    return frozenset().union(*(tier for columns in groups for tiers in columns.values() for tier in tiers))


def names() -> list[str]:
    """Return the names of the presets there are.

    >>> names()
    ['generic_en', 'generic_zh']
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load(name: str) -> Preset:
    """Return a preset by name; `auto` is both generic ones together, rank by rank.

    Raises `UnknownName` for a name that no file has.

    >>> load("generic_en").columns["transactions"]["quantity"][0] >= {"qty", "quantity"}
    True
    """
    lookup(dict.fromkeys(("auto", *names())), name, "preset")
    if name == "auto":
        return _completed(_merged([_parse(each) for each in GENERIC]))
    return _completed(_parse(name))


@lru_cache(maxsize=4096)
def normalise(header: str) -> str:
    """Return a header or code without what does not matter: case, spaces, `*`, `_`, brackets, full-width forms.

    >>> [normalise(each) for each in ("Order_Date", "OrderDate", "＊订单 ID", "金额（万元）", "省/自治区")]
    ['orderdate', 'orderdate', '订单id', '金额', '省自治区']
    """
    text = unicodedata.normalize("NFKC", header).strip()
    outside = _BRACKETS.sub("", text)
    kept = re.sub(r"[^\w%]|_", "", (outside or text).lower())
    return kept or text.lower()


def unit(header: str) -> str | None:
    """Return what a header has in brackets, such as its unit.

    >>> unit("金额（万元）"), unit("金额")
    ('万元', None)
    """
    found = _BRACKETS.findall(unicodedata.normalize("NFKC", header))
    return found[-1].strip() if found and found[-1].strip() else None


def _parse(name: str) -> Preset:
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Preset(
        name=data["name"],
        columns={
            table: {column: _tiers(aliases) for column, aliases in data.get(table, {}).items()} for table in TABLES
        },
        kinds={
            kind: Kind(
                tuple(each.lower() for each in body.get("words", ())),
                {key: _tiers(body[key]) for key in ("date", "amount") if key in body},
            )
            for kind, body in data.get("kinds", {}).items()
        },
        values={
            table: {
                column: {normalise(alias): code for code, aliases in codes.items() for alias in aliases}
                for column, codes in body.items()
            }
            for table, body in data.get("values", {}).items()
        },
        tax_included=frozenset(normalise(each) for each in data.get("tax_included", {}).get("amount", ())),
        words={table: tuple(each.lower() for each in words) for table, words in data.get("words", {}).items()},
    )


def _tiers(aliases: list[str | list[str]]) -> Tiers:
    return tuple(
        frozenset(normalise(each) for each in ([group] if isinstance(group, str) else group)) for group in aliases
    )


def _completed(preset: Preset) -> Preset:
    """Add every column's canonical and Chinese names to its aliases."""
    columns = {name: dict(given) for name, given in preset.columns.items()}
    for table in TABLES.values():
        given = columns[table.name]
        for column in (*table.columns, *table.virtual):
            given[column.name] = _with_own_names(given.get(column.name, ()), column.name, column.zh)
    return replace(preset, columns=columns)


def _with_own_names(tiers: Tiers, name: str, zh: str) -> Tiers:
    """Add a column's canonical and Chinese names to its first rank unless the preset ranks them itself."""
    listed = frozenset().union(*tiers) if tiers else frozenset()
    own = frozenset({normalise(name), normalise(zh)}) - listed
    return (own | tiers[0], *tiers[1:]) if tiers else (own,)


def _merged(presets: list[Preset]) -> Preset:
    def both(key: str, parts: list[Mapping[str, Tiers]]) -> Tiers:
        stacks = [part.get(key, ()) for part in parts]
        ranks = [
            frozenset().union(*(stack[rank] for stack in stacks if rank < len(stack)))
            for rank in range(max(map(len, stacks)))
        ]
        # An alias that one dictionary ranks lower keeps its better rank only.
        return tuple(tier - frozenset().union(*ranks[:rank]) for rank, tier in enumerate(ranks))

    def keys(parts: list[Mapping[str, Any]]) -> list[str]:
        return list(dict.fromkeys(key for part in parts for key in part))

    columns = {
        table: {
            column: both(column, [each.columns[table] for each in presets])
            for column in keys([each.columns[table] for each in presets])
        }
        for table in TABLES
    }
    kinds = {}
    for kind in KINDS:
        parts = [each.kinds[kind] for each in presets if kind in each.kinds]
        kinds[kind] = Kind(
            tuple(word for part in parts for word in part.words),
            {key: both(key, [part.columns for part in parts]) for key in ("date", "amount")},
        )
    values: dict[str, dict[str, dict[str, str]]] = {}
    for preset in presets:
        for table, body in preset.values.items():
            for column, codes in body.items():
                values.setdefault(table, {}).setdefault(column, {}).update(codes)
    tax = frozenset().union(*(each.tax_included for each in presets))
    words = {
        table: tuple(word for each in presets for word in each.words.get(table, ()))
        for table in keys([each.words for each in presets])
    }
    return Preset("auto", columns, kinds, values, tax, words)
