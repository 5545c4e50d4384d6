"""Erase a person or customer: nothing that is stored says any more who it was, and the bytes are gone from the file.

The master record goes. Sales, deals and activities stay, because the company's sums must not change: they belong to
`erased-…` from then on, and lose their texts, names and extra columns. Id and names are also taken out of refused and
displaced rows, of keys, notes of imports and texts of others. The store is then written anew, because a deleted row
leaves its bytes in a file.

What remains is a salted digest of id and names, by which a later import is recognised: its master rows are refused, its
lines belong to `erased-…` again. Names of regions, teams and other groups stay as they are. Exported files, published
pages and copies of the store are not touched.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from salesforecast import engine as engines
from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput, StoreError, lookup
from salesforecast.load.staging import SEPARATOR
from salesforecast.schema import TABLES
from salesforecast.settings import locate

KINDS = {"customer": "customers", "person": "people"}
_KEYS = {"customers": "customer_id", "people": "person_id"}
_SCOPES = {"customers": "customer", "people": "person"}
_MASKED = "***"
_SHORTEST_NAME, _SHORTEST_ID = 2, 4  # shorter ones are taken out only where they stand alone
# Columns of free text, beside those marked as personal; what names a group (region, team, channel) is none.
_TEXTS = (
    "title", "detail", "topic", "next_step", "lost_reason", "need_note", "rationale", "trigger", "mitigation",
    "outcome", "tags", "evidence", "origin", "competitor",
)  # fmt: skip
# Columns that hold ids of people although the schema cannot say so: (table, column, condition).
_PEOPLE_BESIDE = (
    ("deal_events", "old_value", "field = 'owner_id'"),
    ("deal_events", "new_value", "field = 'owner_id'"),
    ("deal_snapshots", "owner_id", "true"),
)
_BESIDE = {
    "imports": ("file", "sheet", "mapping", "notes", "profile"),
    "rejected": ("file", "value", "message"),
}


def erase(store: str | Path, kind: str, id: str) -> str:
    """Erase a customer or person from a store; returns one line on what was done.

    `kind` is `customer` or `person`. Raises `BadInput` when nothing in the store has that id, `StoreError` when the
    file cannot be replaced: the rows are anonymous then, and the same call writes the file anew.
    """
    master = lookup(KINDS, kind, "kind of record to erase")
    path = locate(Path(store).parent) / Path(store).name
    rewritten = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with engines.connect(path, write=True) as opened:
            with opened.transaction():
                changed = _Erasure(opened, master, id).run()
            opened.copy_to(rewritten)
        rewritten.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written anew: {error.strerror}. Close what reads it, then erase again."
        ) from None
    finally:
        rewritten.unlink(missing_ok=True)
    return (
        f"Erased: the record of the {kind} is gone, {changed:,} rows that named it are anonymous, and the store was "
        "written anew. Exported files, published pages and copies of the store are not touched."
    )


def forget_again(store: Engine, table: str, import_id: int) -> tuple[int, int]:
    """Treat rows of an import that belong to someone erased; returns how many rows of `table` were refused, how many
    others are anonymous.

    A refused row leaves a trace in `rejected` without its value.
    """
    if not store.rows("SELECT 1 FROM store.erased LIMIT 1"):
        return 0, 0
    refused = masked = 0
    for master, key in _KEYS.items():
        known = " OR ".join(f"{_digest_sql(store, master, each)} IN ({_digests(master)})" for each in (key, "name"))
        gone = f"FROM store.{master} WHERE import_id = {import_id} AND coalesce({known}, false)"
        if table == master:
            refused = int(store.rows(f"SELECT count(*) {gone}")[0][0])
            store.execute(
                f"INSERT INTO store.rejected SELECT import_id, source_file, source_row, '{master}', '{key}', 'erased', "
                f"NULL, 'this record was erased and stays so' {gone}"
            )
        store.execute(f"DELETE {gone}")
    for name, column, master, where in _references():
        value = quote(column)
        mine = f"import_id = {import_id} AND {where} AND {_digest_sql(store, master, value)} IN ({_digests(master)})"
        count = int(store.rows(f"SELECT count(*) FROM store.{name} WHERE {mine}")[0][0])
        if count:
            masked += count
            _rename(store, name, column, mine, value, _alias_sql(store, master, value))
    for name, column, where in _PEOPLE_BESIDE:
        known = f"{_digest_sql(store, 'people', column)} IN ({_digests('people')})"
        store.execute(
            f"UPDATE store.{name} SET {column} = {_alias_sql(store, 'people', column)} "
            f"WHERE import_id = {import_id} AND {where} AND {known}"
        )
    return refused, masked


class _Erasure:
    """One record to erase."""

    def __init__(self, store: Engine, master: str, id: str) -> None:
        self.store, self.master, self.id, self.key = store, master, id, _KEYS[master]
        rows = store.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' ORDER BY 1")
        self.tables = [row[0] for row in rows]
        self.names = self._own_names()
        self.alias = f"erased-{_digest(store, master, id)[:12]}"

    def run(self) -> int:
        changed, found = 0, bool(self.names)
        for table in self._copies(self.master):
            query = f"FROM store.{table} WHERE {self.key} = {literal(self.id)}"
            found = found or bool(self.store.rows(f"SELECT 1 {query} LIMIT 1"))
            self.store.execute(f"DELETE {query}")
        values = ", ".join(map(literal, (self.id, *self.names)))
        for name, column, master, where in _references():
            if master != self.master:
                continue
            for table in self._copies(name):
                mine = f"{where} AND {quote(column)} IN ({values})"
                count = int(self.store.rows(f"SELECT count(*) FROM store.{table} WHERE {mine}")[0][0])
                if count:
                    changed += count
                    _rename(self.store, table, column, mine, quote(column), literal(self.alias))
        found = found or bool(changed) or self._known()
        if not found:
            raise BadInput(f"No {self.key} {self.id!r} in {self.store.path}. Give the id as the export writes it.")
        self._beside()
        for table in self.tables:
            changed += self._mask(table)
        for value in (self.id, *self.names):
            self.store.execute(
                "INSERT INTO store.erased SELECT $kind, $digest, $alias, now()::TIMESTAMP WHERE $digest NOT IN "
                "(SELECT digest FROM store.erased)",
                {"kind": self.master, "digest": _digest(self.store, self.master, value), "alias": self.alias},
            )
        return changed

    def _copies(self, table: str) -> Iterator[str]:
        yield from (each for each in (table, f"kept_{table}") if each in self.tables)

    def _own_names(self) -> list[str]:
        """Return the names of the record that no other record has, the longest first."""
        own = " UNION ".join(
            f"SELECT name FROM store.{each} WHERE {self.key} = {literal(self.id)}" for each in self._copies(self.master)
        )
        shared = f"SELECT name FROM store.{self.master} WHERE {self.key} <> {literal(self.id)} AND name IS NOT NULL"
        rows = self.store.rows(
            f"SELECT name FROM ({own}) WHERE name IS NOT NULL AND name <> '' AND name NOT IN ({shared})"
        )
        return sorted((row[0] for row in rows if row[0] != self.id), key=lambda each: (-len(each), each))

    def _known(self) -> bool:
        digest = _digest(self.store, self.master, self.id)
        return bool(self.store.rows("SELECT 1 FROM store.erased WHERE digest = $digest", {"digest": digest}))

    def _beside(self) -> None:
        """Take the record out of what is stored beside the tables."""
        if self.master == "people":
            for name, column, where in _PEOPLE_BESIDE:
                for table in self._copies(name):
                    self._set(table, column, where)
            for role in ("rep", "manager"):
                for table in self._copies("forecasts"):
                    mine = f"forecaster = {literal(f'{role}:{self.id}')}"
                    _rename(self.store, table, "forecaster", mine, "forecaster", literal(f"{role}:{self.alias}"))
        fields = ", ".join(sorted({f"'{column}'" for _, column, master, _ in _references() if master == self.master}))
        self._set("rejected", "value", f"column_name IN ('{self.key}', 'name', {fields})", _MASKED)
        values = ", ".join(map(literal, (self.id, *self.names)))
        ended = f"ends_with(row_key, {literal(SEPARATOR + self.id)})" if self.master == "people" else "false"
        self.store.execute(f"DELETE FROM store.resolved WHERE name IN ({values}) OR {ended}")

    def _set(self, table: str, column: str, where: str = "true", to: str | None = None) -> None:
        values = ", ".join(map(literal, (self.id, *self.names)))
        self.store.execute(
            f"UPDATE store.{table} SET {column} = {literal(to or self.alias)} WHERE {where} AND {column} IN ({values})"
        )

    def _mask(self, table: str) -> int:
        """Take id and names out of the texts of a table; returns how many rows changed."""
        new = {quote(each): self._masked(quote(each)) for each in _text_columns(self.store, table)}
        if not new:
            return 0
        touched = " OR ".join(f"{column} IS DISTINCT FROM {text}" for column, text in new.items())
        count = int(self.store.rows(f"SELECT count(*) FROM store.{table} WHERE {touched}")[0][0])
        if count:
            changes = ", ".join(f"{column} = {text}" for column, text in new.items())
            self.store.execute(f"UPDATE store.{table} SET {changes} WHERE {touched}")
        return count

    def _masked(self, column: str) -> str:
        text = column
        for name in self.names:
            if len(name) >= _SHORTEST_NAME:
                text = f"replace({text}, {literal(name)}, '{_MASKED}')"
        if len(self.id) >= _SHORTEST_ID:
            # It counts where it is no part of a longer id; twice, as two may share the sign between them.
            pattern = literal(rf"(^|[^A-Za-z0-9]){_escaped(self.id)}([^A-Za-z0-9]|$)")
            for _ in range(2):
                text = f"regexp_replace({text}, {pattern}, '\\1{self.alias}\\2', 'g')"
        alone = ", ".join(map(literal, (self.id, *self.names)))
        return f"CASE WHEN {column} IN ({alone}) THEN '{_MASKED}' ELSE {text} END"


def _rename(store: Engine, table: str, column: str, where: str, old: str, new: str) -> None:
    """Give rows another holder (SQL) in a column and in their key, and empty what else could tell who it was."""
    plain = TABLES[table.removeprefix("kept_")]
    empty = [each.name for each in plain.columns if each.personal or (plain.name == "deals" and each.name == "name")]
    empty += [each for each in store.columns(table) if each.startswith("x_")]
    changes = [*(f"{quote(each)} = NULL" for each in empty), f"row_key = {_rekeyed(plain.name, column, old, new)}"]
    store.execute(f"UPDATE store.{table} SET {', '.join(changes)}, {quote(column)} = {new} WHERE {where}")


def _rekeyed(table: str, column: str, old: str, new: str) -> str:
    """Return SQL for the key of a row in which the part that holds a column is exchanged."""
    key = TABLES[table].key
    if column not in key:
        return "row_key"
    parts = f"string_split(row_key, {literal(SEPARATOR)})"
    # The key of a line ends with its owner, whatever stands before (see `lines.keys`).
    place = f"len({parts})" if table == "transactions" else str(key.index(column) + 1)
    changed = f"list_concat(list_slice({parts}, 1, {place} - 1), [{new}], list_slice({parts}, {place} + 1, -1))"
    return f"CASE WHEN {parts}[{place}] = {old} THEN array_to_string({changed}, {literal(SEPARATOR)}) ELSE row_key END"


def _references() -> list[tuple[str, str, str, str]]:
    """Return (table, column, master, condition) of everything that holds an id of a customer or person."""
    found: list[tuple[str, str, str, str]] = []
    for table in TABLES.values():
        found += [
            (table.name, each.name, each.references, "true") for each in table.columns if each.references in _KEYS
        ]
        if "scope_id" in table.names:
            found += [(table.name, "scope_id", master, f"scope_type = '{scope}'") for master, scope in _SCOPES.items()]
    return found


def _text_columns(store: Engine, table: str) -> Sequence[str]:
    if table in _BESIDE:
        return _BESIDE[table]
    plain = TABLES.get(table.removeprefix("kept_"))
    if plain is None:
        return ()
    named = () if plain.name == "products" else ("name",)
    texts = [each.name for each in plain.columns if each.kind == "text"
             and (each.personal or each.name in (*_TEXTS, *named))]  # fmt: skip
    return [*texts, *(each for each in store.columns(table) if each.startswith("x_")), "source_file"]


def _escaped(text: str) -> str:
    return "".join(each if each.isalnum() or each == "_" or ord(each) > 127 else f"\\{each}" for each in text)


def _salt(store: Engine) -> str:
    rows = store.rows("SELECT value FROM store.meta WHERE key = 'erasure_salt'")
    if rows:
        return str(rows[0][0])
    salt = secrets.token_hex(16)
    store.execute("INSERT INTO store.meta VALUES ('erasure_salt', $salt)", {"salt": salt})
    return salt


def _digest(store: Engine, master: str, value: str) -> str:
    return hashlib.sha256(SEPARATOR.join((_salt(store), master, value)).encode()).hexdigest()


def _digest_sql(store: Engine, master: str, value: str) -> str:
    return f"sha256({literal(SEPARATOR.join((_salt(store), master, '')))} || {value})"


def _alias_sql(store: Engine, master: str, value: str) -> str:
    digest = _digest_sql(store, master, value)
    return f"(SELECT min(e.alias) FROM store.erased AS e WHERE e.kind = '{master}' AND e.digest = {digest})"


def _digests(master: str) -> str:
    return f"SELECT digest FROM store.erased WHERE kind = '{master}'"
