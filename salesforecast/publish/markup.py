"""Markdown and foreign HTML made inert: what is not on the allow-list is shown as text, never run, never dropped."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bleach import Cleaner

_ALIVE = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
# pandas puts this constant style sheet before the tables of notebooks; without markup inside it cannot carry data.
_PANDAS_STYLE = re.compile(r"^<div>\s*<style scoped>[^<]*</style>(?=\s*<table border=\"1\" class=\"dataframe\">)")
_TAGS = """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr
    i ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var
"""
_ATTRIBUTES = {
    "*": ["title", "lang", "dir"], "a": ["href"],
    "td": ["colspan", "rowspan"], "th": ["colspan", "rowspan", "scope"], "col": ["span"], "ol": ["start"],
    "details": ["open"],
}  # fmt: skip

Heading = Callable[[int, str], str]


def escape(text: str) -> str:
    """Return text that HTML shows literally.

    >>> escape("<b>")
    '&lt;b&gt;'
    """
    import html

    return html.escape(text, quote=True)


def plain(fragment: str) -> str:
    """Return the text of an HTML fragment, still escaped, in one line.

    >>> plain("<em>A</em> &lt; B")
    'A &lt; B'
    """
    return " ".join(re.sub(r"<[^>]*>", "", fragment).split())


def markdown(source: str, identify: Heading, attachments: dict[str, Any] | None = None) -> str:
    r"""Return Markdown as HTML. `identify(level, text)` gives a heading its id.

    Raw HTML is escaped; links live when they go to http, https, mailto or `#section`, any other is written out as text;
    pictures are those attached to the cell or given as data.

    >>> markdown("[x](javascript:alert(1))", lambda level, text: text)
    '<p>x (javascript:alert(1))</p>\n'
    """
    import mistune

    renderer = _renderer(identify, attachments or {})
    return str(mistune.create_markdown(renderer=renderer, plugins=["table", "strikethrough"])(source))


def clean(fragment: str) -> str:
    """Return foreign HTML with only harmless tags and attributes alive; the rest is shown as text.

    >>> clean("<b>fine</b><script>alert(1)</script>")
    '<b>fine</b>&lt;script&gt;alert(1)&lt;/script&gt;'
    """
    return _cleaner().clean(_PANDAS_STYLE.sub("<div>", fragment))


@cache
def _cleaner() -> Cleaner:
    from bleach import Cleaner

    def allowed(tag: str, name: str, value: str) -> bool:
        if (tag, name) == ("a", "href"):
            return bool(_ALIVE.match(value))
        return name in _ATTRIBUTES.get(tag, []) or name in _ATTRIBUTES["*"]

    return Cleaner(tags=set(_TAGS.split()), attributes=allowed, protocols={"http", "https", "mailto"}, strip=False)


def _renderer(identify: Heading, attachments: dict[str, Any]) -> Any:
    import mistune

    class Renderer(mistune.HTMLRenderer):
        """mistune's renderer with our headings, links and pictures."""

        def heading(self, text: str, level: int, **attrs: Any) -> str:
            return f'<h{level} id="{escape(identify(level, text))}">{text}</h{level}>\n'

        def link(self, text: str, url: str, title: str | None = None) -> str:
            if not _ALIVE.match(url):
                return f"{text} ({escape(url)})"
            label = f' title="{escape(title)}"' if title else ""
            return f'<a href="{escape(url)}"{label}>{text}</a>'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            source = _attached(url, attachments)
            if not _PICTURE.fullmatch(source):
                return f"{text} ({escape(url)})"
            return f'<img src="{source}" alt="{plain(text)}">'

        def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
            side = f' class="sf-{align}"' if align in ("right", "center") else ""
            return f'<th scope="col"{side}>{text}</th>' if head else f"<td{side}>{text}</td>"

    return Renderer(escape=True)


def _attached(url: str, attachments: dict[str, Any]) -> str:
    bundle = attachments.get(url.removeprefix("attachment:"), {})
    for kind, content in bundle.items():
        return f"data:{kind};base64,{''.join(content)}".replace("\n", "")
    return url
