"""The run record: what was run, on which data, with which outcome; one `run.json` per run, the truth of the archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from salesforecast.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

RECORD = "run.json"
_RECORDS = "*/*/*/*/*/*/runs/*/" + RECORD
_COLUMNS = [
    "review", "period", "scope", "basis", "audience", "language", "status", "as_of", "started", "seconds",
    "run_id", "error", "folder",
]  # fmt: skip


class Run(BaseModel):
    """One run of a review, published or failed.

    `files` maps each file beside the record to its SHA-256; `seconds` and `timings` are wall-clock seconds; `started`
    is UTC; `key` identifies everything that decides the page. `status` is `unchanged` only for a run that found its
    page already published. `waiting` counts runs whose forecasts the store could not take yet; it is not recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    status: Literal["published", "failed", "unchanged"]
    review: str
    period: str
    scope: dict[str, str]
    basis: str
    audience: str
    language: str
    as_of: str
    parameters: dict[str, Any]
    parameters_hash: str
    data_hash: str
    notebook_hash: str
    key: str
    versions: dict[str, str]
    started: str
    seconds: float = 0.0
    timings: dict[str, float] = {}
    files: dict[str, str] = {}
    error: str | None = None
    error_type: str | None = None
    cell: str | None = None
    folder: Path = Field(default=Path(), exclude=True)
    waiting: int = Field(default=0, exclude=True)

    @property
    def page(self) -> Path:
        """The published page, by the address that stays: `<report>/current/index.html`."""
        return self.folder.parents[1] / "current" / "index.html"

    @property
    def report(self) -> tuple[str, ...]:
        """What makes two runs editions of the same report."""
        scope = json.dumps(self.scope, sort_keys=True, ensure_ascii=False)
        return (self.review, self.period, scope, self.basis, self.audience, self.language)

    def complete(self) -> bool:
        """Whether every published file is there and has the recorded content."""
        return bool(self.files) and all(
            (self.folder / name).is_file() and sha256((self.folder / name).read_bytes()) == digest
            for name, digest in self.files.items()
        )


def load(path: Path) -> Run:
    """Return the record in a `run.json`. Raises `BadInput` when it cannot be read as one."""
    try:
        record = Run.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        raise BadInput(f"{path} is not a readable run record: {type(error).__name__}. Remove its folder.") from None
    return record.model_copy(update={"folder": path.parent})


def records(out: str | Path) -> Iterator[Run | Path]:
    """Yield every record below `out` in the order of the runs; the path of one that cannot be read in its place."""
    for path in sorted(Path(out).glob(_RECORDS), key=lambda path: (path.parent.name, str(path))):
        try:
            yield load(path)
        except BadInput:
            yield path


def runs(out: str | Path = "reports") -> pd.DataFrame:
    """Return one row per recorded run below `out`, newest first; an unreadable record has status `corrupt`.

    Columns: review, period, scope (`type=id` joined by `+`, empty for the company), basis, audience, language, status,
    as_of, started (UTC text), seconds, run_id, error, folder.

    >>> runs("no such folder").empty
    True
    """
    import pandas as pd

    rows = [_row(each) if isinstance(each, Run) else _corrupt(each) for each in records(out)]
    return pd.DataFrame(rows[::-1], columns=_COLUMNS)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal.

    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def hash_of(value: Any) -> str:
    """Return a SHA-256 over a JSON value that does not depend on the order of keys.

    >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    True
    """
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass"))


def _row(run: Run) -> Mapping[str, Any]:
    row = {name: getattr(run, name) for name in _COLUMNS if name != "run_id"}
    return row | {"run_id": run.id, "scope": "+".join(f"{kind}={each}" for kind, each in sorted(run.scope.items()))}


def _corrupt(path: Path) -> Mapping[str, Any]:
    review, period, scope, basis, audience, language, _, identifier, _ = path.parts[-9:]
    places = {"review": review, "period": period, "scope": scope, "basis": basis, "audience": audience}
    return places | {
        "language": language, "run_id": identifier, "folder": path.parent, "status": "corrupt",
        "error": "The record cannot be read; remove its folder.",
    }  # fmt: skip
