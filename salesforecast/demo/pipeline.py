"""Deals with their history, and what people do for them: deals, deal_events, activities, feedback."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salesforecast.demo import names, truths
from salesforecast.demo.flows import customer_ids, dates, last_day
from salesforecast.demo.world import CATEGORIES, CHANNELS, NEVER, REGION_OF_TEAM, SHOP, World

STAGES = tuple(truths.STAGES)
WON, LOST = "赢单", "输单"
_WON_PER_LINE = 0.055
_LOST_PER_WON = 1.15
PROBABILITIES = (0.10, 0.30, 0.50, 0.70)
FORECAST_CATEGORIES = ("pipeline", "pipeline", "best_case", "commit")
_NPS = np.array([1, 1, 1, 2, 3, 5, 9, 16, 24, 22, 16]) / 100  # shares of the answers 0 to 10
_NONE = np.array(None, dtype=object)
_EARLIEST_WON = 150  # a deal that is won earlier would have begun before the company's history


def deal_histories(world: World, orders: pd.DataFrame) -> pd.DataFrame:
    """Return one row a deal as codes: customer, order (position or -1), amount, created (day), stay_0…stay_3 (days
    in each stage), reached (number of stages entered), closed (day or -1), won.

    Won deals end with an order; lost and open ones begin at any time.
    """
    rng = world.random(20)
    end = last_day(world)
    suited = (
        ~orders["void"]
        & (orders["day"] >= _EARLIEST_WON)
        & (world.customers["channel"] != SHOP).to_numpy()[orders["customer"]]
    )
    count = min(round(world.lines * _WON_PER_LINE), int(suited.sum()))
    won_orders = np.sort(rng.permutation(np.flatnonzero(suited))[:count])
    won = pd.DataFrame({"order": won_orders, "customer": orders["customer"].to_numpy()[won_orders]})
    won["amount"] = orders["amount"].to_numpy()[won_orders]
    others = round(count * (1 + _LOST_PER_WON))
    active = np.flatnonzero((world.customers["channel"] != SHOP).to_numpy())
    rest = pd.DataFrame({"order": -1, "customer": rng.choice(active, others)})
    rest["amount"] = np.round(180_000 * np.exp(rng.normal(-0.2, 0.6, others)), -2)
    deals = pd.concat([won, rest], ignore_index=True)
    stays = np.maximum(
        np.rint(np.array(list(truths.STAGES.values())) * np.exp(rng.normal(0, 0.45, (len(deals), 4)))), 1
    ).astype(int)
    is_won = (deals["order"] >= 0).to_numpy()
    # Of the others some are on their way to an order; those that would have closed by now are in `won` already.
    on_the_way = ~is_won & (rng.random(len(deals)) < 1 / (1 + _LOST_PER_WON))
    lost_at = rng.choice(4, len(deals), p=[0.30, 0.25, 0.25, 0.20])
    steps = np.where(is_won | on_the_way, 3, lost_at)
    life = (stays * (np.arange(4) <= steps[:, None])).sum(axis=1)
    closed = np.full(len(deals), -1)
    closed[is_won] = orders["day"].to_numpy()[won_orders]
    created = np.where(is_won, closed - life, rng.integers(0, end + 1, len(deals)))
    finished = ~is_won & (created + life <= end)
    closed[finished] = (created + life)[finished]
    entered = created[:, None] + np.cumsum(np.column_stack([np.zeros(len(deals), int), stays[:, :3]]), axis=1)
    reached = ((entered <= end) & (np.arange(4) <= steps[:, None])).sum(axis=1)
    deals = deals.assign(created=created, closed=closed, reached=reached, won=is_won, lost=finished & ~on_the_way)
    deals[[f"stay_{n}" for n in range(4)]] = stays
    deals = deals[~(finished & on_the_way)].sort_values(["created", "customer", "amount"], kind="stable")
    return deals.reset_index(drop=True)


def deal_ids(count: int) -> np.ndarray:
    """Return the ids of the first `count` deals.

    >>> deal_ids(1).tolist()
    ['D00001']
    """
    return np.char.mod("D%05d", np.arange(1, count + 1)).astype(object)


def deal_of_orders(histories: pd.DataFrame, orders: int) -> np.ndarray:
    """Return the deal id of each order, None where it came without a deal."""
    result = np.full(orders, None, dtype=object)
    won = histories["won"].to_numpy()
    result[histories["order"].to_numpy()[won]] = deal_ids(len(histories))[won]
    return result


def deals_and_events(world: World, histories: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the canonical tables `deals` and `deal_events`.

    Timestamps are naive UTC; every change lies between 01:00 and 10:00 UTC, so local days and UTC days agree.
    """
    rng = world.random(21)
    count, end = len(histories), last_day(world)
    ids = deal_ids(count)
    customer = histories["customer"].to_numpy()
    codes = world.customers.iloc[customer]
    created, closed = histories["created"].to_numpy(), histories["closed"].to_numpy()
    ended = np.where(closed >= 0, closed, end)
    stays = histories[[f"stay_{n}" for n in range(4)]].to_numpy()
    entered = created[:, None] + np.cumsum(np.column_stack([np.zeros(count, int), stays[:, :3]]), axis=1)
    reached = histories["reached"].to_numpy()
    is_open, won = closed < 0, histories["won"].to_numpy()
    stage = np.where(is_open, np.array(STAGES, dtype=object)[reached - 1], np.where(won, WON, LOST))
    status = np.where(is_open, "open", np.where(won, "won", "lost"))
    month_of = world.plan.days["month"].to_numpy()
    owner = world.sellers(customer, month_of[ended])
    clock = rng.integers(60, 540, (count, 6)) * 60  # seconds after midnight UTC
    events = [
        _event(ids, "stage", dates_at(entered[:, n], clock[:, n]), STAGES[n - 1] if n else None, STAGES[n], reached > n)
        for n in range(4)
    ]
    ending = dates_at(ended, np.maximum(clock[:, 4], 480 * 60) + 600)
    last_stage = np.array(STAGES, dtype=object)[reached - 1]
    events.append(_event(ids, "stage", ending, last_stage, stage, ~is_open))
    events.append(_event(ids, "status", ending, "open", status, ~is_open))
    expected, pushes = _pushed(ids, created, ended, rng)
    amount, changes = _requoted(ids, histories, entered[:, 2], clock[:, 5], reached > 2, rng)
    events += [*pushes, *changes]
    table = pd.concat(events, ignore_index=True)
    day = (table["at"] - pd.Timestamp(truths.START)).dt.days.clip(lower=0)
    who = pd.Series(customer, index=ids).loc[table["deal_id"]]
    table["by_person_id"] = world.sellers(who.to_numpy(), month_of[day])
    table = table.assign(method="native", at_precision="exact").sort_values(
        ["deal_id", "at", "field"], kind="stable", ignore_index=True
    )
    category = world.customers["category"].to_numpy()[customer]
    stage_entered = np.where(is_open, entered[np.arange(count), reached - 1], ended)
    lost = ~is_open & ~won
    competitor = np.array(names.COMPETITORS, dtype=object)[rng.integers(0, len(names.COMPETITORS), count)]
    contested = rng.random(count) < 0.45
    reasons = np.array(names.LOST_REASONS, dtype=object)[rng.integers(0, len(names.LOST_REASONS), count)]
    deals = pd.DataFrame(
        {
            "deal_id": ids,
            "record_type": "opportunity",
            "name": CATEGORIES[category] + "项目-" + ids,
            "customer_id": customer_ids(len(world.customers))[customer],
            "owner_id": owner,
            "pipeline": "default",
            "stage": stage,
            "status": status,
            "amount": amount,
            "won_amount": np.where(won, histories["amount"], np.nan),
            "currency": "CNY",
            "probability": np.where(is_open, np.array(PROBABILITIES)[reached - 1], np.where(won, 1.0, 0.0)),
            "forecast_category": np.where(
                is_open, np.array(FORECAST_CATEGORIES, dtype=object)[reached - 1], np.where(won, "closed", "omitted")
            ),
            "created_at": dates_at(created, clock[:, 0]),
            "expected_close": dates(expected),
            "closed_at": pd.Series(dates(ended)).where(~is_open),
            "stage_entered_at": np.where(
                is_open, dates_at(stage_entered, clock[np.arange(count), reached - 1]), ending
            ),
            "lead_source": np.array(names.LEAD_SOURCES, dtype=object)[rng.integers(0, len(names.LEAD_SOURCES), count)],
            "channel": CHANNELS[codes["channel"]],
            "region": REGION_OF_TEAM[codes["team"]],
            "deal_type": np.where(pd.Series(customer).duplicated(), "expansion", "new"),
            "competitor": np.where(contested, competitor, _NONE),
            "lost_reason": np.where(lost, reasons, _NONE),
            "category": CATEGORIES[category],
            "discount": np.round(codes["discount"].to_numpy(), 2),
        }
    )
    return deals, table


