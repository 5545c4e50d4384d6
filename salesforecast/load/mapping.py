"""Which source column is which canonical column: recognised from headers, or said by a mapping.

A mapping has one entry per table; an entry is a dict, or a list of dicts when several exports feed the table::

    {"transactions": {
        "from": ["details", "orders"],   # files by name, stem or `book#sheet`; the first has the lines
        "on": "OrderID",                 # column that joins them; "OrderID=Id" when the names differ
        "date": "OrderDate",             # canonical column: source column
        "amount": "Net",
        "txn_type": "=order",            # "=…" is a constant
        "channel": "",                   # "" leaves the column out
        "date_format": "dmy",            # dmy, mdy, ymd or a strptime format, where the values leave it open
        "discount_as": "share",          # share (0.2 off), percent (20 off), paid (0.8, 8 折) or amount
    }}

Columns that an entry does not name are still recognised by their headers. Without `from` the entry holds for every
file that has the columns it names; one that names none (`{"date_format": "dmy"}`) for every file of the table. Besides
the columns of `schema.TABLES`, an entry may name `unit_price`, `discount`, `profit`, `tax_rate`, and attributes of what
a line refers to: `customer.name`, `product.category`, `person.team`, …

Recognition (`recognise.py`): the best-ranked header wins and the choice is printed; two of equal rank are refused
(`AmbiguousMapping`). Order lines without a date are joined with the one file that gives each of their orders a date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from salesforecast.engine import Engine, quote
from salesforecast.errors import AmbiguousMapping, BadInput, lookup, suggestion
from salesforecast.load import presets
from salesforecast.load.evidence import NUMBERED, Evidence
from salesforecast.load.files import Source
from salesforecast.load.joins import joined_headers
from salesforecast.load.presets import Export, Preset
from salesforecast.load.recognise import (
    MASTERS,
    NEEDS,
    SCOPED,
    SCOPES,
    Match,
    event_kind,
    export_for,
    how_found,
    listed,
    match_table,
    not_recognised,
    recognise,
)  # fmt: skip
from salesforecast.load.repair import repaired
from salesforecast.load.spelling import loose, normalise
from salesforecast.schema import TABLES

OPTIONS = ("date_format", "discount_as")
# What states.py reads; any table may name them.
STATES = (
    "row.deleted", "row.life_status", "row.done", "deal.is_won", "deal.is_lost", "deal.is_closed",
    "deal.won_at", "deal.lost_at", "deal.active",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One table to fill from one file, or from several that are joined.

    `columns`: canonical column -> header or `=constant`; `left_out`: columns that the mapping says not to look for;
    `how`: how each column was found (mapping, preset, alias, similar); `aliases`: the codes of its system.
    """

    table: str
    source: Source
    columns: Mapping[str, str]
    preset: str
    aliases: Preset = field(repr=False, compare=False)
    joined: tuple[Source, ...] = ()
    on: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    why: str = ""
    how: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The file names, the lines first."""
        return " + ".join(each.name for each in (self.source, *self.joined))

    def entry(self) -> dict[str, Any]:
        """Return the plan in the notation of `mapping=`, so that it can be repeated."""
        entry: dict[str, Any] = {"from": [each.name for each in (self.source, *self.joined)]}
        if self.on:
            pairs = {f"{left}={right}" if left != right else left for left, right in self.on}
            entry["on"] = pairs.pop() if len(pairs) == 1 else [
                f"{left}={right}" if left != right else left for left, right in self.on
            ]  # fmt: skip
        return {**entry, **self.columns, **dict.fromkeys(self.left_out, ""), **self.options}


@dataclass(frozen=True)
class Unknown:
    """A file that is no table, with what was found and what to write."""

    source: Source
    message: str


def plan(
    engine: Engine, sources: Sequence[Source], preset: str = "auto", mapping: Mapping[str, Any] | None = None
) -> tuple[list[Plan], list[Unknown]]:
    """Return what to fill from which file, and the files that are no table.

    Raises `AmbiguousMapping`, `BadInput` or `UnknownName`, each with the mapping line to write.
    """
    aliases = presets.load(preset)
    sources = [repaired(engine, each, aliases) for each in sources]
    looks = {each.name: Evidence(engine, each) for each in sources}
    plans: list[Plan] = []
    lines: set[str] = set()
    beside: set[str] = set()
    general: list[tuple[str, dict[str, Any]]] = []
    for table, entry in _entries(mapping or {}):
        if not entry.get("from") and not _named(entry):
            general.append((table, entry))
            continue
        for made in _explicit(table, entry, sources, aliases, looks):
            plans.append(made)
            lines.add(made.source.name)
            beside.update(each.name for each in made.joined)
    rest = [each for each in sources if each.name not in lines]
    found = {each.name: recognise(each, aliases, looks[each.name].filled()) for each in rest}
    for made in _joins(engine, rest, found, beside, aliases):
        plans.append(made)
        lines.add(made.source.name)
        beside.update(each.name for each in made.joined)
    unknown = []
    for source in rest:
        match = found[source.name]
        if source.name in lines or (source.name in beside and (match is None or match.table not in MASTERS)):
            continue
        if match is None or match.missing:
            unknown.append(Unknown(source, _on_request(source, aliases) or not_recognised(source, match)))
        else:
            plans.append(_plan(source, match, aliases, looks[source.name]))
    for table, entry in general:
        plans = [_with_general(each, entry) if each.table == table else each for each in plans]
    order = {table: position for position, table in enumerate(TABLES)}
    return sorted(plans, key=lambda each: order[each.table]), unknown


def find_column(headers: Sequence[str], name: str, where: str) -> int:
    """Return the position of a header: as written, else without regard to case, spaces and brackets.

    >>> find_column(["Order ID", "Net"], "order_id", "orders.csv")
    0
    """
    exact = [position for position, header in enumerate(headers) if header == name.strip()]
    near = exact or [position for position, header in enumerate(headers) if normalise(header) == normalise(name)]
    near = near or [position for position, header in enumerate(headers) if header and loose(header) & loose(name)]
    if len(near) == 1:
        return near[0]
    if near:
        raise AmbiguousMapping(f"{where} has {len(near)} columns named {name!r}. Rename all but one in the file.")
    raise BadInput(f"{where} has no column {name!r}.{suggestion(name, headers)} Found: {listed(headers)}.")


def _entries(mapping: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for table, entry in mapping.items():
        lookup(TABLES, table, "table")
        for each in [entry] if isinstance(entry, Mapping) else entry:
            _check_entry(table, each)
            yield table, dict(each)


def _check_entry(table: str, entry: Any) -> None:
    if not isinstance(entry, Mapping):
        raise BadInput(f"mapping[{table!r}] must be a dict of canonical column: source column, found {entry!r}.")
    known = {
        *TABLES[table].names,
        *(each.name for each in TABLES[table].virtual),
        *presets.load("auto").columns[table],
        *STATES,
        *OPTIONS,
        "from",
        "on",
    }
    for key, value in entry.items():
        lookup(dict.fromkeys(known), key, f"column of {table}")
        if key not in ("from", "on") and not isinstance(value, str):
            raise BadInput(
                f"mapping[{table!r}][{key!r}] must be a source column or a constant such as '=1', found {value!r}."
            )


def _named(entry: Mapping[str, Any]) -> list[str]:
    """Return the source columns that an entry names."""
    return [
        value
        for key, value in entry.items()
        if key not in (*OPTIONS, "from", "on") and value and not value.startswith("=")
    ]


def _with_general(made: Plan, entry: Mapping[str, Any]) -> Plan:
    """Apply an entry that names no file and no source column to a file recognised as its table."""
    options = {key: value for key, value in entry.items() if key in OPTIONS}
    constants = {key: value for key, value in entry.items() if key not in OPTIONS and value}
    left_out = tuple(key for key, value in entry.items() if key not in OPTIONS and not value)
    kept = {column: header for column, header in made.columns.items() if column not in left_out}
    return replace(
        made,
        columns={**kept, **constants},
        options={**made.options, **options},
        left_out=(*made.left_out, *left_out),
    )


def _explicit(
    table: str, entry: dict[str, Any], sources: Sequence[Source], aliases: Preset, looks: Mapping[str, Evidence]
) -> Iterable[Plan]:
    wanted = entry.pop("from", None)
    on = entry.pop("on", None)
    options = {key: entry.pop(key) for key in OPTIONS if key in entry}
    entry = {key: value.removesuffix(NUMBERED) for key, value in entry.items()}
    needed = _named(entry)
    if wanted is None:
        having = [
            each for each in sources if {normalise(value) for value in needed} <= set(map(normalise, each.headers))
        ]
        if not having:
            best = max(
                sources, key=lambda each: sum(normalise(value) in map(normalise, each.headers) for value in needed)
            )
            for value in needed:
                find_column(best.headers, value, best.name)
        groups = [[each] for each in having]
    else:
        groups = [[_source(name, sources) for name in ([wanted] if isinstance(wanted, str) else wanted)]]
    for group in groups:
        first, *others = group
        if others and on is None:
            raise BadInput(f'mapping[{table!r}] joins {len(group)} files: write "on" with the column they share.')
        pairs = tuple(_pair(each, first, other) for each, other in zip(_on(on, len(others)), others, strict=True))
        headers = joined_headers(first, others)
        given = {
            column: value if not value or value.startswith("=") else headers[find_column(headers, value, first.name)]
            for column, value in entry.items()
        }
        export = export_for(headers, table, aliases, first.words, asked=True)
        matched, ambiguous = match_table(headers, table, aliases, given, first.words, export)
        _refuse_ambiguous(first.name, table, ambiguous)
        matched = _scoped(table, matched, given, first.name, None if others else looks[first.name])
        missing = [each for each in NEEDS[table] if not any(column in matched for column in each)]
        if missing and not (table == "activities" and missing == [("kind", "activity_id")]):
            raise BadInput(
                f"{first.name}: the mapping of {table} gives no {' or '.join(missing[0])}. "
                f'Write {missing[0][0]} = "COLUMN". Found: {listed(headers)}.'
            )
        speaking, notes = _speaking(aliases, export), list[str]()
        if table == "transactions":
            matched, speaking, notes = looks[first.name].coded(matched, speaking, given)
        elif table in ("activities", "feedback"):
            speaking, notes = looks[first.name].of_a_kind(matched, table, speaking)
        elif table == "deals" and not others and matched["deal_id"] == matched.get("name"):
            first, matched["deal_id"], notes = looks[first.name].numbered(matched["name"])
        yield Plan(
            table, replace(first, notes=(*first.notes, *notes)),
            _with_kind(table, matched, headers, aliases, first, given),
            _preset_name(headers, aliases, export), speaking, tuple(others), pairs, options,
            tuple(column for column, value in given.items() if not value), "as the mapping says",
            how_found(headers, table, aliases, given, first.words, export),
        )  # fmt: skip


def _on(on: Any, count: int) -> list[str]:
    given = [on] if isinstance(on, str) else list(on or ())
    return given * count if len(given) == 1 else given


def _pair(on: str, first: Source, other: Source) -> tuple[str, str]:
    left, _, right = on.partition("=")
    return (
        first.headers[find_column(first.headers, left, first.name)],
        other.headers[find_column(other.headers, right or left, other.name)],
    )


def _source(name: str, sources: Sequence[Source]) -> Source:
    def called(source: Source) -> set[str]:
        sheet = source.sheet or ""
        return {source.name, source.stem, source.path.name, sheet, f"{source.stem}#{sheet}"}

    hits = [each for each in sources if name in called(each)]
    if len(hits) == 1:
        return hits[0]
    names = [each.name for each in sources]
    if hits:
        raise AmbiguousMapping(f"{name!r} names {len(hits)} of the files. Write one of: {listed(names)}.")
    raise BadInput(f"The mapping names the file {name!r}, which is not imported.{suggestion(name, names)} "
                   f"Files: {listed(names)}.")  # fmt: skip


def _plan(source: Source, match: Match, aliases: Preset, look: Evidence) -> Plan:
    _refuse_rivals(source.name, match)
    match, notes = look.priced_by_line(look.settle(look.plausible(match, aliases)), aliases)
    _refuse_ambiguous(source.name, match.table, match.ambiguous)
    columns = _scoped(match.table, match.columns, {}, source.name, look)
    speaking = _speaking(aliases, match.export)
    if match.table == "transactions":
        columns, speaking, read = look.coded(columns, speaking)
        notes += read
    elif match.table in ("activities", "feedback"):
        speaking, read = look.of_a_kind(match.columns, match.table, speaking)
        notes += read
    columns = _with_kind(match.table, columns, source.headers, aliases, source, {})
    if match.table == "deals" and columns["deal_id"] == columns.get("name"):
        source, columns["deal_id"], read = look.numbered(columns["name"])
        notes += read
    proof = [columns[column] for each in NEEDS[match.table] for column in each if column in columns]
    why = f"headers {', '.join(dict.fromkeys(proof))}; {match.sure:.0%} of the columns known"
    if match.export:
        known = [each for group in match.export.proof for each in source.headers if normalise(each) in group]
        why = f"{match.export.name}: headers {', '.join(dict.fromkeys(known))}; {match.sure:.0%} of the columns known"
        why += f"; {match.export.note.replace('FILE', source.name)}" if match.export.note else ""
    return Plan(
        match.table, replace(source, notes=(*source.notes, *notes)), columns,
        _preset_name(source.headers, aliases, match.export), speaking, why=why, how=match.how,
    )  # fmt: skip


def _speaking(aliases: Preset, export: Export | None) -> Preset:
    return aliases.speaking(export) if export else aliases


def _refuse_rivals(name: str, match: Match) -> None:
    """Refuse a file that is as much another table, or another system's export, with the line to write."""
    if not match.rivals:
        return
    if match.export:
        others = listed((match.export.name, *match.rivals))
        raise AmbiguousMapping(
            f'{name} could be {others}. Say which: preset = "{match.export.preset}", or name the columns in the '
            f'mapping: {{"{match.table}": {{"from": "{name}", …}}}}.'
        )
    tables = (match.table, *match.rivals)
    lines = " or ".join(f'{{"{each}": {{"from": "{name}"}}}}' for each in tables)
    raise AmbiguousMapping(f"{name} could be {' or '.join(tables)}. Write {lines} in the mapping.")


