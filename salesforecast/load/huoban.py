"""Huoban tables: their fields have numbers; the configuration of the table says which number is which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salesforecast.errors import BadInput, lookup
from salesforecast.load.presets import load
from salesforecast.load.recognise import match_table, recognise_headers
from salesforecast.schema import TABLES

_IDS = {
    "customers": "customer_id", "people": "person_id", "products": "product_id", "deals": "deal_id",
    "transactions": "order_id", "activities": "activity_id", "feedback": "feedback_id", "register": "item_id",
}  # fmt: skip


def huoban_mapping(config: Mapping[str, Any], table: str | None = None) -> dict[str, dict[str, str]]:
    """Return the mapping for the items of a Huoban table, made from its configuration (获取表格配置).

    `config` is the answer of the API or its `data`: `fields` with `field_id` and `name`. Items name their fields by
    number, so the mapping says `amount = "2200000145748085"`; `table` settles which canonical table it is. Raises
    `BadInput` when the names of the fields fit no table.

    >>> fields = [{"field_id": "21", "name": "商机名称"}, {"field_id": "22", "name": "销售阶段"}]
    >>> huoban_mapping({"table_id": "7", "name": "商机", "fields": fields}, "deals")
    {'deals': {'deal_id': 'item_id', 'name': '21', 'stage': '22'}}
    """
    body = config.get("data", config)
    body = body.get("table", body)
    fields = {str(each["name"]): str(each["field_id"]) for each in body.get("fields", ())}
    if not fields:
        raise BadInput("This is not the configuration of a Huoban table: it has no fields with field_id and name.")
    aliases = load("auto")
    if table is None:
        # Every item has a number, whether or not the table has a field for it.
        match = recognise_headers([*fields, "id"], aliases, str(body.get("name", "")).lower())
        if match is None or match.missing:
            names = ", ".join(fields)
            raise BadInput(f"The fields {names} fit no table. Say which one: huoban_mapping(config, 'deals').")
        table = match.table
    lookup(TABLES, table, "table")
    columns, _ = match_table([*fields], table, aliases)
    key = _IDS.get(table)
    named = {column: fields[header] for column, header in columns.items()}
    own = {key: "item_id"} if key and (key not in named or columns[key] == columns.get("name")) else {}
    return {table: {**own, **{column: field for column, field in named.items() if column not in own}}}
