"""The state of the records: how fresh, how often twice, what a file said of itself, and which rows to clean up."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from salesforecast.analysis.comparison import ratio
from salesforecast.engine import quote
from salesforecast.load.reconcile import Change, Control, changes, like
from salesforecast.load.rules import violations
from salesforecast.schema import TABLES
from salesforecast.workbench.views import SINCE

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

NAN = float("nan")
STALE_DAYS = 90  # a customer nobody followed or sold to for so long is not fresh
# What a sales team must know of a customer; a column that no customer has is not asked for.
REQUIRED = (
    "name", "industry", "region", "size_band", "level", "owner_id", "lead_source", "purchase_stage", "created_at",
    "last_followed_at",
)  # fmt: skip
# Forms of companies, at the end of a name or, in Chinese, before what is in brackets.
_FORMS = (
    "股份有限公司", "有限责任公司", "有限公司", "股份公司", "公司", "coltd", "companylimited", "limited", "ltd", "llc",
    "inc", "incorporated", "corporation", "corp", "gmbh", "ag", "sa", "bv", "plc", "pty", "company", "co",
)  # fmt: skip
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}")


def plain_name(name: str) -> str:
    """Return a company's name without what spellings differ in: width, case, spaces, signs, legal form.

    >>> plain_name("上海　甲乙（集团）有限公司"), plain_name("上海甲乙(集团)股份有限公司")
    ('上海甲乙集团', '上海甲乙集团')
    >>> plain_name("ACME Trading Co., Ltd."), plain_name("Ａcme trading"), plain_name("公司")
    ('acmetrading', 'acmetrading', '公司')
    """
    text = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    bare = text
    while form := next((each for each in _FORMS if bare.endswith(each)), None):
        bare = bare[: -len(form)]
    return bare if len(bare) > 1 else text


def duplicates(wb: Workbench) -> pd.DataFrame:
    """Return customers that are there more than once, the costliest group first.

    One row per customer of a group: group (number), reason (`credit_code`: the same 统一社会信用代码; `same_name`: the
    same name but for width, case, signs and legal form), customer_id, name, lines and revenue of all time on the basis
    of the workbench, surplus (revenue of the group beyond its largest record: what stands under another customer).
    Customers whose credit codes differ are not the same, whatever their names are.
    """
    columns = ["group", "reason", "customer_id", "name", "lines", "revenue", "surplus"]
    if not wb.has("customers"):
        return pd.DataFrame(columns=columns)
    frame = wb.table("customers").drop_duplicates("customer_id").reset_index(drop=True)
    codes = _credit_codes(frame)
    names = frame["name"].map(lambda each: plain_name(each) if isinstance(each, str) and each else None)
    rows = pd.DataFrame({"customer_id": frame["customer_id"], "name": frame["name"], "code": codes, "plain": names})
    coded = rows[rows["code"].notna() & rows["code"].duplicated(keep=False)].assign(
        reason="credit_code", key=lambda each: each["code"]
    )
    rest = rows[rows["plain"].notna() & ~rows["customer_id"].isin(coded["customer_id"])]
    several = rest.groupby("plain")["code"].transform("nunique") > 1
    named = rest[rest["plain"].duplicated(keep=False) & ~several].assign(
        reason="same_name", key=lambda each: each["plain"]
    )
    found = pd.concat([coded, named])
    if found.empty:
        return pd.DataFrame(columns=columns)
    found = found.merge(_sold(wb), on="customer_id", how="left").fillna({"lines": 0, "revenue": 0.0})
    groups = found.groupby(["reason", "key"])["revenue"]
    found["surplus"] = groups.transform("sum") - groups.transform("max")
    found = found.sort_values(
        ["surplus", "reason", "key", "revenue", "customer_id"], ascending=[False, True, True, False, True]
    )
    found["group"] = found.groupby(["reason", "key"], sort=False).ngroup() + 1
    return found.astype({"lines": "int64"})[columns].reset_index(drop=True)


def _credit_codes(frame: pd.DataFrame) -> pd.Series:
    """Return the credit code of each customer from the extra column that holds most of them."""
    best = pd.Series(None, index=frame.index, dtype=object)
    for name in (each for each in frame.columns if each.startswith("x_")):
        codes = frame[name].map(
            lambda each: each.strip().upper() if isinstance(each, str) and _CREDIT_CODE.fullmatch(each.strip().upper())
            else None
        )  # fmt: skip
        if codes.notna().sum() > best.notna().sum():
            best = codes
    return best


def _sold(wb: Workbench) -> pd.DataFrame:
    if not wb.has("sales") or not wb.has("sales.customer_id"):
        return pd.DataFrame({"customer_id": pd.Series(dtype=object), "lines": [], "revenue": []})
    return wb.sql(
        "SELECT customer_id, count(*) AS lines, sum(amount) AS revenue FROM sales WHERE customer_id IS NOT NULL "
        "GROUP BY customer_id"
    )


def freshness(wb: Workbench) -> pd.DataFrame:
    """Return how old the newest row of each table and source is, the oldest first.

    One row per table and source: table, source, rows, newest (day of the newest row, of deals also of the newest dated
    export, not after the as-of day; missing where the table has no day), age (days from it to the as-of day), imports
    (files stored), imported (day of the last import, UTC).
    """
    pieces = []
    ledger = wb.engine.frame(
        'SELECT table_name AS "table", source, count(*) AS imports, max(imported_at) AS imported, '
        f"max(CASE WHEN exported_on <= DATE '{wb.as_of}' THEN exported_on END) AS exported FROM store.imports "
        "GROUP BY table_name, source"
    ).set_index(["table", "source"])
    for table in TABLES.values():
        if not wb.has(table.name):
            continue
        day = f"max({quote(SINCE[table.name])})" if table.name in SINCE else "CAST(NULL AS DATE)"
        found = wb.sql(f"SELECT source, count(*) AS rows, {day} AS newest FROM {table.name} GROUP BY source")
        for row in found.itertuples():
            known = ledger.loc[(table.name, row.source)] if (table.name, row.source) in ledger.index else None
            days = [_local_day(wb, table.name, row.newest)]
            days += (
                [pd.Timestamp(known["exported"]).date()] if known is not None and pd.notna(known["exported"]) else []
            )
            newest = max((day for day in days if day), default=None)
            age = (wb.as_of - newest).days if newest else NAN
            pieces.append(
                (table.name, row.source if isinstance(row.source, str) else None, int(row.rows), newest, age,
                 0 if known is None else int(known["imports"]), None if known is None else known["imported"].date())
            )  # fmt: skip
    frame = pd.DataFrame(pieces, columns=["table", "source", "rows", "newest", "age", "imports", "imported"])
    return frame.sort_values(["age", "table", "source"], ascending=[False, True, True], ignore_index=True)


def _local_day(wb: Workbench, table: str, moment: Any) -> date | None:
    """Return the business day of a date, or of a moment in UTC."""
    if pd.isna(moment):
        return None
    stamp = pd.Timestamp(moment)
    if TABLES[table].column(SINCE[table]).kind == "timestamp":
        stamp = stamp.tz_localize("UTC").tz_convert(wb.settings.timezone)
    return stamp.date()


def problems(wb: Workbench, most: int = 200) -> pd.DataFrame:
    """Return the rows that break a rule, with file and row: see `salesforecast.load.rules.violations`.

    Orphans of up to 1 % of a column's references are listed too. The rows are those of the whole company.
    """
    return violations(wb.engine, wb.as_of, wb.settings.currency.base, most)


def controls(wb: Workbench) -> pd.DataFrame:
    """Return the control totals of the imported files, those that do not add up first.

    One row per total row and column of a file: file, table, row, header (of the column), said, found (what the
    lines make), difference (found − said), agrees.
    """
    rows = []
    for file, table, profile in _profiles(wb)[["file", "table", "profile"]].itertuples(index=False):
        for each in (Control(**entry) for entry in profile.get("controls", ())):
            difference = 0.0 if each.agrees else each.found - each.said
            rows.append((file, table, each.row, each.header, each.said, each.found, difference, each.agrees))
    frame = pd.DataFrame(
        rows, columns=["file", "table", "row", "header", "said", "found", "difference", "agrees"]
    ).astype({"said": "float64", "found": "float64", "difference": "float64", "agrees": "bool"})
    return frame.sort_values(["agrees", "file", "row"], kind="stable", ignore_index=True)


def drift(wb: Workbench) -> pd.DataFrame:
    """Return how imports differ from the one before of the same source and table, the newest first.

    One row per difference beyond the limits (`salesforecast.load.reconcile`): import_id, file, table, kind
    (`drift_rows`, `drift_amount`: half as many or much again; `drift_nulls`: 20 points more empty cells; `drift_codes`:
    values never seen), column, moved (relative change of rows and amount, points of the share of empty cells, else
    NaN), codes (the new ones).
    """
    rows = []
    for (table, _), group in _profiles(wb).groupby(["table", "source"], sort=False, dropna=False):
        earlier: list[dict] = []
        for each in group.itertuples():
            before = next((other for other in reversed(earlier) if like(other, each.profile)), None)
            for change in changes(before, each.profile) if before else ():
                rows.append(
                    (each.import_id, each.file, table, f"drift_{change.kind}", change.column or None, _moved(change),
                     ", ".join(change.codes))
                )  # fmt: skip
            earlier += [each.profile] if each.stored else []
    frame = pd.DataFrame(rows, columns=["import_id", "file", "table", "kind", "column", "moved", "codes"])
    frame = frame.astype({"moved": "float64"})
    return frame.sort_values("import_id", ascending=False, kind="stable", ignore_index=True)


def _moved(change: Change) -> float:
    if change.kind == "codes":
        return NAN
    return change.now - change.before if change.kind == "nulls" else change.now / change.before - 1


def _profiles(wb: Workbench) -> pd.DataFrame:
    frame = wb.engine.frame(
        'SELECT import_id, file, table_name AS "table", source, rows_stored AS stored, profile FROM store.imports '
        "WHERE profile IS NOT NULL ORDER BY import_id"
    )
    return frame.assign(profile=frame["profile"].map(json.loads))


def customers(wb: Workbench) -> pd.DataFrame:
    """Return how good the customer base of each team is, the best last; team `*` is the company.

    One row per team of the customers' owners (missing: no owner or no team): team, customers, filled_share (of the
    fields in use among `REQUIRED`), fresh_share (followed or sold to in the last 90 days), unique_share (not there
    twice), owned_share (the owner exists), score (0 to 100: the mean of the four shares). Shares are NaN where
    nothing tells.
    """
    columns = ["team", "customers", "filled_share", "fresh_share", "unique_share", "owned_share", "score"]
    if not wb.has("customers"):
        return pd.DataFrame(columns=columns)
    frame = wb.table("customers").drop_duplicates("customer_id").reset_index(drop=True)
    used = [each for each in REQUIRED if each in frame.columns and frame[each].notna().any()]
    twice = duplicates(wb)
    people = wb.table("people") if wb.has("people") else pd.DataFrame({"person_id": [], "team": []})
    teams = people.drop_duplicates("person_id", keep="last").set_index("person_id")["team"]
    rows = pd.DataFrame({
        "team": frame["owner_id"].map(teams),
        "filled": frame[used].notna().sum(axis=1) if used else 0,
        "fresh": _fresh(wb, frame),
        "unique": ~frame["customer_id"].isin(twice[twice["group"].duplicated()]["customer_id"]),
        "owned": frame["owner_id"].isin(people["person_id"]).astype(float) if len(people) else NAN,
    })  # fmt: skip

    def judge(part: pd.DataFrame) -> tuple[float, ...]:
        shares = (
            ratio(float(part["filled"].sum()), len(used) * len(part)), part["fresh"].mean(), part["unique"].mean(),
            part["owned"].mean(),
        )  # fmt: skip
        return (len(part), *shares, 100 * float(pd.Series(shares, dtype="float64").mean()))

    found = [(team, *judge(part)) for team, part in rows.groupby("team", dropna=False, sort=True)]
    found = sorted(found, key=lambda each: each[-1])
    return pd.DataFrame([("*", *judge(rows)), *found], columns=columns)


def _fresh(wb: Workbench, frame: pd.DataFrame) -> pd.Series:
    """Return 1 for customers touched lately, 0 for others, NaN for all where nothing tells."""
    touched = [pd.to_datetime(frame["last_followed_at"])]
    for view, day, has in (("activities", 'CAST("at" AS DATE)', "activities"), ("sales", "date", "sales.customer_id")):
        if wb.has(view) and wb.has(has):
            last = wb.sql(
                f"SELECT customer_id, max({day}) AS day FROM {view} WHERE customer_id IS NOT NULL GROUP BY customer_id"
            ).set_index("customer_id")["day"]
            touched.append(frame["customer_id"].map(pd.to_datetime(last)))
    latest = pd.concat(touched, axis=1).max(axis=1)
    if latest.isna().all():
        return pd.Series(NAN, index=frame.index)
    return (latest >= pd.Timestamp(wb.as_of) - pd.Timedelta(days=STALE_DAYS)).astype(float)