def _on_request(source: Source, aliases: Preset) -> str | None:
    """Say what a file that nothing recognises could be, when a preset reads such files on request."""
    export = export_for(source.headers, None, aliases, source.words, asked=True)
    if export is None:
        return None
    return (
        f"{source.name} is not imported: it looks like {export.name}. If it holds {export.table}, write "
        f'{{"{export.table}": {{"from": "{source.name}"}}}} in the mapping.'
    )


def _joins(
    engine: Engine,
    sources: Sequence[Source],
    found: Mapping[str, Match | None],
    beside: set[str],
    aliases: Preset,
) -> Iterable[Plan]:
    """Join order lines that have no date with the one file that gives each of their orders a date."""
    dated: list[tuple[Source, dict[str, str]]] = []
    undated: list[tuple[Source, dict[str, str]]] = []
    for source in sources:
        columns, _ = match_table(source.headers, "transactions", aliases, hint=source.words)
        match = found[source.name]
        other_table = match is not None and not match.missing and match.table != "transactions"
        if "order_id" not in columns or other_table or source.name in beside:
            continue
        priced = "amount" in columns or {"quantity", "unit_price"} <= set(columns)
        if "date" in columns:
            dated.append((source, columns))
        elif "date" not in columns and priced:
            undated.append((source, columns))
    # Lines without a date are rare, and counting the orders of a large file is dear.
    orders = [each for each in dated if undated and _is_unique(engine, each[0], each[1]["order_id"])]
    if len(orders) != 1:
        return
    other, other_columns = orders[0]
    for source, columns in undated:
        headers = joined_headers(source, [other])
        matched, ambiguous = match_table(headers, "transactions", aliases, hint=source.words)
        _refuse_ambiguous(source.name, "transactions", ambiguous)
        pair = (columns["order_id"], other_columns["order_id"])
        why = f"order lines without a date; {other.name} has one for each {pair[1]}"
        columns = _with_kind("transactions", matched, headers, aliases, source, {})
        yield Plan(
            "transactions", source, columns, _preset_name(headers, aliases), aliases, (other,), (pair,), why=why,
            how=how_found(headers, "transactions", aliases, hint=source.words),
        )  # fmt: skip


