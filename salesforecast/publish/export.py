"""An executed notebook as one offline HTML page: code hidden, data inert, the same bytes for the same notebook.

Also an nbconvert exporter: `jupyter nbconvert --to sfreport NOTEBOOK`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from nbconvert.exporters.exporter import Exporter

from salesforecast.errors import PublishBlocked
from salesforecast.publish.archive import is_archive
from salesforecast.publish.markup import clean, escape, markdown, plain

if TYPE_CHECKING:
    from jinja2 import Environment
    from nbformat import NotebookNode

_ID = re.compile(r'(?<=\sid=")[^"]*(?=")')
_HEADING = re.compile(r'<h2\b[^>]*\bid="([^"]*)"[^>]*>(.*?)</h2>', re.DOTALL)
_FIRST = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.DOTALL)


class ReportExporter(Exporter):
    """nbconvert's way to the page; options travel in `resources["salesforecast"]` (the keywords of `build`)."""

    file_extension = ".html"
    output_mimetype = "text/html"
    export_from_notebook = "Sales report"

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Any | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page and nbconvert's resources."""
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        name = resources.get("metadata", {}).get("name", "")
        options = {"language": "zh", "title": name} | dict(resources.get("salesforecast", {}))
        return build(nb, **options), resources


def build(
    notebook: NotebookNode,
    *,
    language: str = "zh",
    title: str = "",
    period: str = "",
    facts: Sequence[tuple[str, str]] = (),
    previous: Mapping[str, str] | None = None,
    source: str | None = None,
) -> str:
    """Return the page of an executed notebook.

    `title` is used when no level-1 heading gives one; `facts` are pairs of a key of `words.toml` and a text, shown in
    the footer; `previous` has `href` and `period`; `source` is the address of the source notebook.

    Raises `PublishBlocked` when an output is an error.
    """
    blocks = _blocks(notebook, language)
    body = "\n".join(blocks)
    found = _FIRST.search(body)
    heading = _unescape(plain(found.group(1))) if found else title
    return render(
        "page.html.j2",
        lang=html_language(language),
        title=heading if period[:4] in heading else f"{heading} {period}".strip(),
        css=style("page.css", _component_style()),
        script=asset("page.js"),
        words=words(language),
        toc=[(_unescape(name), _unescape(plain(text))) for name, text in _HEADING.findall(body)],
        blocks=blocks,
        facts=facts,
        previous=previous,
        source=source,
    )


