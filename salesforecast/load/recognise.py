"""Which table a file is, and which of its headers is which column, by the aliases of a preset.

The exports of known systems come first: they are recognised by headers that prove them. Then the general aliases. A
header serves one column. The better-ranked alias wins; two headers of equal rank are ambiguous. Loose forms (words in
another order, short forms) count only where no header is an alias as it stands. A code beats a name for customers,
products and people; when only a name is there, the name is the id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from salesforecast.load.files import Source
from salesforecast.load.presets import KINDS, Columns, Export, Preset, Tiers
from salesforecast.load.spelling import loose, normalise, within
from salesforecast.schema import TABLES

MASTERS = {"customers": "customer_id", "products": "product_id", "people": "person_id"}
# prefix of an attribute -> (column of the line that holds the id, table the attribute belongs to)
ATTRIBUTES = {
    "customer": ("customer_id", "customers"),
    "product": ("product_id", "products"),
    "person": ("person_id", "people"),
    "owner": ("owner_id", "people"),
}
SCOPED = ("targets", "measurements", "forecasts")
# The finest dimension is what a target is of; the others describe it.
SCOPES = ("person", "customer", "product", "category", "team", "channel", "region", "competitor")
# Headers of these columns prove a table: they weigh more, and without all of `needs` it is not that table.
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "transactions": (("date",), ("amount", "unit_price")),
    "customers": (("customer_id",), ("region", "industry", "level", "city", "province", "country", "owner_id",
                                     "created_at", "kind", "lead_source", "size_band", "name", "purchase_stage")),
    "people": (("person_id",), ("team", "department", "role", "region", "hire_date", "manager_id", "grade")),
    "products": (("product_id",), ("category", "list_price", "unit_cost", "brand", "product_line", "launch_date")),
    "deals": (("deal_id",), ("stage",)),
    "deal_events": (("deal_id",), ("at",), ("new_value",)),
    "activities": (("at",), ("person_id",), ("kind", "activity_id")),
    "targets": (("value",), ("period_start",)),
    "measurements": (("measure",), ("value",), ("period_start",)),
    "feedback": (("opened_at",), ("feedback_id", "kind", "text", "score"),
                 ("feedback_id", "priority", "score", "text")),
    "register": (("title",), ("opened_at",), ("owner_id", "status", "due_at")),
    "forecasts": (("made_on",), ("forecaster",), ("period_start",), ("value",)),
}  # fmt: skip
# Only the name is there: the name is the id. Only a status is there: it is the stage.
NAME_AS_ID = {
    "customers": (("customer_id", "name"),),
    "products": (("product_id", "name"),),
    "people": (("person_id", "name"),),
    "deals": (
        ("deal_id", "name"), ("customer_id", "customer.name"), ("owner_id", "owner.name"), ("stage", "status"),
    ),
    "transactions": (
        ("customer_id", "customer.name"), ("product_id", "product.name"), ("person_id", "person.name"),
    ),
}  # fmt: skip
# How a column was found, from the surest on.
SAID, SYSTEM, ALIAS, LOOSE = "mapping", "preset", "alias", "similar"
WITHIN = "within"  # similar but for the name of the table
_CODED = re.compile(r"(id|no|number|code|key|编号|编码|工号|代码|号)$")


@dataclass(frozen=True)
class Match:
    """How well a file fits a table; `missing` is what it lacks to be that table.

    `export` is the system's export it was recognised as; `how` says how each column was found; `rivals` are other
    tables or exports that fit as well.
    """

    table: str
    columns: dict[str, str]
    ambiguous: dict[str, list[str]]
    missing: tuple[tuple[str, ...], ...]
    score: float
    sure: float
    too_few: bool = False
    export: Export | None = None
    how: Mapping[str, str] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()


def match_table(
    headers: Sequence[str],
    table: str,
    aliases: Preset,
    given: Mapping[str, str] | None = None,
    hint: str = "",
    export: Export | None = None,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Match headers with the columns of a table; returns (column -> header, column -> headers of equal rank).

    `given` columns are settled already; the aliases of `export` come before the general ones. A header serves one
    column; the better rank decides.
    """
    found = _matched(headers, table, aliases, given or {}, hint, export)
    return found.columns, found.ambiguous


def how_found(
    headers: Sequence[str],
    table: str,
    aliases: Preset,
    given: Mapping[str, str] | None = None,
    hint: str = "",
    export: Export | None = None,
) -> dict[str, str]:
    """Return how each column of `match_table` was found: by mapping, preset, alias or a similar header."""
    return _matched(headers, table, aliases, given or {}, hint, export).how


