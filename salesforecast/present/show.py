"""`Show`: what notebooks call, and the one object that knows language, currency sign and the names of periods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadValue, NoData, lookup
from salesforecast.present import blocks, forecast_words, tables
from salesforecast.present.labels import has_label, label
from salesforecast.present.style import Style
from salesforecast.present.words import Words, missing

if TYPE_CHECKING:
    import pandas as pd

    from salesforecast.calendar import Period
    from salesforecast.findings import Finding
    from salesforecast.workbench import Workbench

MOST_CARDS = 6
PERSONAL = {"person": ("people", "person_id"), "customer": ("customers", "customer_id")}
NAMED = {**PERSONAL, "product": ("products", "product_id")}
_ALSO = {"person_id": "person", "owner_id": "person", "customer_id": "customer", "product_id": "product"}
# JupyterLab's own rules for lists and cells are more specific than those of sf.css.
_BESIDE_JUPYTERLAB = """
ul.sf-cards:not(.list-inline), .sf-card ul:not(.list-inline), ol.sf-findings:not(.list-inline) {
  list-style: none; padding: 0;
}
.sf-table .sf-text.sf-text { text-align: left; }
"""
ARCHIVE = "application/vnd.salesforecast.forecasts+json"
_CODED = {"model": "model", "event": "event"}


@dataclass(frozen=True)
class Shown:
    """What a method of `Show` returns: a mime bundle that a notebook displays and a page includes."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def html(self) -> str:
        """The fragment of the page."""
        return str(self.data["text/html"])

    def __str__(self) -> str:
        return str(self.data["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return dict(self.data), dict(self.metadata)


class Show:
    """Gives the figures of one workbench their words, in its language.

    Every method returns a `Shown`; a notebook displays it. Unless the audience is "analyst", names of people and
    customers are masked as the settings say.
    """

    def __init__(self, wb: Workbench) -> None:
        self.wb = wb
        self.words = Words.of(wb.settings, wb.language, _typical(wb))

    def __repr__(self) -> str:
        return f"Show({self.words.language}, {self.words.unit}, {self.wb.audience})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give a notebook that displays this object the style sheet which a published page has already."""
        return {"text/html": f"<style>{_sheet()}</style>", "text/plain": repr(self)}, _metadata("style")

    def head(self, review: str, period: str | Period, verdict: str | Shown = "", edition: str | None = None) -> Shown:
        """Return the head of a review: its title, one line of verdict, and what the figures stand for.

        `review` is a key of the `review` labels (`monthly_sales`) or the title itself.
        """
        name = getattr(period, "id", period)
        title = label("review", review, self.words.language) if has_label("review", review) else review
        audience = edition or self.wb.audience
        facts = [
            (self._word("period"), self.words.period(name)),
            (self._word("as_of"), self.words.date(self.wb.as_of)),
            (self._word("basis"), self._code("basis", self.wb.basis)),
            (self._word("scope"), self.scope),
            (self._word("unit"), self.words.unit),
            (self._word("edition"), self._code("edition", audience)),
        ]
        heading = " ".join(each for each in (self.who, title, self.words.period(name)) if each)
        text = "\n".join([heading, str(verdict), *(f"{name}: {value}" for name, value in facts)])
        return _shown("head", blocks.head(heading, facts, str(verdict), self.words), text)

    def verdict(self, findings: Iterable[Finding]) -> str:
        """Return the sentence of the finding that sums up the period, empty when there is none."""
        whole = next((each for each in findings if each.sums_up), None)
        return (
            blocks.finding_words(whole, self.words, self.member, self._style(whole.measure))["sentence"]
            if whole
            else ""
        )

    def findings(self, findings: Iterable[Finding]) -> Shown:
        """Return findings in the order given, each with action, certainty and a link to its section.

        The finding that sums up the period is left to the head of the page (`verdict`).
        """
        findings = [each for each in findings if not each.sums_up]
        items = [blocks.finding_words(each, self.words, self.member, self._style(each.measure)) for each in findings]
        if not items:
            return self.note(self._word("no_findings"))
        text = "\n".join(f"{number}. {each['sentence']} {each['action']}" for number, each in enumerate(items, 1))
        return _shown("findings", blocks.findings(items, self.words), text)

    def agenda(self, findings: Iterable[Finding], most: int = 3) -> Shown:
        """Return the form for what is to be decided: the suggested actions as questions, and room to write."""
        asked = [
            blocks.finding_words(each, self.words, self.member, self._style(each.measure))["advice"]
            for each in findings
            if each.action
        ]
        return _shown("prose", blocks.agenda(asked[:most], self.words), "\n".join(asked[:most]))

    def cards(
        self,
        kpis: pd.DataFrame,
        series: Mapping[str, Any] | None = None,
        measures: Sequence[str] | None = None,
    ) -> Shown:
        """Return the headline figures as at most six cards, with a trend of 13 periods where `series` has one.

        `kpis` has one row a measure (as index or column) and value, yoy, mom, attainment, note; `measures` chooses and
        orders; one without a value has no card. Raises `BadValue` for more than six.
        """
        frame = kpis.set_index("measure") if "measure" in kpis.columns else kpis
        names = list(measures) if measures is not None else list(frame.index)
        if len(names) > MOST_CARDS:
            raise BadValue(f"At most {MOST_CARDS} cards; found {len(names)}. Choose with measures=[...].")
        found = {name: lookup(frame.to_dict("index"), name, "row of kpis") for name in names}
        rows = {name: row for name, row in found.items() if not missing(row.get("value"))}
        cards = [
            blocks.card(name, row, self._style(name), blocks.history((series or {}).get(name)))
            for name, row in rows.items()
        ]
        notes = self._note(*(row.get("note") for row in rows.values()))
        text = "\n".join(
            f"{self.words.format(name, 'measure')} {self._style(name).prose(row.get('value'))}"
            for name, row in rows.items()
        )
        below = blocks.prose(notes, "sf-note") if notes else ""
        return _shown("cards", f'<ul class="sf-cards">{"".join(cards)}</ul>{below}', text)

    def table(
        self,
        frame: pd.DataFrame,
        caption: str,
        columns: Sequence[str] | None = None,
        total: str | None = tables.TOTAL,
        measure: str = "revenue",
        grain: str = "month",
        rows: int = 25,
    ) -> Shown:
        """Return a frame as a table of at most eight columns; the row named `total` comes last, set apart.

        A column without any value is left out, and so are rows beyond the first `rows`, which the table then says.

        `caption` is a key of the `caption` labels or the caption itself. `measure` gives `value` columns their unit and
        direction, `grain` the periods of `period_start` their names.
        """
        caption = self._code("caption", caption)
        frame = _plain_index(frame)
        look = self._look(replace(self._style(measure), grain=grain))
        if frame.empty:
            return self.note(
                self.words.sentence(label("word", "nothing_found", self.words.language), {"caption": caption})
            )
        shown, more = tables.first_rows(frame, rows, total)
        below = self.words.sentence(label("word", "more_rows", self.words.language), {"count": more}) if more else ""
        html = tables.table(shown, look, caption, columns, total) + (blocks.prose(below, "sf-note") if more else "")
        return _shown("table", html, "\n".join([tables.plain(shown, look, caption, columns, total), below]).rstrip())

    def chart(
        self,
        kind: str,
        frame: pd.DataFrame,
        message: str | Shown | None = None,
        *,
        measure: str = "revenue",
        title: str | None = None,
        alt: str | None = None,
        grain: str = "",
    ) -> Shown:
        """Return a chart of one of the kinds in `charts.KINDS`, with its message, title line and data.

        Without `message` the most important sentence about the frame is used; `grain` is read from the periods of
        the frame unless given. Raises `BadValue` for missing columns, no rows, or a chart that has no words.
        """
        from salesforecast.present.figures import figure

        look = self._look(replace(self._style(measure), grain=grain))
        # Names are settled in the frame itself, so that drawing, hover text, specification and data table agree.
        look = replace(look, member=lambda value, dimension: str(value))
        bundle = figure(
            kind, self._worded(_plain_index(frame)), look, self.who, self.words.format(measure, "measure"),
            None if message is None else str(message), title, alt,
        )  # fmt: skip
        return Shown(bundle, _metadata("chart"))

    def sentence(self, key: str = "", *, zh: str = "", en: str = "", **values: Any) -> Shown:
        """Return a sentence with its figures: a key of the `sentence` labels, or the template in both languages.

        `show.sentence(zh="本月签约 {value:money}。", en="Orders this month: {value:money}.", value=1e7)`
        """
        if not key and not (zh and en):
            raise BadValue("A sentence needs a key of the labels, or both zh=... and en=... templates.")
        template = label("sentence", key, self.words.language) if key else zh if self.words.language == "zh" else en
        return _prose(self.words.sentence(template, values))

    def track_record(self, accuracy: pd.DataFrame, grain: str = "month") -> Shown:
        """Return what `sf.accuracy` says in one sentence: the error of the first method beside the naive one's.

        The naive method repeats last year; of days, last week.
        """
        errors = accuracy.set_index("model")["wape"]
        ours, naive = float(errors.iloc[0]), float(errors["seasonal_naive"])
        key = f"accuracy.{'record' if ours < naive else 'worse'}{'_day' if grain == 'day' else ''}"
        return self.sentence(key, wape=ours, naive=naive)

    def said(
        self,
        said: pd.DataFrame,
        landings: pd.DataFrame | None = None,
        outlook: pd.DataFrame | None = None,
        measure: str = "revenue",
        grain: str = "month",
    ) -> Shown:
        """Return what the last edition said and what happened, how good the record is, and how the year's view moved.

        `said` and `landings` are frames of `sf.archive`, `outlook` of `sf.targets`. Without an archived forecast that
        can be held against an outcome it says so.
        """
        return self._sentences(forecast_words.said(said, landings, outlook, self._style(measure, grain)))

    def ahead(self, summary: Mapping[str, Any], measure: str = "revenue", grain: str = "month") -> Shown:
        """Return what a forecast comes to over its horizon, in one sentence (`outlooks.summary`)."""
        named = self.words.format(measure, "measure")
        return self._sentences(forecast_words.ahead(summary, named, self._style(measure, grain)))

    def members(self, weights: pd.DataFrame) -> Shown:
        """Return which methods make up a forecast, with their weights (columns model, weight), in one sentence."""
        return self._sentences(forecast_words.members(weights, self.member, self._style("revenue")))

    def parts(self, parts: pd.DataFrame, alone: float, measure: str = "revenue") -> Shown:
        """Return how the levels of `outlooks.parts` fit together; `alone` is the forecast of the whole made alone."""
        return self._sentences(forecast_words.parts(parts, alone, self._style(measure)))

    def leanings(self, callers: pd.DataFrame, most: int = 3) -> Shown:
        """Return who calls too high and who too low, beyond chance, in one sentence (`archive.callers`)."""
        return self._sentences(forecast_words.leanings(callers, most, self.member, self._style("revenue")))

    def archive(self, rows: pd.DataFrame) -> Shown:
        """Hand forecasts (rows of `archive.rows`) over to the archive: `sf.run` stores them, the page shows nothing."""
        frame = rows.assign(period_start=[str(each)[:10] for each in rows["period_start"]])
        found = [
            {str(name): None if missing(value) else value for name, value in row.items()}
            for row in frame.to_dict("records")
        ]
        text = self.words.sentence(label("word", "to_archive", self.words.language), {"n": len(found)})
        return Shown({ARCHIVE: {"rows": found}, "text/plain": text}, _metadata("archive"))

    def note(self, *codes: str) -> Shown:
        """Return notes, given as codes or as words, as one paragraph."""
        return _shown("prose", blocks.prose(self._note(*codes), "sf-note"), self._note(*codes))

    def definitions(self, measures: Iterable[str]) -> Shown:
        """Return the definitions (口径) of measures."""
        from salesforecast.measures import MEASURES

        found = [lookup(MEASURES, each, "measure") for each in measures]
        zh = self.words.language == "zh"
        entries = [(each.zh, each.definition_zh) if zh else (each.en, each.definition_en) for each in found]
        text = "\n".join(f"{name}: {definition}" for name, definition in entries)
        return _shown("definitions", blocks.definitions(entries), text)

    def provenance(self, wb: Workbench | None = None) -> Shown:
        """Return where the figures come from: data, settings, exclusions and versions; never a clock or a run."""
        wb = wb or self.wb
        facts = [*self._origin(wb), (self._word("versions"), _versions())]
        html, text = blocks.definitions(facts), [f"{name}: {value}" for name, value in facts]
        excluded = getattr(wb, "exclusions", None)
        if excluded is not None and len(excluded):
            caption = self._word("exclusions")
            look = self._look(self._style("revenue"))
            html += tables.table(excluded, look, caption)
            text.append(tables.plain(excluded, look, caption))
        return _shown("provenance", f'<div class="sf-provenance">{html}</div>', "\n".join(text))

    @contextmanager
    def section(self, id: str) -> Iterator[None]:
        """Run a section; when its data is missing, display one sentence that says what is, and go on."""
        try:
            yield
        except NoData as error:
            from IPython.display import display

            display(self.missing(id, error))

    def missing(self, id: str, error: NoData) -> Shown:
        """Return the sentence for a section whose data is missing."""
        from salesforecast.analysis.sections import SECTIONS

        needs = [each for each in SECTIONS[id].needs if not self.wb.has(each)] if id in SECTIONS else []
        named = self.words.word("list").join(self._need(each) for each in needs)
        key = "section_needs" if needs else "section_missing"
        reason = self._note(error.note) if error.note else str(error).rstrip(".。")
        values = {"section": blocks.section_name(id, self.words), "needs": named, "error": reason}
        text = self.words.sentence(label("word", key, self.words.language), values)
        return _shown("missing", blocks.prose(text, "sf-missing"), text)

    def member(self, value: Any, dimension: str) -> str:
        """Return the name of a member of a dimension; people and customers are masked for a published page.

        A masked name keeps its first sign and its id, so that two of them can be told apart: `张** P012`.
        """
        if missing(value) or value == "":
            return self._word("unassigned")
        value, dimension = str(value), _ALSO.get(dimension, dimension)
        if value == tables.TOTAL:
            return self._word("total")
        if dimension == "model":
            from salesforecast.forecasting.models import model_label

            try:
                return self.words.punctuated(model_label(value)[self.words.language])
            except BadValue:
                return value
        if dimension == "event":
            return label("event", value, self.words.language) if has_label("event", value) else value
        name = self._names.get(dimension, {}).get(value)
        if dimension not in PERSONAL or not self._masks:
            return name or value
        if name is not None and name != value:
            return f"{_mask(name)} {value}"
        # An id without a figure in it is a name in disguise: exports often identify customers by their names.
        return value if any(each.isdigit() for each in value) else _mask(value)

    def _sentences(self, said: forecast_words.Sentences) -> Shown:
        texts = [str(self.sentence(key, **values)) for key, values in said]
        return _prose(("" if self.words.language == "zh" else " ").join(texts))

    @property
    def scope(self) -> str:
        """The part of the business that the workbench shows, in words."""
        narrower = sorted((kind, value) for kind, value in self.wb.scope.items() if value != tables.TOTAL)
        parts = [f"{self._code('code', kind)} {self.member(value, kind)}" for kind, value in narrower]
        return self.words.word("list").join(parts) or self._word("company")

    @property
    def who(self) -> str:
        """The company and, where the scope is narrower, the part of it: what a title begins with."""
        narrower = any(value != tables.TOTAL for value in self.wb.scope.values())
        return " ".join(each for each in (self.wb.settings.company or "", self.scope if narrower else "") if each)

    @property
    def _masks(self) -> bool:
        return self.wb.audience != "analyst" and "name" in self.wb.settings.privacy.mask

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """Dimension → id → name, from the tables that have one."""
        found: dict[str, dict[str, str]] = {}
        for dimension, (table, key) in NAMED.items():
            found[dimension] = self.wb.names(table, key)
        return found

    def _word(self, key: str) -> str:
        return self.words.word(key)

    def _code(self, group: str, code: str) -> str:
        return label(group, code, self.words.language) if has_label(group, code) else code

    def _style(self, measure: str, grain: str = "month") -> Style:
        """Return the style of a measure: its unit, whether more of it is good, and its periods."""
        from salesforecast.measures import MEASURES

        known = MEASURES.get(measure)
        better = {"higher": True, "lower": False}.get(known.direction) if known else True
        red_up = self.wb.settings.display.red_up
        unit = known.unit if known else "count"
        return Style(self.words, unit=unit, grain=grain, red_up=red_up, higher_is_better=better)

    def _look(self, style: Style) -> tables.Look:
        return tables.Look(style, self.member, self._note, self._style)

    def _note(self, *codes: Any) -> str:
        """Return note codes (several in one text are apart by spaces, `code:value` carries a value) as words."""
        parts = [part for each in codes if not missing(each) for part in _codes(str(each))]
        ends = "；" if self.words.language == "zh" else "; "
        return ends.join(dict.fromkeys(self._one_note(part) for part in parts))

    def _one_note(self, code: str) -> str:
        name, _, value = code.partition(":")
        if not has_label("note", name):
            return code
        return self.words.sentence(label("note", name, self.words.language), {"value": value, "code": name})

    def _need(self, need: str) -> str:
        """Return a table or column that a section needs, in words."""
        from salesforecast.schema import TABLES

        table, _, column = need.partition(".")
        known = TABLES.get("transactions" if table == "sales" else table)
        if known is None:
            return need
        zh = self.words.language == "zh"
        names = {each.name: each.zh if zh else each.name for each in known.columns}
        template = label("word", "column_need" if column else "table_need", self.words.language)
        return template.format(table=known.zh if zh else known.name, column=names.get(column, column))

    def _worded(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with members, methods and events named as the reader may see them."""
        result = frame.copy()
        for column in frame.columns:
            if column == "scope_id":
                kinds = frame["scope_type"] if "scope_type" in frame.columns else ["company"] * len(frame)
                pairs = zip(frame["scope_id"], kinds, strict=True)
                result[column] = [each if each == tables.TOTAL else self.member(each, kind) for each, kind in pairs]
            elif column == "event":
                result[column] = [
                    None if missing(each) or each == "" else self.member(each, "event") for each in frame[column]
                ]
            elif column in _CODED or tables.is_member(str(column)):
                result[column] = [
                    each if each == tables.TOTAL else self.member(each, str(column)) for each in frame[column]
                ]
        return result

    def _origin(self, wb: Workbench) -> list[tuple[str, str]]:
        settings, of = wb.settings, self._word
        first = settings.fiscal.year_start_month
        facts = [
            (of("as_of"), self.words.date(wb.as_of)),
            (of("data_hash"), str(getattr(wb, "data_hash", ""))[:12]),
            (of("basis"), self._code("basis", wb.basis)),
            (of("scope"), self.scope),
            (of("unit"), self.words.unit),
            (of("fiscal_start"), str(first)),
            (of("holidays"), settings.calendar.country),
            (of("notes"), self._note(*getattr(wb, "notes", ()))),
        ]
        return [(name, value) for name, value in facts if value]


def _shown(kind: str, html: str, text: str) -> Shown:
    return Shown({"text/html": html, "text/plain": text}, _metadata(kind))


def _prose(text: str) -> Shown:
    return _shown("prose", f'<p class="sf-prose">{escape(text)}</p>', text)


def _metadata(kind: str) -> dict[str, Any]:
    return {"salesforecast": {"kind": kind}}


def _codes(text: str) -> list[str]:
    """Return the codes in a note; a text that is no list of codes stays whole."""
    parts = text.split()
    return parts if all(has_label("note", each.partition(":")[0]) for each in parts) else [text]


def _mask(name: str) -> str:
    return f"{name[:1]}**"


def _plain_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index() if frame.index.name else frame.reset_index(drop=True)


def _typical(wb: Workbench) -> float | None:
    """Return the median monthly amount, from which the money unit is chosen; None when it cannot be told."""
    if wb.settings.currency.display is not None or not hasattr(wb, "sql"):
        return None
    months = "SELECT month_start, sum(amount) AS amount FROM sales GROUP BY month_start"
    try:
        found = wb.sql(f"SELECT median(amount) AS amount FROM ({months}) AS months")
    except NoData:
        return None
    value = found["amount"].iloc[0] if len(found) else None
    return None if value is None or missing(value) else float(value)


def _sheet() -> str:
    return (resources.files(__package__) / "sf.css").read_text(encoding="utf-8") + _BESIDE_JUPYTERLAB


def _versions() -> str:
    from importlib.metadata import version

    names = ("salesforecast", "pandas", "duckdb", "statsmodels", "altair", "vl-convert-python")
    return ", ".join(f"{each} {version(each)}" for each in names)