def render(template: str, *, css: str, script: str, **values: Any) -> str:
    """Fill a template; its inline style and script are the only ones its security policy lets through."""
    from markupsafe import Markup

    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash_source(css)}; script-src {_hash_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    if "blocks" in values:
        values["blocks"] = [Markup(block) for block in values["blocks"]]  # noqa: S704 - made safe block by block
    page = _environment().get_template(template)
    return page.render(policy=Markup(policy), css=Markup(css), script=Markup(script), **values)  # noqa: S704


def visible(notebook: NotebookNode, language: str) -> Iterator[NotebookNode]:
    """Yield the cells that belong on the page: not raw, not removed by tag, not written for another language."""
    for cell in notebook.cells:
        tags = {tag.replace("_", "-") for tag in cell.metadata.get("tags", [])}
        others = {tag for tag in tags if tag.startswith("lang-")} - {f"lang-{language}"}
        if cell.cell_type != "raw" and not others and "remove-cell" not in tags:
            yield cell


def shown_outputs(cell: NotebookNode) -> list[NotebookNode]:
    """Return the outputs of a cell that belong on the page; stderr and widgets do not."""
    tags = {tag.replace("_", "-") for tag in cell.metadata.get("tags", [])}
    if cell.cell_type != "code" or "remove-output" in tags:
        return []
    return [
        output
        for output in cell.outputs
        if not (output.output_type == "stream" and output.name != "stdout")
        and own_kind(output) != "style"  # for JupyterLab; a page has the style sheet already
        and not is_archive(output)
        and not any("jupyter.widget" in kind for kind in output.get("data", {}))
    ]


def own_kind(output: NotebookNode) -> str | None:
    """Return the kind of an output that `Show` made (chart, table, …), None for any other output."""
    mark = output.get("metadata", {}).get("salesforecast", {})
    kind = mark.get("kind") if isinstance(mark, Mapping) else None
    return str(kind) if kind and "text/html" in output.get("data", {}) else None


def words(language: str) -> dict[str, str]:
    """Return the words around the page in one language.

    >>> words("en")["contents"]
    'Contents'
    """
    return {key: entry["zh" if language == "zh" else "en"] for key, entry in _words().items()}


def html_language(language: str) -> str:
    """Return the `lang` of the page.

    >>> html_language("zh")
    'zh-CN'
    """
    return "zh-CN" if language == "zh" else language


def style(name: str, *more: str) -> str:
    """Return a style sheet of the template folder with others after it."""
    return "\n".join(each.strip() for each in (asset(name), *more) if each)


@cache
def asset(name: str) -> str:
    """Return a file of the template folder."""
    return (resources.files(__package__) / "template" / name).read_text(encoding="utf-8")


def _blocks(notebook: NotebookNode, language: str) -> list[str]:
    cells = list(visible(notebook, language))
    taken = {section for section in map(_section, cells) if section}
    blocks = []
    for cell in cells:
        if cell.cell_type == "markdown":
            blocks.append(_prose(cell, taken))
        for output in shown_outputs(cell):
            block = _output(output, taken)
            if block:
                blocks.append(block)
    return blocks


def _section(cell: NotebookNode) -> str | None:
    found = [tag.removeprefix("section:") for tag in cell.metadata.get("tags", []) if tag.startswith("section:")]
    return found[0] if found and cell.cell_type == "markdown" else None


def _prose(cell: NotebookNode, taken: set[str]) -> str:
    pending = [_section(cell)]

    def identify(level: int, text: str) -> str:
        section = pending.pop() if pending else None
        return section or _free(_slug(_unescape(plain(text))), taken)

    return f'<div class="sf-md">\n{markdown(cell.source, identify, cell.get("attachments"))}</div>'


def _output(output: NotebookNode, taken: set[str]) -> str:
    if output.output_type == "error":
        raise PublishBlocked(
            f"A cell ended in {output.get('ename', 'an error')}; a page with an error is not published."
        )
    if output.output_type == "stream":
        return _wrapped("text", _pre(output.text)) if output.text.strip() else ""
    kind = own_kind(output)
    if kind:
        return _wrapped(kind, _own_ids(_text(output.data["text/html"]), taken), own=True)
    return _foreign(output.data, taken)


def _foreign(data: Mapping[str, Any], taken: set[str]) -> str:
    """Show the richest form of an output that cannot do harm."""
    alt = escape(_text(data.get("text/plain", "")))
    if "text/html" in data:
        return _wrapped("foreign", clean(_text(data["text/html"])))
    if "text/markdown" in data:
        return _wrapped(
            "md", markdown(_text(data["text/markdown"]), lambda level, text: _free(_slug(plain(text)), taken))
        )
    if "image/svg+xml" in data:  # as a picture an SVG runs no script and loads nothing
        packed = base64.b64encode(_text(data["image/svg+xml"]).encode()).decode()
        return _wrapped("image", f'<img src="data:image/svg+xml;base64,{packed}" alt="{alt}">')
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            packed = re.sub(r"[^A-Za-z0-9+/=]", "", _text(data[kind]))
            return _wrapped("image", f'<img src="data:{kind};base64,{packed}" alt="{alt}">')
    return _wrapped("text", _pre(_text(data["text/plain"]))) if "text/plain" in data else ""


def _wrapped(kind: str, content: str, *, own: bool = False) -> str:
    mark = f'class="sf-output" data-kind="{escape(kind)}"' if own else f'class="sf-output sf-{kind}"'
    return f"<div {mark}>\n{content}\n</div>"


def _pre(text: str) -> str:
    return f'<pre class="sf-text">{escape(text.rstrip())}</pre>'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(map(str, value))


def _own_ids(fragment: str, taken: set[str]) -> str:
    """Give a second copy of an id, as when a chart is shown twice, a name of its own with all that refers to it."""
    for name in dict.fromkeys(_ID.findall(fragment)):
        free = _free(name, taken)
        if free != name:
            fragment = re.sub(rf'(?<=[\s"#(]){re.escape(name)}(?=[\s")])', free, fragment)
    return fragment


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"


def _unescape(text: str) -> str:
    import html

    return html.unescape(text)


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _component_style() -> str:
    """Return the style of tables, cards and charts, which belongs to those who draw them."""
    sheet = resources.files("salesforecast.present") / "sf.css"
    return sheet.read_text(encoding="utf-8") if sheet.is_file() else ""


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(asset("words.toml"))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