class _Matcher:
    """Headers that are still free, and the columns found so far."""

    def __init__(self, headers: Sequence[str], table: str, given: Mapping[str, str], ignored: frozenset[str]) -> None:
        self.headers = [header for header in headers if header and normalise(header) not in ignored]
        self.table, self.given = table, given
        self.needed = {column for group in NEEDS[table] for column in group}
        self.columns = {column: header for column, header in given.items() if header}
        self.how = dict.fromkeys(self.columns, SAID)
        self.ambiguous: dict[str, list[str]] = {}
        self.written: Mapping[str, tuple[str, ...]] = {}
        self.taken = {normalise(header) for header in self.columns.values() if not header.startswith("=")}

    def match(self, columns: Columns, how: str) -> None:
        """Give free headers to open columns, rank by rank."""
        for rank in range(max(map(len, columns.values()), default=0)):
            for column, tiers in columns.items():
                if rank < len(tiers) and not {column} & {*self.columns, *self.given, *self.ambiguous}:
                    self._settle(column, tiers[rank], how)

    def _settle(self, column: str, tier: frozenset[str], how: str) -> None:
        free = [header for header in self.headers if normalise(header) not in self.taken]
        if how in (LOOSE, WITHIN):
            forms = (lambda header: within(header, self.table)) if how == WITHIN else loose
            hits = [header for header in free if not tier.isdisjoint(forms(header))]
            if len(hits) > 1 and column not in self.needed:
                return
        else:
            hits = [header for header in free if normalise(header) in tier]
        if len(hits) > 1 and column.endswith("_id"):
            # A code beats a name.
            hits = [header for header in hits if _CODED.search(normalise(header))][:2] or hits
        if len(hits) > 1 and how == SYSTEM:
            # `Deal_Name` and `Deal Name` differ in spelling only: the API name comes first.
            hits = [each for each in self.written.get(column, ()) if each in hits][:1] or hits
        if len(hits) == 1:
            self.columns[column], self.how[column] = hits[0], LOOSE if how == WITHIN else how
        elif hits:
            self.ambiguous[column] = hits
        self.taken.update(normalise(header) for header in hits)

    def also(self, column: str, source: str) -> None:
        """Let an open column share the header of another."""
        if source in self.columns and not {column} & {*self.columns, *self.given, *self.ambiguous}:
            self.columns[column], self.how[column] = self.columns[source], self.how[source]


def _matched(
    headers: Sequence[str], table: str, aliases: Preset, given: Mapping[str, str], hint: str, export: Export | None
) -> _Matcher:
    found = _Matcher(headers, table, given, export.ignored if export else frozenset())
    constants = {column: value for column, value in (export.constants if export else {}).items() if column not in given}
    found.columns.update(constants)
    found.how.update(dict.fromkeys(constants, SYSTEM))
    columns = dict(aliases.columns[table])
    if table == "transactions":
        said = {**constants, **given}.get("txn_type", "")
        kind = said[1:] if said.startswith("=") else event_kind(headers, aliases, hint)
        for column in ("date", "amount"):
            columns[column] = _ranked(columns[column], column, kind, aliases)
    if export:
        found.written = export.written
        found.match(export.columns, SYSTEM)
    found.match(columns, ALIAS)
    if export:
        found.match(export.columns, LOOSE)
    found.match(columns, LOOSE)
    found.match(columns, WITHIN)
    if table == "transactions" and not {"region"} & {*found.columns, *given, *found.ambiguous}:
        # The place of the customer is the region of the line when nothing better is there.
        places = {normalise(found.columns[name]): name for name in found.columns if name.startswith("customer.")}
        nearest = next((places[alias] for tier in columns["region"] for alias in tier if alias in places), None)
        if nearest:
            found.also("region", nearest)
    if table == "transactions":
        found.also("category", "product.product_line")
        if not {"amount", "quantity"} & {*found.columns, *found.ambiguous} and _is_bare_price(found.columns):
            found.also("amount", "unit_price")  # one row is one piece
    for column, name in NAME_AS_ID.get(table, ()):
        found.also(column, name)
    return found


def _is_bare_price(columns: Mapping[str, str]) -> bool:
    return normalise(columns.get("unit_price", "")) in ("price", "itemprice", "saleprice", "价格", "售价", "成交价")


