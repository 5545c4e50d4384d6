"""The command line: import, imports, erase, check, run, lab, demo. Each command is one call of the package.

Exit codes: 0 done; 2 wrong usage; 3 input, settings or store; 4 parameters; 5 a cell failed; 6 the kernel died;
7 time-out; 8 busy; 9 the page did not pass its checks. With several runs, the worst one counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from salesforecast.errors import BadValue, SalesforecastError, StoreError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sales reporting and forecasting: CRM exports in, offline HTML reviews out.",
)

DEMO = Path("data/demo")
Store = Annotated[Path, typer.Option("--store", help="The store made by `salesforecast import`.")]
Out = Annotated[Path, typer.Option(help="Folder of the published reviews.")]
DEFAULT_STORE = Path("sales.duckdb")
REPORTS = Path("reports")


def main() -> None:
    """Run the command line; an expected error becomes one line on stderr and its exit code."""
    try:
        app()
    except SalesforecastError as error:
        print(f"salesforecast: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"salesforecast: {error.filename or 'a file'}: {error.strerror or error}.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("salesforecast: interrupted; nothing was published.", file=sys.stderr)
        sys.exit(130)


@app.command()
def demo(
    lines: Annotated[int, typer.Option(help="Order lines of the synthetic company.")] = 9_000,
    seed: Annotated[int, typer.Option(help="Seed; another seed is another company.")] = 7,
    period: Annotated[str, typer.Option(help="Period of the review.")] = "2026-10",
    language: Annotated[str, typer.Option(help="Languages, comma-separated.")] = "zh,en",
    out: Out = REPORTS,
) -> None:
    """Import the synthetic company's exports and publish its monthly review."""
    from salesforecast.demo import company, write_exports
    from salesforecast.load import import_files

    folder = DEMO
    if (lines, seed) != (9_000, 7) or not folder.is_dir():
        folder = Path("data") / f"demo-{lines}-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        write_exports(company(lines=lines, seed=seed), folder)
    store = folder / "demo.duckdb"
    report = import_files([folder], into=store)
    print(f"{folder}: {report.summary()}")
    _run_all("monthly_sales", {"period": period, "store": str(store)}, _list(language), out=out)


@app.command("import")
def import_command(
    paths: Annotated[list[Path] | None, typer.Argument(help="Exported files, folders or globs.")] = None,
    into: Annotated[Path, typer.Option(help="The store to fill; made when missing.")] = DEFAULT_STORE,
    preset: Annotated[str, typer.Option(help="auto, or the name of a preset.")] = "auto",
    recipe: Annotated[Path | None, typer.Option(help="A saved recipe (TOML): files, mapping, store.")] = None,
    save_recipe: Annotated[Path | None, typer.Option(help="Save what was done as a recipe.")] = None,
    rejected: Annotated[Path | None, typer.Option(help="Write refused rows to this CSV, to be corrected.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the mapping; store nothing.")] = False,
    exported_on: Annotated[str | None, typer.Option(help="Day on which deals were exported: 2026-10-31.")] = None,
    sql: Annotated[str | None, typer.Option(help="URL of a database, or env:NAME of a variable with it.")] = None,
    query: Annotated[str | None, typer.Option(help="What to import from --sql: a SELECT, or a file of it.")] = None,
) -> None:
    """Import exports of a CRM, an ERP or a spreadsheet, or a query on a database, into the store."""
    from salesforecast.load import import_files, import_sql, load_recipe

    if recipe:
        arguments = load_recipe(recipe)
        if paths:
            arguments["paths"] = paths
    elif sql and query and not paths:
        arguments = {"url": sql, "query": query, "into": into, "preset": preset}
    elif sql or query:
        raise BadValue("A database needs --sql URL and --query SELECT, and no files beside them.")
    elif paths:
        arguments = {"paths": paths, "into": into, "preset": preset}
    else:
        raise BadValue("Nothing to import. Name files, or a saved recipe: salesforecast import --recipe recipe.toml")
    if exported_on and "url" not in arguments:
        arguments["exported_on"] = exported_on
    report = (import_sql if "url" in arguments else import_files)(**arguments, dry_run=dry_run)
    print(report)
    if save_recipe:
        report.save_recipe(save_recipe)
        print(f"Recipe saved: {save_recipe}")
    if rejected and len(report.rejected):
        report.write_rejected(rejected)
        print(f"Refused rows written: {rejected}")


@app.command("imports")
def imports_command(
    store: Store = DEFAULT_STORE,
    undo: Annotated[int | None, typer.Option(help="Take this import back, as if it had not been made.")] = None,
) -> None:
    """List the imports of a store, or take one back."""
    from salesforecast.load import imports, undo_import

    if undo is not None:
        print(undo_import(store, undo))
        return
    for each in imports(store).itertuples():
        sheet = f"#{each.sheet}" if each.sheet else ""
        print(
            f"{each.import_id:>4}  {each.imported_at:%Y-%m-%d %H:%M}  {each.table:<12} {each.stored:>9,} stored "
            f"{each.rejected:>6,} rejected {each.replaced:>7,} replaced  {each.file}{sheet}  undo: {each.undo}"
        )


@app.command("erase")
def erase_command(
    kind: Annotated[str, typer.Argument(help="customer or person.")],
    id: Annotated[str, typer.Argument(help="The id as the exports write it.")],
    store: Store = DEFAULT_STORE,
) -> None:
    """Erase a customer or a person from the store for good; sums stay, names do not."""
    from salesforecast.load import erase

    print(erase(store, kind, id))


