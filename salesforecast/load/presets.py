"""Presets, one TOML file per source system: which header of which export means which canonical column.

Generic presets know languages, not systems; their format is explained at the top of `presets/generic_zh.toml`. The
preset of a system lists its exports (`presets/salesforce.toml` explains the format), which the generic ones complete.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from salesforecast.errors import lookup
from salesforecast.load.periods import span_of
from salesforecast.load.spelling import has_tax, loose, normalise, traditional, unit
from salesforecast.schema import TABLES

__all__ = ["KINDS", "Export", "Kind", "Preset", "Tiers", "load", "names", "normalise", "stage_columns", "unit"]

FOLDER = Path(__file__).with_name("presets")
GENERIC = ("generic_zh", "generic_en", "generic_other")
KINDS = ("order", "shipment", "invoice", "payment", "return", "refund")

Tiers = tuple[frozenset[str], ...]  # aliases of equal rank (their exact and loose forms), best rank first
Columns = Mapping[str, Tiers]
Codes = Mapping[str, Mapping[str, str]]  # column -> what a source writes, normalised -> code


class TaxIncluded(frozenset[str]):
    """Normalised headers of amounts that include tax; those that say so themselves need not be listed."""

    def __contains__(self, header: object) -> bool:
        return super().__contains__(header) or (isinstance(header, str) and has_tax(header))


@dataclass(frozen=True)
class Kind:
    """What headings and file names say that lines are: orders, payments, returns and so on."""

    words: tuple[str, ...]
    columns: Columns


@dataclass(frozen=True)
class Export:
    """One export of a system: it fills `table` when of each group in `proof` one header is there, of `absent` none.

    `written` are the aliases as they stand, API names first; `constants` are columns that the export itself answers
    (`record_type`: `=lead`); `ignored` headers are never matched; an export that is not `auto` is used only when
    preset or mapping ask for it.
    """

    preset: str
    title: str
    table: str
    proof: tuple[frozenset[str], ...]
    absent: frozenset[str]
    columns: Columns
    written: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    values: Codes
    ignored: frozenset[str]
    words: tuple[str, ...]
    tax_included: frozenset[str]
    auto: bool
    note: str

    @property
    def name(self) -> str:
        """What to call it: `Salesforce Opportunity`."""
        return self.title


@dataclass(frozen=True)
class Preset:
    """The aliases of a source: `columns[table][column]`, kinds of events, codes of enumerations, exports."""

    name: str
    columns: Mapping[str, Columns]
    kinds: Mapping[str, Kind]
    values: Mapping[str, Codes]
    tax_included: TaxIncluded
    words: Mapping[str, tuple[str, ...]]
    exports: tuple[Export, ...] = ()

    def codes(self, table: str, column: str) -> dict[str, str]:
        """Return what a source writes, normalised -> canonical code.

        >>> load("generic_zh").codes("deals", "status")["赢单"]
        'won'
        """
        values = next((each.values for each in TABLES[table].columns if each.name == column), ())
        own = {normalise(code): code for code in values}
        known = {**own, **self.values.get("any", {}).get(column, {}), **self.values.get(table, {}).get(column, {})}
        return {**{traditional(alias): code for alias, code in known.items()}, **known}

    def knows(self, header: str) -> bool:
        """Say whether a text is a header of any table, or of a column of a wide one: `1月`, `Q1`, `合计`."""
        known = _all_aliases(self.name)
        # One word in a loose form is too little: a title such as "Accounts 2026" is no header.
        similar = (form for form in loose(header) if " " in form or not form.startswith("~"))
        if normalise(header) in known or any(form in known for form in similar):
            return True
        span = None if header.strip().isdigit() else span_of(header)
        return span is not None and not span.rest

    def speaking(self, export: Export) -> Preset:
        """Return the preset with the codes of one of its exports before its own."""
        table = self.values.get(export.table, {})
        codes = {column: {**table.get(column, {}), **export.values.get(column, {})} for column in export.values}
        return replace(
            self,
            name=export.preset,
            values={**self.values, export.table: {**table, **codes}},
            tax_included=TaxIncluded(self.tax_included | export.tax_included),
        )


@cache
def _all_aliases(name: str) -> frozenset[str]:
    preset = load(name)
    groups = [*preset.columns.values(), *(kind.columns for kind in preset.kinds.values())]
    groups += [export.columns for export in preset.exports]
    proof = [group for export in preset.exports for group in export.proof]
    return frozenset().union(*proof, *(tier for columns in groups for tiers in columns.values() for tier in tiers))


def names() -> list[str]:
    """Return the names of the presets there are.

    >>> {"generic_en", "generic_zh", "salesforce", "zoho"} <= set(names())
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load(name: str) -> Preset:
    """Return a preset by name; `auto` is the generic ones together, rank by rank, and the exports of every system.

    A system's preset has its own exports, and the generic aliases for what they do not name. Raises `UnknownName` for
    a name that no file has.

    >>> load("generic_en").columns["transactions"]["quantity"][0] >= {"qty", "quantity"}
    True
    """
    lookup(dict.fromkeys(("auto", *names())), name, "preset")
    if name in GENERIC:
        return _completed(_generic(name))
    systems = [each for each in names() if each not in GENERIC] if name == "auto" else [name]
    both = _completed(_merged([_generic(each) for each in GENERIC]))
    return replace(both, name=name, exports=tuple(export for each in systems for export in _exports(each)))