def event_kind(headers: Sequence[str], aliases: Preset, hint: str = "") -> str:
    """Say which kind of event the lines are by the headings of dates and amounts and the name of the file.

    >>> from salesforecast.load import presets
    >>> event_kind(["回款日期", "订单编号", "回款金额"], presets.load("auto"))
    'payment'
    """
    known = {normalise(header) for header in headers}
    similar = known.union(*(loose(header) for header in headers if header))
    dated = {kind: _share(body.columns["date"], known, similar) for kind, body in aliases.kinds.items()}
    general = aliases.columns["transactions"]["amount"]
    scores = {}
    for kind, body in aliases.kinds.items():
        priced, named = _share(body.columns["amount"], known, similar), any(word in hint for word in body.words)
        if kind in ("return", "refund") and not dated[kind] and not named and _share(general, known, similar):
            priced = 0  # orders, with a column of what was given back
        # The date says more than the amount: an invoice may have the amount of its order, not the order's date. Where
        # no date says it, a name does: every file of sales is called one of sales, few are called deliveries.
        scores[kind] = 3 * dated[kind] + 2 * priced + named * (1 if any(dated.values()) or kind == "order" else 3)
    return max(KINDS, key=lambda kind: (scores.get(kind, 0), -KINDS.index(kind)))


def _share(tiers: Tiers, known: set[str], similar: set[str]) -> float:
    """Return 1 for an alias as it stands, a little less for a similar header, else 0."""
    if any(known & tier for tier in tiers):
        return 1
    return 0.9 if any(similar & tier for tier in tiers) else 0


def _ranked(generic: Tiers, column: str, kind: str, aliases: Preset) -> Tiers:
    """Return the aliases of the kind, then the general ones, then those of orders; net amounts before general ones."""
    own = aliases.kinds[kind].columns[column] if kind in aliases.kinds else ()
    others = () if kind == "order" else aliases.kinds["order"].columns[column]
    net = others[:1] if column == "amount" and kind in ("shipment", "invoice", "return") else ()
    return (*own, *net, *generic, *others[len(net) :])


def recognise(source: Source, aliases: Preset, filled: Sequence[str] = ()) -> Match | None:
    """Return the table a file looks most like; its `missing` is empty when it is one.

    `filled` are the headers with empty text for columns without a value: another column may be what they are called.
    """
    match = recognise_headers(source.headers, aliases, source.words)
    if not filled or match is None or not set(match.columns.values()) - {"", *filled} & set(source.headers):
        return match
    other = recognise_headers(filled, aliases, source.words)
    same = other and not other.missing and (other.table, other.export) == (match.table, match.export)
    return other if same else match


def recognise_headers(headers: Sequence[str], aliases: Preset, hint: str = "") -> Match | None:
    """Return the table that headers look most like; `hint` are the words of the names of file and sheet."""
    exports = sorted(_as_exports(headers, aliases, hint), key=lambda each: -each.score)
    if exports:
        best = exports[0]
        same = [each for each in exports[1:] if each.score == best.score and each.columns != best.columns]
        return replace(best, rivals=tuple(each.export.name for each in same if each.export))
    matches = [match for table in TABLES if (match := _as_table(headers, table, aliases, hint))]
    matches.sort(key=lambda each: (bool(each.missing), -each.score))
    best_table = matches[0] if matches else None
    if best_table and not best_table.missing and best_table.sure < 0.25 and len(best_table.columns) < 5:
        return replace(best_table, missing=(NEEDS[best_table.table][0],), too_few=True)
    if best_table and not best_table.missing and best_table.table in MASTERS:
        same = [each for each in matches[1:] if not each.missing and each.score == best_table.score]
        return replace(best_table, rivals=tuple(each.table for each in same))
    return best_table


def export_for(
    headers: Sequence[str], table: str | None, aliases: Preset, hint: str = "", *, asked: bool = False
) -> Export | None:
    """Return the export of a system that fits best, of one table if given; `asked` includes those that are not auto."""
    found = list(_as_exports(headers, aliases, hint, table, asked=asked))
    return max(found, key=lambda each: each.score).export if found else None


def _as_exports(
    headers: Sequence[str], aliases: Preset, hint: str, table: str | None = None, *, asked: bool = False
) -> Iterable[Match]:
    known = {normalise(header) for header in headers if header}
    # Someone who names a system has chosen among its exports; elsewhere only the certain ones compete.
    asked = asked or aliases.name != "auto"
    for export in aliases.exports:
        if table not in (None, export.table) or not (export.auto or asked):
            continue
        if known & export.absent or not all(known & group for group in export.proof):
            continue
        found = _matched(headers, export.table, aliases, {}, hint, export)
        missing = _missing(export.table, found)
        own = frozenset().union(*export.proof, *(tier for tiers in export.columns.values() for tier in tiers))
        score = len(known & own) + len(export.proof) + 2 * any(word in hint for word in export.words)
        if not missing:
            yield Match(
                export.table, found.columns, found.ambiguous, (), score, _sure(headers, found, export.ignored),
                export=export, how=found.how,
            )  # fmt: skip


