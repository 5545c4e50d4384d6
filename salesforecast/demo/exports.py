"""The company's tables as a Chinese CRM, ERP and a few spreadsheets give them, faults included."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from salesforecast.demo import truths
from salesforecast.demo.build import Company


@dataclass(frozen=True)
class Export:
    """One exported file: the rows of a table (of one transaction type) under Chinese headers.

    `headers`: canonical column -> header, in order; a header with 万元 holds ten-thousands. A `.csv` is written in
    `encoding`, with `currency_sign` as ￥1,234.50; an `.xlsx` may end with the total of the column `footer`.
    """

    file: str
    table: str
    headers: dict[str, str]
    txn_type: str | None = None
    encoding: str = "utf-8-sig"
    currency_sign: bool = False
    footer: str | None = None


_PARTIES = {"customer_id": "客户编码", "person_id": "业务员编号", "channel": "渠道", "region": "区域"}
_COST = {"cost_amount": "成本(元)"}
_SUMS = {"list_amount": "原价金额(元)", **_COST}
EXPORTS = (
    Export("ERP_销售订单明细.csv", "transactions", {
        "order_id": "订单编号", "line_no": "行号", "date": "下单日期", **_PARTIES, "product_id": "产品编码",
        "category": "产品分类", "quantity": "数量", "amount": "金额(元)", **_SUMS, "status": "订单状态",
        "deal_id": "商机编号",
    }, "order", "gb18030"),
    Export("ERP_发货单.csv", "transactions", {
        "order_id": "订单编号", "date": "发货日期", **_PARTIES, "amount": "发货金额(元)", **_COST,
    }, "shipment", "gb18030"),
    Export("ERP_发票.csv", "transactions", {
        "order_id": "订单编号", "date": "开票日期", "due_date": "应收到期日", **_PARTIES, "amount": "开票金额(元)",
        "tax_amount": "税额(元)", **_COST,
    }, "invoice", "gb18030", currency_sign=True),
    Export("ERP_退货单.csv", "transactions", {
        "order_id": "订单编号", "line_no": "行号", "date": "退货日期", **_PARTIES, "product_id": "产品编码",
        "category": "产品分类", "quantity": "数量", "amount": "退货金额(元)", **_SUMS,
    }, "return", "gb18030"),
    Export("财务_回款明细.xlsx", "transactions", {
        "order_id": "订单编号", "line_no": "行号", "date": "回款日期", **_PARTIES, "amount": "回款金额(元)",
    }, "payment", footer="amount"),
    Export("财务_退款明细.csv", "transactions", {
        "order_id": "订单编号", "line_no": "行号", "date": "退款日期", **_PARTIES, "product_id": "产品编码",
        "category": "产品分类", "amount": "退款金额(元)",
    }, "refund"),
    Export("CRM_客户.xlsx", "customers", {
        "customer_id": "客户编码", "name": "客户名称", "kind": "客户类型", "industry": "一级行业",
        "size_band": "人员规模", "region": "大区", "country": "国家", "province": "省份", "city": "城市",
        "lead_source": "客户来源", "level": "客户级别", "purchase_stage": "购买阶段", "owner_id": "负责人工号",
        "created_at": "创建时间", "first_deal_at": "首次成交日期", "last_deal_at": "最后成交日期",
        "last_followed_at": "最后跟进日期", "potential_amount": "年采购潜力(元)", "preferred_contact": "沟通偏好",
        "care_date": "纪念日", "consent": "营销同意", "transfer_count": "转手次数",
    }),
    Export("CRM_商机.csv", "deals", {
        "deal_id": "商机编号", "record_type": "记录类型", "name": "商机名称", "customer_id": "客户编码",
        "owner_id": "负责人工号", "stage": "销售阶段", "status": "阶段状态", "amount": "商机金额(元)",
        "won_amount": "赢单金额(元)", "probability": "赢率", "forecast_category": "预测类别",
        "created_at": "创建时间", "expected_close": "预计成交日期", "closed_at": "实际结单日期",
        "stage_entered_at": "进入当前阶段时间", "last_activity_at": "最后跟进时间", "lead_source": "商机来源",
        "channel": "渠道", "region": "区域", "deal_type": "新老客户", "competitor": "竞争对手",
        "lost_reason": "输单原因", "category": "意向分类", "discount": "折扣",
    }),
    Export("CRM_商机阶段历史.csv", "deal_events", {
        "deal_id": "商机编号", "at": "变更时间", "field": "变更字段", "old_value": "变更前", "new_value": "变更后",
        "by_person_id": "修改人工号",
    }),
    Export("CRM_跟进记录.csv", "activities", {
        "activity_id": "活动编号", "at": "活动时间", "kind": "活动类型", "person_id": "执行人工号",
        "customer_id": "客户编码", "deal_id": "商机编号", "status": "活动状态", "minutes": "时长", "topic": "主题",
        "score": "得分", "passed": "是否通过",
    }),
    Export("CRM_销售预测上报.csv", "forecasts", {
        "made_on": "预测日期", "forecaster": "预测者", "measure": "指标", "scope_type": "范围类型",
        "scope_id": "范围", "grain": "期间粒度", "period_start": "预测期间", "value": "预测金额(万元)",
        "category": "预测类别",
    }),
    Export("HR_人员.xlsx", "people", {
        "person_id": "员工编号", "valid_from": "生效日期", "valid_to": "失效日期", "name": "姓名", "role": "角色",
        "style": "销售类型", "team": "团队", "department": "部门", "manager_id": "直属上级", "region": "负责区域",
        "hire_date": "入职日期", "leave_date": "离职日期", "fte": "编制系数", "grade": "职级",
        "base_pay": "底薪(元)", "target_variable": "目标浮动(元)",
    }),
    Export("产品目录.xlsx", "products", {
        "product_id": "产品编码", "name": "产品名称", "category": "产品分类", "product_line": "产品线",
        "brand": "品牌", "unit": "计量单位", "list_price": "标价(元)", "unit_cost": "单位成本(元)",
        "launch_date": "上市日期", "end_date": "停产日期", "is_green": "是否绿色", "is_service": "是否服务",
        "lifecycle": "生命周期",
    }),
    Export("销售目标_2024-2026.xlsx", "targets", {
        "version": "目标版本", "kind": "目标类别", "measure": "指标", "scope_type": "范围类型", "scope_id": "范围",
        "grain": "期间粒度", "period_start": "期间", "value": "目标值(万元)", "direction": "方向",
        "parent_scope": "分解来源", "approved_at": "批准日期",
    }),
    Export("服务工单.csv", "feedback", {
        "feedback_id": "工单编号", "kind": "工单类型", "opened_at": "提交时间", "customer_id": "客户编码",
        "person_id": "处理人工号", "channel": "反馈渠道", "category": "问题分类", "priority": "优先级",
        "first_response_at": "首次响应时间", "resolved_at": "解决时间", "sla_response_h": "响应时限",
        "sla_resolve_h": "解决时限", "reopened": "重开次数", "score": "评分", "scale": "评分量表",
    }),
    Export("台账.xlsx", "register", {
        "item_id": "事项编号", "kind": "事项类别", "title": "事项", "scope_type": "范围类型", "scope_id": "范围",
        "owner_id": "责任人工号", "opened_at": "提出日期", "due_at": "截止日期", "closed_at": "完成日期",
        "status": "事项状态", "measure": "指标", "baseline": "基线值", "expected": "预期值", "observed": "实际值",
        "probability": "发生概率", "impact": "影响金额(元)", "trigger": "触发条件", "mitigation": "应对措施",
        "outcome": "结果", "tags": "标签",
    }),
    Export("指标观测.csv", "measurements", {
        "measure": "指标", "scope_type": "范围类型", "scope_id": "范围", "grain": "期间粒度",
        "period_start": "期间", "value": "数值", "unit": "单位", "sample_size": "样本量", "confidence": "可信度",
    }),
)  # fmt: skip

# How the systems write codes; below, where a code has another word in one column or table.
_WORDS = {
    "valid": "有效", "void": "作废", "company": "公司", "distributor": "经销商", "team": "团队", "person": "个人",
    "region": "区域", "channel": "渠道", "category": "品类", "competitor": "竞争对手", "currency": "币种",
    "segment": "客户群", "prospect": "潜在", "customer": "成交", "repeat": "多次成交", "dormant": "沉睡",
    "phone": "电话", "email": "邮件", "im": "微信", "visit": "拜访", "yes": "是", "no": "否", "unknown": "未知",
    "rep": "销售", "manager": "经理", "hunter": "开拓新客", "farmer": "维护老客", "mixed": "混合", "new": "新品",
    "mature": "成熟", "decline": "衰退", "opportunity": "商机", "open": "进行中", "won": "赢单", "pipeline": "管道",
    "best_case": "最佳情况", "commit": "承诺", "closed": "已结单", "omitted": "忽略", "expansion": "增购",
    "stage": "阶段", "status": "阶段状态", "amount": "商机金额", "expected_close": "预计成交日期", "call": "电话",
    "meeting": "会议", "quote": "报价", "demo": "演示", "care": "关怀", "revisit": "回访", "training": "培训",
    "done": "已完成", "doing": "进行中", "month": "月", "quarter": "季", "year": "年", "target": "目标",
    "budget": "预算", "higher": "越高越好", "lower": "越低越好", "revenue": "销售额", "receipts": "回款",
    "win_rate": "赢单率", "expense_sales": "销售费用", "expense_marketing": "市场费用",
    "expense_people": "人力成本", "headcount": "人数", "fx_rate": "汇率", "market_size": "市场规模",
    "market_share": "市场份额", "brand_awareness": "品牌知名度", "competitor_price": "竞品价格", "measured": "实测",
    "estimated": "估计", "assumed": "假设", "ticket": "工单", "complaint": "投诉", "survey": "调查",
    "suggestion": "建议", "nps11": "NPS", "action": "行动项", "task": "任务", "milestone": "里程碑", "risk": "风险",
    "lesson": "经验", "experiment": "试点", "compliance": "合规检查", "decision": "决议", "cycle_days": "销售周期",
    "gm_pct": "毛利率", "customers": "客户数",
}  # fmt: skip
_EXCEPTIONS = {
    ("purchase_stage", "lost"): "流失", ("status", "lost"): "输单", ("deal_type", "new"): "新客户",
    ("register.status", "open"): "未开始", ("customers.kind", "company"): "企业", ("old_value", "open"): "open",
    ("new_value", "won"): "won", ("new_value", "lost"): "lost",
}  # fmt: skip
_CODED = {
    "status", "kind", "scope_type", "purchase_stage", "preferred_contact", "consent", "role", "style", "lifecycle",
    "record_type", "forecast_category", "deal_type", "field", "grain", "direction", "measure", "confidence",
    "scale",
}  # fmt: skip


def write_exports(company: Company, folder: str | Path) -> dict[str, int]:
    """Write the company's exports and its `salesforecast.toml`; return the data rows of each file, faults included.

    CSV files are GB18030 or UTF-8 with a byte-order mark, lines end in CRLF, dates look like 2026/1/5, times are
    local (Asia/Shanghai). `company.truths["export_faults"]` lists the rows that an import must not take. Columns of
    canonical tables that no system exports (such as `currency`) are left out. The same company gives the same bytes
    with the same zlib, and the same cells everywhere.

    >>> import tempfile
    >>> from salesforecast.demo import company
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = write_exports(company(lines=1_000), folder)
    >>> rows["ERP_销售订单明细.csv"]   # 1,000 lines, a repeated one and five that cannot be read
    1006
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for export in EXPORTS:
        frame = _rows(company, export)
        write = _write_csv if export.file.endswith(".csv") else _write_xlsx
        counts[export.file] = write(export, frame, folder / export.file)
    (folder / "salesforecast.toml").write_text(company.settings, encoding="utf-8", newline="\n")
    return counts


