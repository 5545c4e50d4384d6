"""Running a notebook in a fresh kernel of this interpreter, and saying truthfully how it ended.

papermill's output notebook is not believed: it calls cells completed after their kernel was killed, and takes
`sys.exit(0)` for success. What counts is the exceptions of nbclient and an execution count on every code cell.
"""

from __future__ import annotations

import logging
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforecast.errors import KernelDied, RunFailed, RunTimeout

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_SECONDS = 600
RUN_SECONDS = 3600
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# jsonschema imports rfc3987_syntax, where it is installed, to check IRI formats that neither nbformat nor Vega-Lite
# uses; its import builds some 35 grammars and takes longer than papermill's own (jsonschema issue 1428). None in
# sys.modules makes jsonschema treat it as absent.
_WITHOUT_GRAMMARS = "import sys; sys.modules.setdefault('rfc3987_syntax', None)"
_START_KERNEL = f"{_WITHOUT_GRAMMARS}; import runpy; runpy.run_module('ipykernel_launcher', run_name='__main__')"

# Matrices here are tiny: threads of the linear algebra library cost more than they bring, and their number, which
# differs between machines, changes the order of sums and with it the last digits.
_KERNEL = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


def execute(
    notebook: NotebookNode,
    parameters: Mapping[str, Any],
    *,
    cell_seconds: float = CELL_SECONDS,
    run_seconds: float = RUN_SECONDS,
) -> NotebookNode:
    """Run a notebook with papermill in the current folder and return it with its outputs.

    Raises `RunFailed` when a cell fails or ends the notebook early (`sys.exit`), `KernelDied` when the kernel goes
    away, `RunTimeout` when a cell or the whole run takes too long. The source of the cell at fault is the first of
    the exception's notes; the notebook's traceback is in its cause.
    """
    with quick_imports():
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    running: list[NotebookNode] = []
    deadline = time.monotonic() + run_seconds

    def seconds_for(cell: NotebookNode) -> int:
        running[:] = [cell]
        return max(1, round(min(cell_seconds, deadline - time.monotonic())))

    try:
        with _quiet(), tempfile.TemporaryDirectory(prefix="sf-", ignore_cleanup_errors=True) as scratch:
            executed = papermill.execute_notebook(
                notebook,
                None,
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                log_output=False,
                kernel_manager_class=_kernel_manager(Path(scratch)),
                timeout_func=seconds_for,
                shutdown_kernel="immediate",
            )
    except PapermillExecutionError as error:
        # The text of a papermill error is the whole traceback with terminal colours; one line is wanted here.
        reason = f"{error.ename}: {_ANSI.sub('', str(error.evalue))}".splitlines()[0].rstrip(": ")
        raise _noted(RunFailed(f"Cell {_opening(error.source)} failed: {reason}."), error.source) from error
    except CellTimeoutError as error:
        limit = "the whole run" if time.monotonic() >= deadline - 0.5 else "one cell"
        allowed = run_seconds if limit == "the whole run" else cell_seconds
        raise _noted(
            RunTimeout(f"The notebook was stopped: {limit} took longer than {allowed:g} s."), _source(running)
        ) from error
    except DeadKernelError as error:
        raise _noted(
            KernelDied("The notebook's kernel ended before the notebook did (killed, or out of memory)."),
            _source(running),
        ) from error
    except RuntimeError as error:
        if running:
            raise
        raise KernelDied(f"The notebook's kernel did not start: {error}.") from error
    _expect_every_cell(executed)
    return executed


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import papermill or nbconvert inside this block without the grammars that nobody uses (see above)."""
    hide = "rfc3987_syntax" not in sys.modules
    if hide:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules["rfc3987_syntax"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence papermill, which takes `as_of: str | None` for an unknown parameter; what matters is an exception."""
    logger = logging.getLogger("papermill")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def traceback_text(error: BaseException) -> str:
    """Return a traceback, the notebook's own included, without terminal colours."""
    import traceback

    return _ANSI.sub("", "".join(traceback.format_exception(error)))


def _kernel_manager(scratch: Path) -> Callable[..., Any]:
    """Return a kernel manager class for kernels of this interpreter.

    An installed kernelspec `python3` may be missing or belong to another environment. Unix sockets leave no port to
    race for when many reports start at once; their path must be short, so they live in the scratch folder.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    spec = KernelSpec(
        argv=[sys.executable, "-c", _START_KERNEL, "-f", "{connection_file}", "--IPKernelApp.log_level=ERROR"],
        display_name="Python 3",
        language="python",
        env={**_KERNEL, "IPYTHONDIR": str(scratch / "ipython")},
    )

    class ReportKernelManager(AsyncKernelManager):
        """Starts kernels of this interpreter."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        def __init__(self, **options: Any) -> None:
            options["connection_file"] = str(scratch / "k.json")
            if sys.platform != "win32":
                options["transport"] = "ipc"
            super().__init__(**options)

    return ReportKernelManager


def _expect_every_cell(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if any(output.output_type == "error" for output in cell.outputs) or cell.execution_count is None:
            what = f"Cell {_opening(cell.source)} ended the notebook early (sys.exit). Remove the call."
            raise _noted(RunFailed(what), cell.source)


def _noted(error: RunFailed, source: str | None) -> RunFailed:
    if source:
        error.add_note(source)
    return error


def _opening(source: str) -> str:
    line = source.strip().split("\n")[0]
    return f"`{line if len(line) <= 60 else line[:60] + '…'}`"


def _source(running: list[NotebookNode]) -> str | None:
    return running[0].source if running else None
