"""What a table needs before it can be recognised: plain cells, whole dates, every line with what its order says."""

from __future__ import annotations

from dataclasses import replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.clean import scale_of
from salesforecast.load.dating import dated
from salesforecast.load.files import Source
from salesforecast.load.filldown import fill_down
from salesforecast.load.layouts import rows_above
from salesforecast.load.presets import Preset
from salesforecast.load.recognise import recognise
from salesforecast.load.spelling import unit, unit_in_title
from salesforecast.schema import TABLES

# `="0012"`: how shops keep a spreadsheet from making a number of an id.
_FORMULA = r'^\s*=\s*"(.*)"\s*$'


def repaired(engine: Engine, source: Source, aliases: Preset) -> Source:
    """Return a source whose cells are as its rows and columns mean them; its notes say what was done.

    A file that is streamed stays as it is: what large systems write needs no repair.
    """
    if source.streamed or not source.headers:
        return source
    plain = _with_units(_without_formulas(engine, source), aliases)
    return fill_down(engine, dated(engine, plain), aliases)


def _with_units(source: Source, aliases: Preset) -> Source:
    """Give amounts the unit that the title of the table says, where their headers say none."""
    above = rows_above(source)
    written = unit_in_title(" ".join(cell for row in above for cell in row)) if above else None
    if not written or not scale_of(written) or scale_of(written) == 1:
        return source
    match = recognise(source, aliases)
    if match is None or match.missing or match.table not in ("transactions", "deals"):
        return source
    kinds = {each.name: each.kind for each in (*TABLES[match.table].columns, *TABLES[match.table].virtual)}
    money = {
        header for name, header in match.columns.items()
        if kinds.get(name) == "money" and name != "unit_price" and header in source.headers and unit(header) is None
    }  # fmt: skip
    if not money:
        return source
    headers = tuple(f"{each}({written})" if each in money else each for each in source.headers)
    return replace(source, headers=headers, notes=(*source.notes, f"amounts are in {written}, as the title says"))


def _without_formulas(engine: Engine, source: Source) -> Source:
    counts = ", ".join(
        f"count(*) FILTER (starts_with(c{place}, '=') AND regexp_matches(c{place}, {literal(_FORMULA)}))"
        for place in range(len(source.headers))
    )
    found = engine.rows(f"SELECT {counts} FROM {quote(source.relation)}")[0]
    if not any(found):
        return source
    cells = ", ".join(
        f"regexp_replace(c{place}, {literal(_FORMULA)}, '\\1') AS c{place}" if count else f"c{place}"
        for place, count in enumerate(found)
    )
    relation = f"{source.relation}_plain"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT {quote('row')}, {cells} "
        f"FROM {quote(source.relation)} ORDER BY {quote('row')}"
    )
    return replace(source, relation=relation, tidy=frozenset())
