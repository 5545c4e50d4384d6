"""`run` end to end: a small notebook of our own, real kernels, and everything that can go wrong on the way."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

from salesforecast import publish
from salesforecast.errors import (
    BadInput,
    BadValue,
    KernelDied,
    NoData,
    PublishBlocked,
    RunFailed,
    RunTimeout,
    SalesforecastError,
    StoreBusy,
    UnknownName,
)
from salesforecast.publish import checks, places, runner
from salesforecast.publish.execute import execute

PARAMETERS = """
period: str = "2026-10"  # month under review
store: str = "sales.duckdb"
as_of: str | None = None
scope: dict[str, str] | None = None
language: str = "zh"
audience: str = "analyst"
basis: str = "order"
settings: str | None = None
top: int = 5  # customers listed
"""

OWN = """
from IPython.display import display
def own(kind, html):
    display({"text/html": html, "text/plain": kind}, metadata={"salesforecast": {"kind": kind}}, raw=True)
"""


def code(source, *tags):
    return v4.new_code_cell(source, metadata={"tags": list(tags)})


def text(source, *tags):
    return v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def write_notebook(folder, *cells, name="mini", parameters=PARAMETERS):
    path = Path(folder) / "notebooks" / "reviews" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = v4.new_notebook(cells=[code(parameters, "parameters"), *cells])
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


@pytest.fixture
def here(tmp_path, monkeypatch, make_store):
    """A working folder with a store of three orders, two months."""
    monkeypatch.chdir(tmp_path)
    make_store(
        transactions={
            "txn_type": ["order"] * 3,
            "order_id": ["A", "B", "C"],
            "line_id": ["1", "1", "1"],
            "date": ["2026-09-10", "2026-10-12", "2026-10-31"],
            "customer_id": ["C1", "C2", "C1"],
            "region": ["华东", "华北", "华东"],
            "quantity": [1, 2, 3],
            "amount": [100.0, 200.0, 300.0],
        }
    )
    return tmp_path


@pytest.fixture
def without_kernel(monkeypatch):
    """Replace execution: the notebook comes back with one text output per code cell."""

    def executed(notebook, parameters, **_):
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                cell.execution_count = number + 1
                cell.outputs = [v4.new_output("stream", name="stdout", text=f"period {parameters['period']}\n")]
        return notebook

    monkeypatch.setattr(runner, "execute", executed)


def run(review="mini", **options):
    return publish.run(review, **({"period": "2026-10", "store": "sales.duckdb"} | options))


def test_a_run_publishes_a_page_its_source_and_its_record(here, without_kernel):
    write_notebook(here, text("# 月度评审"))
    done = run()
    report = here / "reports/mini/2026-10/all/order/management/zh"
    assert done.status == "published"
    assert done.page.resolve() == report / "runs" / done.id / "index.html"
    assert (report / "current").readlink() == Path("runs") / done.id
    assert {path.name for path in done.folder.iterdir()} == {"index.html", "source.ipynb", "run.json"}
    record = json.loads((done.folder / "run.json").read_text())
    assert record["as_of"] == "2026-10-31" and record["parameters"]["top"] == 5
    assert len(record["data_hash"]) == 64 and record["versions"]["salesforecast"]
    assert "月度评审" in done.page.read_text() and "mini" in (here / "reports/index.html").read_text()


def test_neither_page_nor_source_holds_the_run_or_the_machine(here, without_kernel):
    write_notebook(here, text("# Review"))
    done = run(store=here / "sales.duckdb")
    for name in ("index.html", "source.ipynb"):
        content = (done.folder / name).read_text()
        assert done.id not in content and str(here) not in content


def test_an_unchanged_report_is_left_alone_until_forced_or_changed(here, without_kernel):
    write_notebook(here, text("# Review"))
    first = run()
    again = run()
    assert (again.id, again.status) == (first.id, "unchanged")
    assert run(force=True).id != first.id
    assert run(top=6).status == "published"
    assert run(top=6).status == "unchanged"
    page = run(top=6).page
    page.write_text("tampered")
    assert run(top=6).status == "published"


def test_the_page_links_to_the_period_before(here, without_kernel):
    write_notebook(here, text("# Review"))
    run(period="2026-09")
    page = run().page
    href = '../../../../../../2026-09/all/order/management/zh/current/index.html"'
    assert href in page.read_text()
    # A browser takes the dots off the address before it asks for the file; `current` is not resolved first.
    assert Path(os.path.normpath(page.parent / href.rstrip('"'))).is_file()
    assert 'rel="prev"' not in run(period="2026-09").page.read_text()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"review": "minni"}, UnknownName, "Did you mean 'mini'"),
        ({"review": "../../mini"}, UnknownName, "No review"),
        ({"topp": 3}, UnknownName, "Did you mean 'top'"),
        ({"top": "many"}, BadValue, "must be int, got 'many'"),
        ({"top": "1e3"}, BadValue, "must be int"),
        ({"top": True}, BadValue, "must be int"),
        ({"__builtins__": 1}, BadValue, "identifier"),
        ({"x=1\nimport os\ny": 1}, BadValue, "identifier"),
        ({"lambda": 1}, BadValue, "identifier"),
        ({"period": "2026-13"}, BadValue, "2026-13"),
        ({"period": "1999-01"}, NoData, "2026-09"),
        ({"scope": {"region": "华西"}}, UnknownName, "华西"),
        ({"scope": {"regin": "华东"}}, UnknownName, "region"),
        ({"basis": "ordr"}, UnknownName, "order"),
        ({"language": "fr"}, UnknownName, "fr"),
        ({"store": "none.duckdb"}, SalesforecastError, "none.duckdb"),
    ],
)
def test_a_wrong_argument_is_refused_before_a_kernel_starts(here, monkeypatch, options, error, words):
    write_notebook(here)
    monkeypatch.setattr(runner, "execute", lambda *_, **__: pytest.fail("a kernel was started"))
    with pytest.raises(error, match=words):
        run(**options)
    assert not (here / "reports").exists()


def test_a_notebook_that_cannot_take_a_choice_refuses_it(here, without_kernel):
    write_notebook(here, parameters='period: str = "2026-10"')
    assert run().status == "published"
    with pytest.raises(UnknownName, match="scope"):
        run(scope={"region": "华东"})


def test_scopes_languages_and_audiences_have_folders_of_their_own(here, without_kernel):
    write_notebook(here)
    run()
    run(scope={"region": "华东"}, language="en", audience="team/../x")
    folders = {path.parent.relative_to(here / "reports").as_posix() for path in here.glob("reports/**/current")}
    assert len(folders) == 2
    assert any(folder.startswith("mini/2026-10/region=华东/order/team-..-x-") for folder in folders)


def test_a_planted_symlink_is_not_followed(here, without_kernel):
    write_notebook(here)
    (here / "elsewhere").mkdir()
    (here / "reports/mini").mkdir(parents=True)
    (here / "reports/mini/2026-10").symlink_to(here / "elsewhere")
    with pytest.raises(BadValue, match="symlink"):
        run()
    assert not any((here / "elsewhere").iterdir())


def test_a_report_being_published_elsewhere_is_busy(here, without_kernel):
    write_notebook(here)
    folder = run().folder.parents[1]
    script = f"""
