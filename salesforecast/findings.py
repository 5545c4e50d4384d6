"""A finding: one thing a manager should know, as a value; how findings are ranked.

A finding has no words. `present` gives it its sentence from the label files, by `kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """What happened, how much it is worth, how sure that is, and where to read on.

    `amount` is money at stake in the base currency, negative when bad; `certainty` lies between 0 and 1; `slice` is
    the part of the business it is about (`{"region": "华东"}`; empty for all of it); `values` fill the sentence;
    `action` is the code of a suggested next step.
    """

    kind: str
    section: str
    measure: str
    amount: float
    certainty: float
    period: str
    since: str | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float | str | None] = field(default_factory=dict)
    action: str | None = None

    @property
    def sums_up(self) -> bool:
        """Whether this is the verdict on the period itself, which a review states at its head."""
        return self.kind.startswith(("period_result", "period_progress"))

    @property
    def weight(self) -> float:
        """Money times certainty: what the ranking compares."""
        return abs(self.amount) * self.certainty


def rank(findings: Iterable[Finding], limit: int = 7) -> list[Finding]:
    """Return the weightiest findings, at most two of one kind, so that one bad month does not fill the page.

    >>> small = Finding("trend", "trend", "revenue", amount=-10.0, certainty=0.5, period="2026-10")
    >>> large = Finding("gap", "attainment", "revenue", amount=-30.0, certainty=0.4, period="2026-10")
    >>> [each.kind for each in rank([small, large])]
    ['gap', 'trend']
    """
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (-each.weight, each.kind, sorted(each.slice.items()))):
        if sum(each.kind == finding.kind for each in kept) < 2:
            kept.append(finding)
    return kept[:limit]
