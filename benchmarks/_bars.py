"""A bar: a measured figure beside the target it must not pass."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One line of the summary; `value` must be at most `target`."""

    what: str
    value: float
    target: float

    @property
    def met(self):
        """Whether the figure keeps its target."""
        return self.value <= self.target


def show(bars):
    """Print bars, one a line."""
    width = max((len(each.what) for each in bars), default=0)
    for each in bars:
        print(f"{each.what:<{width}}  {each.value:8.3f}  target {each.target:6.3f}  {'met' if each.met else 'MISSED'}")
