"""Joining the files of one export: lines take what they lack from a file that has their key once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load.clean import SPACES
from salesforecast.load.files import Source
from salesforecast.load.presets import normalise

if TYPE_CHECKING:
    from salesforecast.load.mapping import Plan


def joined_headers(first: Source, others: Sequence[Source]) -> list[str]:
    """Return the headers of a join: those of the lines, then what the other files add."""
    headers = list(first.headers)
    for other in others:
        present = set(map(normalise, headers))
        headers += [header for header in other.headers if header and normalise(header) not in present]
    return headers


def join(engine: Engine, plan: Plan, name: str) -> list[str]:
    """Join the files of a plan into one relation at the grain of the first; returns what to report.

    Raises `BadInput` that names the duplicate when a joined file has a key twice: a join must not multiply lines.
    """
    first = plan.source
    headers = joined_headers(first, plan.joined)
    columns = [f"l.{quote('row')}", *(f"l.c{each} AS c{each}" for each in range(len(first.headers)))]
    tables = f"{first.relation} AS l"
    notes = []
    seen = set(map(normalise, first.headers))
    position = len(first.headers)
    for number, (other, (left, right)) in enumerate(zip(plan.joined, plan.on, strict=True)):
        key = _key(f"r{number}", other.headers.index(right))
        alone = _key("r", other.headers.index(right))
        twice = engine.rows(
            f"SELECT {alone}, count(*) FROM {other.relation} AS r WHERE {alone} IS NOT NULL GROUP BY 1 "
            "HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        )
        if twice:
            raise BadInput(
                f"{other.name} has {right} {twice[0][0]!r} {twice[0][1]} times, so joining it would multiply the lines "
                f"of {first.name}. Remove the repeated rows, or join on another column."
            )
        for place, header in enumerate(other.headers):
            if header and normalise(header) not in seen:
                seen.add(normalise(header))
                columns.append(f"r{number}.c{place} AS c{position}")
                position += 1
        tables += f" LEFT JOIN {other.relation} AS r{number} ON {_key('l', first.headers.index(left))} = {key}"
        notes.append(f"joined with {other.name} on {right}")
    if position != len(headers):
        raise AssertionError("the headers of a join and its columns differ")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {', '.join(columns)} FROM {tables}")
    return notes


def matched(engine: Engine, plan: Plan, number: int) -> int:
    """Return how many rows of a joined file belong to at least one line."""
    other, (left, right) = plan.joined[number], plan.on[number]
    mine, theirs = _key("l", plan.source.headers.index(left)), _key("r", other.headers.index(right))
    return int(
        engine.rows(
            f"SELECT count(*) FROM {other.relation} AS r WHERE {theirs} IN "
            f"(SELECT {mine} FROM {plan.source.relation} AS l WHERE {mine} IS NOT NULL)"
        )[0][0]
    )


def _key(alias: str, position: int) -> str:
    return f"nullif(trim({alias}.c{position}, {literal(SPACES)}), '')"
