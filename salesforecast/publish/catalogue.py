"""`index.html` of the archive: every report with its newest good page, built from the run records alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from salesforecast.publish import places
from salesforecast.publish.record import Run, records

PAGE = "index.html"


@dataclass(frozen=True)
class Entry:
    """One report in the catalogue: its newest good run, and the failures since."""

    good: Run | None
    failures: tuple[Run, ...]

    @property
    def newest(self) -> Run:
        """The good run, or the latest failure where there is none."""
        return self.good or self.failures[-1]

    @property
    def status(self) -> str:
        """`published`, `stale` (failures since the good page) or `failed`."""
        if self.good is None:
            return "failed"
        return "stale" if self.failures else "published"


def rebuild(out: str | Path = "reports") -> Path:
    """Write the catalogue of the archive `out` anew, in one step, and return its path."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with places.locked(folder / ".catalogue.lock", "The catalogue", wait=True):
        page = build(folder)
        places.replace_file(folder / PAGE, page.encode())
    return folder / PAGE


def build(out: Path) -> str:
    """Return the catalogue page: reviews, newest period first, failures and unreadable records named."""
    from salesforecast.publish import export

    found: dict[tuple[str, ...], list[Run]] = {}
    corrupt = []
    for each in records(out):
        if isinstance(each, Run):
            found.setdefault(each.report, []).append(each)
        else:
            corrupt.append(each.relative_to(out).as_posix())
    entries = sorted((_entry(each) for each in found.values()), key=_place)
    entries.sort(key=lambda entry: entry.newest.period, reverse=True)
    reviews: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.newest.review):
        reviews.setdefault(entry.newest.review, []).append(entry)
    zh, en = export.words("zh"), export.words("en")
    return export.render(
        "catalogue.html.j2",
        css=export.style("page.css", export.asset("catalogue.css")),
        script=export.asset("catalogue.js"),
        reviews=reviews,
        corrupt=corrupt,
        words={key: (zh[key], en[key]) for key in zh},
        named=_named,
        address=lambda run: _address(out, run),
    )


def _entry(runs: list[Run]) -> Entry:
    good = [position for position, run in enumerate(runs) if run.status == "published"]
    last = good[-1] if good else None
    since = runs[last + 1 :] if last is not None else runs
    return Entry(runs[last] if last is not None else None, tuple(since))


def _place(entry: Entry) -> tuple[bool, tuple[str, ...]]:
    """Sort the whole company before its parts."""
    return bool(entry.newest.scope), entry.newest.report


def _named(group: str, code: str, language: str) -> str:
    """Return the words for a code, the code itself where there are none."""
    from salesforecast.present.labels import has_label, label

    return label(group, code, "zh" if language == "zh" else "en") if has_label(group, code) else code


def _address(out: Path, run: Run) -> str:
    return quote(run.page.relative_to(out).as_posix())
