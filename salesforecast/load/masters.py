"""Customers, products and people that order lines mention: rows derived from them, and names resolved to ids.

A derived row has `source = 'derived'`; a row of a real master file always takes its place, never the other way round.
"""

from __future__ import annotations

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.ledger import DERIVED, Keeper
from salesforecast.load.lines import stored_key
from salesforecast.load.recognise import ATTRIBUTES, MASTERS
from salesforecast.load.staging import SEPARATOR, Staged, attribute_targets
from salesforecast.schema import TABLES

KEYS = MASTERS
_SCOPES = {"person": "people", "customer": "customers", "product": "products"}


def derive(store: Engine, keeper: Keeper, staged: Staged, import_id: int) -> int:
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
        total += _derive(store, keeper, staged, table, column, attributes, import_id)
    return total


def _derive(
    store: Engine,
    keeper: Keeper,
    staged: Staged,
    table: str,
    column: str,
    attributes: dict[str, str],
    import_id: int,
) -> int:
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
    lines = f"SELECT {quote(column)} AS id, {grouped} FROM {staged.good} AND {quote(column)} IS NOT NULL GROUP BY 1"
    found = f"mentioned_{table}"
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {found} AS SELECT l.*, r.id IS NOT NULL AS known, r.kept_by "
        f"FROM ({lines}) AS l LEFT JOIN (SELECT {key} AS id, max(import_id) AS kept_by FROM store.{table} "
        f"WHERE source <> '{DERIVED}' GROUP BY 1) AS r USING (id)"
    )
    columns = [f"id AS {quote(key)}", *(f"{value} AS {name}" for name, value in zip(names, values, strict=True))]
    rows = (
        f"SELECT {{}}{', '.join(columns)}, '{DERIVED}' AS source, {literal(staged.plan.source.name)} AS source_file, "
        f"{import_id} AS import_id, {row_key} AS row_key FROM {found}"
    )
    keeper.keep(table, f"source = '{DERIVED}' AND {key} IN (SELECT id FROM {found} WHERE NOT known)", import_id)
    store.execute(f"INSERT INTO store.{table} BY NAME {rows.format('')} WHERE NOT known ORDER BY id")
    # What a real row stands for would be there without it: it comes back when the import of that row is taken back.
    keeper.put(table, f"{rows.format('kept_by, ')} WHERE kept_by IS NOT NULL")
    return int(store.rows(f"SELECT count(*) FROM {found} WHERE NOT known")[0][0])


def resolve_names(store: Engine, keeper: Keeper, first: int, last: int) -> list[str]:
    """Replace names that stand where an id belongs, when exactly one customer, product or person has the name.

    `first` and `last` are the imports of this call. Names in rows of earlier imports are written down, so that they
    come back when the import that gives the ids is taken back; rows of this call are built on the imports whose names
    they were looked up in. Returns what was replaced, for the report.
    """
    notes = []
    for master, key in MASTERS.items():
        names = (
            f"SELECT name, min({key}) AS id, max(coalesce(import_id, 0)) AS import_id FROM store.{master} "
            f"WHERE name IS NOT NULL AND name <> {key} GROUP BY name HAVING count(DISTINCT {key}) = 1"
        )
        if not store.rows(f"SELECT 1 FROM ({names}) LIMIT 1"):
            continue
        by = f"CASE WHEN n.import_id >= {first} THEN n.import_id ELSE {last} END"
        for table, column, where in _references(master):
            real = f"SELECT {key} FROM store.{master} WHERE source <> '{DERIVED}'"
            match = (
                f"FROM store.{table} AS t JOIN ({names}) AS n ON t.{quote(column)} = n.name "
                f"WHERE {where} AND t.{quote(column)} NOT IN ({real})"
            )
            count = store.rows(f"SELECT count(*) {match}")[0][0]
            if not count:
                continue
            row_key = stored_key(table, "t")
            # The owner is part of the key of a line: it keeps the key with the name that its file gives.
            written = f", row_key = {row_key}" if column == "person_id" else ""
            store.execute(
                f"INSERT INTO store.resolved SELECT {by}, '{table}', '{column}', t.import_id, {row_key}, "
                f"t.{quote(column)} {match} AND coalesce(t.import_id, 0) < {first}"
            )
            store.execute(
                f"INSERT INTO store.built_on SELECT DISTINCT t.import_id, n.import_id {match} "
                f"AND t.import_id >= {first} AND n.import_id <> t.import_id"
            )
            store.execute(
                f"UPDATE store.{table} AS t SET {quote(column)} = n.id{written} FROM ({names}) AS n "
                f"WHERE t.{quote(column)} = n.name AND {where} AND t.{quote(column)} NOT IN ({real})"
            )
            notes.append(f"{table}.{column}: {count:,} names replaced by the ids that {master} gives them")
        gone = f"source = '{DERIVED}' AND {key} = name AND name IN (SELECT name FROM ({names}) AS n WHERE {by} = {{}})"
        for (import_id,) in store.rows(f"SELECT DISTINCT {by} FROM ({names}) AS n ORDER BY 1"):
            keeper.keep(master, gone.format(import_id), import_id)
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