import sys, time
from pathlib import Path
from salesforecast.publish import places
with places.locked(Path({str(folder / ".lock")!r}), "x"):
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=str(holder.pid)) as caught:
            run(force=True)
        assert caught.value.exit_code == 8
    finally:
        holder.kill()
        holder.communicate()
    assert run(force=True).status == "published"  # the lock of a dead process is no lock


def test_a_failed_run_leaves_the_page_and_a_record(here, without_kernel, monkeypatch):
    write_notebook(here, text("# Review"))
    good = run()

    def fails(*_, **__):
        error = RunFailed("Cell `1/0` failed: ZeroDivisionError: division by zero.")
        error.add_note("1/0")
        raise error

    monkeypatch.setattr(runner, "execute", fails)
    with pytest.raises(RunFailed):
        run(force=True)
    frame = publish.runs("reports")
    assert list(frame["status"]) == ["failed", "published"]
    assert good.page.exists() and runner.current(good.folder.parents[1]).id == good.id
    folder = frame["folder"].iloc[0]
    record = json.loads((folder / "run.json").read_text())
    assert record["cell"] == "1/0" and "ZeroDivisionError" in record["error"]
    assert {path.name for path in folder.iterdir()} == {"run.json", "run.log"}
    assert (folder / "run.log").stat().st_mode & 0o077 == 0
    catalogue = (here / "reports/index.html").read_text()
    assert "ZeroDivisionError" in catalogue and "sf-status-stale" in catalogue


