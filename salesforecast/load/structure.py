"""Whether a block of delimited text has one obvious reading: checked on its bytes, without parsing it.

A block is plain when every reader of CSV must cut it into the same cells: each record has exactly `width` cells, quotes
stand only around whole cells (doubled inside), all records end the same way, and none is blank. Only what is not plain
has to be read record by record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_QUOTE, _LF, _CR = 34, 10, 13
_WIDE_SPACES = tuple(space.encode() for space in ("\u00a0", "\u3000", "\ufeff", "\u200b"))


@dataclass(frozen=True)
class Plain:
    """What a plain block holds: its first `length` bytes are `records` records; `spaced` columns need trimming."""

    length: int
    records: int
    spaced: frozenset[int]


def plain(block: bytes, delimiter: str, width: int, *, crlf: bool, foreign: bytes = b"") -> Plain | None:
    r"""Return what a block that starts with a record holds, or None when it has no obvious reading.

    `crlf` says how records end; a block with a byte of `foreign` is not plain.

    >>> plain(b'1,"a,b"\n2,c \n3,', ",", 2, crlf=False)
    Plain(length=13, records=2, spaced=frozenset({1}))
    >>> plain(b'1,a"b\n', ",", 2, crlf=False) is None
    True
    """
    cut, quoted = ord(delimiter), _QUOTE in block
    if width < 2 or 0 in block or any(byte in block for byte in foreign) or (_CR in block) is not crlf:
        return None
    if not quoted:
        block = block[: block.rfind(b"\n") + 1]
    data = np.frombuffer(block, dtype=np.uint8)
    is_end = data == _LF
    marks = (data == cut) | is_end
    if quoted:
        outside = _outside_quotes(data, cut)
        if outside is None:
            return None
        marks &= outside
        is_end &= outside
    records = int(np.count_nonzero(is_end))
    places = np.flatnonzero(marks)
    ends = places[width - 1 :: width][:records]
    # Every mark that ends a row of `width` marks ends a record, and there are no other ends: all rows are whole.
    if not records or len(ends) < records or not is_end[ends].all():
        return None
    length = int(ends[-1]) + 1
    data, marks = data[:length], marks[:length]
    if crlf and (ends[0] == 0 or (data[ends - 1] != _CR).any() or block.count(b"\r", 0, length) != records):
        return None
    if _has_blank_record(block, data, ends, width, cut):
        return None
    broken = block.count(b"\n", 0, length) > records  # a line break in quotes may stand at the edge of its cell
    doubtful = broken or _may_be_spaced(block, data, marks)
    spaced = _spaced(data, places[: records * width], width) if doubtful else frozenset()
    return Plain(length, records, spaced)


def _outside_quotes(data: np.ndarray, cut: int) -> np.ndarray | None:
    """Return which bytes lie outside quotes, or None when a quote stands anywhere but around a whole cell."""
    quotes = np.flatnonzero(data == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[opening[opening > 0] - 1]
    after = data[closing[closing < len(data) - 1] + 1]
    if not _in(before, cut, _LF, _QUOTE) or not _in(after, cut, _LF, _CR, _QUOTE):
        return None
    turns = np.zeros(len(data), dtype=np.uint8)
    turns[quotes] = 1
    return np.bitwise_xor.accumulate(turns) == 0


def _in(values: np.ndarray, *allowed: int) -> bool:
    lookup = np.zeros(256, dtype=bool)
    lookup[list(allowed)] = True
    return bool(lookup[values].all())


def _has_blank_record(block: bytes, data: np.ndarray, ends: np.ndarray, width: int, cut: int) -> bool:
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    wide = [space for space in _WIDE_SPACES if space[0] in block and space in block]
    if not wide and (ends - starts).min() > 4 * width:
        return False
    content = (data > 32) & (data != cut) & (data != _QUOTE)
    for space in wide:
        for found in re.finditer(re.escape(space), block[: len(data)]):
            content[found.start() : found.end()] = False
    return bool((np.add.reduceat(content, starts, dtype=np.int64) == 0).any())


def _may_be_spaced(block: bytes, data: np.ndarray, marks: np.ndarray) -> bool:
    """Say whether any cell may begin or end with some kind of space; exact for cells without quotes."""
    if any(space[0] in block and space in block for space in _WIDE_SPACES):
        return True
    if b" " not in block and b"\t" not in block:
        return False
    space = ((data == 32) | (data == 9)) & ~marks
    edges = marks | (data == _QUOTE) | (data == _CR)
    return bool(space[0] or (space[1:] & edges[:-1]).any() or (space[:-1] & edges[1:]).any())


def _spaced(data: np.ndarray, places: np.ndarray, width: int) -> frozenset[int]:
    """Return the columns with a cell that begins or ends with some kind of space."""
    first = np.empty_like(places)
    first[0], first[1:] = 0, places[:-1] + 1
    last = places - 1
    last[width - 1 :: width] -= data[last[width - 1 :: width]] == _CR
    quotes = (data[first] == _QUOTE) & (last > first)
    first, last = first + quotes, last - quotes
    filled = last >= first
    found: set[int] = set()
    for edge, step in ((first, 1), (last, -1)):
        spaced = data[edge.clip(0)] < 33
        for space in _WIDE_SPACES:
            like = np.ones(len(edge), dtype=bool)
            for offset, byte in enumerate(space[::step]):
                like &= data[(edge + step * offset).clip(0, len(data) - 1)] == byte
            spaced |= like
        found.update((np.flatnonzero(spaced & filled) % width).tolist())
    return frozenset(found)
