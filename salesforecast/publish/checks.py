"""What a page proves before it is published: every chart and table is there, and nothing on it can act or load."""

from __future__ import annotations

import html
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from salesforecast.errors import PublishBlocked
from salesforecast.publish.export import asset, own_kind, shown_outputs, visible
from salesforecast.publish.parameters import is_reference

if TYPE_CHECKING:
    from nbformat import NotebookNode

_PARTS = {"chart": ("svg",), "table": ("table",)}
_LOADING = ("src", "srcset", "poster", "background", "action", "formaction", "data", "ping", "manifest")
_FORBIDDEN = ("iframe", "object", "embed", "base", "form", "frame", "portal", "foreignobject", "animate", "set")
_LINKS = re.compile(r"(https?://|mailto:|#|(\.\./)*[\w%.=+-]+(/[\w%.=+-]+)*$)", re.IGNORECASE)


def check_page(page: str, notebook: NotebookNode, language: str) -> None:
    """Raise `PublishBlocked` when the page is not what its executed notebook made, or could act or load something."""
    scan = _Scan()
    scan.feed(page)
    scan.close()
    made = _made(notebook, language)
    if scan.kinds != made:
        lost = ", ".join(
            f"{kind}: {made[kind]} made, {scan.kinds[kind]} on the page"
            for kind in sorted(set(made) | set(scan.kinds))
            if made[kind] != scan.kinds[kind]
        )
        raise PublishBlocked(f"The page differs from its notebook ({lost}). Nothing was published.")
    empty = [kind for kind, parts in scan.parts if not all(parts[part] for part in _PARTS.get(kind, ()))]
    if empty:
        raise PublishBlocked(f"A {empty[0]} on the page is empty: {_PARTS[empty[0]][0]} is missing.")
    if scan.problems:
        raise PublishBlocked(f"The page could act or load something: {scan.problems[0]}. Nothing was published.")
    if scan.scripts != [asset("page.js")] or scan.styles != 1:
        raise PublishBlocked("The page has a script or style sheet that is not the report's own.")


def check_secrets(texts: Mapping[str, str], parameters: Mapping[str, Any]) -> None:
    """Raise `PublishBlocked` when the value behind an `env:` reference stands in a text about to be published."""
    for name, value in parameters.items():
        for where, text in texts.items():
            if any(form in text for form in _secret_forms(value)):
                raise PublishBlocked(f"{where} contains the secret that parameter {name!r} refers to ({value}).")


def masked(text: str, parameters: Mapping[str, Any]) -> str:
    """Return a text with the values behind `env:` references replaced by the references."""
    for value in parameters.values():
        for form in _secret_forms(value):
            text = text.replace(form, value)
    return text


def _secret_forms(value: Any) -> set[str]:
    """Return what an `env:` reference refers to, as text, HTML, JSON and Python write it; nothing when too short."""
    secret = os.environ.get(value.removeprefix("env:"), "") if is_reference(value) else ""
    if len(secret) < 4:
        return set()
    return {secret, html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def _made(notebook: NotebookNode, language: str) -> Counter[str]:
    kinds = (own_kind(output) for cell in visible(notebook, language) for output in shown_outputs(cell))
    return Counter(kind for kind in kinds if kind)


class _Scan(HTMLParser):
    """Counts what is on a page and notes what could act."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[str] = Counter()
        self.parts: list[tuple[str, Counter[str]]] = []
        self.problems: list[str] = []
        self.scripts: list[str] = []
        self.styles = 0
        self._depth = 0
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "div":
            if not self._depth and "data-kind" in values:
                self.kinds[values["data-kind"]] += 1
                self.parts.append((values["data-kind"], Counter()))
                self._depth = 1
            elif self._depth:
                self._depth += 1
        if self._depth:
            self.parts[-1][1][tag] += 1
        if tag == "script":
            self._script = True
            self.scripts.append("")
        self.styles += tag == "style"
        self._note(tag, values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML ignores the slash of <div/>; SVG's <path/> has no end tag to wait for either.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._depth:
            self._depth -= 1
        if tag == "script":
            self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[-1] += data

    def _note(self, tag: str, values: Mapping[str, str]) -> None:
        if tag in _FORBIDDEN or (tag == "meta" and values.get("http-equiv", "").lower() == "refresh"):
            self.problems.append(f"<{tag}>")
        if tag == "link" and values.get("href") != "data:,":
            self.problems.append("<link> to a resource")
        for name, value in values.items():
            if name.startswith("on") or name == "style":
                self.problems.append(f"attribute {name} of <{tag}>")
            elif (name in _LOADING and not value.startswith("data:image/")) or (
                name in ("href", "xlink:href") and tag != "link" and not _harmless(tag, value)
            ):
                self.problems.append(f"{name}={value[:80]!r} of <{tag}>")


def _harmless(tag: str, address: str) -> bool:
    if tag == "a":
        return _LINKS.match(address) is not None
    return address.startswith(("#", "data:image/"))
