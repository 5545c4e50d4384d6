"""Which table a file is, and which of its headers is which column, by the aliases of a preset.

A header serves one column. The better-ranked alias wins; two headers of equal rank are ambiguous. A code beats a name
for customers, products and people; when only a name is there, the name is the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from salesforecast.load.files import Source
from salesforecast.load.presets import KINDS, Preset, Tiers, normalise
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
    "feedback": (("opened_at",), ("feedback_id", "kind"), ("feedback_id", "priority", "score", "text")),
    "register": (("title",), ("opened_at",), ("owner_id", "status", "due_at")),
    "forecasts": (("made_on",), ("forecaster",), ("period_start",), ("value",)),
}  # fmt: skip
# Only the name is there: the name is the id.
NAME_AS_ID = {
    "customers": (("customer_id", "name"),),
    "products": (("product_id", "name"),),
    "people": (("person_id", "name"),),
    "deals": (("deal_id", "name"), ("customer_id", "customer.name"), ("owner_id", "owner.name")),
    "transactions": (
        ("customer_id", "customer.name"), ("product_id", "product.name"), ("person_id", "person.name"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Match:
    """How well a file fits a table; `missing` is what it lacks to be that table."""

    table: str
    columns: dict[str, str]
    ambiguous: dict[str, list[str]]
    missing: tuple[tuple[str, ...], ...]
    score: float
    sure: float
    too_few: bool = False


def match_table(
    headers: Sequence[str], table: str, aliases: Preset, given: Mapping[str, str] | None = None, hint: str = ""
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Match headers with the columns of a table; returns (column -> header, column -> headers of equal rank).

    `given` columns are settled already. A header serves one column; the better rank decides.
    """
    given = given or {}
    columns = dict(aliases.columns[table])
    if table == "transactions":
        kind = (
            given["txn_type"][1:] if given.get("txn_type", "").startswith("=") else event_kind(headers, aliases, hint)
        )
        for column in ("date", "amount"):
            columns[column] = _ranked(columns[column], column, kind, aliases)
    matched = {column: header for column, header in given.items() if header}
    taken = {normalise(header) for header in matched.values() if not header.startswith("=")}
    ambiguous: dict[str, list[str]] = {}
    for rank in range(max(len(tiers) for tiers in columns.values())):
        for column, tiers in columns.items():
            if column in matched or column in given or column in ambiguous or rank >= len(tiers):
                continue
            hits = [header for header in headers if normalise(header) in tiers[rank] and normalise(header) not in taken]
            if len(hits) == 1:
                matched[column] = hits[0]
            elif hits:
                ambiguous[column] = hits
            taken.update(normalise(header) for header in hits)
    if table == "transactions" and not {"region"} & {*matched, *given, *ambiguous}:
        # The place of the customer is the region of the line when nothing better is there.
        places = {normalise(header): header for name, header in matched.items() if name.startswith("customer.")}
        nearest = next((places[alias] for tier in columns["region"] for alias in tier if alias in places), None)
        matched.update({"region": nearest} if nearest else {})
    for column, name in NAME_AS_ID.get(table, ()):
        if column not in matched and column not in given and column not in ambiguous and name in matched:
            matched[column] = matched[name]
    return matched, ambiguous


def event_kind(headers: Sequence[str], aliases: Preset, hint: str = "") -> str:
    """Say which kind of event the lines are by the headings of dates and amounts and the name of the file.

    >>> from salesforecast.load import presets
    >>> event_kind(["回款日期", "订单编号", "回款金额"], presets.load("auto"))
    'payment'
    """
    known = {normalise(header) for header in headers}
    scores = {}
    for kind, body in aliases.kinds.items():
        dated = any(known & tier for tier in body.columns["date"])
        priced = any(known & tier for tier in body.columns["amount"])
        # The date says more than the amount: an invoice may have the amount of its order, not the order's date.
        scores[kind] = 3 * dated + 2 * priced + any(word in hint for word in body.words)
    return max(KINDS, key=lambda kind: (scores.get(kind, 0), -KINDS.index(kind)))


def _ranked(generic: Tiers, column: str, kind: str, aliases: Preset) -> Tiers:
    """Return the aliases of the kind, then the general ones, then those of the other kinds of lines with goods."""
    own = aliases.kinds[kind].columns[column] if kind in aliases.kinds else ()
    others = [] if kind == "order" else list(aliases.kinds["order"].columns[column])
    return (*own, *generic, *others)


def recognise(source: Source, aliases: Preset) -> Match | None:
    """Return the table a file looks most like; its `missing` is empty when it is one."""
    hint = source.words
    filled = [header for header in source.headers if header]
    matches = []
    for table in TABLES:
        columns, ambiguous = match_table(source.headers, table, aliases, hint=hint)
        known = {**columns, **dict.fromkeys(ambiguous, "")}
        missing = tuple(each for each in NEEDS[table] if not any(column in known for column in each))
        if table == "transactions" and "amount" not in known and "quantity" not in known and not missing:
            missing = (("amount",),)
        if table in MASTERS and (_is_about_something_else(source, table, columns) or _has_order(source, aliases)):
            missing = (*missing, (MASTERS[table],))
        used = len(set(columns.values())) + len(ambiguous)
        proof = sum(any(column in known for column in each) for each in NEEDS[table])
        named = any(word in hint for word in aliases.words.get(table, ()))
        score = used + 2 * proof + 2 * named - 6 * len(missing)
        sure = used / max(len(filled), 1)
        if used:
            matches.append(Match(table, columns, ambiguous, missing, score, min(sure, 1.0)))
    matches.sort(key=lambda each: (bool(each.missing), -each.score))
    best = matches[0] if matches else None
    if best and not best.missing and best.sure < 0.25 and len(best.columns) < 5:
        return replace(best, missing=(NEEDS[best.table][0],), too_few=True)
    return best


def _is_about_something_else(source: Source, table: str, columns: Mapping[str, str]) -> bool:
    """Say whether the id is only a name while the file has an id of its own: a supplier list is not customers."""
    key, name = MASTERS[table], columns.get("name")
    if columns.get(key) != name or name is None:
        return False
    taken = set(columns.values())
    ids = ("id", "编号", "编码", "代码", "code")
    return any(normalise(header).endswith(ids) and header not in taken for header in source.headers[:2])


def _has_order(source: Source, aliases: Preset) -> bool:
    tiers = aliases.columns["transactions"]["order_id"]
    return any(normalise(header) in tier for header in source.headers for tier in tiers)


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
    return (
        f"{source.name} is not imported: it looks like {match.table} but has no {missing}. Found: "
        f'{listed(source.headers)}. If one of them is it, write {{"{match.table}": {{"from": "{source.name}", '
        f'"{first}": "…"}}}}.'
    )


def listed(names: Iterable[str], limit: int = 25) -> str:
    """Return names for a message, the first of many.

    >>> listed(["date", "", "net"])
    'date, net'
    """
    listed = [each for each in names if each]
    return ", ".join(listed[:limit]) + (f" and {len(listed) - limit} more" if len(listed) > limit else "")