def _event(ids: np.ndarray, field: str, at: np.ndarray, old: object, new: object, kept: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame({"deal_id": ids, "at": at, "field": field})
    return frame.assign(old_value=old, new_value=new)[kept].astype({"old_value": "str", "new_value": "str"})


def _pushed(
    ids: np.ndarray, created: np.ndarray, ended: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[pd.DataFrame]]:
    """Return the expected closing day of each deal after at most three pushes, and the pushes."""
    expected = created + rng.integers(45, 91, len(created))
    events = []
    for _ in range(3):
        late = expected < ended
        later = expected + rng.integers(14, 46, len(created))
        at = dates_at(expected, np.full(len(created), 2 * 3600))
        old, new = (np.datetime_as_string(dates(each).astype("datetime64[D]")) for each in (expected, later))
        events.append(_event(ids, "expected_close", at, old, new, late))
        expected = np.where(late, later, expected)
    return expected, events


def _requoted(
    ids: np.ndarray,
    histories: pd.DataFrame,
    day: np.ndarray,
    clock: np.ndarray,
    quoted: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[pd.DataFrame]]:
    """Return each deal's amount, and the changes that some made when the price was quoted."""
    final = np.round(histories["amount"].to_numpy(), 2)
    first = np.round(final * rng.uniform(0.8, 1.25, len(ids)), -2)
    changed = quoted & (rng.random(len(ids)) < 0.3)
    old, new = (np.char.mod("%.2f", each).astype(object) for each in (first, final))
    return final, [_event(ids, "amount", dates_at(day, clock), old, new, changed)]


def dates_at(days: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return days since the start plus seconds as timestamps."""
    return dates(days) + np.asarray(seconds).astype("timedelta64[s]")


def activities(world: World, histories: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table: work on deals, care for customers, and training of every salesperson."""
    rng = world.random(22)
    end = last_day(world)
    each = rng.integers(1, 4, len(histories))
    deal = np.repeat(np.arange(len(histories)), each)
    created = histories["created"].to_numpy()[deal]
    ended = np.where(histories["closed"] >= 0, histories["closed"], end)[deal]
    day = created + np.floor(rng.random(len(deal)) * (ended - created + 1)).astype(int)
    work = pd.DataFrame(
        {
            "day": day,
            "kind": _pick(("visit", "call", "meeting", "quote", "demo"), (0.3, 0.35, 0.15, 0.12, 0.08), len(deal), rng),
            "customer": histories["customer"].to_numpy()[deal],
            "deal_id": deals["deal_id"].to_numpy()[deal],
            "topic": _pick(names.VISIT_TOPICS, None, len(deal), rng),
        }
    )
    served = np.flatnonzero((world.customers["once"] == NEVER) & (world.customers["stop"] > world.plan.last_month))
    count = round(world.lines * 0.08)
    care = pd.DataFrame(
        {
            "day": rng.integers(0, end + 1, count),
            "kind": _pick(("care", "revisit"), (0.4, 0.6), count, rng),
            "customer": rng.choice(served, count),
            "topic": _pick(("节日问候", "使用回访", "年度拜访"), None, count, rng),
        }
    )
    frame = pd.concat([work, care], ignore_index=True)
    frame = frame[frame["day"] >= 0]
    frame["person_id"] = world.sellers(frame["customer"].to_numpy(), world.plan.days["month"].to_numpy()[frame["day"]])
    frame["customer_id"] = customer_ids(len(world.customers))[frame.pop("customer")]
    frame = pd.concat([frame, _trainings(world, rng)], ignore_index=True)
    frame = frame.sort_values(["day", "person_id", "kind"], kind="stable", ignore_index=True)
    frame["at"] = dates_at(frame["day"], rng.integers(60, 540, len(frame)) * 60)
    frame["activity_id"] = np.char.mod("A%06d", np.arange(1, len(frame) + 1)).astype(object)
    frame["status"] = "done"
    frame["minutes"] = rng.choice([15.0, 30.0, 45.0, 60.0, 90.0, 120.0], len(frame))
    return frame[
        ["activity_id", "at", "kind", "person_id", "customer_id", "deal_id", "status", "minutes", "topic", "score",
         "passed"]
    ]  # fmt: skip


def _trainings(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Return two courses a year for whoever sat in a seat at the time, with their scores."""
    rows = []
    for month in range(3, world.plan.last_month + 1, 6):
        day = int(world.plan.days.index[world.plan.days["month"] == month][8])
        course = names.COURSES[month // 6 % len(names.COURSES)]
        present = sorted(set(world.people_ids[world.staff[:, month]]))
        rows += [(day, "training", person, course) for person in present if day <= last_day(world)]
    frame = pd.DataFrame(rows, columns=["day", "kind", "person_id", "topic"])
    frame["score"] = np.round(rng.normal(80, 9, len(frame)).clip(40, 100))
    frame["passed"] = pd.Series(frame["score"] >= 70, dtype="boolean")
    return frame


def feedback(world: World, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table: tickets, complaints, suggestions and NPS answers after orders."""
    rng = world.random(23)
    count, end = round(world.lines / 18), last_day(world)
    order = np.sort(rng.integers(0, len(orders), count))
    opened = orders["day"].to_numpy()[order] + rng.integers(5, 60, count)
    kept = opened <= end
    order, opened = order[kept], opened[kept]
    count = len(order)
    kind = _pick(("ticket", "complaint", "survey", "suggestion"), (0.55, 0.12, 0.28, 0.05), count, rng)
    survey = kind == "survey"
    priority = _pick(tuple(truths.SLA_HOURS), (0.2, 0.6, 0.2), count, rng)
    response, resolve = (np.array([truths.SLA_HOURS[each][n] for each in priority]) for n in (0, 1))
    at = dates_at(opened, rng.integers(60, 540, count) * 60)
    answered = at + (response * rng.lognormal(-0.6, 0.6, count) * 3600).astype("timedelta64[s]")
    resolved = answered + (resolve * rng.lognormal(-0.7, 0.7, count) * 3600).astype("timedelta64[s]")
    limit = np.datetime64(world.plan.until) + np.timedelta64(1, "D")
    customer = orders["customer"].to_numpy()[order]
    frame = pd.DataFrame(
        {
            "kind": kind,
            "opened_at": at,
            "customer_id": customer_ids(len(world.customers))[customer],
            "person_id": world.sellers(customer, world.plan.days["month"].to_numpy()[opened]),
            "channel": _pick(("电话", "微信", "网站"), (0.5, 0.35, 0.15), count, rng),
            "category": np.where(survey, "满意度调查", _pick(names.TICKET_CATEGORIES, None, count, rng)),
            "priority": np.where(survey, _NONE, priority),
            "first_response_at": pd.Series(answered).where(~survey & (answered < limit)),
            "resolved_at": pd.Series(resolved).where(~survey & (resolved < limit)),
            "sla_response_h": np.where(survey, np.nan, response),
            "sla_resolve_h": np.where(survey, np.nan, resolve),
            "reopened": np.where(survey, 0, rng.random(count) < 0.06).astype(int),
            "score": np.where(survey, rng.choice(11, count, p=_NPS), np.nan),
            "scale": np.where(survey, "nps11", _NONE),
        }
    ).sort_values("opened_at", kind="stable", ignore_index=True)
    frame.insert(0, "feedback_id", np.char.mod("F%05d", np.arange(1, count + 1)).astype(object))
    return frame


def _pick(
    values: tuple[str, ...], shares: tuple[float, ...] | None, count: int, rng: np.random.Generator
) -> np.ndarray:
    return np.array(values, dtype=object)[rng.choice(len(values), count, p=shares)]