def _is_unique(engine: Engine, source: Source, header: str) -> bool:
    column = f"c{source.headers.index(header)}"
    counts = engine.rows(f"SELECT count({column}), count(DISTINCT {column}) FROM {quote(source.relation)}")[0]
    return counts[0] == counts[1] > 0


def _refuse_ambiguous(name: str, table: str, ambiguous: Mapping[str, Sequence[str]]) -> None:
    for column, headers in ambiguous.items():
        lines = " or ".join(f'{column} = "{header}"' for header in dict.fromkeys(headers))
        if len(set(headers)) == 1:
            raise AmbiguousMapping(
                f"{name} has {len(headers)} columns named {headers[0]!r}. Rename all but one in the file."
            )
        raise AmbiguousMapping(
            f"{name}: {listed(headers)} could all be {table}.{column}. Write {lines} in the mapping of {table}."
        )


def _scoped(
    table: str, columns: dict[str, str], given: Mapping[str, str], name: str, look: Evidence | None = None
) -> dict[str, str]:
    """Turn the one dimension column of a target into its scope: the finest, when it says what the others are."""
    dimensions = {key: header for key, header in columns.items() if key.startswith("scope.")}
    rest = {key: header for key, header in columns.items() if not key.startswith("scope.")}
    if table not in SCOPED or not dimensions or "scope_id" in columns:
        return rest
    key = min(dimensions, key=lambda each: SCOPES.index(each.removeprefix("scope.")))
    others = [header for each, header in dimensions.items() if each != key]
    if others and not (look and all(look.decides(dimensions[key], other) for other in others)):
        first, header = next(iter(dimensions.items()))
        raise AmbiguousMapping(
            f"{name}: {listed(dimensions.values())} could each be the scope of a row of {table}. Write "
            f'scope_type = "={first.removeprefix("scope.")}" and scope_id = "{header}" in the mapping of {table}.'
        )
    return {**rest, "scope_type": f"={key.removeprefix('scope.')}", "scope_id": dimensions[key]}


def _with_kind(
    table: str,
    columns: dict[str, str],
    headers: Sequence[str],
    aliases: Preset,
    source: Source,
    given: Mapping[str, str],
) -> dict[str, str]:
    if table != "transactions" or "txn_type" in columns or "txn_type" in given:
        return columns
    return {"txn_type": f"={event_kind(headers, aliases, source.words)}", **columns}


def _preset_name(headers: Sequence[str], aliases: Preset, export: Export | None = None) -> str:
    """Name the system that the headers are of, else the preset whose language they speak."""
    if export:
        return export.preset
    if aliases.name in presets.GENERIC:
        return aliases.name
    chinese = sum(any("一" <= character <= "鿿" for character in header) for header in headers)
    return "generic_zh" if chinese * 2 >= len(headers) else "generic_en"
