"""How one rendering looks, for charts and tables alike: words, width, the unit and the direction of its measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salesforecast.present.labels import label
from salesforecast.present.words import DASH, Words, missing

GREEN, RED, NEUTRAL = "#1a7f37", "#c62828", "#595959"


@dataclass(frozen=True)
class Style:
    """How one rendering looks: its words, its width in pixels, the unit and direction of its measure.

    >>> Style(Words("zh")).prose(12_340_000), Style(Words("zh"), unit="ratio").prose(0.084)
    ('1,234 万元', '8.4%')
    """

    words: Words
    width: int = 920
    unit: str = "money"
    grain: str = "month"
    red_up: bool = False
    higher_is_better: bool | None = True

    @property
    def narrow(self) -> bool:
        """Whether the figure is for a phone."""
        return self.width < 500

    @property
    def good(self) -> str:
        """The colour of a good variance."""
        return RED if self.red_up else GREEN

    @property
    def bad(self) -> str:
        """The colour of a bad variance."""
        return GREEN if self.red_up else RED

    @property
    def factor(self) -> float:
        """What values are divided by before they are drawn."""
        return self.words.factor if self.unit == "money" else 0.01 if self.unit == "ratio" else 1

    @property
    def unit_name(self) -> str:
        """The unit of the drawn values: 万元, %, or nothing."""
        if self.unit == "money":
            return self.words.unit
        return "%" if self.unit == "ratio" else ""

    def colour(self, variance: float) -> str:
        """Return the colour of a variance: more is good, unless less is better or neither is."""
        if self.higher_is_better is None:
            return NEUTRAL
        return self.good if (variance >= 0) == self.higher_is_better else self.bad

    def prose(self, value: Any) -> str:
        """Return a value as a sentence says it, with its unit."""
        if self.unit == "money":
            return self.words.money(value)
        return self.words.percent(value) if self.unit == "ratio" else self.words.number(value)

    def period(self, day: Any) -> str:
        """Return the name of the period that starts on a day."""
        return self.words.period(day, self.grain)

    def between(self, low: Any, high: Any) -> str:
        """Return a range of values as a sentence says it."""
        return self.words.between(self.prose(low), self.prose(high))

    def cell(self, value: Any) -> str:
        """Return a value as a table cell says it: the unit stands in the header, except that of a share."""
        if missing(value):
            return DASH
        if self.unit == "money":
            return self.words.cell(value)
        return self.words.percent(value) if self.unit == "ratio" else self.words.number(value)

    def change(self, value: Any) -> str:
        """Return a change as analysis gives it: relative, or for a ratio the difference, which is in points."""
        return self.words.points(value) if self.unit == "ratio" else self.words.change(value)

    def say(self, key: str) -> str:
        """Return a word of the `chart` group."""
        return label("chart", key, self.words.language)
