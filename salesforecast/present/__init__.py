"""Words, charts and tables: figures as a reader sees them. `Show` is what notebooks call."""

from salesforecast.present.labels import label
from salesforecast.present.show import Show, Shown

__all__ = ["Show", "Shown", "label"]