def _as_table(headers: Sequence[str], table: str, aliases: Preset, hint: str) -> Match | None:
    found = _matched(headers, table, aliases, {}, hint, None)
    if not found.columns and not found.ambiguous:
        return None
    missing = _missing(table, found)
    if table in MASTERS and (_is_about_something_else(headers, table, found.columns) or _has_order(headers, aliases)):
        missing = (*missing, (MASTERS[table],))
    known = {*found.columns, *found.ambiguous}
    used = len(set(found.columns.values())) + len(found.ambiguous)
    proof = sum(any(column in known for column in each) for each in NEEDS[table])
    named = any(word in hint for word in aliases.words.get(table, ()))
    score = used + 2 * proof + 2 * named - 6 * len(missing)
    return Match(table, found.columns, found.ambiguous, missing, score, _sure(headers, found), how=found.how)


def _missing(table: str, found: _Matcher) -> tuple[tuple[str, ...], ...]:
    known = {*found.columns, *found.ambiguous}
    missing = tuple(each for each in NEEDS[table] if not any(column in known for column in each))
    if table == "transactions" and "amount" not in known and "quantity" not in known and not missing:
        return (("amount",),)
    return missing


def _sure(headers: Sequence[str], found: _Matcher, ignored: frozenset[str] = frozenset()) -> float:
    """Return the share of the headers that are understood."""
    filled = [header for header in headers if header]
    used = {header for header in found.columns.values() if not header.startswith("=")}
    passed = sum(normalise(header) in ignored for header in filled)
    return min((len(used) + len(found.ambiguous) + passed) / max(len(filled), 1), 1.0)


def _is_about_something_else(headers: Sequence[str], table: str, columns: Mapping[str, str]) -> bool:
    """Say whether the id is only a name while the file has an id of its own: a supplier list is not customers."""
    key, name = MASTERS[table], columns.get("name")
    if columns.get(key) != name or name is None:
        return False
    taken = set(columns.values())
    ids = ("id", "编号", "编码", "代码", "code")
    return any(normalise(header).endswith(ids) and header not in taken for header in headers[:2])


def _has_order(headers: Sequence[str], aliases: Preset) -> bool:
    """Say whether rows have the number of an order or the day of an order, invoice or payment: they are no masters."""
    numbers = aliases.columns["transactions"]["order_id"]
    days = [tier for kind in aliases.kinds.values() for tier in kind.columns["date"]]
    exact = any(normalise(header) in tier for header in headers if header for tier in (*numbers, *days))
    similar = {form for header in headers if header for form in loose(header) if " " in form}
    return exact or any(not similar.isdisjoint(tier) for tier in numbers)


def not_recognised(source: Source, match: Match | None) -> str:
    """Say why a file is not imported, what it has, and what to write."""
    if match is None or (match.score < 0 and match.sure < 0.5):
        return (
            f"{source.name} is not imported: no table has these headers: {listed(source.headers)}. "
            f'Name them in a mapping: {{"transactions": {{"from": "{source.name}", "date": "…", "amount": "…"}}}}.'
        )
    if match.too_few:
        first = NEEDS[match.table][0][0]
        return (
            f"{source.name} is not imported: only {match.sure:.0%} of its columns are known. If it is {match.table}, "
            f'write {{"{match.table}": {{"from": "{source.name}", "{first}": "{match.columns.get(first, "…")}"}}}}.'
        )
    missing = " and no ".join(" or ".join(each) for each in match.missing)
    first = match.missing[0][0]
    # Leads often have no stage: one constant for all of them will do.
    value = "=lead" if first == "stage" else "…"
    return (
        f"{source.name} is not imported: it looks like {match.table} but has no {missing}. Found: "
        f'{listed(source.headers)}. If one of them is it, write {{"{match.table}": {{"from": "{source.name}", '
        f'"{first}": "{value}"}}}}.'
    )


def listed(names: Iterable[str], limit: int = 25) -> str:
    """Return names for a message, the first of many.

    >>> listed(["date", "", "net"])
    'date, net'
    """
    listed = [each for each in names if each]
    return ", ".join(listed[:limit]) + (f" and {len(listed) - limit} more" if len(listed) > limit else "")
