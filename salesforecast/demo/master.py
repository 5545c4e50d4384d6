"""The canonical tables of who and what: customers, people, products."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salesforecast.demo import names, truths
from salesforecast.demo.flows import customer_ids, dates, last_day, product_ids
from salesforecast.demo.world import CATEGORIES, CHANNELS, NEVER, REGION_OF_TEAM, World

_STYLES = ("hunter", "farmer", "mixed")


def customers(world: World, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table; first and last deal come from the orders that were not void."""
    rng = world.random(10)
    codes = world.customers
    count = len(codes)
    regions = REGION_OF_TEAM[codes["team"]]
    places = np.array(
        [
            names.PLACES[region][number % len(names.PLACES[region])]
            for region, number in zip(regions, np.floor(rng.random(count) ** 1.5 * 7).astype(int), strict=True)
        ],
        dtype=object,
    )
    industries = tuple(names.INDUSTRIES)
    industry = rng.integers(0, len(industries), count)
    group = codes["group"].to_numpy()
    deals = orders[~orders["void"]].groupby("customer")["day"].agg(["min", "max", "size"]).reindex(range(count))
    number = deals["size"].fillna(0).to_numpy()
    first, last = (_dates_or_none(deals[name]) for name in ("min", "max"))
    first_day = deals["min"].fillna(last_day(world)).to_numpy().astype(int)
    created = np.maximum(first_day - rng.integers(5, 120, count), -400)
    potential = codes["value"] * (codes["rate"] + 0.02) * 12 * 2.3 * truths.LINE_VALUE * rng.uniform(1.2, 3.0, count)
    handovers = (np.diff(world.staff[:, : world.plan.last_month + 1], axis=1) != 0).sum(axis=1)
    silent = last_day(world) - deals["max"].to_numpy()
    return pd.DataFrame(
        {
            "customer_id": customer_ids(count),
            "name": _firms(places[:, 1], industry, rng),
            "kind": np.where(CHANNELS[codes["channel"]] == "经销", "distributor", "company").astype(object),
            "industry": np.array(industries, dtype=object)[industry],
            "size_band": np.array(names.SIZE_BANDS, dtype=object)[
                (np.array([3, 1, 0, 0])[group] + rng.integers(0, 2, count)).clip(max=3)
            ],
            "region": regions,
            "country": "中国",
            "province": places[:, 0],
            "city": places[:, 1],
            "lead_source": np.array(names.LEAD_SOURCES, dtype=object)[rng.integers(0, len(names.LEAD_SOURCES), count)],
            # A grade given by hand, which agrees with what customers do only roughly.
            "level": np.array(list("ABCD"), dtype=object)[
                (np.array([0, 1, 2, 2])[group] + (rng.random(count) < 0.25)).clip(max=3)
            ],
            "purchase_stage": np.select(
                [number == 0, silent > 540, silent > 270, number == 1],
                ["prospect", "lost", "dormant", "customer"],
                "repeat",
            ).astype(object),
            "owner_id": world.sellers(codes.index.to_numpy(), np.full(count, world.plan.last_month)),
            "created_at": dates(created),
            "first_deal_at": first,
            "last_deal_at": last,
            "potential_amount": np.round(potential, -3),
            "preferred_contact": np.array(["phone", "visit", "im", "email"], dtype=object)[rng.integers(0, 4, count)],
            "care_date": np.char.mod("%02d-", rng.integers(1, 13, count)).astype(object)
            + np.char.mod("%02d", rng.integers(1, 29, count)).astype(object),
            "consent": np.array(["yes", "yes", "yes", "unknown", "no"], dtype=object)[rng.integers(0, 5, count)],
            "transfer_count": handovers[codes["seat"]],
        }
    )


def _dates_or_none(days: pd.Series) -> pd.Series:
    known = days.notna().to_numpy()
    return pd.Series(dates(days.fillna(0).astype(int))).where(known)


