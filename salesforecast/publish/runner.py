"""`run`: one review, from its notebook to a published page and its record.

A page is complete, belongs to exactly one recorded run and is never replaced by a failed one. The run is prepared in a
folder of its own, renamed into place when it is whole, and only then does `current` point to it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from salesforecast.engine import is_address
from salesforecast.errors import BadInput, BadValue, SalesforecastError
from salesforecast.publish import archive, catalogue, places
from salesforecast.publish.execute import execute, quick_imports, traceback_text
from salesforecast.publish.parameters import Parameter, declared, validate
from salesforecast.publish.record import RECORD, Run, hash_of, load, sha256
from salesforecast.publish.reviews import find, fingerprint, read, tidy
from salesforecast.settings import locate

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from salesforecast.calendar import Day
    from salesforecast.workbench import Workbench

_PACKAGES = ("salesforecast", "pandas", "duckdb", "statsmodels", "altair", "papermill", "nbconvert")
_NOT_HASHED = ("store", "settings")  # places; what is in them is hashed instead
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class _Job:
    """A run that has passed every check that needs no kernel."""

    notebook: NotebookNode
    store: str | Path
    out: Path
    folder: Path
    record: Run
    previous: Mapping[str, str] | None


def run(
    review: str,
    *,
    period: str,
    store: str | Path,
    as_of: Day | None = None,
    scope: Mapping[str, str] | None = None,
    language: str | None = None,
    audience: str = "management",
    basis: str | None = None,
    settings: str | Path | None = None,
    out: str | Path = "reports",
    force: bool = False,
    **parameters: Any,
) -> Run:
    """Run a review notebook for one period and publish it below `out`; return the record of the run.

    `review` is the name of a notebook below `./notebooks` or of the package. Further keywords are parameters the
    notebook declares. A page whose notebook, parameters, data, settings and software are unchanged is left as it is
    (status `unchanged`) unless `force` is set. Files lie in
    `<out>/<review>/<period>/<scope>/<basis>/<audience>/<language>/`; the page is `Run.page`. Forecasts that the
    notebook hands over are then stored in the table `forecasts` (see `publish.archive`).

    Before a kernel starts it raises `UnknownName` and `BadValue` for names and parameters, `StoreError`, `NoData` and
    `BadSettings` for the data, `StoreBusy` when the same report is being published. Later `RunFailed`, `KernelDied`,
    `RunTimeout` or `PublishBlocked`: the last good page stays and a failed run is recorded. `SalesforecastError` when
    the disk refuses.
    """
    path = find(review)
    notebook = read(path)
    known = declared(notebook, path.name)
    chosen = {
        "as_of": as_of and str(as_of)[:10], "scope": dict(scope or {}), "language": language, "basis": basis,
        "settings": _settings_path(settings), "audience": audience if audience != "management" else None,
    }  # fmt: skip
    # A choice the notebook does not declare is an error, a default it does not declare is not.
    asked = {**parameters, **{name: value for name, value in chosen.items() if value}}
    validate(known, {**_kept(known, {"period": period, "store": _store_path(store), "audience": audience}), **asked})

    from salesforecast import workbench

    with workbench.open(
        store,
        as_of=as_of,
        period=period,
        settings=settings,
        basis=basis,
        scope=scope,
        language=language,
        audience=audience,
    ) as wb:
        job = _prepare(wb, review, notebook, known, asked, period, store, Path(out))
    with _disk_errors(job.folder):
        places.make_folder(Path(out), job.folder)
        with places.locked(job.folder / ".lock", f"{review} {job.record.period}"):
            for leftover in job.folder.glob("runs/.work-*"):
                places.remove(leftover)
            last = current(job.folder)
            if not force and last and last.key == job.record.key and last.complete():
                done = last.model_copy(update={"status": "unchanged"})
            else:
                try:
                    done = _publish(job)
                finally:
                    catalogue.rebuild(out)
    return done.model_copy(update={"waiting": archive.bring_in(job.out, job.store)})


def current(folder: Path) -> Run | None:
    """Return the run whose page a report shows now, None when there is none or its record cannot be read."""
    try:
        return load(folder / "runs" / (folder / "current").readlink().name / RECORD)
    except (OSError, BadInput):
        return None


def _kept(known: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in known}


def _prepare(
    wb: Workbench, review: str, notebook: NotebookNode, known: Mapping[str, Parameter], asked: Mapping[str, Any],
    period: str, store: str | Path, out: Path,
) -> _Job:  # fmt: skip
    """Fix everything that decides the page, and where the page will be."""
    chosen = wb.calendar.parse(period)
    scope = dict(wb.scope)
    resolved = {
        "period": chosen.id, "store": _store_path(store), "as_of": wb.as_of.isoformat(), "language": wb.language,
        "audience": wb.audience, "basis": wb.basis,
    }  # fmt: skip
    values = validate(known, {**asked, **_kept(known, resolved)})
    place = (scope, wb.basis, wb.audience, wb.language)
    folder = places.report_folder(out, review, chosen.id, *place)
    before = wb.calendar.previous(chosen).id
    previous = _link(folder, places.report_folder(out, review, before, *place), before)
    hashed = {name: value for name, value in values.items() if name not in _NOT_HASHED}
    parameters_hash = hash_of([hashed, wb.settings.model_dump(mode="json")])
    notebook_hash, versions = fingerprint(notebook), _versions()
    record = Run(
        id=f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(3)}",
        status="failed",
        review=review,
        period=chosen.id,
        scope=scope,
        basis=wb.basis,
        audience=wb.audience,
        language=wb.language,
        as_of=wb.as_of.isoformat(),
        parameters=values,
        parameters_hash=parameters_hash,
        data_hash=wb.data_hash,
        notebook_hash=notebook_hash,
        key=hash_of([notebook_hash, parameters_hash, wb.data_hash, wb.language, versions, _code_hash(), previous]),
        versions=versions,
        started=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    return _Job(notebook, _home(store), out, folder, record, previous)


def _publish(job: _Job) -> Run:
    """Execute, build, check and put in place; on any failure leave a failure record and the page as it was."""
    started = time.monotonic()
    work = job.folder / "runs" / f".work-{job.record.id}"
    home = work.with_name(job.record.id)
    waiting: Path | None = None
    (job.folder / "runs").mkdir(exist_ok=True)
    work.mkdir()
    try:
        executed = execute(job.notebook, job.record.parameters)
        ran = time.monotonic()
        files = _files(job, executed)
        done = job.record.model_copy(
            update={
                "status": "published",
                "files": {name: sha256(content) for name, content in files.items()},
                "timings": {"execute": round(ran - started, 3), "build": round(time.monotonic() - ran, 3)},
                "seconds": round(time.monotonic() - started, 3),
            }
        )
        for name, content in files.items():
            places.write_file(work / name, content)
        places.write_file(work / RECORD, _json(done))
        places.sync_folder(work)
        work.rename(home)
        places.sync_folder(home.parent)
        # Before the page can be seen: what it says is then in the archive, sooner or later.
        if archive.FILE in files:
            waiting = archive.keep(job.out, job.store, job.record.id, files[archive.FILE])
        places.point_to(job.folder / "current", f"runs/{home.name}")
    except BaseException as error:
        if waiting:
            waiting.unlink(missing_ok=True)
        places.remove(work)
        places.remove(home)
        _record_failure(job, home, error, round(time.monotonic() - started, 3))
        raise
    return done.model_copy(update={"folder": home})


def _files(job: _Job, executed: NotebookNode) -> dict[str, bytes]:
    import nbformat

    with quick_imports():
        from salesforecast.publish import checks, export

    record = job.record
    tidied = tidy(executed, _machine_paths())
    page = export.build(
        tidied,
        language=record.language,
        title=record.review,
        period=record.period,
        facts=_facts(record),
        previous=job.previous,
        source="source.ipynb",
    )
    checks.check_page(page, executed, record.language)
    source = nbformat.writes(tidied) + "\n"
    checks.check_secrets({"The page": page, "source.ipynb": source}, record.parameters)
    files = {"index.html": page.encode(), "source.ipynb": source.encode()}
    forecasts = archive.collected(executed, record)
    return files if forecasts is None else {**files, archive.FILE: forecasts}


def _facts(record: Run) -> list[tuple[str, str]]:
    return [
        ("as_of", record.as_of),
        ("data", record.data_hash[:16]),
        ("parameters", record.parameters_hash[:16]),
        ("notebook", record.notebook_hash),
        ("versions", " · ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]


def _record_failure(job: _Job, home: Path, error: BaseException, seconds: float) -> None:
    """Leave a record of what went wrong; a disk that refuses even that must not hide the first error."""
    from salesforecast.publish.checks import masked

    def safe(text: str) -> str:
        return masked(text, job.record.parameters)

    notes = getattr(error, "__notes__", None)
    failed = job.record.model_copy(
        update={
            "error": safe(str(error) or type(error).__name__),
            "error_type": type(error).__name__,
            "cell": safe(notes[0]) if notes else None,
            "seconds": seconds,
        }
    )
    try:
        home.mkdir()
        places.write_file(home / "run.log", safe(traceback_text(error)).encode(errors="replace"), mode=0o600)
        places.write_file(home / RECORD, _json(failed))
    except OSError as second:
        error.add_note(f"The failed run could not be recorded: {second}")


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SalesforecastError(
            f"The report in {folder} could not be written: {reason}. The last good page is unchanged; "
            "free the disk or change the permissions, then run again."
        ) from error


def _link(folder: Path, other: Path, period: str) -> dict[str, str] | None:
    """Return the address of another report's page, as seen from a page of this one, when it exists."""
    page = other / "current" / "index.html"
    if not page.is_file():
        return None
    return {"href": quote(Path(os.path.relpath(page, folder / "current")).as_posix()), "period": period}


def _store_path(store: str | Path) -> str:
    """Name a store below the working folder relative to it, so that no machine's path enters the notebook."""
    path = Path(store)
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_absolute() and path.is_relative_to(here) else str(path)


def _home(store: str | Path) -> str | Path:
    """Return where a store is: the whole path of a file, so that each has one name, or the address of a warehouse."""
    return str(store) if is_address(store) else locate(store).resolve()


def _settings_path(settings: str | Path | None) -> str | None:
    if settings is not None and not isinstance(settings, str | Path):
        raise BadValue(f"settings must be the path of a TOML file, got {type(settings).__name__}.")
    return str(settings) if settings is not None else None


def _machine_paths() -> dict[str, str]:
    places_ = {str(Path.cwd()): ".", str(_PACKAGE.parent): "", str(Path.home()): "~"}
    return {path: places_[path] for path in sorted(places_, key=len, reverse=True) if len(path) > 3}


def _json(record: Run) -> bytes:
    return (record.model_dump_json(indent=1) + "\n").encode()


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _PACKAGES}


@cache
def _code_hash() -> str:
    """Hash the package's own files, so that a changed definition is not mistaken for an unchanged report."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        if path.suffix in (".py", ".toml", ".css", ".js", ".j2"):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