@app.command()
def check(
    store: Store = DEFAULT_STORE,
    settings: Annotated[Path | None, typer.Option(help="salesforecast.toml")] = None,
) -> None:
    """Validate store, settings and notebooks; say which sections a review will lack and why."""
    import salesforecast as sf
    from salesforecast.publish import check_notebooks

    with sf.open(store, settings=settings) as wb:
        first, last = wb.bounds
        chosen = wb.settings
        given = "" if chosen.model_fields_set else " (defaults: no salesforecast.toml found)"
        print(f"{store}: {first} to {last}, as of {wb.as_of}, basis {wb.basis}")
        print(
            f"  settings{given}: currency {chosen.currency.base}, holidays {chosen.calendar.country}, fiscal year from "
            f"month {chosen.fiscal.year_start_month}, language {chosen.language}"
        )
        for row in sf.quality.sections(wb).itertuples():
            print(f"  {'ok   ' if row.available else 'lacks'} {row.section:<12} {row.lacks}".rstrip())
        for row in sf.quality.checks(wb).itertuples():
            print(f"  {row.severity:<7} {row.check}: {row.table}, {row.rows:,} rows")
    for name, problem in check_notebooks():
        print(f"  {'lacks' if problem else 'ok   '} notebook {name} {problem or ''}".rstrip())


@app.command()
def run(
    review: Annotated[str, typer.Argument(help="Name of the notebook, such as monthly_sales.")],
    period: Annotated[str, typer.Option(help="2026-10, 2026-Q4, 2026-W47 or 2026.")],
    store: Store = DEFAULT_STORE,
    as_of: Annotated[str | None, typer.Option(help="The day the review is seen from.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="key=value, such as region=华东; repeatable.")] = None,
    for_each: Annotated[str | None, typer.Option(help="One review for each member of this scope type.")] = None,
    language: Annotated[str | None, typer.Option(help="zh, en or both: zh,en")] = None,
    audience: Annotated[str, typer.Option(help="management masks names; analyst does not.")] = "management",
    basis: Annotated[str | None, typer.Option(help="order, shipment, invoice or payment.")] = None,
    settings: Annotated[str | None, typer.Option(help="salesforecast.toml")] = None,
    out: Out = REPORTS,
    force: Annotated[bool, typer.Option("--force", help="Run again even when nothing has changed.")] = False,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value of a parameter of the notebook.")
    ] = None,
) -> None:
    """Execute a review notebook and publish it as one offline HTML page."""
    shared: dict[str, Any] = {
        "period": period, "store": str(store), "as_of": as_of, "audience": audience, "basis": basis,
        "settings": settings, "force": force,
    }  # fmt: skip
    more = _pairs(parameter, "--parameter")
    for name in more.keys() & {*shared, "scope", "language", "out", "review"}:
        raise BadValue(f"{name} has an option of its own: write --{name.replace('_', '-')} instead of -p {name}=…")
    shared |= more
    scopes = _scopes(_pairs(scope, "--scope"), for_each, shared)
    _run_all(review, shared, _list(language) or [None], scopes, out)


@app.command()
def runs(out: Out = REPORTS) -> None:
    """List the recorded runs, newest first."""
    from salesforecast.publish import runs as recorded

    for each in recorded(out).itertuples():
        print(f"{each.run_id}  {each.status:<9} {each.review} {each.period} {each.scope or 'all'} {each.language}")


@app.command()
def lab(
    port: Annotated[int | None, typer.Option(help="Port of JupyterLab.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab in this folder with `start_here.ipynb`; the notebooks are copied here when there are none."""
    notebooks = Path("notebooks")
    if not notebooks.exists():
        from salesforecast.publish import packaged_notebooks

        shutil.copytree(packaged_notebooks(), notebooks)
        print("Copied the notebooks to ./notebooks; yours win over the package's from now on.")
    # Naming the notebook as a file would make its folder the root, and the data could not be seen.
    command = [sys.executable, "-m", "jupyterlab", "--LabApp.default_url=/lab/tree/notebooks/start_here.ipynb"]
    # No request leaves the machine: neither for JupyterLab's news nor for its next version.
    never = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
    command += ["--LabApp.news_url=None", f"--LabApp.check_for_updates_class={never}"]
    command += [f"--port={port}"] if port else []
    command += [] if browser else ["--no-browser"]
    # JupyterLab refuses to run as root without being told that this is meant.
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    raise typer.Exit(subprocess.call(command))  # noqa: S603 - our own interpreter and our own arguments


def _run_all(
    review: str,
    parameters: dict[str, Any],
    languages: list[Any],
    scopes: list[dict[str, str]] | None = None,
    out: Path = REPORTS,
) -> None:
    """Run a review in every language and scope; one failure does not stop the others."""
    from salesforecast.publish import run as publish

    worst = 0
    for scope in scopes or [{}]:
        for language in languages:
            try:
                done = publish(review, scope=scope, language=language, out=out, **parameters)
                print(done.page)
            except SalesforecastError as error:
                print(f"salesforecast: {error}", file=sys.stderr)
                worst = max(worst, error.exit_code)
    if worst:
        raise typer.Exit(worst)


def _scopes(scope: dict[str, str], for_each: str | None, shared: dict[str, Any]) -> list[dict[str, str]]:
    if not for_each:
        return [scope]
    import salesforecast as sf

    with sf.open(
        shared["store"], period=shared["period"], as_of=shared["as_of"], basis=shared["basis"],
        settings=shared["settings"], scope=scope,
    ) as wb:  # fmt: skip
        members = wb.members(for_each)
    if not members:
        raise StoreError(f"No {for_each} in {shared['store']}: --for-each has nothing to run for.")
    return [{**scope, for_each: member} for member in members]


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadValue(f"{option} takes key=value, found {text!r}.")
        pairs[key.strip()] = value.strip()
    return pairs


def _list(text: str | None) -> list[Any]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
