"""From an all-text relation to typed, keyed and checked rows of one canonical table, as one SQL statement.

A large file is read twice: once to decide how its columns are written, once to store its rows. What is decided for the
whole file (units, dates, discounts, signs) is written down in `notes`, so that the report can say it. A row is stored,
rejected for the first rule it breaks, or excluded (a total at the foot of the file).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load import clean, joins, lines
from salesforecast.load.joins import joined_headers
from salesforecast.load.mapping import Plan
from salesforecast.load.presets import Preset, normalise, unit
from salesforecast.load.recognise import ATTRIBUTES, SCOPED
from salesforecast.schema import SQL_TYPES, TABLES, Column, Table

REJECT_COLUMNS = ("reject_row", "reject_column", "reject_rule", "reject_value", "reject_message")
MOST_EXTRA_COLUMNS = 50
SEPARATOR = "\x1f"  # between the parts of a row key: no export contains it
TOTAL = r"(合计|总计|小计|总和|累计|本页小计|本页合计|total|grandtotal|subtotal|sum)[:：]?"
# Rows without an id of their own get one from their content.
GENERATED_IDS = {"activities": "activity_id", "feedback": "feedback_id", "register": "item_id"}
_FIRST_ROWS = 20_000
UNLIKE = "unlike"
OPEN_CODES = ("measure",)  # the registry of measures is open: unknown names stay as they are


@dataclass(frozen=True)
class Check:
    """A reason to reject a row: true `fails` (SQL over the staged columns)."""

    rule: str
    column: str
    fails: str
    value: str
    message: str


@dataclass
class Staged:
    """Rows ready to be stored: `relation` with `problem` (number of a check) and `total`.

    `relation` is a temporary table, or a view where the file is read while its rows are stored (`streamed`).
    """

    plan: Plan
    number: int
    relation: str
    source: str
    raw: str
    headers: tuple[str, ...]
    columns: list[str]
    attributes: list[str]
    extra: dict[str, str]
    checks: list[Check]
    notes: list[str] = field(default_factory=list)
    streamed: bool = False
    unlike: str = ""  # the column that marks rows unlike the first ones, where only these were looked at
    repeated: str = ""
    set_aside: int = 0  # rows marked as total that are none: deleted records, older exports

    @property
    def good(self) -> str:
        """What to select the rows from that are stored, less those in `repeated` (their key came before)."""
        first = f" AND {quote('row')} NOT IN (SELECT {quote('row')} FROM {self.repeated})" if self.repeated else ""
        alike = f" AND NOT {self.unlike}" if self.unlike else ""
        return f"{self.relation} WHERE problem IS NULL AND NOT total{alike}{first}"


def stage(
    engine: Engine, plan: Plan, aliases: Preset, number: int, source: str, timezone: str, *, whole: bool = True
) -> Staged:
    """Build the staged table of a plan; times are wall-clock times of `timezone` unless they carry an offset.

    Without `whole`, what the first rows of a streamed file show is taken for the whole file; `Staged.unlike` marks the
    rows that gainsay it. Where there are any, nothing that was staged holds: stage the plan again.

    Raises `BadInput` when a required column looks like text as a whole, `AmbiguousMapping` when dates or discounts
    can be read in two ways.
    """
    return _Stager(engine, plan, aliases, number, source, timezone, whole).run()


class _Stager:
    """The state of one `stage` call."""

    def __init__(
        self, engine: Engine, plan: Plan, aliases: Preset, number: int, source: str, timezone: str, whole: bool
    ) -> None:
        self.engine, self.plan, self.aliases, self.source, self.whole = engine, plan, aliases, source, whole
        self.timezone = literal(timezone)
        self.table: Table = TABLES[plan.table]
        self.number, self.relation = number, f"stage_{number}"
        self.doubts: list[str] = []
        self.raw_doubts: list[str] = []
        self.notes: list[str] = []
        self.headers: Sequence[str] = plan.source.headers
        self.raw = plan.source.relation
        self.streamed = (
            plan.source.streamed and plan.table == "transactions" and not plan.joined
            and not any(name.startswith("row.") for name in plan.columns)
        )  # fmt: skip
        self.tidy = {f"c{each}" for each in plan.source.tidy}
        if plan.joined:
            self.tidy = set()
            self.headers = joined_headers(plan.source, plan.joined)
            self.raw = f"joined_{number}"
            self.notes += joins.join(engine, plan, self.raw)

    def run(self) -> Staged:
        attributes = [name for name in self.plan.columns if "." in name]
        inputs = [name for name in self.plan.columns if "." not in name]
        typed = {name: self.table.column(name) for name in inputs}
        extra = self._look(typed, attributes)
        self.read = read = {name: self._read(column) for name, column in typed.items()}
        self._refuse_text_columns(typed)
        present = set(inputs)
        selected = [f"{sql} AS {quote(name)}" for name, sql in read.items()]
        selected += [f"{self._value(name)} AS {quote('raw.' + name)}" for name in inputs]
        selected += [f"{self._text(self._value(name))} AS {quote(name)}" for name in attributes]
        selected += [f"{self._text(quote(source))} AS {quote(name)}" for name, source in extra.items()]
        selected += [f"{_any(self.raw_doubts)} AS {UNLIKE}"] if self.doubts else []
        steps = [f"cleaned AS (SELECT {quote('row')}, {self._total()} AS total, {', '.join(selected)} FROM {self.raw})"]
        last = "cleaned"
        if self.doubts:
            steps.append(f"alike AS (SELECT * REPLACE ({_any([UNLIKE, *self.doubts])} AS {UNLIKE}) FROM cleaned)")
            last = "alike"
        for name, select in self._steps(present, read):
            if name == lines.COUNTED and self.streamed:
                last = self._count_apart(steps, last, select)
                continue
            steps.append(f"{name} AS (SELECT {select} FROM {last})")
            last = name
        checks = self._checks(typed, present)
        cases = " ".join(f"WHEN {check.fails} THEN {position}" for position, check in enumerate(checks))
        problem = f"CASE WHEN total THEN NULL {cases} END" if checks else "CAST(NULL AS INTEGER)"
        values = " ".join(
            f"WHEN {position} THEN CAST({check.value} AS VARCHAR)" for position, check in enumerate(checks)
        )
        value = f"CASE problem {values} END" if checks else "CAST(NULL AS VARCHAR)"
        steps.append(f"checked AS (SELECT *, {problem} AS problem FROM {last})")
        raw = ", ".join(quote(f"raw.{name}") for name in inputs)
        self.engine.execute(
            f"CREATE OR REPLACE TEMP {'VIEW' if self.streamed else 'TABLE'} {self.relation} AS "
            f"WITH {', '.join(steps)} SELECT * EXCLUDE ({raw}), {value} AS problem_value FROM checked"
        )
        return Staged(
            self.plan, self.number, self.relation, self.source, self.raw, tuple(self.headers),
            [name for name in self.table.names if name in present], attributes, extra, checks, self.notes,
            self.streamed, UNLIKE if self.doubts else "",
        )  # fmt: skip

    def _look(self, typed: Mapping[str, Column], attributes: list[str]) -> dict[str, str]:
        """Look once at all that has to be known of whole columns; returns the extra columns."""
        numbers = {
            name: (self._source(name), column.kind) for name, column in typed.items()
            if column.kind in ("money", "number", "integer", "share") and not self._constant(name)
        }  # fmt: skip
        free = self._free(attributes)
        parts = {f"number {name}": clean.plain_counts(quote(source), kind, name)
                 for name, (source, kind) in numbers.items()}  # fmt: skip
        parts |= {f"extra {each}": [f"bool_or({self._filled(quote(f'c{each}'))})"] for each in free}
        parts |= self._uncounted(typed)
        damaged = {
            name: clean.damaged(self._value(name)) for name, column in typed.items()
            if column.kind == "text" and name.endswith("_id") and not self._constant(name)
        }  # fmt: skip
        for name, found in damaged.items():
            parts[f"damaged {name}"] = [f"count(*) FILTER ({found})", f"min({self._value(name)}) FILTER ({found})"]
        self.sampled: dict[str, clean.Dates] = {}
        self.codes = {name: codes for name, column in typed.items() if (codes := self._codes(column))}
        for name, column in typed.items():
            if column.kind in ("date", "timestamp") and self.streamed and not self._constant(name):
                sampled = clean.sampled_dates(self.engine, self.raw, self._source(name), **self._date_options(column))
                if sampled:
                    self.sampled[name] = sampled[0]
                    parts[f"unlike {name}"] = [f"count(*) FILTER ({sampled[1]})"]
        seen = self._seen(parts)
        self.sampled = {name: dates for name, dates in self.sampled.items() if not seen[f"unlike {name}"][0]}
        self.numbered = seen.get("uncounted") == [0]
        for name in damaged:
            count, example = seen[f"damaged {name}"]
            if count:
                self.notes.append(
                    f"{name}: {count:,} ids are damaged, such as {example!r}: a spreadsheet has cut their last digits; "
                    "export the column as text"
                )
        self.numbers = clean.numbers_of(
            self.engine, self.raw, numbers, {name: seen[f"number {name}"] for name in numbers}
        )
        return self._named([each for each in free if seen[f"extra {each}"][0]])

    def _seen(self, parts: Mapping[str, list[str]]) -> dict[str, list[Any]]:
        """Return what the parts of a look say of the file.

        Where the first rows are enough to say it, so long as no row gainsays them, `doubts` becomes what tells such a
        row: a number that is not plain, a date of another shape, an amount below zero.
        """
        if not self.streamed or self.whole:
            return self._counts(parts, self.raw)
        seen = {}
        for name, counts in self._counts(parts, f"(SELECT * FROM {self.raw} LIMIT {_FIRST_ROWS})").items():
            kind, _, column = name.partition(" ")
            if kind == "number":
                _, unreadable, negative, *spans = counts
                if unreadable or spans or (negative and column == "amount"):
                    continue  # what it means depends on how many there are
                blank = self._filled(quote(f"raw.{column}"))
                self.doubts.append(f"CASE WHEN {quote(column)} IS NOT NULL THEN false ELSE {blank} END")
                self.doubts += ["amount < 0"] if column == "amount" else []
            elif not counts[0]:
                # The condition of which the part counts the rows.
                self.raw_doubts.append(parts[name][0].removeprefix("count(*) FILTER ").removeprefix("bool_or"))
            elif kind not in ("extra", "uncounted"):
                continue
            seen[name] = counts
        return seen | self._counts({name: each for name, each in parts.items() if name not in seen}, self.raw)

    def _counts(self, parts: Mapping[str, list[str]], relation: str) -> dict[str, list[Any]]:
        flat = [part for each in parts.values() for part in each]
        row = iter(self.engine.rows(f"SELECT {', '.join(flat)} FROM {relation}")[0] if flat else ())
        return {name: [next(row) for _ in each] for name, each in parts.items()}

    def _uncounted(self, typed: Mapping[str, Column]) -> dict[str, list[str]]:
        """Count the lines with a date that lack an order or the number of their line."""
        if self.table.name != "transactions" or not {"order_id", "line_no", "date"} <= typed.keys():
            return {}
        line, date, order = (self._value(name) for name in ("line_no", "date", "order_id"))
        counted = f"{clean.number(line, 'integer', plain=True)} IS NOT NULL AND {self._filled(order)}"
        return {"uncounted": [f"count(*) FILTER (CASE WHEN {counted} THEN false ELSE {self._filled(date)} END)"]}

    def _codes(self, column: Column) -> dict[str, str | None]:
        """Return the codes of the texts in the first rows of an enumeration."""
        codes = self.aliases.codes(self.table.name, column.name)
        coded = column.kind == "text" and codes and (column.values or column.name in OPEN_CODES)
        if not coded or self._constant(column.name):
            return {}
        value = self._value(column.name)
        return dict(
            self.engine.rows(
                f"SELECT value, {clean.code('value', codes, keep_unknown=not column.values)} FROM "
                f"(SELECT DISTINCT {value} AS value FROM (SELECT * FROM {self.raw} LIMIT 10000)) "
                "WHERE value IS NOT NULL ORDER BY value LIMIT 100"
            )
        )

    def _count_apart(self, steps: list[str], last: str, select: str) -> str:
        """Add the numbers of lines from a narrow table of their own: sorting the whole rows of a file would be dear."""
        name = f"{self.relation}_counted"
        keys = ", ".join(("total", "txn_type", "order_id", "date", "person_id"))
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS WITH {', '.join(steps)} "
            f"SELECT {quote('row')}, {select.removeprefix('*, ')} "
            f"FROM (SELECT {quote('row')}, {keys}, content FROM {last})"
        )
        steps.append(f"counted AS (SELECT l.*, c.* EXCLUDE ({quote('row')}) FROM {last} AS l JOIN {name} AS c "
                     f"USING ({quote('row')}))")  # fmt: skip
        return "counted"

    # what a column is read from

    def _constant(self, name: str) -> bool:
        return self.plan.columns[name].startswith("=")

    def _source(self, name: str) -> str:
        return f"c{list(self.headers).index(self.plan.columns[name])}"

    def _value(self, name: str) -> str:
        header = self.plan.columns[name]
        return literal(header[1:]) if self._constant(name) else quote(self._source(name))

    def _tidy(self, value: str) -> bool:
        return value.strip('"') in self.tidy

    def _text(self, value: str) -> str:
        return clean.text(value, tidy=self._tidy(value))

    def _filled(self, value: str) -> str:
        return clean.filled(value, tidy=self._tidy(value))

    def _label(self, name: str) -> str:
        return f"{self.plan.source.name}, column {self.plan.columns[name]!r}"

    # how a column is read

    def _read(self, column: Column) -> str:
        name, value = column.name, self._value(column.name)
        if column.kind in ("date", "timestamp"):
            return self._read_date(column, value)
        if column.kind == "flag":
            return clean.flag(value)
        if column.kind == "text":
            codes = self.aliases.codes(self.table.name, name)
            if column.values or (name in OPEN_CODES and codes):
                if self._constant(name) and column.values and normalise(self.plan.columns[name][1:]) not in codes:
                    raise BadInput(f"{name} = {self.plan.columns[name]!r}: expected one of {', '.join(column.values)}.")
                return clean.code(value, codes, keep_unknown=not column.values, seen=self.codes.get(name))
            return self._text(value)
        found = self.numbers.get(name, clean.Numbers())
        header = "" if self._constant(name) else self.plan.columns[name]
        written = unit(header)
        scale = clean.scale_of(written) if column.kind in ("money", "number") else None
        if scale and scale != 1:
            self.notes.append(f"{name}: {header} is in {written}, multiplied by {scale:,.0f}")
        if found.european:
            self.notes.append(f"{name}: read with decimal commas")
        percent = (column.kind == "share" and found.percent) or (written == "%" and column.kind in ("share", "number"))
        if percent:
            self.notes.append(f"{name}: percent, divided by 100")
        return clean.number(
            value, column.kind, plain=found.plain, european=found.european, percent=percent, scale=scale or 1
        )

    def _read_date(self, column: Column, value: str) -> str:
        kind = SQL_TYPES[column.kind]
        if self._constant(column.name):
            return f"CAST({clean.date(value, clean.Dates(iso=True, mixed=True))} AS {kind})"
        dates = self.sampled.get(column.name) or clean.profile_dates(
            self.engine, self.raw, self._source(column.name), **self._date_options(column)
        )
        if dates.note:
            self.notes.append(f"{column.name}: {dates.note}")
        read = clean.date(value, dates)
        if not column.required:  # a required date outside the years of business is refused by its rule
            read = clean.without_placeholders(read)
        # Times are stored as UTC, days are those of the business: each column is what it is not written as.
        if column.kind == "timestamp" and not dates.offsets:
            read = f"timezone('UTC', timezone({self.timezone}, {read}))"
        elif column.kind == "date" and dates.offsets:
            read = f"timezone({self.timezone}, timezone('UTC', {read}))"
        if column.name == "period_start":
            read = f"coalesce({clean.quarter_start(value)}, {read})"
        return f"CAST({read} AS {kind})"

    def _date_options(self, column: Column) -> dict[str, Any]:
        return {
            "label": self._label(column.name),
            "order": self.plan.options.get("date_format"),
            "period": column.name in ("period_start", "date"),
        }

    def _refuse_text_columns(self, typed: dict[str, Column]) -> None:
        for name, found in self.numbers.items():
            wanted = typed[name].kind == "money" or typed[name].required
            if wanted and found.filled and found.unreadable * 2 > found.filled:
                raise BadInput(
                    f"{self._label(name)} looks like text, not like {name}: {found.unreadable:,} of {found.filled:,} "
                    f'values cannot be read, such as {found.example!r}. Write {name} = "OTHER COLUMN" in the mapping '
                    f'of {self.table.name}, or {name} = "" to leave it out.'
                )

    # what is computed from the columns that were read

    def _steps(self, present: set[str], read: dict[str, str]) -> list[tuple[str, str]]:
        if self.table.name == "transactions":
            made = lines.Lines(self.engine, self.plan, self.raw, self.numbers, self.aliases, present, read)
            steps = made.steps()
            self.notes += made.notes
            self.computed_from = made.computed_from
            present -= {each.name for each in self.table.virtual}
            present |= made.made
        else:
            steps = []
            self.computed_from = ()
        if self.table.name in SCOPED:
            steps.append(("scoped", self._scope(present)))
        defaults = []
        for column in self.table.columns:
            if column.default is None:
                continue
            filler = f"CAST({literal(column.default)} AS {SQL_TYPES[column.kind]})"
            if column.name in present:
                defaults.append(f"coalesce({quote(column.name)}, {filler}) AS {quote(column.name)}")
            else:
                steps.append((f"with_{column.name}", f"*, {filler} AS {quote(column.name)}"))
                present.add(column.name)
        if defaults:
            steps.append(("filled", f"* REPLACE ({', '.join(defaults)})"))
        if self.table.name == "transactions":
            return [*steps, *lines.keys(present, self.table, self.source, self.numbered)]
        return [*steps, *self._keys(present)]

    def _scope(self, present: set[str]) -> str:
        """Give targets their grain and first day, and the company its scope."""
        raw = quote("raw.period_start")
        day = quote("period_start")
        parts = ["*"]
        replaced = []
        if "grain" not in present:
            parts.append(
                f"CASE WHEN {clean.quarter_start(raw)} IS NOT NULL THEN 'quarter' "
                f"WHEN regexp_full_match(trim({raw}), '\\d{{4}}(年|年度)?') THEN 'year' "
                f"WHEN bool_or(extract(day FROM {day}) <> 1) OVER () THEN 'day' ELSE 'month' END AS grain"
            )
            present.add("grain")
        else:
            replaced.append(
                f"CASE grain WHEN 'month' THEN date_trunc('month', {day}) WHEN 'quarter' THEN "
                f"date_trunc('quarter', {day}) WHEN 'week' THEN date_trunc('week', {day}) ELSE {day} END AS {day}"
            )
        if "scope_id" in present:
            whole = ", ".join(
                map(literal, ("公司", "全公司", "全国", "整体", "company", "total", "all", "*", "合计", "总计"))
            )
            is_whole = f"lower(scope_id) IN ({whole})"
            if "scope_type" in present:
                replaced.append(f"CASE WHEN {is_whole} THEN 'company' ELSE scope_type END AS scope_type")
            replaced.append(f"CASE WHEN {is_whole} THEN '*' ELSE scope_id END AS scope_id")
        if replaced:
            parts[0] = f"* REPLACE ({', '.join(replaced)})"
        return ", ".join(parts)

    def _keys(self, present: set[str]) -> list[tuple[str, str]]:
        """Give every row its key, and an id from its content where it has none."""
        steps = []
        generated = GENERATED_IDS.get(self.table.name)
        if generated:
            content = ", ".join(
                f"coalesce(CAST({quote(each)} AS VARCHAR), '')" for each in sorted(present - {generated})
            )
            digest = f"md5(concat_ws({literal(SEPARATOR)}, {content}))"
            steps.append(("hashed", f"*, {digest} AS content"))
            made = f"'h' || content[:12] || '-' || row_number() OVER (PARTITION BY content ORDER BY {quote('row')})"
            if generated in present:
                steps.append(("named", f"* REPLACE (coalesce({generated}, {made}) AS {generated})"))
            else:
                steps.append(("named", f"*, {made} AS {generated}"))
                present.add(generated)
        parts = [
            literal(self.source) if each == "source" else
            f"coalesce(CAST({quote(each)} AS VARCHAR), '')" if each in present else "''"
            for each in self.table.key
        ]  # fmt: skip
        steps.append(("keyed", f"*, concat_ws({literal(SEPARATOR)}, {', '.join(parts)}) AS row_key"))
        return steps

    # why a row is refused

    def _checks(self, typed: dict[str, Column], present: set[str]) -> list[Check]:
        checks = []
        lenient: dict[str, str] = {}
        for name, column in typed.items():
            raw = quote(f"raw.{name}")
            unread = f"{quote(name)} IS NULL AND {clean.filled(raw)}"
            refused = column.required or column.kind == "money" or name in self.computed_from
            if column.values and not self._constant(name):
                # The default has filled the gap by now; what was written is still in the raw text.
                codes = clean.code(raw, self.aliases.codes(self.table.name, name), seen=self.codes.get(name))
                unread = f"{clean.filled(raw)} AND {codes} IS NULL"
                message = f"unknown value; expected one of {', '.join(column.values)}"
                if column.required:
                    checks.append(Check("unknown_code", name, unread, raw, message))
                else:
                    lenient[name] = self.read[name]
            elif refused and column.kind != "text":
                checks.append(Check("unreadable", name, unread, raw, f"cannot be read as {_english(column)}"))
            elif column.kind != "text" and not self._constant(name):
                known = self.numbers.get(name)
                if known is None or known.unreadable:
                    lenient[name] = self.read[name]
        self._note_unread(lenient)
        for name in self.table.required:
            value = quote(name) if name in present else "NULL"
            message = f"{name} is missing"
            if self.plan.joined and name == "date":
                message += f", or {self.plan.joined[0].name} has no such {self.plan.on[0][1]}"
            shown = quote(f"raw.{name}") if name in typed else "NULL"
            checks.append(Check("required", name, f"{value} IS NULL", shown, message))
        for rule in self.table.rules:
            if rule.column in present:
                checks.append(Check(rule.name, rule.column, rule.fails, quote(rule.column), rule.message))
        return checks

    def _note_unread(self, columns: Mapping[str, str]) -> None:
        """Count the values of optional columns that could not be read; they are left empty."""
        if not columns:
            return
        parts = []
        for name, read in columns.items():
            value = self._value(name)
            lost = f"{clean.filled(value)} AND {read} IS NULL"
            parts += [f"count(*) FILTER ({lost})", f"min({value}) FILTER ({lost})"]
        row = self.engine.rows(f"SELECT {', '.join(parts)} FROM {self.raw} WHERE NOT {self._total()}")[0]
        for position, name in enumerate(columns):
            count, example = row[position * 2 : position * 2 + 2]
            if count:
                self.notes.append(f"{name}: {count:,} values not read and left empty, such as {example!r}")

    # what else is in the file

    def _total(self) -> str:
        """Return SQL that is true for a total row: it starts with 合计 and lacks a date, or nothing follows it.

        A repetition of the header is left out in the same way.
        """
        cells = ", ".join(clean.text(f"c{each}") for each in range(len(self.headers)))
        first = f"lower(regexp_replace(coalesce({cells}), '[\\s\\x{{3000}}]', '', 'g'))"
        matches = f"coalesce(regexp_full_match({first}, {literal(TOTAL)}), false)"
        dated = [
            self._value(name) for name in self.table.required
            if name in self.plan.columns and self.table.column(name).kind in ("date", "timestamp")
        ]  # fmt: skip
        if dated:
            # CASE, because few rows lack a date and only they need the closer look.
            # What begins with a digit is a date; the word for a total may stand in the column of dates.
            word = f"coalesce(regexp_full_match(lower(trim({dated[0]})), {literal(TOTAL)}), false)"
            dates = f"CASE WHEN {self._filled(dated[0])} THEN {dated[0]} < ':' OR NOT {word} ELSE false END"
            total = f"CASE WHEN {dates} THEN false ELSE {matches} END"
        else:
            last = f"(SELECT max({quote('row')}) FROM {self.raw} WHERE NOT {matches})"
            total = f"({matches} AND {quote('row')} > {last})"
        return f"CASE WHEN {self._repeated_header()} THEN true ELSE {total} END"

    def _repeated_header(self) -> str:
        names = [(f"c{each}", header) for each, header in enumerate(self.plan.source.headers)
                 if not re.search(r"^column \d+$| \(\d+\)$", header)]  # fmt: skip
        same = [
            f"coalesce(trim({cell}, {literal(clean.SPACES)}), '') = {literal(header)}" for cell, header in names[:5]
        ]
        return (
            f"CASE WHEN {names[0][0]} = {literal(names[0][1])} THEN {' AND '.join(same)} ELSE false END"
            if names
            else "false"
        )

    def _free(self, attributes: list[str]) -> list[int]:
        """Return the columns that are not mapped."""
        mapped = {normalise(header) for name, header in self.plan.columns.items() if name not in attributes}
        mapped |= {normalise(self.plan.columns[name]) for name in attributes if name.endswith(".name")}
        mapped |= {normalise(each) for pair in self.plan.on for each in pair} | set(map(normalise, REJECT_COLUMNS))
        return [position for position, header in enumerate(self.headers) if header and normalise(header) not in mapped]

    def _named(self, free: list[int]) -> dict[str, str]:
        """Return the columns kept beside the canonical ones: `x_<name>` -> column of the relation."""
        extra: dict[str, str] = {}
        for position in free:
            name = extra_name(self.headers[position])
            while name in extra:
                name += "_"
            if len(extra) < MOST_EXTRA_COLUMNS:
                extra[name] = f"c{position}"
            else:
                self.notes.append(
                    f"column {self.headers[position]!r} left out: over {MOST_EXTRA_COLUMNS} extra columns"
                )
        return extra


def _any(conditions: Sequence[str]) -> str:
    """Return SQL that is true where any condition is; CASE, because OR would ask every row for all of them."""
    return f"CASE {' '.join(f'WHEN {each} THEN true' for each in conditions)} ELSE false END" if conditions else "false"


def repeated_key(table: str) -> Check:
    """Return the reason to reject a row whose key an earlier row of the file has.

    >>> repeated_key("customers").rule
    'duplicate_key'
    """
    column = TABLES[table].key[-1]
    return Check("duplicate_key", column, "false", "row_key", "an earlier row of the file has the same key")


def extra_name(header: str) -> str:
    """Return the name under which an unknown column is kept.

    >>> extra_name("Ship Mode"), extra_name('a"; DROP TABLE x')
    ('x_ship_mode', 'x_a_drop_table_x')
    """
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", header)).strip("_").lower()
    return f"x_{plain[:60] or 'column'}"


def attribute_targets(attributes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Group attributes by what they describe: prefix -> column of the target table -> staged column.

    >>> attribute_targets(["customer.name", "customer.city"])
    {'customer': {'name': 'customer.name', 'city': 'customer.city'}}
    """
    groups: dict[str, dict[str, str]] = {}
    for name in attributes:
        prefix, column = name.split(".")
        if prefix in ATTRIBUTES:
            groups.setdefault(prefix, {})[column] = name
    return groups


def _english(column: Column) -> str:
    words: dict[str, Any] = {"money": "an amount", "date": "a date", "timestamp": "a time", "integer": "a whole number",
                             "flag": "yes or no", "share": "a share"}  # fmt: skip
    return words.get(column.kind, "a number")