def _rows(company: Company, export: Export) -> pd.DataFrame:
    """Return the rows of an export under canonical names, codes as words, money in the header's unit."""
    frame = company.tables[export.table]
    if export.txn_type:
        frame = frame[frame["txn_type"] == export.txn_type]
    frame = frame[list(export.headers)].reset_index(drop=True)
    for name, header in export.headers.items():
        if "万元" in header:
            frame[name] = (frame[name] / 10_000).round(4)
        elif name in _CODED or (export.table == "forecasts" and name == "category"):
            frame[name] = frame[name].map(_word(export.table, name), na_action="ignore")
        elif frame[name].dtype.kind == "M" and export.table in _WITH_TIMES and name in _WITH_TIMES[export.table]:
            frame[name] += pd.Timedelta(hours=8)
    return frame


_WITH_TIMES = {
    "deals": ("created_at", "stage_entered_at", "last_activity_at"),
    "deal_events": ("at",),
    "activities": ("at",),
    "feedback": ("opened_at", "first_response_at", "resolved_at"),
}


def _word(table: str, column: str) -> Callable[[str], str]:
    def word(code: str) -> str:
        for key in ((f"{table}.{column}", code), (column, code)):
            if key in _EXCEPTIONS:
                return _EXCEPTIONS[key]
        return _WORDS.get(code, code)

    return word


