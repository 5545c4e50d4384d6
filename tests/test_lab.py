"""`salesforecast lab` in a real browser: JupyterLab opens `start_here.ipynb`, and all its cells run."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
TOKEN = "of-this-test-only"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
    # Playwright leaves its event loop's socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def project(tmp_path):
    """A folder as a newcomer has it: the notebooks and the demo exports, nothing imported yet."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "data" / "demo", folder / "data" / "demo", ignore=shutil.ignore_patterns("*.duckdb*"))
    return folder


@pytest.fixture
def lab(project, tmp_path):
    """The address of a running `salesforecast lab`, which is ended when the test is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    log = tmp_path / "lab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "salesforecast", "lab", "--no-browser", "--port", str(port)],
            cwd=project,
            env={**os.environ, **own, "IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_TOKEN": TOKEN},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: server.poll() is not None or answers(f"{address}/api/status?token={TOKEN}"), 60, log.read_text)
        assert server.poll() is None, log.read_text()
        yield address
    finally:
        end(server)


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def until(done, seconds, story):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"still waiting after {seconds} s: {story()}"
        time.sleep(0.2)


def end(server):
    """Ask the command and its JupyterLab to stop, which ends the kernels; insist after ten seconds."""
    for each in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, each)
            server.wait(10)
            until(lambda: not alive(server.pid), 10, lambda: "JupyterLab does not stop")
            return
        except ProcessLookupError:
            return
        except (subprocess.TimeoutExpired, AssertionError):
            continue


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_start_here_runs_top_to_bottom_in_jupyterlab(lab, project, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 4200})
            page.set_default_timeout(60_000)
            page.goto(f"{lab}/?token={TOKEN}")
            # Before its kernel is there, a notebook answers a restart by asking for a kernel.
            page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()
            page.locator(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()

            page.locator(".lm-MenuBar-item", has_text=re.compile("^Run$")).click()
            page.locator(".lm-Menu-item", has_text="Restart Kernel and Run All Cells").click()
            page.get_by_role("button", name="Confirm Kernel Restart").click()
            count = len([each for each in code_cells(project) if each["source"]])
            numbered = page.locator(".jp-Notebook .jp-InputPrompt", has_text=re.compile(r"^\[\d+\]:$"))
            failed = page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")
            until(
                lambda: failed.count() or numbered.count() == count,
                120,
                lambda: f"{numbered.count()} of {count} cells have run",
            )
            page.screenshot(path=tmp_path / "start_here.png")
            assert failed.all_inner_texts() == []

            cards, figure = page.locator(".sf-card"), page.locator(".sf-chart-trend .sf-wide svg, .vega-embed svg")
            expect(cards).to_have_count(6)
            expect(figure.first).to_be_visible()
            page.keyboard.press("Control+s")
            until(lambda: all(each["execution_count"] for each in code_cells(project)), 30, lambda: "not saved")
        finally:
            browser.close()

    assert (project / "data" / "start_here.duckdb").is_file()
    outputs = [output for each in code_cells(project) for output in each["outputs"]]
    assert [each for each in outputs if each["output_type"] == "error" or each.get("name") == "stderr"] == []


def code_cells(project):
    """Return the code cells of the notebook, without the one that offers the mapping to be edited: nobody ran it."""
    notebook = json.loads((project / "notebooks" / "start_here.ipynb").read_text(encoding="utf-8"))
    codes = [each for each in notebook["cells"] if each["cell_type"] == "code"]
    return [each for each in codes if not "".join(each["source"]).startswith("preview.keep_mapping(")]