@pytest.mark.parametrize("broken", ["write_file", "point_to", "sync_folder"])
def test_a_disk_that_refuses_leaves_the_last_good_page(here, without_kernel, monkeypatch, broken):
    write_notebook(here)
    good = run()
    before = good.page.read_bytes()
    with monkeypatch.context() as patched:

        def refuses(*_, **__):
            raise OSError(28, "No space left on device")

        patched.setattr(places, broken, refuses)
        with pytest.raises(SalesforecastError, match="No space left"):
            run(force=True)
    report = good.folder.parents[1]
    assert good.page.read_bytes() == before and runner.current(report).id == good.id
    assert not list(report.glob("runs/.work-*"))
    assert run(force=True).status == "published"


def test_leftovers_of_a_killed_run_are_removed_by_the_next(here, without_kernel):
    write_notebook(here)
    left = run().folder.parent / ".work-killed"
    left.mkdir()
    (left / "index.html").write_text("half")
    run(force=True)
    assert not left.exists()


def test_a_secret_is_passed_as_a_reference_and_never_published(here, monkeypatch, without_kernel):
    monkeypatch.setenv("CRM_PASSWORD", "hunter2-hunter2")
    write_notebook(here, text("# Review"), parameters=PARAMETERS + "password: str = ''\n")
    with pytest.raises(BadValue, match="env:NAME"):
        run(password="hunter2-hunter2")
    done = run(password="env:CRM_PASSWORD")
    assert done.parameters["password"] == "env:CRM_PASSWORD"
    for path in done.folder.iterdir():
        assert b"hunter2" not in path.read_bytes()


def test_a_secret_printed_by_a_cell_is_not_published(here, monkeypatch, without_kernel):
    monkeypatch.setenv("CRM_PASSWORD", "period 2026-10")  # what the fake cell prints
    write_notebook(here, parameters=PARAMETERS + "password: str = ''\n")
    with pytest.raises(PublishBlocked, match="contains the secret"):
        run(password="env:CRM_PASSWORD")
    for path in here.glob("reports/**/runs/*/*"):
        assert b"period 2026-10" not in path.read_bytes()


def test_a_secret_is_found_in_the_way_html_json_and_python_write_it(monkeypatch):
    monkeypatch.setenv("CRM_PASSWORD", 'a"b<c\\d')
    for text in ("x a&quot;b&lt;c\\d", r"x a\"b<c\\d", 'x a"b<c\\d'):
        with pytest.raises(PublishBlocked):
            checks.check_secrets({"page": text}, {"password": "env:CRM_PASSWORD"})
        assert checks.masked(text, {"password": "env:CRM_PASSWORD"}) == "x env:CRM_PASSWORD"


def test_a_file_that_is_no_notebook_is_named(here):
    path = write_notebook(here)
    path.write_text("{}")
    with pytest.raises(BadInput, match=r"mini\.ipynb is not a readable Jupyter notebook"):
        run()


