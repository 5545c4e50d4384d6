"""The registry of business numbers: what each is called, its unit, its definition (口径) and how it is summed.

A measure with `sql` is one aggregate over the lines of a workbench, so it can be asked for any grouping; ratios divide
sums. A measure without is a definition only: an analysis computes it, and the appendix of a report prints its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from salesforecast.calendar import Day, as_day
from salesforecast.engine import quote
from salesforecast.errors import BadValue, lookup
from salesforecast.schema import GRAINS

if TYPE_CHECKING:
    import pandas as pd

    from salesforecast.workbench import Workbench

Unit = Literal["money", "count", "ratio", "quantity", "days"]


@dataclass(frozen=True)
class Measure:
    """One business number.

    `direction` says which is better, as in targets; "none" when neither is. `needs` are names for
    `Workbench.require`. `additive` says that the value of a period is the sum over its days and a period without
    lines is zero; the others are ratios or counts of distinct things. `source` is the view that `sql` reads: `sales`
    follows the basis of the workbench, `cash` is always payments less refunds.

    >>> MEASURES["gm_pct"].zh, MEASURES["gm_pct"].unit, MEASURES["gm_pct"].needs
    ('毛利率', 'ratio', ('sales.cost_amount',))
    """

    name: str
    unit: Unit
    direction: Literal["higher", "lower", "none"]
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    sql: str | None = None
    needs: tuple[str, ...] = ()
    additive: bool = True
    source: Literal["sales", "cash"] = "sales"


_ALL = (
    Measure(
        "revenue", "money", "higher", "销售额", "Net sales",
        "按本报告口径（签约、发货、开票或回款）统计的净额：该类单据金额合计减退货（回款口径减退款）。不含税，已扣折扣，按业务日期"
        "归期，外币按当日有效汇率折为本位币；作废与未生效单据不计。",
        "Net amount in the basis of this report (orders, shipments, invoices or payments): the lines of that kind "
        "less returns (payments: less refunds). Excluding tax, after discount, dated by the business date, foreign "
        "currency at the rate in force that day; void and pending lines do not count.",
        "coalesce(sum(amount), 0)", ("sales",),
    ),
    Measure(
        "gross_sales", "money", "higher", "退货前销售额", "Gross sales",
        "本报告口径下减退货之前的金额合计。", "Amount in the basis of this report before returns are subtracted.",
        "coalesce(sum(gross_amount), 0)", ("sales",),
    ),
    Measure(
        "returns", "money", "lower", "退货额", "Returns",
        "退货（回款口径为退款）金额合计，按退货日期归期，不追溯到原订单所在期间。",
        "Returned amount (payments: refunded), dated by the return, not by the original order.",
        "coalesce(sum(return_amount), 0)", ("sales.return_amount",),
    ),
    Measure(
        "receipts", "money", "higher", "回款额", "Cash collected",
        "实际收到的货款减退款，按到账日期归期；与本报告采用何种口径无关。",
        "Payments received less refunds, dated by receipt, whatever the basis of this report.",
        "coalesce(sum(amount), 0)", ("cash",), source="cash",
    ),
    Measure(
        "orders", "count", "higher", "订单数", "Orders",
        "去重后的订单编号数，不含退货单；没有订单编号的行不计。一张订单跨期或跨分类时在每一处各计一次。",
        "Distinct order numbers, returns left out; lines without an order number do not count. An order that spans "
        "periods or categories counts once in each.",
        "count(DISTINCT order_id) FILTER (WHERE txn_type NOT IN ('return', 'refund'))", ("sales.order_id",),
    ),
    Measure(
        "quantity", "quantity", "higher", "销量", "Quantity",
        "数量合计减退货数量；单位以产品资料为准，未填数量的行不计。",
        "Quantity sold less quantity returned, in the unit of the product; lines without a quantity do not count.",
        "sum(quantity)", ("sales.quantity",),
    ),
    Measure(
        "customers", "count", "higher", "购买客户数", "Active customers",
        "期间内至少有一笔购买的客户数（去重）；只有退货的客户不计。各期、各区域之和可能大于合计。",
        "Distinct customers with at least one purchase in the period; returns alone do not count. Periods and slices "
        "may sum to more than the total.",
        "count(DISTINCT customer_id) FILTER (WHERE txn_type NOT IN ('return', 'refund'))",
        ("sales.customer_id",), additive=False,
    ),
    Measure(
        "new_customers", "count", "higher", "新客户数", "New customers",
        "首次购买落在期间内的客户数；首次购买以本报告口径、范围内自有数据以来的第一笔为准。数据开始后的头几期会偏高。",
        "Customers whose first purchase falls in the period; first means first in all loaded history of this basis "
        "and scope, so the earliest periods read too high.",
        "count(DISTINCT customer_id) FILTER (WHERE is_new_customer)", ("sales.customer_id",),
    ),
    Measure(
        "aov", "money", "higher", "客单价", "Average order value",
        "有订单编号的销售额（减退货）÷ 订单数。", "Net sales of lines that have an order number ÷ orders.",
        "sum(amount) FILTER (WHERE order_id IS NOT NULL) "
        "/ nullif(count(DISTINCT order_id) FILTER (WHERE txn_type NOT IN ('return', 'refund')), 0)",
        ("sales.order_id",), additive=False,
    ),
    Measure(
        "avg_price", "money", "none", "平均单价", "Average price",
        "有数量的行的销售额 ÷ 数量（均减退货）；受产品结构影响，不等于调价幅度。",
        "Net sales of lines that have a quantity ÷ that quantity, both after returns; product mix moves it, so it is "
        "not the price change itself.",
        "sum(amount) FILTER (WHERE quantity IS NOT NULL) / nullif(sum(quantity), 0)",
        ("sales.quantity",), additive=False,
    ),
    Measure(
        "gm", "money", "higher", "毛利", "Gross margin",
        "销售额减成本，只计填有成本的行；成本覆盖不全时小于全部毛利。",
        "Net sales less cost, over the lines that state a cost; less than the whole margin when some do not.",
        "sum(amount - cost_amount)", ("sales.cost_amount",),
    ),
    Measure(
        "gm_pct", "ratio", "higher", "毛利率", "Gross margin %",
        "毛利 ÷ 同一批（填有成本的）行的销售额。",
        "Gross margin ÷ net sales of the same lines (those that state a cost).",
        "sum(amount - cost_amount) / nullif(sum(amount) FILTER (WHERE cost_amount IS NOT NULL), 0)",
        ("sales.cost_amount",), additive=False,
    ),
    Measure(
        "return_rate", "ratio", "lower", "退货率", "Return rate",
        "期间内退货额 ÷ 同期退货前销售额；退货按发生日计，可能对应更早的订单。",
        "Returns of the period ÷ gross sales of the same period; a return may belong to an earlier order.",
        "sum(return_amount) / nullif(sum(gross_amount), 0)", ("sales.return_amount",), additive=False,
    ),
    Measure(
        "price_realisation", "ratio", "higher", "价格实现率", "Price realisation",
        "成交净额 ÷ 原价金额，只计填有原价的行；1 减去它即平均折扣。",
        "Net amount ÷ list amount over the lines that state a list price; 1 less it is the average discount.",
        "sum(amount) FILTER (WHERE list_amount IS NOT NULL) / nullif(sum(list_amount), 0)",
        ("sales.list_amount",), additive=False,
    ),
    Measure(
        "yoy", "ratio", "higher", "同比", "Year over year",
        "本期 ÷ 上年同期 − 1；周取上年同一周次。上年同期不大于零时只列差额。"
        "未结束的期间与上年同期相同工作日数的进度相比。",
        "This period ÷ same period last year − 1 (weeks: same ISO week). Only the difference is shown when the base "
        "is not positive. An unfinished period is compared with the same number of workdays.", additive=False,
    ),
    Measure(
        "mom", "ratio", "higher", "环比", "Period over period",
        "本期 ÷ 上一期 − 1；月份天数与假期不同，宜与“每工作日”一并看。",
        "This period ÷ the period before − 1; read it beside the value per workday, as months differ in length and "
        "holidays.", additive=False,
    ),
    Measure(
        "festival_yoy", "ratio", "higher", "春节对齐同比", "Year over year, aligned to Spring Festival",
        "春节在一、二月间移动：按距春节天数与上年对齐后再比，或以1–2月合计相比。",
        "Spring Festival moves between January and February: days are matched by their distance to the festival, or "
        "January and February are taken together.", additive=False,
    ),
    Measure(
        "ytd", "money", "higher", "累计", "Year to date",
        "财年首日至本期末（不晚于数据截至日）的合计。",
        "Sum from the first day of the fiscal year to the end of the period, no later than the as-of date.",
    ),
    Measure(
        "rolling12", "money", "higher", "滚动12个月", "Rolling 12 months",
        "截至本期末的连续12个月合计，消除季节影响。",
        "Sum of the twelve months up to the end of the period; free of seasonality.",
    ),
    Measure(
        "per_workday", "money", "higher", "每工作日", "Per workday",
        "本期合计 ÷ 本期工作日数；工作日按国务院公布的放假与调休安排，未公布年份按规则估计并注明。",
        "Value ÷ workdays of the period. Chinese workdays include make-up days as announced; years not announced "
        "yet are estimated by rule, and said to be.", additive=False,
    ),
    Measure(
        "contribution", "ratio", "higher", "增长贡献", "Contribution to growth",
        "各部分的增减额 ÷ 上年同期合计；各部分之和等于总增长率。",
        "Change of the part ÷ last year's total; the parts add up to the total growth.", additive=False,
    ),
    Measure(
        "hhi", "ratio", "none", "集中度（HHI）", "Concentration (HHI)",
        "各部分占比的平方和，0 到 1；越大越依赖少数。",
        "Sum of squared shares, 0 to 1; the larger, the more depends on few.", additive=False,
    ),
    Measure(
        "attainment", "ratio", "higher", "目标达成率", "Attainment",
        "实际 ÷ 目标；没有目标或目标为零时写“未设目标”，不写 0%。",
        "Actual ÷ target; without a target, or with a target of zero, there is none to state.", additive=False,
    ),
    Measure(
        "time_progress", "ratio", "none", "时间进度", "Time elapsed",
        "到数据截至日本应完成的份额：默认按往年季节曲线；设置 definitions.time_progress 为 workdays 时，"
        "按已过工作日 ÷ 全部工作日。",
        "The share that should be done by the as-of date: along the seasonal curve of past years or, with the setting "
        "definitions.time_progress at workdays, workdays elapsed ÷ all workdays.", additive=False,
    ),
    Measure(
        "pace", "ratio", "higher", "进度差", "Pace gap",
        "目标达成率 − 时间进度，以百分点计。", "Attainment − time elapsed, in percentage points.", additive=False,
    ),
    Measure(
        "landing", "money", "higher", "按当前进度落地", "Run-rate landing",
        "实际 ÷ 时间进度：照目前进度，期末会到多少。",
        "Actual ÷ time elapsed: where the period ends at the present pace.",
    ),
    Measure(
        "required_rate", "money", "lower", "所需日均", "Required run rate",
        "（目标 − 实际）÷ 剩余工作日；与最近20个工作日的日均相比。",
        "(Target − actual) ÷ remaining workdays; to be read beside the average of the last 20 workdays.",
        additive=False,
    ),
    Measure(
        "forecast_accuracy", "ratio", "higher", "预测准确率", "Forecast accuracy",
        "1 − Σ|实际 − 预测| ÷ Σ|实际|，最低为 0；设置 definitions.forecast_accuracy 为 forecast_over_actual 时，"
        "为预测 ÷ 实际。",
        "1 − Σ|actual − forecast| ÷ Σ|actual|, at least 0; with the setting definitions.forecast_accuracy at "
        "forecast_over_actual, forecast ÷ actual.", additive=False,
    ),
    Measure(
        "bias", "ratio", "none", "预测偏差", "Forecast bias",
        "Σ（预测 − 实际）÷ Σ实际；正数表示预测偏高。",
        "Σ(forecast − actual) ÷ Σ actual; positive when forecasts are too high.",
        additive=False,
    ),
    Measure(
        "coverage_80", "ratio", "none", "80%区间覆盖率", "80% interval coverage",
        "实际值落在80%预测区间内的比例，应接近80%。",
        "Share of actuals inside the 80% interval; it should be near 80%.",
        additive=False,
    ),
    Measure(
        "gap", "money", "higher", "缺口", "Gap",
        "实际 − 目标；负数表示未达成。", "Actual − target; negative when short.", additive=False,
    ),
    Measure(
        "new_customer_share", "ratio", "none", "新客占比", "New customer share",
        "新客户数 ÷ 购买客户数。", "New customers ÷ active customers.", additive=False,
    ),
    Measure(
        "trend", "money", "none", "趋势与正常范围", "Trend and usual range",
        "剔除工作日与春节的影响后做季节分解（STL）；趋势加季节为预期，其 95% 范围为正常范围，"
        "超出 3.5 倍稳健离差的月份圈出。",
        "Seasonal decomposition (STL) after taking out workdays and Spring Festival; trend plus season is what was to "
        "be expected, with its 95% range; months beyond 3.5 robust deviations are circled.", additive=False,
    ),
    Measure(
        "wape", "ratio", "lower", "加权误差（WAPE）", "Weighted error (WAPE)",
        "Σ|实际 − 预测| ÷ Σ|实际|，按回测：只用当时已有的数据预测，再与后来的实际比。",
        "Σ|actual − forecast| ÷ Σ|actual| of backtests: forecasts from what was known then, against what came.",
        additive=False,
    ),
    Measure(
        "mase", "ratio", "lower", "MASE", "MASE",
        "平均绝对误差 ÷ 照抄去年同期在历史上的平均绝对误差；小于 1 为更好。",
        "Mean absolute error ÷ that of repeating last year in the history; below 1 is better.", additive=False,
    ),
    Measure(
        "certainty", "ratio", "none", "把握", "Certainty",
        "说明一条发现有多可靠：高（0.8 以上）、中（0.5 以上）、低。统计检验取 1 − p 值，达成类取概率，"
        "进度类取已过的时间进度，样本少的再打折；与金额相乘决定排序，不是“结论为真”的概率。",
        "How reliable a finding is: high (from 0.8), medium (from 0.5), low. From tests 1 − p, for targets the "
        "probability, for pace the time elapsed, less for small samples; times money it ranks the findings. It is not "
        "the probability that the statement is true.", additive=False,
    ),
    Measure(
        "p_reach", "ratio", "higher", "达成概率", "Probability of reaching the target",
        "按预测分布，期末不低于目标的概率。",
        "Probability, by the forecast distribution, of ending at or above the target.",
        additive=False,
    ),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}


def values(
    wb: Workbench,
    names: str | Iterable[str],
    by: str | Sequence[str] = (),
    grain: str | None = None,
    start: Day | None = None,
    end: Day | None = None,
) -> pd.DataFrame:
    """Return measures over the lines from `start` to `end` (both included; default: all), grouped.

    One row per period and member that has lines, sorted; one row in all without `grain` and `by`. Columns:
    period_start (with `grain`), the `by` columns (any dimension of `sales`; a missing member is None), one column per
    measure. Sums without lines are 0, everything else that cannot be told is NaN. Raises `UnknownName` for a measure
    or column, `BadValue` for a measure that is a definition only.

    `values(wb, ["revenue", "orders"], by="region", grain="month")` gives::

          period_start region    revenue  orders
        0   2026-10-01     华东  1203000.0    87.0
        1   2026-10-01     华南   846500.0    61.0
    """
    names = [names] if isinstance(names, str) else list(names)
    by = [by] if isinstance(by, str) else list(by)
    chosen = [_summable(name) for name in names]
    keys = _keys(wb, by, grain)
    frames = [
        _query(wb, source, [each for each in chosen if each.source == source], keys, start, end)
        for source in dict.fromkeys(each.source for each in chosen)
    ]
    merged = frames[0] if len(frames) == 1 else _side_by_side(frames[0], frames[1], list(keys))
    return merged[[*keys, *names]]


def _summable(name: str) -> Measure:
    measure = lookup(MEASURES, name, "measure")
    if measure.sql is None:
        raise BadValue(
            f"{name!r} ({measure.zh}) is a definition, not a sum over lines; the analysis that reports it computes it."
        )
    return measure


def _keys(wb: Workbench, by: list[str], grain: str | None) -> dict[str, str]:
    """Return the grouping columns of the result, each with its SQL."""
    columns = {name: quote(name) for name in wb.engine.names("sales")}
    keys = {}
    if grain is not None:
        lookup(dict.fromkeys(GRAINS), grain, "grain")
        keys["period_start"] = "date" if grain == "day" else f"{grain}_start"
    return keys | {name: lookup(columns, name, "column of sales") for name in by}


def _query(
    wb: Workbench, source: str, measures: list[Measure], keys: dict[str, str], start: Day | None, end: Day | None
) -> pd.DataFrame:
    grouping = [f"{sql} AS {quote(name)}" for name, sql in keys.items()]
    aggregates = [f"CAST({each.sql} AS DOUBLE) AS {each.name}" for each in measures]
    limits = {
        f"date {sign} ${name}": (name, as_day(day))
        for sign, name, day in ((">=", "first", start), ("<=", "last", end))
        if day is not None
    }
    query = f"SELECT {', '.join(grouping + aggregates)} FROM {source}"
    if limits:
        query += f" WHERE {' AND '.join(limits)}"
    if keys:
        places = range(1, len(keys) + 1)
        query += f" GROUP BY {', '.join(keys.values())}"
        query += f" ORDER BY {', '.join(f'{place} NULLS LAST' for place in places)}"
    return wb.engine.frame(query, dict(limits.values()))


def _side_by_side(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Join measures of two sources; where one has no lines, its sums are zero."""
    import pandas as pd

    if not keys:
        return pd.concat([left, right], axis=1)
    both = left.merge(right, how="outer", on=keys, indicator="found")
    for side, frame in (("right_only", left), ("left_only", right)):
        sums = [name for name in frame if name not in keys and MEASURES[name].additive]
        both.loc[both["found"] == side, sums] = 0.0
    return both.sort_values(keys, na_position="last", ignore_index=True)
