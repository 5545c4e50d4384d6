"""History inside one export: columns that say when a deal entered each stage, and logs with several fields in a row."""

from __future__ import annotations

from collections.abc import Mapping

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.load import clean
from salesforecast.load.ledger import Keeper
from salesforecast.load.mapping import Plan
from salesforecast.load.presets import stage_columns
from salesforecast.load.recognise import match_table
from salesforecast.load.staging import SEPARATOR, Staged
from salesforecast.schema import Kind

# Fields that a log of stages can carry beside the stage, each with the kind of its column in `deals`.
_BESIDE = ("amount", "expected_close", "probability", "forecast_category")
_MOST_STAGES = 200
AT = '"at"'  # a word of SQL


def from_columns(store: Engine, keeper: Keeper, made: Plan, staged: Staged, import_id: int, timezone: str) -> int:
    """Write the events that columns such as `Date entered "Proposal"` tell (`method` columns); returns how many.

    One event per deal and filled column, `exact` where the column has times, else of the `day`; what stage came before
    follows from the order. Deals won or lost get a status event on the day they closed. A later export replaces the
    event of the same deal, moment and field.
    """
    stages = [
        row[0] for row in store.rows(
            f"SELECT DISTINCT stage FROM {staged.good} AND stage IS NOT NULL ORDER BY 1 LIMIT {_MOST_STAGES}"
        )
    ]  # fmt: skip
    taken = {header for name, header in made.columns.items() if "." not in name}
    columns = {header: stage for header, stage in stage_columns(staged.headers, stages).items() if header not in taken}
    reads = {header: read for header in columns if (read := _entered(store, made, staged, header, timezone))}
    if not reads:
        return 0
    raw = {header: quote(f"c{list(staged.headers).index(header)}") for header in reads}
    entered = " UNION ALL ".join(
        f"SELECT g.deal_id, g.{quote('row')} AS source_row, {position} AS place, 'stage' AS field, "
        f"{literal(columns[header])} AS value, {read.format(value=f'r.{raw[header]}')} AS moment, "
        f"'{precision}' AS precision "
        f"FROM (SELECT * FROM {staged.good}) AS g JOIN {staged.raw} AS r USING ({quote('row')})"
        for position, (header, (read, precision)) in enumerate(reads.items())
    )
    if "closed_at" in staged.columns:
        day = f"timezone('UTC', timezone({literal(timezone)}, CAST(closed_at AS TIMESTAMP)))"
        entered += (
            f" UNION ALL SELECT deal_id, {quote('row')}, -1, 'status', status, {day}, 'day' FROM {staged.good} "
            "AND status IN ('won', 'lost') AND closed_at IS NOT NULL"
        )
    staged.notes.append(f"stage history from {', '.join(reads)}")
    return _store(
        store, keeper, made, staged, import_id,
        f"SELECT *, lag(value) OVER (PARTITION BY deal_id, field ORDER BY moment, place) AS old FROM ({entered}) "
        "WHERE moment IS NOT NULL",
        "columns",
    )  # fmt: skip


def set_unchanged_aside(store: Engine, made: Plan, staged: Staged) -> None:
    """Leave rows of a log out that change no stage but another field (see `from_log`); adds to the notes how many."""
    beside = _beside(made)
    if not beside:
        return
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {staged.relation}_log AS SELECT {quote('row')}, deal_id, {AT} AS moment, "
        f"lag(new_value) OVER (PARTITION BY deal_id ORDER BY {AT}, {quote('row')}) IS NOT DISTINCT FROM new_value "
        f"AS same FROM {staged.good}"
    )
    same = f"SELECT {quote('row')} FROM {staged.relation}_log WHERE same"
    aside = int(store.rows(f"SELECT count(*) FROM ({same})")[0][0])
    if aside:
        store.execute(f"UPDATE {staged.relation} SET total = true WHERE {quote('row')} IN ({same})")
        staged.notes.append(f"{aside:,} rows change no stage, only {', '.join(beside.values())}")
        staged.set_aside += aside


def from_log(store: Engine, keeper: Keeper, made: Plan, staged: Staged, import_id: int) -> int:
    """Write what a log of stages says of other fields in the same row, such as Salesforce's OpportunityHistory.

    Returns how many events of amount, close date, probability or forecast category were written: one where the value
    differs from that of the row before.
    """
    beside = _beside(made)
    if not beside:
        return 0
    texts = {name: quote(f"c{list(staged.headers).index(header)}") for name, header in beside.items()}
    long = " UNION ALL ".join(
        f"SELECT g.deal_id, g.moment, g.{quote('row')} AS source_row, '{name}' AS field, "
        f"{_field(store, made, staged, name, beside[name], f'r.{texts[name]}')} AS value, 'exact' AS precision "
        f"FROM {staged.relation}_log AS g JOIN {staged.raw} AS r USING ({quote('row')})"
        for name in beside
    )
    count = _store(
        store, keeper, made, staged, import_id,
        "SELECT * FROM (SELECT *, lag(value) OVER (PARTITION BY deal_id, field ORDER BY moment, source_row) AS old "
        f"FROM ({long}) WHERE value IS NOT NULL AND moment IS NOT NULL) WHERE value IS DISTINCT FROM old",
        "native",
    )  # fmt: skip
    if count:
        staged.notes.append(f"{count:,} values of {', '.join(beside.values())} beside the stages")
    return count


