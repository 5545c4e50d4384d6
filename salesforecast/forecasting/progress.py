"""A progress bar for long work, only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG = 10_000  # histories to fit: some ten seconds


@contextmanager
def progress_bar(wanted: bool | None, total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a bar that the yielded function moves; nothing is shown, and None is yielded, where none is wanted.

    None shows it for long work when a terminal or notebook watches. It goes when the work ends or is cancelled.

    >>> with progress_bar(None, 5) as tick:
    ...     tick is None
    True
    """
    if wanted is False or (wanted is None and (total < LONG or not _watched())):
        yield None
        return
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task("forecast", total=total)
        yield lambda steps: bar.advance(task, steps)


def _watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
