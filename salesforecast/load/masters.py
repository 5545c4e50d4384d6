"""Customers, products and people that order lines mention: rows derived from them, and names resolved to ids.

A derived row has `source = 'derived'`; a row of a real master file always takes its place, never the other way round.
"""

from __future__ import annotations

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.recognise import ATTRIBUTES, MASTERS
from salesforecast.load.staging import SEPARATOR, Staged, attribute_targets
from salesforecast.schema import TABLES

DERIVED = "derived"
KEYS = MASTERS
_SCOPES = {"person": "people", "customer": "customers", "product": "products"}


def derive(store: Engine, staged: Staged, import_id: int) -> int:
    """Fill customers, products and people from lines that carry their names; returns the number of rows.

    The name is the first one given; another attribute is kept where all lines of the id agree on it.
    """
    total = 0
    for prefix, attributes in attribute_targets(staged.attributes).items():
        column, table = ATTRIBUTES[prefix]
        if "name" not in attributes or column not in staged.columns:
            continue
        if table == "products" and "category" in staged.columns:
            attributes = {"category": "category", **attributes}
        total += _derive(store, staged, table, column, attributes, import_id)
    return total


def _derive(store: Engine, staged: Staged, table: str, column: str, attributes: dict[str, str], import_id: int) -> int:
    key = MASTERS[table]
    taken = [
        f"first({quote(name)} ORDER BY {quote('row')}) FILTER ({quote(name)} IS NOT NULL)"
        if target == "name"
        else f"CASE WHEN count(DISTINCT {quote(name)}) = 1 THEN min({quote(name)}) END"
        for target, name in attributes.items()
    ]
    defaults = {
        each.name: each.default for each in TABLES[table].columns if each.default and each.name not in attributes
    }
    parts = ["coalesce(CAST(id AS VARCHAR), '')", *("''" for _ in TABLES[table].key[1:])]
    row_key = f"concat_ws({literal(SEPARATOR)}, {', '.join(parts)})"
    names = [quote(each) for each in (*attributes, *defaults)]
    values = [*(quote(f"a.{each}") for each in attributes), *(literal(each) for each in defaults.values())]
    grouped = ", ".join(f"{sql} AS {quote(f'a.{target}')}" for sql, target in zip(taken, attributes, strict=True))
    lines = (
        f"SELECT {quote(column)} AS id, {grouped} FROM {staged.relation} "
        f"WHERE problem IS NULL AND NOT total AND {quote(column)} IS NOT NULL GROUP BY 1"
    )
    real = f"SELECT {key} FROM store.{table} WHERE source <> '{DERIVED}'"
    fresh = f"({lines}) WHERE id NOT IN ({real})"
    store.execute(f"DELETE FROM store.{table} WHERE source = '{DERIVED}' AND {key} IN (SELECT id FROM {fresh})")
    count = store.rows(f"SELECT count(*) FROM {fresh}")[0][0]
    store.execute(
        f"INSERT INTO store.{table} ({', '.join([quote(key), *names])}, source, source_file, import_id, row_key) "
        f"SELECT id, {', '.join(values)}, '{DERIVED}', {literal(staged.plan.source.name)}, {import_id}, {row_key} "
        f"FROM {fresh} ORDER BY id"
    )
    return int(count)


def resolve_names(store: Engine) -> list[str]:
    """Replace names that stand where an id belongs, when exactly one customer, product or person has the name.

    Returns what was replaced, for the report.
    """
    notes = []
    for master, key in MASTERS.items():
        names = (
            f"SELECT name, min({key}) AS id FROM store.{master} WHERE name IS NOT NULL AND name <> {key} "
            f"GROUP BY name HAVING count(DISTINCT {key}) = 1"
        )
        if not store.rows(f"SELECT 1 FROM ({names}) LIMIT 1"):
            continue
        for table, column, where in _references(master):
            unresolved = (
                f"{where} AND {quote(column)} NOT IN (SELECT {key} FROM store.{master} WHERE source <> '{DERIVED}')"
            )
            count = store.rows(
                f"SELECT count(*) FROM store.{table} AS t JOIN ({names}) AS n ON t.{quote(column)} = n.name "
                f"WHERE {unresolved}"
            )[0][0]
            if not count:
                continue
            store.execute(
                f"UPDATE store.{table} AS t SET {quote(column)} = n.id FROM ({names}) AS n "
                f"WHERE t.{quote(column)} = n.name AND {unresolved}"
            )
            notes.append(f"{table}.{column}: {count:,} names replaced by the ids that {master} gives them")
        store.execute(
            f"DELETE FROM store.{master} WHERE source = '{DERIVED}' AND {key} = name "
            f"AND name IN (SELECT name FROM ({names}))"
        )
    return notes


def _references(master: str) -> list[tuple[str, str, str]]:
    """Return (table, column, condition) of everything that holds an id of a master table."""
    found = [
        (table.name, column.name, "true")
        for table in TABLES.values()
        for column in table.columns
        if column.references == master
    ]
    for scope, target in _SCOPES.items():
        if target == master:
            found += [
                (table, "scope_id", f"scope_type = '{scope}'") for table in ("targets", "measurements", "forecasts")
            ]
    return found