def _beside(made: Plan) -> dict[str, str]:
    """Return the columns of a log that carry other fields: field -> header."""
    if made.columns.get("field") != "=stage":
        return {}
    taken = set(made.columns.values())
    found, _ = match_table(made.source.headers, "deals", made.aliases)
    return {name: header for name, header in found.items() if name in _BESIDE and header not in taken}


def _entered(store: Engine, made: Plan, staged: Staged, header: str, timezone: str) -> tuple[str, str] | None:
    """Return SQL (over `{value}`) for the moment in a column, and its precision; None when it holds no dates."""
    column = f"c{list(staged.headers).index(header)}"
    filled = clean.filled(quote(column))
    label = f"{made.source.name}, column {header!r}"
    try:
        dates = clean.profile_dates(store, staged.raw, column, label=label, order=made.options.get("date_format"))
    except AmbiguousMapping:
        raise
    except BadInput:
        return None
    read = clean.date(quote(column), dates)
    count, lost, timed = store.rows(
        f"SELECT count(*), count(*) FILTER ({read} IS NULL), "
        f"count(*) FILTER ({read} <> date_trunc('day', {read})) FROM {staged.raw} WHERE {filled}"
    )[0]
    if not count or 2 * lost > count:
        return None
    if lost:
        staged.notes.append(f"{header}: {lost:,} values not read and left empty")
    moment = clean.date("{value}", dates).replace("{", "{{").replace("}", "}}").replace("{{value}}", "{value}")
    if not dates.offsets:
        moment = f"timezone('UTC', timezone({literal(timezone)}, {moment}))"
    return moment, "exact" if timed else "day"


def _field(store: Engine, made: Plan, staged: Staged, name: str, header: str, value: str) -> str:
    """Return SQL for the text of a field as `deal_events` writes it."""
    column = f"c{list(staged.headers).index(header)}"
    if name == "forecast_category":
        return clean.code(value, made.aliases.codes("deals", name))
    if name == "expected_close":
        dates = clean.profile_dates(
            store, staged.raw, column, label=f"{made.source.name}, column {header!r}",
            order=made.options.get("date_format"),
        )  # fmt: skip
        return f"CAST(CAST({clean.date(value, dates)} AS DATE) AS VARCHAR)"
    kind: Kind = "share" if name == "probability" else "money"
    numbers: Mapping[str, clean.Numbers] = clean.profile_numbers(store, staged.raw, {name: (column, kind)})
    found = numbers[name]
    read = clean.number(
        value, kind, plain=found.plain, european=found.european, percent=kind == "share" and found.percent
    )
    if kind == "share":
        return f"CAST({read} AS VARCHAR)"
    return f"rtrim(rtrim(CAST(CAST({read} AS DECIMAL(18,4)) AS VARCHAR), '0'), '.')"


def _store(store: Engine, keeper: Keeper, made: Plan, staged: Staged, import_id: int, events: str, method: str) -> int:
    """Store events (deal_id, moment, field, old, value, precision, source_row); those of the same key make way."""
    key = f"concat_ws({literal(SEPARATOR)}, deal_id, CAST(moment AS VARCHAR), field)"
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE told AS SELECT *, {key} AS row_key FROM ({events}) "
        "QUALIFY row_number() OVER (PARTITION BY deal_id, moment, field ORDER BY source_row) = 1"
    )
    # What the system itself has written down is better than what its columns say.
    if method == "columns":
        store.execute(
            "DELETE FROM told WHERE row_key IN (SELECT row_key FROM store.deal_events WHERE method = 'native')"
        )
    keeper.keep("deal_events", f"import_id <> {import_id} AND row_key IN (SELECT row_key FROM told)", import_id)
    store.execute(
        f"INSERT INTO store.deal_events (deal_id, {AT}, field, old_value, new_value, method, at_precision, source, "
        f"source_file, source_row, import_id, row_key) SELECT deal_id, moment, field, old, value, '{method}', "
        f"precision, {literal(staged.source)}, {literal(made.source.name)}, source_row, {import_id}, row_key FROM told "
        "ORDER BY source_row, field, moment"
    )
    return int(store.rows("SELECT count(*) FROM told")[0][0])
