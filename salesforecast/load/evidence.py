"""What the values of a file say about its columns where its headers leave it open.

Only the first rows are looked at, so that a file of ten million lines costs no more than one of twenty thousand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import AmbiguousMapping
from salesforecast.load.files import Source
from salesforecast.load.presets import Preset
from salesforecast.load.recognise import Match, event_kind, how_found, match_table
from salesforecast.load.spelling import normalise
from salesforecast.schema import TABLES

SAMPLE_ROWS = 20_000
NUMBERED = ", numbered"  # ends the header of ids that were made from names
FEW_CODES = 60  # a column of kinds or states has few different values
_MONEY = ("amount", "list_amount", "cost_amount", "tax_amount", "discount", "profit")
_DETAILS = ("product_id", "product.name", "quantity", "unit_price", "line_no")
_READABLE = re.compile(r"(no|number|key|reference|编号|单号|号码)$")
# Words in the values of a column of kinds, the surest first; what they leave open the headers of the file decide.
_KIND_WORDS = (
    ("refund", r"退款|\brefund|remboursement|reembolso"),
    ("return", r"^(?:sc|cn|crn|cm|rma)$|退货|退回|红字|红冲|冲红|销退|\breturn|\bcredit\b|gutschrift|avoir|"
               r"nota de credito|返品"),
    ("payment", r"收款|回款|\bpayment|\breceipt"),
    ("invoice", r"^(?:si|inv)$|发票|开票|\binvoice|rechnung|facture|factura"),
    ("shipment", r"出库|发货|送货|\bshipment|\bdeliver|\bdispatch"),
    ("", r"销售|订单|销货|零售|批发|合同|\border|\bsale|\bpos\b|auftrag|commande|pedido|受注|売上"),
)  # fmt: skip
_STATUS_WORDS = (
    ("void", r"取消|作废|删除|撤销|撤回|拒绝|驳回|不同意|[未不]通过|红冲|已冲红|退款成功|已退款|交易失败|支付失败|"
             r"\bcancel|\bvoid|\breject|\bfailed|\bdeclined|\bexpired|^refunded\b|"
             r"\bquotation|\bquote\b|\bestimate\b|storn|annul|anulad"),
    ("pending", r"草稿|待审|审核中|审批中|待提交|未提交|待付|待支付|未付款|待确认(?!收货)|等待买家付款|未审核|"
                r"\bdraft|\bpending|\bunpaid|awaiting payment|entwurf|brouillon|borrador"),
    ("valid", r"完成|成功|发货|签收|收货|审核|同意|通过|确认|已付|付款|出库|开票|"
              r"\bcomplete|\bpaid|\bship|\bdeliver|\bconfirm|\bapprov|\binvoiced|\bposted|"
              r"sales order|locked|bezahlt|pay[ée]e"),
)  # fmt: skip
# Kinds of activities and tickets: rows of a kind that nobody knows are kept as the widest one.
_OTHER = {"activities": "other", "feedback": "ticket"}
_DOING = (
    ("revisit", r"回访|follow.?up visit"), ("training", r"培训|training"), ("coaching", r"辅导|coach"),
    ("visit", r"拜访|走访|上门|到访|外勤|\bvisit|on.?site"), ("call", r"电话|通话|\bcall|phone|anruf|appel"),
    ("email", r"邮件|mail"), ("chat", r"微信|短信|聊天|qq|钉钉|\bchat|whatsapp|wechat|sms|message"),
    ("demo", r"演示|试用|\bdemo"), ("quote", r"报价|投标|\bquot|proposal"), ("care", r"关怀|礼品|节日"),
    ("meeting", r"会|面谈|meeting|lunch|termin|reunion|réunion"),
    ("complaint", r"投诉|客诉|complain|beschwerde|reclam"), ("suggestion", r"建议|suggest|idea|feature"),
    ("praise", r"表扬|praise|compliment"), ("survey", r"调查|问卷|survey"),
)  # fmt: skip
_STANDING = {
    "=invoice": r"^(open|unpaid|overdue|sent|partial.*|not paid|authori[sz]ed|offen|[uü]berf[aä]llig|"
    r"impay[ée]e?|pendiente|未付款?|未收款?|部分.*|待收款?|未结清|未入金)$",
    "=order": r"^(open|processing|in process|in progress|offen|"
    r"in bearbeitung|en cours|en proceso|处理中|执行中|进行中|履行中)$",
}
_CLOSED = ("关闭", "已关闭", "交易关闭", "closed")
_FINISHED = re.compile(r"完成|成功|签收|complete")


class Evidence:
    """The first rows of one source."""

    def __init__(self, engine: Engine, source: Source) -> None:
        self.engine, self.source = engine, source
        self.headers = list(source.headers)  # empty where the values speak against a column
        self.relation = quote(source.relation)
        if source.rows > SAMPLE_ROWS:
            self.relation = quote(f"{source.relation}_sample")
            engine.execute(
                f"CREATE OR REPLACE TEMP TABLE {self.relation} AS SELECT * FROM {quote(source.relation)} "
                f"LIMIT {SAMPLE_ROWS}"
            )

    def _cell(self, header: str) -> str:
        return f"nullif(trim(c{self.source.headers.index(header)}), '')"

    def filled(self) -> tuple[str, ...]:
        """Return the headers, empty for columns without a value in a file that is looked at whole."""
        headers = self.source.headers
        if self.source.rows > SAMPLE_ROWS or not headers:
            return headers
        counts = ", ".join(f"count({self._cell(each)})" for each in headers)
        row = self.engine.rows(f"SELECT {counts} FROM {self.relation}")[0]
        return tuple(header if count else "" for header, count in zip(headers, row, strict=True))

    # which of several

    def settle(self, match: Match) -> Match:
        """Choose among headers of equal rank that say the same: equal cells, or ids that go one with one."""
        columns, ambiguous, how = dict(match.columns), dict(match.ambiguous), dict(match.how)
        for column, hits in match.ambiguous.items():
            chosen = self._same(column, list(dict.fromkeys(hits)))
            if chosen:
                columns[column], how[column] = chosen, "values"
                del ambiguous[column]
        return replace(match, columns=columns, ambiguous=ambiguous, how=how)

    def _same(self, column: str, hits: Sequence[str]) -> str | None:
        if len(hits) < 2 or not set(hits) <= set(self.source.headers):
            return None
        first, *others = hits
        if column.endswith("_id") or column.endswith(".name") or column == "name":
            if all(self._one_to_one(first, other) for other in others):
                return next((each for each in hits if _READABLE.search(normalise(each))), first)
            return None
        unlike = " OR ".join(f"{self._cell(first)} IS DISTINCT FROM {self._cell(other)}" for other in others)
        return None if self.engine.rows(f"SELECT count(*) FROM {self.relation} WHERE {unlike}")[0][0] else first

    def plausible(self, match: Match, aliases: Preset) -> Match:
        """Take other headers for numbers and dates whose cells are words, and for one customer that has many names."""
        for _ in range(5):
            wrong = self._wordy(match) | self._single(match.columns)
            if not wrong:
                break
            headers = ["" if each in wrong else each for each in self.headers]
            columns, ambiguous = match_table(headers, match.table, aliases, {}, self.source.words, match.export)
            needed = [name for name, header in match.columns.items() if header in wrong and name not in columns]
            if any(name in TABLES[match.table].required for name in needed):
                return match  # the message about the values says more than one about a missing column
            self.headers = headers
            how = how_found(headers, match.table, aliases, {}, self.source.words, match.export)
            match = replace(match, columns=columns, ambiguous=ambiguous, how=how)
        return match

    def _wordy(self, match: Match) -> set[str]:
        kinds = {each.name: each.kind for each in (*TABLES[match.table].columns, *TABLES[match.table].virtual)}
        headers = [
            header for name, header in match.columns.items()
            if kinds.get(name, "text") not in ("text", "flag") and header in self.source.headers
        ]  # fmt: skip
        if not headers:
            return set()
        digit = literal("[0-9０-９一二三四五六七八九十]")
        counts = ", ".join(
            f"count({self._cell(each)}), count(*) FILTER (regexp_matches({self._cell(each)}, {digit}))"
            for each in headers
        )
        row = self.engine.rows(f"SELECT {counts} FROM {self.relation}")[0]
        return {
            each for place, each in enumerate(headers) if row[2 * place] and row[2 * place + 1] < 0.1 * row[2 * place]
        }

    def _single(self, columns: Mapping[str, str]) -> set[str]:
        one, many = columns.get("customer_id", ""), columns.get("customer.name", "")
        if one == many or not {one, many} <= set(self.source.headers):
            return set()
        ids, names = self.engine.rows(
            f"SELECT count(DISTINCT {self._cell(one)}), count(DISTINCT {self._cell(many)}) FROM {self.relation}"
        )[0]
        return {one} if ids == 1 and names > 2 else set()

    def numbered(self, name: str) -> tuple[Source, str, list[str]]:
        """Return a source with an id for each row that has but a name; equal names of different rows are numbered."""
        if self.source.streamed:
            return self.source, name, []
        cell, row = self._cell(name), quote("row")
        everything = f"md5(concat_ws(chr(31), {', '.join(self._cell(each) for each in self.source.headers)}))"
        relation, place = f"{self.source.relation}_named", len(self.source.headers)
        ranked = (
            f"SELECT *, {cell} AS name, min({row}) OVER (PARTITION BY {cell}, {everything}) AS first_row "
            f"FROM {quote(self.source.relation)}"
        )
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT * EXCLUDE (name, first_row, n), "
            f"CASE WHEN n > 1 THEN name || ' (' || n || ')' ELSE name END AS c{place} FROM (SELECT *, "
            f"dense_rank() OVER (PARTITION BY name ORDER BY first_row) AS n FROM ({ranked})) ORDER BY {row}"
        )
        count = self.engine.rows(f"SELECT count(*) FROM {quote(relation)} WHERE c{place} IS DISTINCT FROM {cell}")[0][0]
        if not count:
            return self.source, name, []
        header = f"{name}{NUMBERED}"
        source = replace(self.source, relation=relation, headers=(*self.source.headers, header))
        return source, header, [f"{count:,} deals have the name of an earlier one and no id: their names are numbered"]

    def _one_to_one(self, first: str, second: str) -> bool:
        a, b = self._cell(first), self._cell(second)
        counts = self.engine.rows(
            f"SELECT count(DISTINCT {a}), count(DISTINCT {b}), count(DISTINCT concat({a}, chr(31), {b})), count(*) "
            f"FROM {self.relation} WHERE {a} IS NOT NULL OR {b} IS NOT NULL"
        )[0]
        return counts[0] == counts[1] == counts[2] > 0

    def decides(self, fine: str, coarse: str) -> bool:
        """Say whether one column says what the other is: every person is of one team."""
        a, b = self._cell(fine), self._cell(coarse)
        found = self.engine.rows(
            f"SELECT count(DISTINCT {a}), count(DISTINCT concat({a}, chr(31), coalesce({b}, ''))) FROM {self.relation} "
            f"WHERE {a} IS NOT NULL"
        )[0]
        return 0 < found[0] == found[1]

    # amounts of orders on their lines

    def priced_by_line(self, match: Match, aliases: Preset) -> tuple[Match, list[str]]:
        """Take amounts of lines where those found are of whole orders: repeated on every line, or on the first only.

        Raises `AmbiguousMapping` when the file has no amount of a line.
        """
        left: list[str] = []
        while match.table == "transactions" and (repeated := self._repeated(match.columns)):
            left += repeated
            self.headers = ["" if each in left else each for each in self.headers]
            columns, ambiguous = match_table(self.headers, match.table, aliases, {}, self.source.words, match.export)
            match = self.settle(replace(match, columns=columns, ambiguous=ambiguous))
        if not left:
            return match, []
        known = {*match.columns, *match.ambiguous}
        if "amount" not in known and not {"quantity", "unit_price"} <= known:
            raise AmbiguousMapping(
                f"{self.source.name}: {left[0]!r} is the total of an order and repeats on each of its lines, and "
                'no column is the amount of a line. Write amount = "COLUMN", or quantity and unit_price, in the '
                "mapping of transactions; or export one row for each order."
            )
        return match, [f"not added up because each is the total of an order: {', '.join(left)}"]

    def _repeated(self, columns: Mapping[str, str]) -> list[str]:
        """Return the money columns that have one value in an order although its lines differ."""
        order = columns.get("order_id", "=")
        inside = set(self.source.headers)
        money = [columns[name] for name in _MONEY if columns.get(name) in inside]
        details = [columns[name] for name in _DETAILS if columns.get(name) in inside]
        if order not in inside or not money or not details:
            return []
        detail = f"concat_ws(chr(31), {', '.join(self._cell(each) for each in details)})"
        parts = [
            f"count(DISTINCT {self._cell(each)}) AS d{place}, count({self._cell(each)}) AS n{place}, "
            f"min({self._cell(each)}) AS v{place}" for place, each in enumerate(money)
        ]  # fmt: skip
        counts = [f"count(*) FILTER (d{place} <= 1), count(DISTINCT v{place})" for place in range(len(money))]
        orders, *found = self.engine.rows(
            f"SELECT count(*), {', '.join(counts)} FROM (SELECT count(DISTINCT {detail}) AS details, "
            f"{', '.join(parts)} FROM {self.relation} WHERE {self._cell(order)} IS NOT NULL "
            f"GROUP BY {self._cell(order)}) WHERE details > 1"
        )[0]
        if orders < 3:
            return []
        return [
            header for place, header in enumerate(money)
            if found[2 * place] >= 0.98 * orders and found[2 * place + 1] > 1
        ]  # fmt: skip

    # kinds and states

    def coded(
        self, columns: Mapping[str, str], aliases: Preset, fixed: Iterable[str] = ()
    ) -> tuple[dict[str, str], Preset, list[str]]:
        """Read kinds and states of transactions by the words in them; returns columns, codes and what was done.

        A column of kinds that tells none apart is no such column, unless it is `fixed`.
        """
        columns, notes = dict(columns), []
        for column in ("txn_type", "status"):
            header = columns.get(column, "=")
            if header not in self.source.headers:
                continue
            values = self._values(header)
            known = aliases.codes("transactions", column)
            if column == "txn_type":
                found = self._kinds(values, known, aliases)
            else:
                kind = columns.get("txn_type", f"={event_kind(self.source.headers, aliases, self.source.words)}")
                found = _states(values, known, kind)
            told = any(normalise(each) in known or normalise(each) in found for each in values)
            if values and not told and column not in fixed:
                del columns[column]
                notes.append(f"{header} is no {column}: {', '.join(values[:3])} are kept as they are")
            elif found:
                read = aliases.values.get("transactions", {})
                merged = {**read, column: {**read.get(column, {}), **found}}
                aliases = replace(aliases, values={**aliases.values, "transactions": merged})
        return columns, aliases, notes

    def of_a_kind(self, columns: Mapping[str, str], table: str, aliases: Preset) -> tuple[Preset, list[str]]:
        """Read kinds of activities and tickets by the words in them; returns the codes and what was done."""
        header, other = columns.get("kind", "="), _OTHER[table]
        if header not in self.source.headers:
            return aliases, []
        codes = aliases.codes(table, "kind")
        allowed = set(TABLES[table].column("kind").values)
        words = [each for each in _DOING if each[0] in allowed]
        values = [each for each in self._values(header) if normalise(each) not in codes]
        read_as = {each: _by_words(each, words) or other for each in values}
        found = {form: kind for each, kind in read_as.items() for form in _spelled(each)}
        unknown = [each for each, kind in read_as.items() if kind == other]
        read = aliases.values.get(table, {})
        merged = {**read, "kind": {**read.get("kind", {}), **found}}
        aliases = replace(aliases, values={**aliases.values, table: merged})
        return aliases, [f"kind: {', '.join(unknown[:5])} read as {other}"] if unknown else []

    def _values(self, header: str) -> list[str]:
        cell = self._cell(header)
        rows = self.engine.rows(
            f"SELECT {cell} AS v FROM {self.relation} WHERE {cell} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 "
            f"LIMIT {FEW_CODES + 1}"
        )
        return [] if len(rows) > FEW_CODES else [str(value) for (value,) in rows]

    def _kinds(self, values: Sequence[str], known: Mapping[str, str], aliases: Preset) -> dict[str, str]:
        usual = event_kind(self.source.headers, aliases, self.source.words)
        found: dict[str, str] = {}
        for value in values:
            kind = _by_words(value, _KIND_WORDS)
            if normalise(value) not in known and kind is not None:
                found |= dict.fromkeys(_spelled(value), kind or usual)
        return found


def _states(values: Sequence[str], known: Mapping[str, str], kind: str) -> dict[str, str]:
    """Return codes of states that no list has; an order that is closed where others are completed was called off.

    An invoice that is not paid yet is one all the same, and so is an order that is not delivered.
    """
    found: dict[str, str] = {}
    finished = any(_FINISHED.search(each.lower()) for each in values)
    for value in values:
        state = _by_words(value, _STATUS_WORDS)
        if kind in _STANDING and re.search(_STANDING[kind], value.lower()):
            found |= dict.fromkeys(_spelled(value), "valid")
        elif normalise(value) in map(normalise, _CLOSED):
            found |= dict.fromkeys(_spelled(value), "void" if finished or "交易" in value else "valid")
        elif normalise(value) not in known and state is not None:
            found |= dict.fromkeys(_spelled(value), state)
    return found


def _by_words(value: str, words: Sequence[tuple[str, str]]) -> str | None:
    return next((code for code, pattern in words if re.search(pattern, value.lower())), None)


def _spelled(value: str) -> tuple[str, str]:
    """Return a text as codes are compared: without what stands in brackets, and with it."""
    return normalise(value), re.sub(r"[^\w%]|_", "", value.lower())