def _write_csv(export: Export, frame: pd.DataFrame, path: Path) -> int:
    times = _WITH_TIMES.get(export.table, ())
    texts = pd.DataFrame(
        {
            header: _texts(frame[name], name, name in times, export.currency_sign)
            for name, header in export.headers.items()
        }
    )
    if export.txn_type == "order":
        texts = _with_faults(texts)
    text = texts.to_csv(index=False, lineterminator="\r\n")
    path.write_bytes(text.encode(export.encoding))
    return len(texts)


def _texts(values: pd.Series, name: str, with_time: bool, currency_sign: bool) -> pd.Series:
    """Return a column as text the way business software prints it."""
    look: Callable[[Any], str] = str
    if values.dtype.kind == "M":
        look = _stamp if with_time else _day
    elif values.dtype.kind == "f" and name == "probability":
        look = "{:.0%}".format
    elif values.dtype.kind == "f":
        look = "￥{:,.2f}".format if currency_sign else _number
    elif name == "passed":
        look = {True: "是", False: "否"}.__getitem__
    return values.astype(object).map(look, na_action="ignore")


def _day(value: pd.Timestamp) -> str:
    return f"{value.year}/{value.month}/{value.day}"


def _stamp(value: pd.Timestamp) -> str:
    return f"{_day(value)} {value:%H:%M:%S}"


