"""The sections of a review: which analysis fills each, and which data it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

Analysis = TypeVar("Analysis", bound=Callable[..., Any])


@dataclass(frozen=True)
class Section:
    """One section of a review; `needs` are tables (`"targets"`) and columns (`"transactions.channel"`)."""

    id: str
    needs: tuple[str, ...] = ()


SECTIONS: dict[str, Section] = {}


def section(id: str, needs: tuple[str, ...] = ()) -> Callable[[Analysis], Analysis]:
    """Register an analysis as the one that fills a section; its first argument must be a workbench.

    Before each call the workbench is asked for what the section needs; `NoData` says what is missing.

    >>> @section("example", needs=("targets",))
    ... def example(wb):
    ...     return 1
    >>> SECTIONS.pop("example")
    Section(id='example', needs=('targets',))
    """

    def register(function: Analysis) -> Analysis:
        SECTIONS[id] = Section(id, needs)

        @functools.wraps(function)
        def analysis(wb: Any, *args: Any, **keywords: Any) -> Any:
            wb.require(*needs)
            return function(wb, *args, **keywords)

        return cast(Analysis, analysis)

    return register
