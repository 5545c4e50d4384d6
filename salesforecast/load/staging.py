"""From an all-text relation to typed, keyed and checked rows of one canonical table, as one SQL statement.

What is decided for the whole file (units, dates, discounts, signs) is written down in `notes`, so that the report can
say it. A row is stored, rejected for the first rule it breaks, or excluded (a total at the foot of the file).
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
_TOTAL = r"(合计|总计|小计|总和|累计|本页小计|本页合计|total|grandtotal|subtotal|sum)[:：]?"
# Rows without an id of their own get one from their content.
GENERATED_IDS = {"activities": "activity_id", "feedback": "feedback_id", "register": "item_id"}
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
    """Rows ready to be stored: the temporary table `relation` with `problem` (number of a check) and `total`."""

    plan: Plan
    relation: str
    source: str
    raw: str
    headers: tuple[str, ...]
    columns: list[str]
    attributes: list[str]
    extra: dict[str, str]
    checks: list[Check]
    notes: list[str] = field(default_factory=list)


def stage(engine: Engine, plan: Plan, aliases: Preset, number: int, source: str, timezone: str) -> Staged:
    """Build the staged table of a plan; times are wall-clock times of `timezone` unless they carry an offset.

    Raises `BadInput` when a required column looks like text as a whole, `AmbiguousMapping` when dates or discounts
    can be read in two ways.
    """
    return _Stager(engine, plan, aliases, number, source, timezone).run()


class _Stager:
    """The state of one `stage` call."""

    def __init__(self, engine: Engine, plan: Plan, aliases: Preset, number: int, source: str, timezone: str) -> None:
        self.engine, self.plan, self.aliases, self.source = engine, plan, aliases, source
        self.timezone = literal(timezone)
        self.table: Table = TABLES[plan.table]
        self.relation = f"stage_{number}"
        self.notes: list[str] = []
        self.headers: Sequence[str] = plan.source.headers
        self.raw = plan.source.relation
        if plan.joined:
            self.headers = joined_headers(plan.source, plan.joined)
            self.raw = f"joined_{number}"
            self.notes += joins.join(engine, plan, self.raw)

    def run(self) -> Staged:
        attributes = [name for name in self.plan.columns if "." in name]
        inputs = [name for name in self.plan.columns if "." not in name]
        typed = {name: self.table.column(name) for name in inputs}
        self.numbers = clean.profile_numbers(
            self.engine, self.raw,
            {name: (self._source(name), column.kind) for name, column in typed.items()
             if column.kind in ("money", "number", "integer", "share") and not self._constant(name)},
        )  # fmt: skip
        self.read = read = {name: self._read(column) for name, column in typed.items()}
        self._refuse_text_columns(typed)
        extra = self._extra(attributes)
        present = set(inputs)
        selected = [f"{sql} AS {quote(name)}" for name, sql in read.items()]
        selected += [f"{self._value(name)} AS {quote('raw.' + name)}" for name in inputs]
        selected += [f"{clean.text(self._value(name))} AS {quote(name)}" for name in attributes]
        selected += [f"{clean.text(quote(source))} AS {quote(name)}" for name, source in extra.items()]
        steps = [f"cleaned AS (SELECT {quote('row')}, {self._total()} AS total, {', '.join(selected)} FROM {self.raw})"]
        last = "cleaned"
        for name, select in self._steps(present, read):
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
        duplicate = (
            "problem IS NULL AND NOT total AND row_number() OVER "
            f"(PARTITION BY row_key, problem IS NULL AND NOT total ORDER BY {quote('row')}) > 1"
        )
        checks.append(
            Check(
                "duplicate_key", self.table.key[-1], "false", "row_key", "an earlier row of the file has the same key"
            )
        )
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.relation} AS WITH {', '.join(steps)} "
            f"SELECT * EXCLUDE (problem, {', '.join(quote('raw.' + name) for name in inputs)}), "
            f"CASE WHEN {duplicate} THEN {len(checks) - 1} ELSE problem END AS problem, {value} AS problem_value "
            "FROM checked"
        )
        self._note_empty_footer()
        return Staged(
            self.plan, self.relation, self.source, self.raw, tuple(self.headers),
            [name for name in self.table.names if name in present], attributes, extra, checks, self.notes,
        )  # fmt: skip

    # what a column is read from

    def _constant(self, name: str) -> bool:
        return self.plan.columns[name].startswith("=")

    def _source(self, name: str) -> str:
        return f"c{list(self.headers).index(self.plan.columns[name])}"

    def _value(self, name: str) -> str:
        header = self.plan.columns[name]
        return literal(header[1:]) if self._constant(name) else quote(self._source(name))

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
                return clean.code(value, codes, keep_unknown=not column.values)
            return clean.text(value)
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
        is_period = column.name == "period_start"
        dates = clean.profile_dates(
            self.engine, self.raw, self._source(column.name), label=self._label(column.name),
            order=self.plan.options.get("date_format"), period=is_period or column.name == "date",
        )  # fmt: skip
        if dates.note:
            self.notes.append(f"{column.name}: {dates.note}")
        read = clean.date(value, dates)
        # Times are stored as UTC, days are those of the business: each column is what it is not written as.
        if column.kind == "timestamp" and not dates.offsets:
            read = f"timezone('UTC', timezone({self.timezone}, {read}))"
        elif column.kind == "date" and dates.offsets:
            read = f"timezone({self.timezone}, timezone('UTC', {read}))"
        if is_period:
            read = f"coalesce({clean.quarter_start(value)}, {read})"
        return f"CAST({read} AS {kind})"

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
            return [*steps, *lines.keys(present, self.table, self.source, "line_no" in self.plan.columns)]
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
            unread = f"{clean.filled(raw)} AND {quote(name)} IS NULL"
            refused = column.required or column.kind == "money" or name in self.computed_from
            if column.values and not self._constant(name):
                # The default has filled the gap by now; what was written is still in the raw text.
                codes = clean.code(raw, self.aliases.codes(self.table.name, name))
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
        """Return SQL that is true for a total row: it starts with 合计 and lacks a date, or nothing follows it."""
        cells = ", ".join(f"nullif(trim(c{each}, {literal(clean.SPACES)}), '')" for each in range(len(self.headers)))
        first = f"lower(regexp_replace(coalesce({cells}), '[\\s\\x{{3000}}]', '', 'g'))"
        matches = f"coalesce(regexp_full_match({first}, {literal(_TOTAL)}), false)"
        dated = [
            self._value(name) for name in self.table.required
            if name in self.plan.columns and self.table.column(name).kind in ("date", "timestamp")
        ]  # fmt: skip
        if dated:
            return f"({matches} AND NOT {clean.filled(dated[0])})"
        last = f"(SELECT max({quote('row')}) FROM {self.raw} WHERE NOT {matches})"
        return f"({matches} AND {quote('row')} > {last})"

    def _note_empty_footer(self) -> None:
        count = self.engine.rows(f"SELECT count(*) FROM {self.relation} WHERE total")[0][0]
        if count:
            self.notes.append(f"{count} total rows left out")

    def _extra(self, attributes: list[str]) -> dict[str, str]:
        """Return the columns kept beside the canonical ones: `x_<name>` -> column of the relation."""
        mapped = {normalise(header) for name, header in self.plan.columns.items() if name not in attributes}
        mapped |= {normalise(self.plan.columns[name]) for name in attributes if name.endswith(".name")}
        mapped |= {normalise(each) for pair in self.plan.on for each in pair} | set(map(normalise, REJECT_COLUMNS))
        free = [position for position, header in enumerate(self.headers) if header and normalise(header) not in mapped]
        if not free:
            return {}
        fills = ", ".join(f"count(*) FILTER ({clean.filled(quote(f'c{each}'))})" for each in free)
        counts = self.engine.rows(f"SELECT {fills} FROM {self.raw}")[0]
        extra: dict[str, str] = {}
        for position, count in zip(free, counts, strict=True):
            name = extra_name(self.headers[position])
            while name in extra:
                name += "_"
            if count and len(extra) < MOST_EXTRA_COLUMNS:
                extra[name] = f"c{position}"
            elif count:
                self.notes.append(
                    f"column {self.headers[position]!r} left out: over {MOST_EXTRA_COLUMNS} extra columns"
                )
        return extra


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
