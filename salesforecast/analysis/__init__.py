"""The chapters of a review: each takes a workbench and a period and returns frames; together they return findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from salesforecast.analysis import actions, market, quality, sales, targets
from salesforecast.analysis.sections import SECTIONS, Section, section
from salesforecast.errors import NoData
from salesforecast.findings import Finding, rank

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

__all__ = ["SECTIONS", "Section", "actions", "headlines", "market", "quality", "sales", "section", "targets"]

CHAPTERS = (sales, targets, market, quality)


def headlines(wb: Workbench, period: str | Period, extra: Iterable[Finding] = (), limit: int = 7) -> list[Finding]:
    """Return the weightiest findings of all chapters about a period, money times certainty, at most `limit`.

    A chapter whose data is missing is skipped. `extra` are findings of other sources, such as
    `targets.outlook_findings`; they are ranked with the rest. What two chapters see is told once: the landing of a
    forecast replaces the landing of the run rate, and a member's decline or growth replaces its level shift. Raises
    `NoData` when there are no sales at all.
    """
    period = wb.period(period)
    wb.require("sales")
    found = list(extra)
    for chapter in CHAPTERS:
        try:
            found += chapter.findings(wb, period)
        except NoData:
            continue
    return rank(_told_once(found), limit)


def _told_once(found: list[Finding]) -> list[Finding]:
    forecast = any(each.kind.startswith("year_landing") for each in found)
    moved = [each.slice for each in found if each.kind.endswith(("_decline", "_growth"))]
    return [
        each
        for each in found
        if not (forecast and each.kind in ("target_gap", "target_ahead"))
        and not (each.kind == "level_shift_member" and each.slice in moved)
    ]
