"""What makes a line of an export a transaction: amount, discount, tax, cost, sign, and the key of the line."""

from __future__ import annotations

from collections.abc import Mapping

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import AmbiguousMapping, lookup
from salesforecast.load import clean
from salesforecast.load.mapping import Plan
from salesforecast.load.presets import Preset, normalise, unit
from salesforecast.schema import Table

DISCOUNTS = {
    "share": "1 - discount",  # 0.2 off
    "percent": "1 - discount / 100",  # 20 off a hundred
    "paid": "discount",  # 0.8 of the price is paid (8 折)
    "amount": "amount",
}
SEPARATOR = "\x1f"
_FORWARD = ("=order", "=shipment", "=invoice", "=payment")
COUNTED = "counted"  # the step that numbers lines, events and copies


class Lines:
    """Computes the money of transaction lines; `made` are the canonical columns that exist afterwards.

    A negative line becomes a return (a negative payment a refund); amount, quantity, list amount, cost and tax of
    returns and refunds are stored positive.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        raw: str,
        numbers: Mapping[str, clean.Numbers],
        aliases: Preset,
        present: set[str],
        read: Mapping[str, str],
    ) -> None:
        self.engine, self.plan, self.raw, self.numbers, self.aliases = engine, plan, raw, numbers, aliases
        self.has, self.read = set(present), read
        self.notes: list[str] = []
        self.made: set[str] = set()
        self.computed_from: tuple[str, ...] = ()

    def steps(self) -> list[tuple[str, str]]:
        """Return the SQL steps (name, select list), each over the one before."""
        discount = self._discount() if "discount" in self.has else None
        steps = [self._priced(discount)]
        taxed = self._taxed()
        steps += taxed
        steps += self._listed(discount)
        steps += self._costed()
        steps += self._signed(as_written=not taxed)
        return steps

    def _discount(self) -> str:
        """Decide once for the column what a discount is."""
        given = self.plan.options.get("discount_as")
        if given:
            lookup(DISCOUNTS, given, "kind of discount")
            return given
        found, header = self.numbers.get("discount", clean.Numbers()), self.plan.columns["discount"]
        name, written = normalise(header), unit(header)
        if name.endswith(("金额", "amount", "value")) or clean.scale_of(written):
            return "amount"
        if written == "%" or found.signed_percent:
            return "share"  # the cleaner has divided by 100
        if not found.above_one:
            return "paid" if found.ones > found.zeros else "share"
        if name.endswith(("率", "rate", "percent", "pct", "%")):
            return "percent"
        if "amount" not in self.has:
            raise AmbiguousMapping(
                f"{self.plan.source.name}, column {header!r}: a discount above 1 can be money or percent. "
                'Write discount_as = "amount", "percent" or "paid" in the mapping of transactions.'
            )
        return "amount"

    def _priced(self, discount: str | None) -> tuple[str, str]:
        if "amount" in self.has:
            return "priced", "*"
        self.made.add("amount")
        gross = "CAST(quantity AS DOUBLE) * CAST(unit_price AS DOUBLE)"
        self.computed_from = ("quantity", "unit_price", *(["discount"] if discount else []))
        if discount is None:
            words, net = "quantity × unit_price", gross
        elif discount == "amount":
            words, net = "quantity × unit_price - discount", f"{gross} - coalesce(discount, 0)"
        else:
            factor = DISCOUNTS[discount]
            words = f"quantity × unit_price × ({factor})"
            net = f"{gross} * coalesce({factor}, 1)"
        self.notes.append(f"amount = {words}")
        return "priced", f"*, CAST(round({net}, 4) AS DECIMAL(18,4)) AS amount"

    def _taxed(self) -> list[tuple[str, str]]:
        header = normalise(self.plan.columns.get("amount", "="))
        if header not in self.aliases.tax_included:
            if "tax_rate" in self.has and "tax_amount" not in self.has:
                self.made.add("tax_amount")
                return [
                    ("taxed", "*, CAST(round(CAST(amount AS DOUBLE) * tax_rate, 4) AS DECIMAL(18,4)) AS tax_amount")
                ]
            return []
        if "tax_rate" in self.has:
            self.notes.append("amount: tax taken out by the tax rate")
            net = "CAST(round(CAST(amount AS DOUBLE) / (1 + coalesce(tax_rate, 0)), 4) AS DECIMAL(18,4))"
            tax = "" if "tax_amount" in self.has else f", amount - {net} AS tax_amount"
            self.made.add("tax_amount")
            return [("taxed", f"* REPLACE ({net} AS amount){tax}")]
        if "tax_amount" in self.has:
            self.notes.append("amount: tax taken out")
            return [("taxed", "* REPLACE (amount - coalesce(tax_amount, 0) AS amount)")]
        self.notes.append("amount includes tax, and the file has neither tax nor tax rate: it is kept as it is")
        return []

    def _listed(self, discount: str | None) -> list[tuple[str, str]]:
        """Derive the amount before discount, where the columns say it."""
        if "list_amount" in self.has:
            return []
        if {"quantity", "unit_price"} <= self.has:
            if "amount" in self.has and not self._unit_price_is_a_list_price():
                return []
            listed, words = "CAST(quantity AS DOUBLE) * CAST(unit_price AS DOUBLE)", "quantity × unit_price"
        elif discount in ("share", "percent", "paid"):
            factor = DISCOUNTS[discount]
            listed = f"CASE WHEN {factor} > 0 THEN CAST(amount AS DOUBLE) / coalesce({factor}, 1) END"
            words = f"amount / ({factor})"
        elif discount == "amount":
            listed, words = "CAST(amount AS DOUBLE) + coalesce(discount, 0)", "amount + discount"
        else:
            return []
        self.made.add("list_amount")
        self.notes.append(f"list_amount = {words}")
        return [("listed", f"*, CAST(round({listed}, 4) AS DECIMAL(18,4)) AS list_amount")]

    def _unit_price_is_a_list_price(self) -> bool:
        """Say whether quantity × unit price is at least the amount nearly everywhere and above it somewhere."""
        gross = f"CAST({self.read['quantity']} AS DOUBLE) * CAST({self.read['unit_price']} AS DOUBLE)"
        amount = f"CAST({self.read['amount']} AS DOUBLE)"
        count, least, above = self.engine.rows(
            f"SELECT count(*), count(*) FILTER (abs(g) >= abs(a) * 0.999), count(*) FILTER (abs(g) > abs(a) * 1.001) "
            f"FROM (SELECT {gross} AS g, {amount} AS a FROM {self.raw}) WHERE g IS NOT NULL AND a IS NOT NULL"
        )[0]
        return bool(count and above and least >= 0.9 * count)

    def _costed(self) -> list[tuple[str, str]]:
        if "profit" not in self.has or "cost_amount" in self.has:
            return []
        self.made.add("cost_amount")
        self.notes.append("cost_amount = amount - profit")
        return [("costed", "*, amount - profit AS cost_amount")]

    def _signed(self, *, as_written: bool) -> list[tuple[str, str]]:
        """Make negative lines returns and store the amounts of returns positive."""
        count = self.numbers.get("amount", clean.Numbers()).negative
        if count:
            self.notes.append(f"{count:,} negative lines became returns")
        elif as_written and "amount" in self.numbers and self.plan.columns.get("txn_type") in _FORWARD:
            return []
        back = "txn_type IN ('return', 'refund')"
        replaced = [
            "CASE WHEN amount < 0 AND txn_type = 'payment' THEN 'refund' "
            f"WHEN amount < 0 AND NOT coalesce({back}, false) THEN 'return' ELSE txn_type END AS txn_type",
            "abs(amount) AS amount",
        ]
        replaced += [
            f"CASE WHEN amount < 0 OR {back} THEN abs({name}) ELSE {name} END AS {name}"
            for name in ("quantity", "list_amount", "cost_amount", "tax_amount")
            if name in self.has | self.made
        ]
        return [("signed", f"* REPLACE ({', '.join(replaced)})")]


def stored_key(table: str, alias: str = "") -> str:
    """Return SQL for the key of a stored row, by which a later file replaces it.

    A line of an order whose columns say it all has no text of its own in `row_key`, which would be the widest column
    of a large store. Whoever changes one of these columns has to write the key down first.

    >>> stored_key("customers", "k")
    'k.row_key'
    """
    dot = f"{alias}." if alias else ""
    if table.removeprefix("kept_") != "transactions":
        return f"{dot}row_key"
    return f"coalesce({dot}row_key, {_said_by_columns(dot)})"


def forget_key() -> str:
    """Return SQL that empties the written key of lines whose columns say it, as they are stored in the first place."""
    return f"UPDATE store.transactions SET row_key = NULL WHERE row_key = {_said_by_columns('')}"


def _said_by_columns(dot: str) -> str:
    parts = f"{dot}source, {dot}txn_type, {dot}order_id, CAST({dot}line_no AS VARCHAR), coalesce({dot}person_id, '')"
    return f"concat_ws({literal(SEPARATOR)}, {parts})"


def keys(present: set[str], table: Table, source: str, numbered: bool) -> list[tuple[str, str]]:
    """Return the steps that number the lines of an order and give every line its key.

    `numbered` says that every row has an order and the number of its line already.

    Orders are keyed by order and line, and their `row_key` is null (see `stored_key`); payments, returns and other
    events of an order also by their date, because a later export holds the next event and not a correction. Lines
    without an order are keyed by their content.
    """
    steps: list[tuple[str, str]] = []
    missing = [name for name in ("order_id", "txn_id", "person_id", "line_no") if name not in present]
    if missing:
        nulls = ", ".join(f"CAST(NULL AS {'BIGINT' if name == 'line_no' else 'VARCHAR'}) AS {name}" for name in missing)
        steps.append(("complete", f"*, {nulls}"))
    if numbered:
        return [*steps, ("keyed", "*, CAST(NULL AS VARCHAR) AS row_key")]

    def key(*parts: str) -> str:
        return f"concat_ws({literal(SEPARATOR)}, {literal(source)}, txn_type, {', '.join(parts)})"

    row = quote("row")
    content = ", ".join(f"coalesce(CAST({quote(name)} AS VARCHAR), '')" for name in table.names if name in present)
    # Only lines without an order are known by their content.
    digest = f"CASE WHEN order_id IS NULL THEN md5(concat_ws({literal(SEPARATOR)}, {content})) END"
    steps.append(("hashed", f"*, {digest} AS content"))
    steps.append((
        COUNTED,
        f"*, row_number() OVER (PARTITION BY total, txn_type, order_id ORDER BY {row}) AS line, "
        f"row_number() OVER (PARTITION BY total, txn_type, order_id, date, person_id ORDER BY {row}) AS event, "
        f"row_number() OVER (PARTITION BY total, content ORDER BY {row}) AS copy",
    ))  # fmt: skip
    by_event = key("order_id", "CAST(date AS VARCHAR)", "CAST(event AS VARCHAR)", "coalesce(person_id, '')")
    steps.append((
        "keyed",
        "*, CASE WHEN order_id IS NOT NULL AND (line_no IS NOT NULL OR txn_type = 'order') THEN NULL "
        f"WHEN order_id IS NOT NULL THEN {by_event} WHEN txn_id IS NOT NULL THEN {key('txn_id')} "
        f"ELSE {key('content', 'CAST(copy AS VARCHAR)')} END AS row_key",
    ))  # fmt: skip
    given = "CASE WHEN order_id IS NOT NULL THEN coalesce(line_no, line) ELSE line_no END AS line_no"
    steps.append(("numbered", f"* REPLACE ({given})"))
    present.add("line_no")
    return steps
