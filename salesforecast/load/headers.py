"""The header of a table: where it is below title rows, whether there is one, and one name for each column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from salesforecast.errors import BadInput

_VALUE = re.compile(r"[-+(]?[¥￥$€£]?\s?\d[\d,.\s]*%?\)?|\d{1,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([ T][\d:.]+)?")
_YEAR = re.compile(r"(19|20)\d\d")


def find_header(rows: Sequence[Sequence[str]], known: Callable[[str], bool], where: str = "The file") -> int:
    """Return the index of the header among the first rows: most known headers, else the first full row.

    Raises `BadInput` when there is nothing in the rows, or when the first full row looks like the rows below it.

    >>> find_header([["销售报表"], [], ["日期", "金额"], ["2026-01-05", "3"]], {"日期", "金额"}.__contains__)
    2
    """
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    if not any(filled):
        raise BadInput(f"{where} has no content. Export it again.")
    scores = [sum(bool(cell.strip()) and known(cell) for cell in row) for row in rows]
    if max(scores) >= 2:
        return scores.index(max(scores))
    usual = Counter(count for count in filled if count).most_common(1)[0][0]
    position = next(position for position, count in enumerate(filled) if count >= usual)
    if not max(scores) and _is_data(rows[position], [row for row in rows[position + 1 :] if len(row) >= usual]):
        example = ", ".join(cell.strip() for cell in rows[position][:4])
        raise BadInput(
            f"{where} has no header: its first row ({example}) looks like data. "
            "Add a first row with the names of the columns and import it again."
        )
    return position


def named(record: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the headers of a record, each once, and what was done: blank ones are numbered, repeated ones counted.

    >>> named(["id", "", "Amount", "Amount", ""])
    (('id', 'column 2', 'Amount', 'Amount (2)'), ("2 columns are called 'Amount': the others are 'Amount (2)'",))
    """
    cells = [" ".join(cell.split()) for cell in record]
    while cells and not cells[-1]:
        cells.pop()
    taken, times, names = set(cells), Counter[str](), []
    for position, cell in enumerate(cells, start=1):
        times[cell] += 1
        name, number = cell or f"column {position}", times[cell]
        while (cell and number > 1 and name in taken) or name in names:
            name = f"{cell or 'column'} ({number})"
            number += 1
        taken.add(name)
        names.append(name)
    notes = []
    for cell in dict.fromkeys(cells):
        if cell and times[cell] > 1:
            others = [name for name, own in zip(names, cells, strict=True) if own == cell][1:]
            notes.append(f"{times[cell]} columns are called {cell!r}: the others are {', '.join(map(repr, others))}")
    return tuple(names), tuple(notes)


def _is_data(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row holds values where the rows below do: numbers and dates are no names."""
    cells = {place: cell.strip() for place, cell in enumerate(first) if cell.strip()}
    values = [place for place, cell in cells.items() if _VALUE.fullmatch(cell)]
    if not others or not values or all(_YEAR.fullmatch(cells[place]) for place in values):
        return False
    alike = [
        place for place in values
        if all(_shape(each) == _shape(cells[place]) for row in others[:5] for each in row[place:][:1] if each.strip())
    ]  # fmt: skip
    return len(alike) * 3 >= len(cells)


def _shape(cell: str) -> str:
    """Tell numbers, dates and text apart."""
    cell = cell.strip()
    if not _VALUE.fullmatch(cell):
        return "text"
    return "date" if re.fullmatch(r"\d{1,4}([-/.年])\d{1,2}(\1|月)\d{1,4}.*", cell) else "number"