def stage_columns(headers: Sequence[str], stages: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers that say when a deal entered a stage: header -> stage.

    Known are HubSpot's (`Date entered "Closed Won (Sales Pipeline)"`, `hs_v2_date_entered_<id>`) and the like in other
    systems and Chinese (`进入谈判时间`, `谈判_进入时间`); `stages` are names that are headers themselves, as on a
    board.

    >>> stage_columns(["Deal Name", 'Date entered "Closed won (Sales Pipeline)"', "hs_v2_date_entered_3"])
    {'Date entered "Closed won (Sales Pipeline)"': 'Closed won', 'hs_v2_date_entered_3': '3'}
    """
    named = {normalise(each): each for each in stages}
    found = {}
    for header in headers:
        match = next((each for pattern in _ENTERED if (each := pattern.fullmatch(header.strip()))), None)
        stage = match[1].strip() if match else named.get(normalise(header))
        if stage and stage.lower() not in ("current_stage", "current stage", "当前阶段", "当前"):
            found[header] = stage
    return found


_QUOTES = "\"'“”‘’「」"
_ENTERED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"hs_(?:v2_)?date_entered_(.+)",
        rf"date entered [{_QUOTES}](.+?)(?: \([^()]*\))?[{_QUOTES}](?: ?\(.*\))?",
        r"(?:date )?entered stage[:\- ]+(.+)",
        rf"(?:进入|到达)[{_QUOTES}]?(.+?)[{_QUOTES}]?(?:阶段)?(?:的)?(?:时间|日期)",
        r"(.+?)(?:阶段)?[_\-：: ]?进入(?:时间|日期)",
    )
)


def _exports(name: str) -> list[Export]:
    data = _toml(name)
    return [
        Export(
            preset=name,
            title=f"{data['title']} {key}",
            table=body["table"],
            proof=tuple(_forms(group) for group in body["proof"]),
            absent=frozenset(map(normalise, body.get("absent", ()))),
            columns={
                column: _tiers(aliases) for column, aliases in body["columns"].items() if not isinstance(aliases, str)
            },
            written={
                column: tuple(each for group in aliases for each in ([group] if isinstance(group, str) else group))
                for column, aliases in body["columns"].items()
                if not isinstance(aliases, str)
            },
            constants={column: value for column, value in body["columns"].items() if isinstance(value, str)},
            values=_codes({**data.get("values", {}).get(body["table"], {}), **body.get("values", {})}),
            ignored=_forms(body.get("ignored", ())),
            words=tuple(each.lower() for each in body.get("words", ())),
            tax_included=frozenset(normalise(each) for each in body.get("tax_included", ())),
            auto=body.get("auto", True),
            note=body.get("note", ""),
        )
        for key, body in data["exports"].items()
    ]


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _generic(name: str) -> Preset:
    data = _toml(name)
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
        values={table: _codes(body) for table, body in data.get("values", {}).items()},
        tax_included=TaxIncluded(normalise(each) for each in data.get("tax_included", {}).get("amount", ())),
        words={table: tuple(each.lower() for each in words) for table, words in data.get("words", {}).items()},
    )


def _codes(body: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, dict[str, str]]:
    return {
        column: {normalise(alias): code for code, aliases in codes.items() for alias in aliases}
        for column, codes in body.items()
    }


def _forms(aliases: Iterable[str]) -> frozenset[str]:
    """Return the exact forms of aliases, and the loose ones of those in English."""
    every = list(aliases)
    wide = (form for each in every for form in loose(each) if form.startswith("~"))
    return frozenset((*map(normalise, every), *wide))


def _tiers(aliases: list[str | list[str]]) -> Tiers:
    return tuple(_forms([group] if isinstance(group, str) else group) for group in aliases)


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
    own = _forms((name, zh)) - listed
    return (own | tiers[0], *tiers[1:]) if tiers else (own,)


def _merged(presets: list[Preset]) -> Preset:
    def both(key: str, parts: list[Columns]) -> Tiers:
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
    tax = TaxIncluded(header for each in presets for header in each.tax_included)
    words = {
        table: tuple(word for each in presets for word in each.words.get(table, ()))
        for table in keys([each.words for each in presets])
    }
    return Preset("auto", columns, kinds, values, tax, words)