def test_two_notebooks_of_one_name_are_refused(here):
    write_notebook(here)
    (here / "notebooks/mini.ipynb").write_text("{}")
    with pytest.raises(BadValue, match="Two notebooks are named 'mini'"):
        run()


def test_every_notebook_is_checked_without_running_it(here):
    write_notebook(here)
    write_notebook(here, name="broken", parameters="import os")
    (here / "notebooks/guide.ipynb").write_text(nbformat.writes(v4.new_notebook(cells=[code("1/0")])))
    found = dict(publish.check_notebooks())
    assert found["mini"] is None and found["guide"] is None and "not an assignment" in found["broken"]


def notebook_of(*sources):
    return v4.new_notebook(cells=[code("x: int = 1", "parameters"), *(code(source) for source in sources)])


def test_a_kernel_of_this_interpreter_runs_the_cells():
    notebook = execute(notebook_of("import sys, os; print(sys.executable, x, os.environ['PYTHONHASHSEED'])"), {"x": 2})
    assert notebook.cells[-1].outputs[0].text == f"{sys.executable} 2 0\n"


@pytest.mark.parametrize("value", ["it's \"quoted\"\n\\ \u2028 '''x''' \"\"\"", "{a}", "华东", "</script>"])
@pytest.mark.slow
def test_any_text_reaches_the_notebook_as_it_is(value):
    notebook = execute(notebook_of("print(ascii(x))"), {"x": value})
    assert notebook.cells[-1].outputs[0].text == ascii(value) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "error", "exit_code"),
    [
        ("1/0", RunFailed, 5),
        ("import sys; sys.exit(0)", RunFailed, 5),
        ("import sys; sys.exit(3)", RunFailed, 5),
        ("import os; os._exit(0)", KernelDied, 6),
        ("import os; os.kill(os.getpid(), 9)", KernelDied, 6),
        ("import time; time.sleep(60)", RunTimeout, 7),
    ],
)
def test_no_end_but_a_good_one_is_success(source, error, exit_code):
    started = time.monotonic()
    with pytest.raises(error) as caught:
        execute(notebook_of(source, "x"), {"x": 2}, cell_seconds=2)
    assert type(caught.value) is error and caught.value.exit_code == exit_code
    assert caught.value.__notes__[0] == source
    assert time.monotonic() - started < 20


@pytest.mark.slow
def test_the_whole_run_has_a_limit_of_its_own():
    with pytest.raises(RunTimeout, match="the whole run took longer than 3 s"):
        execute(notebook_of(*["import time; time.sleep(1.5)"] * 9), {"x": 2}, run_seconds=3)


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(here):
    write_notebook(
        here,
        text("# Review"),
        code(OWN),
        code("own('table', '<table><tr><th>a</th></tr></table>')"),
        code("import sys; print('to stderr', file=sys.stderr); object()"),
        code("{'华东', '华北', 'x'}"),
    )
    first, second = run(), run(force=True)
    assert first.id != second.id
    for name in ("index.html", "source.ipynb"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert "0x" not in first.page.read_text() and "to stderr" not in first.page.read_text()


@pytest.mark.slow
def test_a_failing_cell_is_recorded_with_its_source_and_nothing_is_published(here):
    write_notebook(here, code("region = 'west'\nraise ValueError('no such ' + region)"))
    with pytest.raises(RunFailed, match="ValueError: no such west"):
        run()
    (record,) = here.glob("reports/**/run.json")
    assert "raise ValueError" in json.loads(record.read_text())["cell"]
    assert "Traceback" in (record.parent / "run.log").read_text()
    assert not list(here.glob("reports/**/current"))


@pytest.mark.slow
def test_an_output_the_page_cannot_hold_blocks_publishing(here):
    write_notebook(here, code(OWN), code("own('chart', '<figure><figcaption>no drawing</figcaption></figure>')"))
    with pytest.raises(PublishBlocked, match="A chart on the page is empty") as caught:
        run()
    assert caught.value.exit_code == 9
    assert not list(here.glob("reports/**/current"))
