"""ZIP archives of exported files: checked before they are unpacked, each member under a name of our own."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from salesforecast.errors import BadInput
from salesforecast.settings import ImportLimits

_SMALL = 50_000_000  # no ratio makes a bomb of what is as small as this when it is unpacked
_PACKED = (".zip", ".rar", ".7z", ".tar", ".tgz")
_BLOCK = 1 << 20
_WORKBOOK = ("[Content_Types].xml", "mimetype", "xl/workbook.xml", "xl/workbook.bin")


def is_workbook(path: Path) -> bool:
    """Say whether a ZIP file is a spreadsheet; one that cannot be read is taken for one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not {*_WORKBOOK}.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return not path.name.lower().endswith(".zip")


def check_archive(path: Path, limits: ImportLimits) -> None:
    """Raise `BadInput` when a ZIP file says of itself that it unpacks to too much; other files pass."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # whoever reads it says what is wrong with it
    check_unpacked(path, sum(each.file_size for each in members), limits)


def check_unpacked(path: Path, size: int, limits: ImportLimits) -> None:
    """Raise `BadInput` when `size` bytes are too much to unpack from a file."""
    if size > limits.unpacked_mb * 1_000_000:
        raise BadInput(
            f"{path.name} unpacks to over {limits.unpacked_mb:,} MB. If that is meant, raise unpacked_mb in [import] "
            "of salesforecast.toml; else export it again."
        )
    if size > _SMALL and size > limits.zip_ratio * path.stat().st_size:
        raise BadInput(
            f"{path.name} unpacks to over {limits.zip_ratio} times its size, like a file made to fill the disk. If it "
            "is meant, raise zip_ratio in [import] of salesforecast.toml; else export it again."
        )


def limited(path: Path, blocks: Iterable[bytes], limits: ImportLimits) -> Iterator[bytes]:
    """Pass the unpacked blocks of a file on while they are not too much."""
    total = 0
    for block in blocks:
        total += len(block)
        if path.name.lower().endswith(".gz"):
            check_unpacked(path, total, limits)
        yield block


def unpack(path: Path, folder: Path, limits: ImportLimits) -> Iterator[tuple[str, Path]]:
    """Unpack the members of a ZIP file into `folder`, one by one; yields the name of each and where it lies.

    No name in the archive becomes a path: a member keeps the last part of its name, in a folder of its own. Raises
    `BadInput` for an archive that is damaged, encrypted, holds another archive or is larger than `limits`.
    """
    check_archive(path, limits)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and not _is_system(each.filename)]
            if len(members) > limits.zip_files:
                raise BadInput(
                    f"{path.name} holds {len(members):,} files, over the limit of {limits.zip_files:,} (zip_files in "
                    "[import] of salesforecast.toml). Unpack it and import the folder of the tables."
                )
            total = 0
            for number, each in enumerate(members):
                name = _name(each)
                if each.flag_bits & 1:
                    raise BadInput(f"{path.name} is encrypted. Unpack it with its password and import the files.")
                if name.lower().endswith(_PACKED):
                    raise BadInput(f"{path.name} holds another archive, {name}. Unpack it and import the files.")
                place = folder / str(number) / path.stem / _last_part(name)
                place.parent.mkdir(parents=True)
                with archive.open(each) as packed, place.open("wb") as file:
                    while block := packed.read(_BLOCK):
                        total += len(block)
                        check_unpacked(path, total, limits)
                        file.write(block)
                yield name, place
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, ValueError, zlib.error) as error:
        raise BadInput(f"{path.name} is damaged: {error}. Export or copy it again.") from None
    except OSError as error:
        raise BadInput(f"{path.name} cannot be unpacked: {error.strerror or error}.") from None


def _is_system(name: str) -> bool:
    last = PurePosixPath(name.replace("\\", "/")).name
    return name.startswith("__MACOSX/") or last.startswith((".", "~$")) or last in ("Thumbs.db", "desktop.ini")


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member; old archives of Chinese Windows write it in GBK without saying so."""
    if not member.flag_bits & 0x800:
        try:
            return member.filename.encode("cp437").decode("gb18030")
        except UnicodeError:
            pass
    return member.filename


def _last_part(name: str) -> str:
    kept = "".join(each if each.isprintable() and each not in '<>:"|?*' else "_" for each in name.replace("\\", "/"))
    return PurePosixPath(kept).name.strip(". ")[-120:] or "file"
