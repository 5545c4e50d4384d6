"""`salesforecast.toml` read once into one frozen, validated value.

Every key has a default, so no file is needed; an unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from salesforecast.errors import BadSettings, suggestion

Basis = Literal["order", "shipment", "invoice", "payment"]
Language = Literal["zh", "en"]
DisplayUnit = Literal["元", "万元", "亿元", "1", "K", "M"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Currency(_Section):
    """The currency of reports and how amounts are shown."""

    base: str = Field("CNY", pattern="^[A-Z]{3}$")
    display: DisplayUnit | None = None  # None: 万元 in Chinese, K in English
    decimals: int = Field(1, ge=0, le=4)


class Fiscal(_Section):
    """The fiscal year. A year is named after the calendar year it ends in."""

    year_start_month: int = Field(1, ge=1, le=12)
    week: Literal["iso"] = "iso"


class CalendarSettings(_Section):
    """Whose holidays and festivals count."""

    country: str = Field("CN", pattern="^[A-Z]{2}$")
    lunar_new_year: bool = True
    events: tuple[str, ...] = ()


class Definitions(_Section):
    """口径: which of several accepted definitions is in force; printed in the appendix."""

    win_rate: Literal["won_over_closed", "won_over_created", "signed_over_created"] = "won_over_closed"
    stage_conversion: Literal["cohort", "in_out", "snapshot"] = "cohort"
    time_in_stage: Literal["spells", "all_entered"] = "spells"
    forecast_accuracy: Literal["one_minus_wape", "forecast_over_actual"] = "one_minus_wape"
    time_progress: Literal["seasonal", "workdays"] = "seasonal"


class Label(_Section):
    """A name in both languages."""

    zh: str
    en: str


class Stage(_Section):
    """One stage of a sales process."""

    code: str
    label: Label | None = None
    probability: float | None = Field(None, ge=0, le=1)
    category: str | None = None
    max_days: int | None = Field(None, gt=0)
    closed: Literal["won", "lost"] | None = None


class Targets(_Section):
    """How targets are split and checked; `basis` is what they were set on (None: the company's own)."""

    basis: Basis | None = None
    tolerance: float = Field(0.005, ge=0, lt=1)
    split: Literal["seasonal", "workdays", "even"] = "seasonal"
    person_split: dict[str, float] = {"history": 0.5, "potential": 0.3, "capacity": 0.2}


class Segments(_Section):
    """Customer segmentation."""

    method: Literal["rfm_rules", "kmeans", "gmm"] = "rfm_rules"
    high_value_share: float = Field(0.2, gt=0, lt=1)


class Kpi(_Section):
    """One line of the scorecard."""

    measure: str
    weight: float = Field(gt=0)
    source: Literal["attainment", "value"] = "attainment"
    cap: float | None = Field(None, gt=0)


class IncentivePlan(_Section):
    """Commission tiers: from this attainment on, this rate."""

    basis: Basis = "payment"
    tiers: tuple[tuple[float, float], ...]
    cap: float | None = Field(None, gt=0)
    clawback: Literal["return", "refund", "none"] = "return"


class Sla(_Section):
    """Service levels of one priority, in hours."""

    response_h: float = Field(gt=0)
    resolve_h: float = Field(gt=0)


class Privacy(_Section):
    """What is masked before a manager sees it."""

    mask: tuple[str, ...] = ("name", "note", "text")
    hash: tuple[str, ...] = ()
    min_group: int = Field(5, ge=1)


class Distribution(_Section):
    """Who receives which review."""

    audience: str = "management"
    review: str
    formats: tuple[str, ...] = ("html",)
    for_each: str | None = None


class ImportLimits(_Section):
    """How large a file may be; what is larger is refused before it can fill memory or disk.

    `file_mb` and `unpacked_mb` are megabytes as they lie on disk and as they are after unpacking; an archive that
    unpacks to more than `zip_ratio` times its size is a bomb. `rows`, `columns` and `cell_characters` hold for every
    table. `document_mb` is the most that is read in one piece (JSON that is not one record a line, HTML); a workbook
    has `workbook_seconds` and `workbook_mb` of memory.
    """

    file_mb: int = Field(20_000, gt=0)
    unpacked_mb: int = Field(20_000, gt=0)
    zip_ratio: int = Field(200, gt=1)
    zip_files: int = Field(1_000, gt=0)
    rows: int = Field(200_000_000, gt=0)
    columns: int = Field(2_000, gt=0)
    cell_characters: int = Field(1_000_000, gt=0)
    document_mb: int = Field(200, gt=0)
    workbook_mb: int = Field(4_000, gt=0)
    workbook_seconds: int = Field(300, gt=0)


class Display(_Section):
    """Colours of good and bad. `red_up` is the Chinese market's habit (红涨绿跌)."""

    red_up: bool = False


class Settings(_Section):
    """Everything `salesforecast.toml` can say.

    >>> Settings().fiscal.year_start_month
    1
    """

    company: str | None = None
    language: Language = "zh"
    timezone: str = "Asia/Shanghai"
    basis: Basis = "order"
    currency: Currency = Currency()
    fiscal: Fiscal = Fiscal()
    calendar: CalendarSettings = CalendarSettings()
    definitions: Definitions = Definitions()
    stages: dict[str, tuple[Stage, ...]] = {}
    targets: Targets = Targets()
    segments: Segments = Segments()
    kpi: tuple[Kpi, ...] = ()
    incentives: dict[str, IncentivePlan] = {}
    sla: dict[str, Sla] = {}
    privacy: Privacy = Privacy()
    distribution: tuple[Distribution, ...] = ()
    display: Display = Display()
    imports: ImportLimits = Field(ImportLimits(), alias="import", exclude=True)  # no review depends on it

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("expected a time zone like Asia/Shanghai") from None
        return name


def locate(path: str | Path) -> Path:
    """Return where a relative path leads: from the current folder, else from the nearest parent that has it.

    JupyterLab starts a kernel in the notebook's own folder, the command line in the project's; both mean the same
    `data/demo`. A path found nowhere is returned as it is, for the caller's error.

    >>> locate("no/such/store.duckdb").as_posix()
    'no/such/store.duckdb'
    """
    path = Path(path)
    if path.is_absolute() or path.exists():
        return path
    found = (parent / path for parent in Path.cwd().parents if (parent / path).exists())
    return next(found, path)


def load_settings(source: Settings | str | Path | None = None, folder: str | Path | None = None) -> Settings:
    """Return validated settings.

    `source` is a path to a TOML file, a `Settings` (returned as it is) or None: then `salesforecast.toml` in
    `folder` is used where it exists, else the defaults.

    Raises `BadSettings` that names the file, the key and, for a misspelt key, the nearest valid one.

    >>> load_settings().basis
    'order'
    """
    if isinstance(source, Settings):
        return source
    if source is None:
        path = Path(folder or ".") / "salesforecast.toml"
        if not path.exists():
            return Settings()
    else:
        path = locate(source)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadSettings(f"No settings file at {path}. Give an existing TOML file or none at all.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {error}.") from None
    return parse_settings(values, origin=path.name)


def settings_of(store: str | Path, source: Settings | str | Path | None = None) -> Settings:
    """Return the settings of a store: `source` when given, else `salesforecast.toml` beside it, else in the folder.

    >>> settings_of("no/such/store.duckdb").timezone
    'Asia/Shanghai'
    """
    beside = Path(store).parent
    return load_settings(source, folder=beside if (beside / "salesforecast.toml").exists() else None)


def parse_settings(values: dict[str, Any], origin: str = "settings") -> Settings:
    """Validate a mapping as `Settings`.

    >>> parse_settings({"currencyy": {}})
    Traceback (most recent call last):
    salesforecast.errors.BadSettings: settings: unknown key 'currencyy'. Did you mean 'currency'?
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_explain(each) for each in error.errors())
        raise BadSettings(f"{origin}: {problems}") from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}.{suggestion(str(problem['loc'][-1]), _keys_beside(problem['loc']))}"
    return f"{key}: {problem['msg']}, found {problem['input']!r}."


def _keys_beside(location: tuple[Any, ...]) -> list[str]:
    """Return the valid keys of the section that holds `location`."""
    section: Any = Settings
    for part in location[:-1]:
        fields = _fields(section)
        if part not in fields:
            continue
        kinds = _models_in(fields[part].annotation)
        section = kinds[0] if kinds else section
    return list(_fields(section))


def _fields(section: Any) -> dict[Any, Any]:
    """Return the fields of a section by the names they have in the file."""
    return {each.alias or name: each for name, each in getattr(section, "model_fields", {}).items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