def _firms(cities: np.ndarray, industry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return invented firm names; the pair of characters differs until all pairs are used."""
    first, second = len(names.FIRST_CHARACTERS), len(names.SECOND_CHARACTERS)
    pair = np.resize(rng.permutation(first * second), len(cities))
    trades = list(names.INDUSTRIES.values())
    choice = rng.integers(0, 100, len(cities))
    return np.array(
        [
            f"{city}{names.FIRST_CHARACTERS[p // second]}{names.SECOND_CHARACTERS[p % second]}"
            f"{trades[i][c % len(trades[i])]}有限公司"
            for city, p, i, c in zip(cities, pair, industry, choice, strict=True)
        ],
        dtype=object,
    )


def people(world: World) -> pd.DataFrame:
    """Return the canonical table: one row a person and validity period, with hires, leavers and one team move."""
    until = pd.Timestamp(world.plan.until)
    director, director_name = names.DIRECTOR
    rows: list[tuple[str | None, ...]] = [(director, director_name, "manager", "销售管理部", None, None, None, None)]
    for team, (person, name) in names.MANAGERS.items():
        rows.append((person, name, "manager", team, director, truths.TEAMS[team][0], None, None))
    for team, sitters in names.SEATS:
        for person, name, first, last in sitters:
            rows.append((person, name, "rep", team, names.MANAGERS[team][0], truths.TEAMS[team][0], first, last))
    frame = pd.DataFrame(
        rows, columns=["person_id", "name", "role", "team", "manager_id", "region", "from", "to"]
    ).sort_values(["person_id", "from"], na_position="first", ignore_index=True)
    position = frame["person_id"].str[1:].astype(int)
    frame["hire_date"] = pd.to_datetime("2015-03-01") + pd.to_timedelta((position * 97) % 2_600, unit="D")
    began = pd.to_datetime(frame["from"] + "-01")
    moved = frame["person_id"].duplicated()
    frame["hire_date"] = (
        frame["hire_date"].where(began.isna() | moved, began).groupby(frame["person_id"]).transform("first")
    )
    frame["valid_from"] = began.fillna(frame["hire_date"])
    frame["valid_to"] = (pd.to_datetime(frame["to"] + "-01") + pd.offsets.MonthEnd(0)).where(lambda day: day <= until)
    stays = frame["person_id"].isin(frame.loc[frame["valid_to"].isna(), "person_id"])
    frame["leave_date"] = frame["valid_to"].where(~stays)
    frame["style"] = [
        None if role == "manager" else _STYLES[n % 3] for role, n in zip(frame["role"], position, strict=True)
    ]
    frame["department"] = "销售中心"
    frame["fte"] = 1.0
    frame["grade"] = [
        "M2" if role == "manager" else f"S{1 + n % 4}" for role, n in zip(frame["role"], position, strict=True)
    ]
    frame["base_pay"] = np.where(frame["role"] == "manager", 22_000.0, 8_000.0 + position % 5 * 1_000)
    frame["target_variable"] = frame["base_pay"] * 0.6
    frame = frame[frame["valid_from"] <= until].reset_index(drop=True)
    return frame[
        [
            "person_id",
            "valid_from",
            "valid_to",
            "name",
            "role",
            "style",
            "team",
            "department",
            "manager_id",
            "region",
            "hire_date",
            "leave_date",
            "fte",
            "grade",
            "base_pay",
            "target_variable",
        ]
    ]


def products(world: World) -> pd.DataFrame:
    """Return the canonical table with today's list price, the price rise included once it has happened."""
    codes, plan = world.products, world.plan
    count = len(codes)
    category = CATEGORIES[codes["category"]]
    risen = (category == truths.RISING_CATEGORY) & (plan.until >= truths.PRICE_RISE_FROM)
    variant = np.where(codes["variant"] == 0, "", "-V" + (codes["variant"] + 1).astype(str))
    launched = [plan.months[month] if 0 < month <= plan.last_month else pd.NaT for month in codes["first"]]
    known = codes["first"] <= plan.last_month
    ended = [plan.months[month] if month <= plan.last_month else pd.NaT for month in codes["last"].clip(upper=NEVER)]
    lifecycle = np.select([codes["first"] > 0, codes["last"] < NEVER], ["new", "decline"], "mature")
    return pd.DataFrame(
        {
            "product_id": product_ids(count),
            "name": codes["name"] + " " + codes["model"] + variant,
            "category": category,
            "product_line": np.where(np.isin(category.astype(str), ["变频器", "伺服驱动"]), "传动", "元器件").astype(
                object
            ),
            "brand": "启衡",
            "unit": codes["unit"],
            "list_price": np.round(codes["price"] * np.where(risen, 1 + truths.PRICE_RISE, 1.0), 2),
            "unit_cost": codes["cost"],
            "launch_date": pd.Series(launched, dtype="datetime64[s]"),
            "end_date": pd.Series(ended, dtype="datetime64[s]"),
            "is_green": codes["name"].isin(["节能一体变频柜", "风机水泵变频器", "四象限变频器"]),
            "is_service": False,
            "lifecycle": lifecycle.astype(object),
        }
    )[known.to_numpy()].reset_index(drop=True)