def _number(value: float) -> str:
    return f"{value:.10g}" if abs(value) < 1e9 else f"{value:.2f}"


def _with_faults(texts: pd.DataFrame) -> pd.DataFrame:
    """Return the order lines with the rows that cannot be imported, spread over the file."""
    step = len(texts) // (len(truths.BAD_ORDER_ROWS) + 1)
    parts, begin = [], 0
    for number, (header, value, _) in enumerate(truths.BAD_ORDER_ROWS, start=1):
        bad = texts.iloc[[number * step]].assign(**{"订单编号": f"SO-ERR-{number:02d}", "行号": "1", header: value})
        parts += [texts.iloc[begin : number * step], bad]
        begin = number * step
    return pd.concat([*parts, texts.iloc[begin:], texts.iloc[[-1]]], ignore_index=True)


def _write_xlsx(export: Export, frame: pd.DataFrame, path: Path) -> int:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = path.stem
    sheet.append(list(export.headers.values()))
    for row in frame.astype(object).itertuples(index=False):
        sheet.append([_cell(value) for value in row])
    for number, name in enumerate(frame.columns, start=1):
        if frame[name].dtype.kind == "M":
            for (cell,) in sheet.iter_rows(min_row=2, min_col=number, max_col=number):
                cell.number_format = "yyyy/m/d"
    for _ in range(truths.BLANK_ROWS):
        sheet.append([" ", *[None] * (len(frame.columns) - 1)])
    if export.footer:
        total = {export.footer: round(float(frame[export.footer].sum()), 2), frame.columns[0]: "合计"}
        sheet.append([total.get(name) for name in frame.columns])
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_clock(buffer))
    return len(frame) + truths.BLANK_ROWS + bool(export.footer)


def _cell(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return "是" if value else "否"
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def _without_clock(buffer: io.BytesIO) -> bytes:
    """Return the workbook with the times of writing replaced by fixed ones."""
    result = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-11-16T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2026, 11, 16, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return result.getvalue()
