"""The blocks of a review that are neither chart nor table: head, findings, cards, definitions, provenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from salesforecast.present.drawings import spark, swatch
from salesforecast.present.labels import has_label, label
from salesforecast.present.style import Style
from salesforecast.present.tables import variance
from salesforecast.present.words import Words, missing

if TYPE_CHECKING:
    import pandas as pd

    from salesforecast.findings import Finding

PERIODS_OF_A_SPARKLINE = 13


def head(title: str, facts: Sequence[tuple[str, str]], verdict: str, words: Words) -> str:
    """Return the head of a page: title, verdict, what the figures are, and the signs used in all charts."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    signs = "".join(
        f'<span class="sf-key">{swatch(each)} {escape(label("chart", each, words.language))}</span>'
        for each in ("actual", "last_year", "target", "forecast", "interval")
    )
    said = f'<p class="sf-verdict">{escape(verdict)}</p>' if verdict else ""
    return (
        f'<header class="sf-head"><h1>{escape(title)}</h1>{said}<dl class="sf-facts">{rows}</dl>'
        f'<p class="sf-keys">{signs}</p></header>'
    )


def findings(items: Sequence[Mapping[str, str]], words: Words) -> str:
    """Return findings as an ordered list; each has sentence, action, certainty, link text and section, good or bad."""
    rows = []
    for each in items:
        action = f'<p class="sf-action">{escape(each["action"])}</p>' if each["action"] else ""
        link = f'<a href="#{escape(each["section"])}">{escape(each["link"])}</a>'
        rows.append(
            f'<li class="sf-finding sf-{each["tone"]}"><p class="sf-sentence">{escape(each["sentence"])}</p>{action}'
            f'<p class="sf-meta">{escape(each["certainty"])} · {link}</p></li>'
        )
    return f'<ol class="sf-findings">{"".join(rows)}</ol>'


def finding_words(finding: Finding, words: Words, member: Callable[[Any, str], str], measure: Style) -> dict[str, str]:
    """Return what is said about a finding.

    The sentence is `[finding.<kind>]`, filled with the values of the finding and with period, since, slice, measure and
    amount. Certainty is said in a word with its number.
    """
    slice_ = "·".join(member(value, dimension) for dimension, value in sorted(finding.slice.items()))
    values: dict[str, Any] = {
        "period": finding.period,
        "since": finding.since,
        "measure": finding.measure,
        "amount": finding.amount,
        "slice": slice_ or words.word("company"),
        **{name: member(each, name) if isinstance(each, str) else each for name, each in finding.values.items()},
    }
    advice = action = ""
    if finding.action:
        advice = words.sentence(label("action", finding.action, words.language), values)
        action = label("word", "action", words.language).format(action=advice)
    return {
        "sentence": words.sentence(label("finding", finding.kind, words.language), values),
        "advice": advice,
        "action": action,
        "certainty": certainty(finding.certainty, words),
        "section": finding.section,
        "link": section_name(finding.section, words),
        "tone": "bad" if finding.amount < 0 else "good",
    }


def certainty(value: float, words: Words) -> str:
    """Return how sure something is, in a word: the numbers behind it differ in kind from finding to finding.

    >>> certainty(0.9, Words("zh")), certainty(0.4, Words("en"))
    ('把握：高', 'Certainty: low')
    """
    level = "high" if value >= 0.8 else "medium" if value >= 0.5 else "low"
    return words.word("certainty").format(level=words.word(level))


def section_name(section: str, words: Words) -> str:
    """Return the title of a section; one that has no label keeps its id."""
    return label("section", section, words.language) if has_label("section", section) else section


def agenda(questions: Sequence[str], words: Words, rows: int = 5) -> str:
    """Return the form of a meeting as a table: questions, then empty cells for decision, owner, due date and check."""
    columns = ("question", "decision", "owner", "due", "checked_by")
    heads = "".join(f'<th scope="col" class="sf-text">{escape(words.word(each))}</th>' for each in columns)
    blank = "".join(f'<td data-label="{escape(words.word(each))}">&#160;</td>' for each in columns[1:])
    lines = [*questions, *[""] * (rows - len(questions))]
    body = "".join(f'<tr><th scope="row" class="sf-text">{escape(each)}</th>{blank}</tr>' for each in lines)
    return f'<table class="sf-table sf-agenda"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def card(measure: str, row: Mapping[str, Any], style: Style, history: Sequence[float]) -> str:
    """Return one headline figure: value, its changes, its attainment and the trend of its last 13 periods."""
    words = style.words
    name = words.format(measure, "measure")
    number, _, unit = style.prose(row["value"]).partition(" ")
    if words.language == "en" and unit:  # CNY 12.3M: the currency stands before the figure
        number, unit = unit, number
    facts = []
    for column in ("yoy", "mom"):
        if not missing(row.get(column)):
            cell = variance(row[column], style.change(row[column]), style)
            facts.append(f"<li>{escape(label('column', column, words.language))} {cell.markup}</li>")
    if not missing(row.get("attainment")):
        reached = f"{label('column', 'attainment', words.language)} {words.percent(row['attainment'])}"
        facts.append(f"<li>{escape(reached)}</li>")
    drawing = ""
    known = [each for each in history if not missing(each)]
    if len(known) > 1:
        told = label("chart", "spark.name", words.language)
        said = {"count": len(history), "first": style.prose(known[0]), "last": style.prose(known[-1])}
        said |= {"high": style.prose(max(known)), "low": style.prose(min(known))}
        drawing = spark([None if missing(each) else float(each) for each in history], words.sentence(told, said))
    mark = f' <span class="sf-unit">{escape(unit)}</span>' if unit else ""
    return (
        f'<li class="sf-card"><p class="sf-card-name">{escape(name)}</p>'
        f'<p class="sf-card-value">{escape(number)}{mark}</p><ul>{"".join(facts)}</ul>{drawing}</li>'
    )


def history(series: pd.DataFrame | pd.Series | None) -> list[float]:
    """Return the last 13 values of a series given as a frame with `value` or as values; empty without one."""
    if series is None:
        return []
    values = series["value"] if hasattr(series, "columns") else series
    return [float("nan") if missing(each) else float(each) for each in values][-PERIODS_OF_A_SPARKLINE:]


def definitions(entries: Sequence[tuple[str, str]]) -> str:
    """Return terms with their definitions."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in entries)
    return f'<dl class="sf-definitions">{rows}</dl>'


def prose(text: str, kind: str = "sf-prose") -> str:
    """Return one escaped paragraph."""
    return f'<p class="{kind}">{escape(text)}</p>'
