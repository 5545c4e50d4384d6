"""Charts as static SVG that is safe to put into a page: ordinal ids, hatch patterns, no styles, no scripts, alt text.

Data text reaches the SVG only as text nodes and attribute values, which the XML serialiser escapes.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from xml.etree import ElementTree

from salesforecast.present.charts import ACTUAL, FONTS, HATCH, TIP

_NUMBER = re.compile(r"-?\d+\.\d\d+")
_PLACED = frozenset({"d", "transform", "x", "x1", "x2", "y", "y1", "y2"})  # a tenth of a pixel is not seen
_DROPPED = frozenset({
    "aria-label", "aria-roledescription", "role", "aria-hidden", "class", "font-family", "pointer-events", "style",
    "version", "stroke-miterlimit",
})  # fmt: skip
_KEPT_TAGS = frozenset({"svg", "g", "path", "line", "text", "tspan", "rect", "defs", "clipPath", "circle", "image"})


def render(spec: dict[str, Any], alt: str) -> str:
    """Return the SVG of a Vega-Lite specification, with its alternative text as `<title>`.

    The same specification gives the same bytes, whatever was rendered before; ids start with a hash of it. Marks
    that have something to show on hover carry it as `data-tip`.
    """
    import vl_convert

    prefix = "sf" + hashlib.sha256(repr(sorted(spec.items(), key=str)).encode()).hexdigest()[:10]
    return clean(vl_convert.vegalite_to_svg(spec), alt, prefix)


def clean(svg: str, alt: str, prefix: str) -> str:
    """Return an SVG without styles, roles and absolute names: what `render` does after drawing.

    >>> clean('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9"/>', "a < b", "x")
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" viewBox="0 0 9 9" role="img" font-family="..."><title>a &lt; b</title></svg>'
    """  # noqa: E501
    root = ElementTree.fromstring(svg)  # noqa: S314
    ids = {each.get("id"): f"{prefix}-{index}" for index, each in enumerate(root.iterfind(".//*[@id]"))}
    hatched = _tidy(root, ids, f"{prefix}-h")
    root.attrib = {"xmlns": "http://www.w3.org/2000/svg", **root.attrib, "role": "img", "font-family": FONTS}
    if hatched:
        root.insert(0, _hatch(f"{prefix}-h"))
    title = ElementTree.Element("title")
    title.text = alt
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")


def _tidy(element: ElementTree.Element, ids: dict[str | None, str], hatch: str) -> bool:
    """Clean an element and all below it in place; say whether any of them is hatched."""
    element.tag = element.tag.rpartition("}")[2]
    tip = element.get("aria-label", "")
    hatched = False
    kept = {}
    for name, value in element.attrib.items():
        if name == "id":
            kept[name] = ids[value]
        elif name == "fill" and value == HATCH:
            kept[name], hatched = f"url(#{hatch})", True
        elif name not in _DROPPED and not name.startswith(("on", "{")) and value != "":
            found = re.sub(r"url\(#([^)]*)\)", lambda match: f"url(#{ids.get(match[1], match[1])})", value)
            kept[name] = _NUMBER.sub(_tenth, found) if name in _PLACED else found
    if tip.startswith(TIP):
        kept["data-tip"] = tip.removeprefix(TIP)
    element.attrib = kept
    for child in list(element):
        if _idle(child):
            element.remove(child)
        else:
            hatched |= _tidy(child, ids, hatch)
    return hatched


def _idle(element: ElementTree.Element) -> bool:
    """Say whether an element draws nothing: vega's empty backgrounds, foregrounds and texts, or a foreign one."""
    tag = element.tag.rpartition("}")[2]
    if tag not in _KEPT_TAGS or tag == "image":
        return True
    if element.get("class") in ("background", "foreground"):
        return True
    return tag == "text" and not "".join(element.itertext())


def _tenth(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")


def _hatch(name: str) -> ElementTree.Element:
    """Return the pattern of forecasts and of periods in progress: dark diagonal lines on white."""
    defs = ElementTree.Element("defs")
    size = {"width": "5", "height": "5", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    pattern = ElementTree.SubElement(defs, "pattern", {"id": name, **size})
    ElementTree.SubElement(pattern, "rect", {"width": "5", "height": "5", "fill": "#fff"})
    ElementTree.SubElement(
        pattern, "line", {"x1": "0", "y1": "0", "x2": "0", "y2": "5", "stroke": ACTUAL, "stroke-width": "2.6"}
    )
    return defs
