"""salesforecast: sales reporting and forecasting in notebooks.

    import salesforecast as sf

    sf.import_files(["订单.xlsx"], into="sales.duckdb")          # CRM and ERP exports -> one store
    wb = sf.open("sales.duckdb", as_of="2026-10-31")            # what every analysis receives
    sf.sales.kpis(wb, period="2026-10")                         # ordinary pandas frames
    fc = sf.forecast(sf.panel(wb, "revenue"), horizon=6)
    sf.run("monthly_sales", period="2026-10", store="sales.duckdb")   # one offline HTML review

Names are loaded when first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salesforecast import demo, forecasting, present, publish
    from salesforecast.analysis import actions, archive, headlines, market, outlooks, quality, sales, targets
    from salesforecast.forecasting import accuracy, backtest, forecast, panel
    from salesforecast.load import ImportReport, import_files, import_sql
    from salesforecast.measures import MEASURES
    from salesforecast.present import Show
    from salesforecast.publish import Run, run
    from salesforecast.workbench import Workbench, open

__version__ = "0.1.0"

# name -> module that defines it; a module's own name gives the module itself.
_PUBLIC = {
    "import_files": "salesforecast.load",
    "import_sql": "salesforecast.load",
    "ImportReport": "salesforecast.load",
    "open": "salesforecast.workbench",
    "Workbench": "salesforecast.workbench",
    "MEASURES": "salesforecast.measures",
    "panel": "salesforecast.forecasting",
    "forecast": "salesforecast.forecasting",
    "backtest": "salesforecast.forecasting",
    "accuracy": "salesforecast.forecasting",
    "headlines": "salesforecast.analysis",
    "Show": "salesforecast.present",
    "run": "salesforecast.publish",
    "Run": "salesforecast.publish",
    "actions": "salesforecast.analysis.actions",
    "archive": "salesforecast.analysis.archive",
    "outlooks": "salesforecast.analysis.outlooks",
    "sales": "salesforecast.analysis.sales",
    "targets": "salesforecast.analysis.targets",
    "market": "salesforecast.analysis.market",
    "quality": "salesforecast.analysis.quality",
    "demo": "salesforecast.demo",
    "forecasting": "salesforecast.forecasting",
    "present": "salesforecast.present",
    "publish": "salesforecast.publish",
}

__all__ = [
    "MEASURES",
    "ImportReport",
    "Run",
    "Show",
    "Workbench",
    "accuracy",
    "actions",
    "archive",
    "backtest",
    "demo",
    "forecast",
    "forecasting",
    "headlines",
    "import_files",
    "import_sql",
    "market",
    "open",
    "outlooks",
    "panel",
    "present",
    "publish",
    "quality",
    "run",
    "sales",
    "targets",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_PUBLIC[name])
    value = module if _PUBLIC[name].endswith(f".{name}") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
