"""Small drawings inside cards, cells and title lines, made by hand: too small and too many for a chart library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_INK, _LIGHT = "#404040", "#bdbdbd"


def spark(values: Sequence[float | None], alt: str, width: int = 120, height: int = 32) -> str:
    """Return a small line without axes, its last point marked; unknown values leave a gap.

    >>> "circle" in spark([1.0, None, 3.0], "1 to 3")
    True
    """
    known = [float(each) for each in values if each is not None and each == each]
    title = f"<title>{escape(alt)}</title>"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sf-spark" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{title}'
    )
    if not known:
        return f"{head}</svg>"
    low, high = min(known), max(known)
    step = (width - 8) / max(len(values) - 1, 1)
    path, pen, last = [], "M", (0.0, 0.0)
    for index, value in enumerate(values):
        if value is None or value != value:
            pen = "M"
            continue
        share = (float(value) - low) / (high - low) if high > low else 0.5
        last = (4 + index * step, height - 5 - share * (height - 10))
        path.append(f"{pen}{last[0]:.1f} {last[1]:.1f}")
        pen = "L"
    return (
        f'{head}<path d="{"".join(path)}" fill="none" stroke="{_INK}" stroke-width="1.6"/>'
        f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="3" fill="{_INK}"/></svg>'
    )


def bullet(actual: float, due: float | None = None, width: int = 64, height: int = 12) -> str:
    """Return a small bar for a table cell: the reached share of an outlined target, a tick for the time gone by.

    The figure stands beside it in the cell, so it is hidden from readers of the text.

    >>> bullet(0.5).count("<rect")
    2
    """
    top = max(1.0, min(actual, 1.5))
    scale = (width - 2) / top
    filled = max(0.0, min(actual, 1.5)) * scale
    tick = ""
    if due is not None and due < 1:
        at = 1 + max(0.0, due) * scale
        tick = f'<path d="M{at:.1f} 0V{height}" stroke="#0b5cad" stroke-width="2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sf-bullet" aria-hidden="true" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect x="1" y="1.5" width="{scale:.1f}" height="{height - 3}" fill="none" stroke="{_INK}"/>'
        f'<rect x="1" y="3.5" width="{filled:.1f}" height="{height - 7}" fill="{_INK}"/>{tick}</svg>'
    )


def swatch(scenario: str) -> str:
    """Return the sign of a scenario for a title line: solid, light, outlined or hatched.

    >>> 'fill="none"' in swatch("target")
    True
    """
    box = '<rect x="1" y="1" width="12" height="10"'
    marks = {
        "actual": f'{box} fill="{_INK}"/>',
        "last_year": f'{box} fill="{_LIGHT}"/>',
        "target": f'{box} fill="none" stroke="{_INK}"/>',
        "forecast": f'{box} fill="#fff" stroke="{_INK}"/>'
        f'<path d="M1 6L6 1M1 11L11 1M5 11L13 3M10 11L13 8" stroke="{_INK}"/>',
        "interval": '<rect x="1" y="1" width="12" height="10" fill="#d6e2ee"/>',
        "time_progress": '<path d="M7 0V12" stroke="#0b5cad" stroke-width="2.4"/>',
    }
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="sf-swatch" aria-hidden="true" width="14" height="12" '
        f'viewBox="0 0 14 12">{marks[scenario]}</svg>'
    )
