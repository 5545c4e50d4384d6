"""Where a report lives on disk: safe folder names, a lock per report, and replacements that are all or nothing."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from salesforecast.errors import BadValue, StoreBusy

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]|runs|current)(\..*)?", re.IGNORECASE)
_LONGEST = 80


def slug(text: str) -> str:
    """Return a folder name for any text; two texts never share one.

    Letters and digits of any script, `-`, `_`, `.`, `+` and `=` stay. Whatever else is in the text becomes `-`, and
    a short hash of the whole text keeps the name its own.

    >>> slug("region=华东"), slug("2026-10")
    ('region=华东', '2026-10')
    >>> slug("../etc")
    'etc-f7f9121f'
    """
    kept = "".join(
        each if each in "-_.+=" or unicodedata.category(each)[0] in "LNM" else "-"
        for each in unicodedata.normalize("NFC", text)
    ).strip("-. ")
    short = kept.encode()[:180].decode(errors="ignore")[: _LONGEST - 9].strip("-. ")
    if short and short == text and not _RESERVED.fullmatch(short):
        return short
    return f"{short or 'x'}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def scope_slug(scope: Mapping[str, str]) -> str:
    """Return the folder name of a scope; the whole company is `all`.

    >>> scope_slug({}), scope_slug({"region": "华东", "channel": "D1"})
    ('all', 'channel=D1+region=华东')
    """
    return slug("+".join(f"{kind}={scope[kind]}" for kind in sorted(scope))) if scope else "all"


def report_folder(
    out: Path, review: str, period: str, scope: Mapping[str, str], basis: str, audience: str, language: str
) -> Path:
    """Return the folder of one report: `<out>/<review>/<period>/<scope>/<basis>/<audience>/<language>`.

    >>> report_folder(Path("reports"), "sales", "2026-10", {}, "order", "team", "zh").as_posix()
    'reports/sales/2026-10/all/order/team/zh'
    """
    return out.joinpath(*map(slug, (review, period)), scope_slug(scope), *map(slug, (basis, audience, language)))


def make_folder(out: Path, folder: Path) -> None:
    """Create `folder` below `out`. Raises `BadValue` where a planted symlink would lead somewhere else."""
    out.mkdir(parents=True, exist_ok=True)
    step = out
    for part in folder.relative_to(out).parts:
        step = step / part
        if step.is_symlink():
            raise BadValue(f"{step} is a symlink; reports are written to real folders only. Remove it.")
        step.mkdir(exist_ok=True)


@contextmanager
def locked(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file for the duration; raises `StoreBusy` when another process holds it and `wait` is false.

    The operating system releases the lock when its process ends in whatever way, so a file left behind is no lock.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o644)
    except OSError as error:
        if path.is_symlink():
            raise BadValue(f"{path} is a symlink; remove it.") from error
        raise
    try:
        if not _acquire(handle, wait):
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            raise StoreBusy(f"{what} is being published by process {holder}. Wait for it, then try again.")
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file and see it to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old one or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_file(fresh, content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def point_to(link: Path, target: str) -> None:
    """Make `link` a symlink to `target` in one step, replacing the one that was there."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    fresh.unlink(missing_ok=True)
    try:
        fresh.symlink_to(target, target_is_directory=True)
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(link.parent)


def sync_folder(folder: Path) -> None:
    """See a folder's entries to the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Remove a folder and what is in it; a symlink is removed itself, not followed."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _acquire(handle: int, wait: bool) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
