"""Columns and rows of a wide table that only sum up others: left out, compared with their parts, and reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from salesforecast.load.layouts import Column, Table, value_of
from salesforecast.load.periods import GRAINS

_TOTAL_ROW = re.compile(
    r"(?:.*(?:合计|总计|小计|总和|累计)|(?:grand |sub-?\s?)?total\b.*|.*\b(?:sub-?\s?)?total|sum)[:：]?", re.IGNORECASE
)
Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Controls:
    """Tells values from totals: `sides` are the columns beside the values, `months_of` the months a column covers."""

    table: Table
    sides: tuple[int, ...]
    months_of: Callable[[Column], frozenset[int]]
    notes: dict[str, None]

    def details(self, columns: list[Column]) -> tuple[list[Column], Rows]:
        """Return the columns and rows that are no totals, after comparing them with the totals."""
        groups: dict[str | None, list[Column]] = {}
        for each in columns:
            groups.setdefault(each.measure, []).append(each)
        kept: list[Column] = []
        controls: list[tuple[Column, list[Column]]] = []
        for group in groups.values():
            own, sums = self._split(group)
            kept += own
            controls += sums
        kept.sort(key=lambda each: each.place)
        rows = self._merged_rows()
        details = [each for each in rows if not self._is_total_row(each[1])]
        for control, parts in controls:
            self._compare_columns(control, parts, details)
        self._compare_rows(rows, kept)
        return kept, details

    def _split(self, group: list[Column]) -> tuple[list[Column], list[tuple[Column, list[Column]]]]:
        """Tell columns of values from those that sum them up, within one measure."""
        own: list[Column] = []
        controls: list[tuple[Column, list[Column]]] = []
        seen: set[int] = set()
        # The finest grain comes first: what it covers, a coarser column only sums up.
        for each in sorted(group, key=lambda each: [*GRAINS, each.span.grain].index(each.span.grain)):
            if each.span.grain not in GRAINS:
                continue
            months = self.months_of(each)
            if months & seen:
                controls.append((each, [part for part in own if self.months_of(part) <= months]))
            else:
                own.append(each)
                seen |= months
        own.sort(key=lambda each: each.place)
        for each in group:
            if each.span.grain in ("total", "subtotal"):
                before = [part for part in own if part.place < each.place]
                last = max((other.place for other, _ in controls if other.span.grain == "subtotal"
                            and other.place < each.place), default=-1)  # fmt: skip
                parts = [part for part in before if part.place > last] if each.span.grain == "subtotal" else own
                controls.append((each, parts))
            elif each.span.grain == "row":
                own.append(each)
        return own, controls

    def _compare_columns(self, control: Column, parts: list[Column], rows: list[tuple[int, list[str]]]) -> None:
        wrong = []
        for row, texts in rows:
            said = value_of(texts[control.place])
            values = [value for each in parts if (value := value_of(texts[each.place])) is not None]
            if said is not None and values and not _same(said, sum(values), len(values)):
                wrong.append(f"row {row} says {said:g}, its parts add up to {sum(values):g}")
        self._note(f"column {control.header}", wrong)

    def _compare_rows(self, rows: list[tuple[int, list[str]]], columns: list[Column]) -> None:
        """Compare subtotal rows with the rows since the one before, total rows with all of them."""
        wrong: list[str] = []
        since: list[list[str]] = []
        every: list[list[str]] = []
        for _, texts in rows:
            if not self._is_total_row(texts):
                since.append(texts)
                every.append(texts)
                continue
            label = next(texts[place] for place in self.sides if is_total(texts[place]))
            for column in columns:
                said = value_of(texts[column.place])
                sums = [
                    [value for each in part if (value := value_of(each[column.place])) is not None]
                    for part in (since, every)
                ]
                if said is not None and not any(_same(said, sum(each), len(each)) for each in sums):
                    wrong.append(f"{label}, {column.header}: says {said:g}, the rows add up to {sum(sums[1]):g}")
            since = []
        if any(self._is_total_row(texts) for _, texts in rows):
            self._note("total rows", wrong)

    def _note(self, what: str, wrong: list[str]) -> None:
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            self.notes[f"{what} used as control totals, which do not add up: {', '.join(wrong[:3])}{more}"] = None
        else:
            self.notes[f"{what} used as control totals: they add up"] = None

    def _is_total_row(self, texts: list[str]) -> bool:
        return any(is_total(texts[place]) for place in self.sides)

    def _merged_rows(self) -> list[tuple[int, list[str]]]:
        """Return the rows with merged cells of the side columns filled from above."""
        places = self.sides
        last: dict[int, str] = {}
        rows = []
        for row, texts in self.table.rows:
            texts = list(texts)
            for position, place in enumerate(places):
                if not texts[place] and any(texts[other] for other in places[position + 1 :]):
                    texts[place] = last.get(place, "")
                elif texts[place]:
                    last[place] = texts[place]
                    last = {each: text for each, text in last.items() if places.index(each) <= position}
            if any(texts[each.place] for each in self.table.columns):
                rows.append((row, texts))
        return rows


def is_total(text: str) -> bool:
    """Say whether a cell names a total row: 合计, 华东小计, Grand Total."""
    return bool(text) and bool(_TOTAL_ROW.fullmatch(text.strip()))


def _same(said: float, found: float, count: int) -> bool:
    """Say whether two sums are equal but for the rounding of their parts."""
    return abs(said - found) <= max(0.001 * abs(said), 0.006 * max(count, 1))
