"""The exceptions of the package, and the one look-up that knows how to say "did you mean".

::

    SalesforecastError            exit code 1
    ├── BadInput                  3   a file, row or mapping cannot be imported as it is
    │   └── AmbiguousMapping      3   several source columns could be the same thing
    ├── BadSettings               3   salesforecast.toml
    ├── StoreError                3   missing, foreign or newer store
    │   └── StoreBusy             8   another process is using it
    ├── BadValue                  4   an argument or parameter
    │   ├── UnknownName           4   a name that no registry has
    │   └── BadPanel              4   a frame that is not a panel
    ├── NoData                    3   the question is fine, the data to answer it is missing
    └── RunFailed                 5   a notebook cell failed
        ├── KernelDied            6
        ├── RunTimeout            7
        └── PublishBlocked        9   the page did not pass its checks

The exit codes are the ones the command line returns; a run that is already being published elsewhere is 8.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class SalesforecastError(Exception):
    """Base of every error the package raises on purpose; its text is one line a user can act on."""

    exit_code = 1


class BadInput(SalesforecastError):
    """A file, row or mapping cannot be imported as it is."""

    exit_code = 3


class AmbiguousMapping(BadInput):
    """Several source columns could be the same canonical column; the text has the mapping line to write."""


class BadSettings(SalesforecastError):
    """`salesforecast.toml` has an unknown key or a value out of range."""

    exit_code = 3


class StoreError(SalesforecastError):
    """The store is missing, is not ours, or was made by a newer version."""

    exit_code = 3


class StoreBusy(StoreError):
    """Another process holds the store or the report."""

    exit_code = 8


class BadValue(SalesforecastError, ValueError):
    """An argument or a report parameter is not acceptable."""

    exit_code = 4


class UnknownName(BadValue):
    """A name that its registry does not have."""


class BadPanel(BadValue):
    """A frame that breaks the panel contract (`unique_id, ds, y`)."""


class NoData(SalesforecastError):
    """The table, column or period that a question needs is missing from the store.

    `note` is the code of the words a reader sees instead of the message, where there are some.
    """

    exit_code = 3

    def __init__(self, message: str, note: str = "") -> None:
        super().__init__(message)
        self.note = note


class RunFailed(SalesforecastError):
    """A notebook cell failed; nothing was published."""

    exit_code = 5


class KernelDied(RunFailed):
    """The notebook's kernel ended before the notebook did."""

    exit_code = 6


class RunTimeout(RunFailed):
    """A cell or the whole run took longer than allowed."""

    exit_code = 7


class PublishBlocked(RunFailed):
    """The built page did not pass the checks before publishing."""

    exit_code = 9


def suggestion(name: str, available: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the nearest of the available names, or an empty string.

    >>> suggestion("revenu", ["revenue", "orders"])
    " Did you mean 'revenue'?"
    >>> suggestion("zzz", ["revenue"])
    ''
    """
    near = difflib.get_close_matches(str(name), [str(each) for each in available], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def lookup(registry: Mapping[str, Value], name: str, kind: str) -> Value:
    """Return `registry[name]`, or raise `UnknownName` that says which names exist.

    >>> lookup({"revenue": 1, "orders": 2}, "revenu", "measure")
    Traceback (most recent call last):
    salesforecast.errors.UnknownName: No measure named 'revenu'. Did you mean 'revenue'? Available: orders, revenue.
    """
    if name in registry:
        return registry[name]
    available = ", ".join(sorted(registry)) or "none"
    raise UnknownName(f"No {kind} named {name!r}.{suggestion(name, registry)} Available: {available}.")
