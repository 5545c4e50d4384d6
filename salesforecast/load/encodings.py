"""The encoding of a text file: what decodes all of it and reads as language; the text as strict UTF-8 blocks."""

from __future__ import annotations

import codecs
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from salesforecast.errors import BadInput

BLOCK_BYTES = 1 << 22
_SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True)
class Encoding:
    """An encoding to read a file with; `notice` says that it was guessed."""

    name: str
    notice: str | None = None

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes of the file are UTF-8 as they stand."""
        return self.name in ("utf-8", "utf-8-sig")


def bytes_of(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked when its name ends in `.gz`."""
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def encodings_of(path: Path) -> Iterator[Encoding]:
    """Yield the encodings to try, best first; each has to decode the whole file.

    A byte-order mark decides; then UTF-8. What is not UTF-8 is GB18030 only if it reads as Chinese around the first
    byte that is not (GB18030 decodes almost anything); last comes a guess, with a notice. Raises `BadInput` for a
    damaged file: one that is UTF-8 but for a few bytes.
    """
    with bytes_of(path) as file:
        head = file.read(4096)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield Encoding("utf-16")
        raise BadInput(f"{path.name} is not readable as utf-16. Save it as 'CSV UTF-8' and import it again.")
    halves = head[0::2].count(0), head[1::2].count(0)
    if max(halves) * 4 > len(head) and min(halves) * 20 < max(halves):
        yield Encoding("utf-16-be" if halves[0] > halves[1] else "utf-16-le", "UTF-16 without a byte-order mark")
    yield Encoding("utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8")
    sample, bad = _around_first_bad_byte(path)
    detail = f"byte 0x{bad:02X} is not valid there"
    if not _is_damaged_utf8(sample):
        chinese = _decoded(sample, "gb18030")
        if chinese is not None and reads_as_chinese(chinese):
            yield Encoding("gb18030")
        elif guess := _guess(sample):
            yield Encoding(guess, f"the encoding is not declared; {guess} was guessed")
    raise BadInput(
        f"{path.name} is not readable as UTF-8 ({detail}), GB18030 or another encoding. "
        "Save it as 'CSV UTF-8' and import it again."
    )


def utf8_blocks(path: Path, encoding: Encoding, seen: Callable[[bytes], object]) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, block by block, without byte-order mark; `seen` gets every raw block.

    Raises `UnicodeDecodeError` at the first block that the encoding cannot decode.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)("strict")
    with bytes_of(path) as file:
        start = True
        while block := file.read(BLOCK_BYTES):
            seen(block)
            text = decoder.decode(block)
            if encoding.is_utf8:
                yield block.removeprefix(codecs.BOM_UTF8) if start else block
            else:
                yield text.encode()
            start = False
        if rest := decoder.decode(b"", final=True):
            yield rest.encode()


def reads_as_chinese(text: str) -> bool:
    """Say whether text decoded as GB18030 is plausible Chinese: nearly all of it in GB2312, mostly its common half.

    Western text decoded as GB18030 gives rare characters outside GB2312.

    >>> reads_as_chinese("地区,地区经理 东北,楚杰"), reads_as_chinese("München".encode("cp1252").decode("gb18030"))
    (True, False)
    """
    seen = Counter(character for character in text if ord(character) > 127)
    total = sum(seen.values())
    common = plain = 0
    for character, times in seen.items():
        encoded = character.encode("gb18030")
        if len(encoded) == 2 and encoded[1] >= 0xA1 and 0xA1 <= encoded[0] <= 0xF7:
            plain += times
            common += times if encoded[0] <= 0xA3 or 0xB0 <= encoded[0] <= 0xD7 else 0
    return total > 0 and plain >= 0.9 * total and common >= 0.6 * total


def _around_first_bad_byte(path: Path) -> tuple[bytes, int]:
    """Return the lines around the first byte that is not UTF-8, and that byte."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    before = b""
    with bytes_of(path) as file:
        while True:
            block = file.read(1 << 16)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                sample = before + block + file.read(_SAMPLE_BYTES)
                # A line break is never the second byte of a character in the encodings that come into question.
                begin, end = sample.find(b"\n") + 1 if before else 0, sample.rfind(b"\n") + 1
                return sample[begin : end if end > begin else None], error.object[error.start]
            before = block


def _is_damaged_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", "replace")
    wrong = text.count("�")
    return sum(character > "\x7f" for character in text) - wrong > 10 * wrong


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError as error:
        # A sample may end inside a character.
        return sample[: error.start].decode(encoding) if error.start > len(sample) - 4 and error.start else None


def _guess(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    found = from_bytes(sample[:_SAMPLE_BYTES]).best()
    return found.encoding if found else None
