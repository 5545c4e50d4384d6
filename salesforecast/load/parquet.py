"""Parquet files as all-text relations; a large one stays in its file."""

from __future__ import annotations

from pathlib import Path

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput
from salesforecast.load.headers import named
from salesforecast.load.records import STREAMED_BYTES, Source, sha256, stamp_of

PARQUET_SUFFIXES = (".parquet", ".pq")


def read_parquet(engine: Engine, path: Path, title: str, number: int | str, scratch: Path | None = None) -> Source:
    """Load one Parquet file; its column names are the headers, in row 1. With `scratch` a large file is not copied.

    Raises `BadInput` for a file that is damaged or has no rows.
    """
    stamp = stamp_of(path)
    file = f"read_parquet({literal(str(path))}, file_row_number = true)"
    streamed = scratch is not None and path.stat().st_size > STREAMED_BYTES // 4
    try:
        columns = [row[:2] for row in engine.rows(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {file}")]
        rows = engine.rows(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(path))})")[0][0]
        if not rows or not columns:
            raise BadInput(f"{path.name} has no rows. Export it again, or leave the file out.")
        headers, notes = named([name for name, _ in columns])
        cells = ", ".join(f"{_text(quote(name), kind)} AS c{place}" for place, (name, kind) in enumerate(columns))
        engine.execute(
            f"CREATE OR REPLACE TEMP {'VIEW' if streamed else 'TABLE'} raw_{number} AS "
            f"SELECT file_row_number + 2 AS {quote('row')}, {cells} FROM {file}"
        )
        if streamed:  # what is damaged shows before anything is stored
            engine.rows(f"SELECT {', '.join(f'count({quote(name)})' for name, _ in columns)} FROM {file}")
    except BadInput:
        raise
    except Exception as error:  # whatever the engine says of a file that is not what its first bytes promise
        reason = str(error).splitlines()[0].replace(str(path), path.name)
        raise BadInput(f"{path.name} cannot be read as Parquet: {reason}. Export it again.") from None
    tidy = frozenset(place for place, (_, kind) in enumerate(columns) if kind != "VARCHAR")
    return Source(
        path=path, title=title, sheet=None, headers=headers, header_row=1, relation=f"raw_{number}", rows=int(rows),
        blank_rows=0, sha256=sha256(path), encoding=None, tidy=tidy, streamed=streamed, stamp=stamp, notes=notes,
    )  # fmt: skip


def _text(value: str, kind: str) -> str:
    """Return SQL for a typed value as the text of an export.

    Whole floats have no decimals (pandas makes floats of ids with gaps), times with a zone say so in UTC, lists are
    joined with `; `.
    """
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
        return (
            f"CASE WHEN isnan({value}) THEN NULL WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({value} AS VARCHAR) END"
        )
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"CAST(timezone('UTC', {value}) AS VARCHAR) || 'Z'"
    if kind.endswith("[]"):
        return f"array_to_string(list_transform({value}, lambda each: CAST(each AS VARCHAR)), '; ')"
    if kind == "BLOB":
        return f"coalesce(try_cast(decode({value}) AS VARCHAR), CAST({value} AS VARCHAR))"
    return f"CAST({value} AS VARCHAR)"
