"""The 12 canonical tables and their row rules, as data.

Grain, keys, types and Chinese names follow one place: this one. The store, the importer, the documentation and the
synthetic company all read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "date", "timestamp", "money", "number", "integer", "share", "flag"]

SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",  # naive UTC
    "money": "DECIMAL(18,4)",  # sums must not depend on thread order
    "number": "DOUBLE",
    "integer": "BIGINT",
    "share": "DOUBLE",  # 0 to 1
    "flag": "BOOLEAN",
}

SCOPE_TYPES = (
    "company", "team", "person", "region", "channel", "product", "category", "customer", "segment",
    "competitor", "deal", "currency",
)  # fmt: skip
GRAINS = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True)
class Column:
    """One canonical column; `values` lists the codes of an enumeration."""

    name: str
    kind: Kind
    zh: str
    required: bool = False
    values: tuple[str, ...] = ()
    default: str | None = None
    references: str | None = None
    personal: bool = False


@dataclass(frozen=True)
class Rule:
    """A row rule: rows for which `fails` (SQL over canonical columns) is true are rejected for `message`."""

    name: str
    column: str
    fails: str
    message: str


@dataclass(frozen=True)
class Table:
    """One canonical table; `key` identifies a row, `virtual` columns exist only while a file is being imported."""

    name: str
    zh: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    virtual: tuple[Column, ...] = ()

    def column(self, name: str) -> Column:
        """Return the column of that name, virtual ones included.

        >>> TABLES["transactions"].column("amount").kind
        'money'
        """
        return next(each for each in (*self.columns, *self.virtual) if each.name == name)

    @property
    def names(self) -> list[str]:
        """Names of the stored columns, in order, provenance left out."""
        return [each.name for each in self.columns]

    @property
    def required(self) -> list[str]:
        """Names of the columns that a row must have and that have no default."""
        return [each.name for each in self.columns if each.required and each.default is None]


# Every stored row knows where it came from. `row_key` is the text of its key, by which a later file replaces it;
# it is null where the columns of a line say it (see `load.lines.stored_key`).
PROVENANCE = (
    Column("source", "text", "来源系统"),
    Column("source_file", "text", "来源文件"),
    Column("source_row", "integer", "来源行号"),
    Column("import_id", "integer", "导入批次"),
    Column("row_key", "text", "行键"),
)


def _text(name: str, zh: str, **more: object) -> Column:
    return Column(name, "text", zh, **more)  # type: ignore[arg-type]


def _codes(name: str, zh: str, values: str, **more: object) -> Column:
    return Column(name, "text", zh, values=tuple(values.split()), **more)  # type: ignore[arg-type]


def _date(name: str, zh: str, **more: object) -> Column:
    return Column(name, "date", zh, **more)  # type: ignore[arg-type]


def _time(name: str, zh: str, **more: object) -> Column:
    return Column(name, "timestamp", zh, **more)  # type: ignore[arg-type]


def _money(name: str, zh: str, **more: object) -> Column:
    return Column(name, "money", zh, **more)  # type: ignore[arg-type]


def _number(name: str, zh: str, **more: object) -> Column:
    return Column(name, "number", zh, **more)  # type: ignore[arg-type]


def _share(name: str, zh: str, **more: object) -> Column:
    return Column(name, "share", zh, **more)  # type: ignore[arg-type]


def _scope(required: bool) -> tuple[Column, Column]:
    return (
        _codes("scope_type", "范围类型", " ".join(SCOPE_TYPES), required=required, default="company"),
        _text("scope_id", "范围", required=required, default="*"),
    )


def _grain() -> tuple[Column, Column]:
    return (
        _codes("grain", "期间粒度", " ".join(GRAINS), required=True, default="month"),
        _date("period_start", "期间", required=True),
    )


def _share_rule(column: str) -> Rule:
    return Rule(f"{column}_range", column, f"{column} < 0 OR {column} > 1", "a share must lie between 0 and 1")


def _date_rule(column: str) -> Rule:
    # The as-of date is not known at import; what lies after it is left out, and counted, when a store is opened.
    return Rule(
        f"{column}_range",
        column,
        f"{column} < DATE '1990-01-01' OR {column} >= DATE '2100-01-01'",
        "a business date must lie between 1990 and 2099",
    )


_ALL = (
    Table(
        "transactions", "交易流水", "one line of one commercial event",
        ("source", "txn_type", "order_id", "line_no", "person_id"),
        (
            _text("txn_id", "流水号"),
            _codes("txn_type", "单据类型", "order shipment invoice payment return refund",
                   required=True, default="order"),
            _date("date", "业务日期", required=True),
            _money("amount", "金额", required=True),
            _text("order_id", "订单编号"),
            Column("line_no", "integer", "行号"),
            _text("customer_id", "客户", references="customers"),
            _text("person_id", "负责人", references="people"),
            _share("credit_share", "业绩分成比例", default="1"),
            _text("product_id", "产品", references="products"),
            _number("quantity", "数量"),
            _money("list_amount", "原价金额"),
            _money("cost_amount", "成本"),
            _money("tax_amount", "税额"),
            _text("currency", "币种"),
            _text("channel", "渠道"),
            _text("region", "区域"),
            _text("category", "产品分类"),
            _text("deal_id", "关联商机", references="deals"),
            _text("campaign", "市场活动"),
            _date("due_date", "应收到期日"),
            Column("is_first_order", "flag", "首单"),
            _codes("status", "状态", "valid pending void", default="valid"),
        ),
        (
            _date_rule("date"),
            # Negative lines become returns before the rules run; what is still negative is a negative return.
            Rule("amount_sign", "amount", "amount < 0", "an amount must not be negative"),
            _share_rule("credit_share"),
        ),
        (
            _money("unit_price", "单价"),
            _number("discount", "折扣"),
            _money("profit", "利润"),
            _share("tax_rate", "税率"),
        ),
    ),
    Table(
        "customers", "客户", "one account", ("customer_id",),
        (
            _text("customer_id", "客户编号", required=True),
            _text("name", "客户名称", personal=True),
            _codes("kind", "类型", "company consumer distributor store", default="company"),
            _text("parent_id", "上级客户", references="customers"),
            _text("industry", "一级行业"),
            _text("industry_l2", "二级行业"),
            _text("size_band", "规模"),
            _text("region", "区域"),
            _text("country", "国家"),
            _text("province", "省"),
            _text("city", "市"),
            _text("lead_source", "客户来源"),
            _text("level", "客户级别"),
            _codes("purchase_stage", "购买阶段", "prospect intent customer repeat dormant lost"),
            _text("status", "客户状态"),
            _text("owner_id", "负责人", references="people"),
            _date("created_at", "创建时间"),
            _date("first_deal_at", "首次成交"),
            _date("last_deal_at", "最后成交"),
            _date("last_followed_at", "最后跟进"),
            _date("next_follow_at", "下次跟进"),
            _money("potential_amount", "年采购潜力"),
            _codes("preferred_contact", "沟通偏好", "phone email sms im visit"),
            _text("care_date", "生日/纪念日", personal=True),
            _codes("consent", "同意状态", "yes no unknown"),
            _text("budget_band", "预算区间"),
            _text("need_note", "需求"),
            Column("transfer_count", "integer", "转手次数"),
            _date("started_at", "合同开始"),
            _date("ended_at", "合同结束"),
        ),
    ),
    Table(
        "people", "人员与组织", "one salesperson x validity period", ("person_id", "valid_from"),
        (
            _text("person_id", "员工编号", required=True),
            _date("valid_from", "生效日"),
            _date("valid_to", "失效日"),
            _text("name", "姓名", personal=True),
            _codes("role", "角色", "rep manager presales service partner", default="rep"),
            _codes("style", "类型", "hunter farmer mixed"),
            _text("team", "团队"),
            _text("department", "部门"),
            _text("manager_id", "汇报对象", references="people"),
            _text("region", "区域"),
            _text("timezone", "时区"),
            _text("work_mode", "工作方式"),
            _date("hire_date", "入职日期"),
            _date("leave_date", "离职日期"),
            _number("fte", "编制系数", default="1"),
            _text("grade", "职级"),
            _money("base_pay", "底薪", personal=True),
            _money("target_variable", "目标浮动", personal=True),
            _text("plan_id", "激励方案"),
        ),
        (Rule("fte_range", "fte", "fte < 0 OR fte > 2", "full-time equivalents lie between 0 and 2"),),
    ),
    Table(
        "products", "产品", "one SKU", ("product_id",),
        (
            _text("product_id", "产品编码", required=True),
            _text("name", "产品名称"),
            _text("category", "分类"),
            _text("product_line", "产品线"),
            _text("brand", "品牌"),
            _text("unit", "单位"),
            _money("list_price", "标价"),
            _money("unit_cost", "单位成本"),
            _date("launch_date", "上架时间"),
            _date("end_date", "下架时间"),
            Column("is_green", "flag", "绿色产品"),
            Column("is_service", "flag", "服务类"),
            _codes("lifecycle", "生命周期", "new growth mature decline"),
        ),
    ),
    Table(
        "deals", "线索与商机", "one lead or opportunity, current state", ("deal_id",),
        (
            _text("deal_id", "商机ID", required=True),
            _codes("record_type", "类型", "lead opportunity", default="opportunity"),
            _text("name", "商机名称"),
            _text("customer_id", "客户", references="customers"),
            _text("owner_id", "负责人", references="people"),
            _text("pipeline", "销售流程", default="default"),
            _text("stage", "销售阶段", required=True),
            _codes("status", "阶段状态", "open won lost void", default="open"),
            _money("amount", "商机金额"),
            _money("won_amount", "赢单金额"),
            _text("currency", "币种"),
            _share("probability", "赢率"),
            _codes("forecast_category", "预测类别", "omitted pipeline best_case most_likely commit closed"),
            _time("created_at", "创建时间"),
            _date("expected_close", "预计成交日期"),
            _date("closed_at", "实际结单日期"),
            _time("stage_entered_at", "进入当前阶段时间"),
            _time("last_activity_at", "最后跟进时间"),
            _text("lead_source", "来源"),
            _text("campaign", "活动"),
            _text("channel", "渠道"),
            _text("region", "区域"),
            _codes("deal_type", "新老", "new expansion renewal"),
            _text("competitor", "主要竞争对手"),
            _money("competitor_quote", "竞品报价"),
            _text("lost_reason", "输单原因"),
            _text("next_step", "下一步"),
            _date("next_step_at", "下一步日期"),
            _text("product_id", "意向产品", references="products"),
            _text("category", "意向分类"),
            _text("converted_from", "来源线索", references="deals"),
            _share("discount", "折扣"),
        ),
        (_share_rule("probability"),),
    ),
    Table(
        "deal_events", "商机变更历史", "one change of one field of one deal", ("deal_id", "at", "field"),
        (
            _text("deal_id", "商机", required=True, references="deals"),
            _time("at", "时间", required=True),
            _codes("field", "字段",
                   "stage status amount expected_close probability forecast_category owner_id",
                   required=True, default="stage"),
            _text("old_value", "旧值"),
            _text("new_value", "新值", required=True),
            _text("by_person_id", "修改人", references="people"),
            _codes("method", "来历", "native columns diff inferred", default="native"),
            _codes("at_precision", "时间精度", "exact day between_exports", default="exact"),
        ),
    ),
    Table(
        "activities", "活动", "one dated activity", ("activity_id",),
        (
            _text("activity_id", "活动编号", required=True),
            _time("at", "时间", required=True),
            _codes("kind", "类型",
                   "visit call meeting email chat demo quote care revisit training coaching audit other",
                   required=True, default="other"),
            _text("person_id", "执行人", required=True, references="people"),
            _text("customer_id", "客户", references="customers"),
            _text("deal_id", "商机", references="deals"),
            _date("planned_at", "计划日期"),
            _codes("status", "状态", "planned done missed", default="done"),
            _number("minutes", "时长"),
            _text("topic", "主题/课程"),
            _number("score", "得分"),
            Column("passed", "flag", "是否通过"),
            _text("note", "内容", personal=True),
        ),
    ),
    Table(
        "targets", "目标与预算", "one measure x scope x period x version",
        ("version", "kind", "measure", "scope_type", "scope_id", "grain", "period_start"),
        (
            _text("version", "版本", default="v1"),
            _codes("kind", "类别", "target stretch budget capacity floor", default="target"),
            _text("measure", "指标", required=True, default="revenue"),
            *_scope(required=True),
            *_grain(),
            _number("value", "目标值", required=True),
            _text("unit", "单位"),
            _codes("direction", "方向", "higher lower", default="higher"),
            _text("parent_scope", "分解来源"),
            _number("weight", "权重"),
            _text("owner_id", "责任人", references="people"),
            _text("rationale", "依据"),
            _date("approved_at", "批准日"),
        ),
        (Rule("value_sign", "value", "value < 0", "a target must not be negative"),),
    ),
    Table(
        "measurements", "指标观测", "one measure x scope x period",
        ("measure", "scope_type", "scope_id", "grain", "period_start", "source"),
        (
            _text("measure", "指标", required=True),
            *_scope(required=True),
            *_grain(),
            _number("value", "值", required=True),
            _text("unit", "单位"),
            _text("currency", "币种"),
            Column("sample_size", "integer", "样本量"),
            _codes("confidence", "可信度", "measured estimated assumed"),
        ),
    ),
    Table(
        "feedback", "服务与反馈", "one ticket, complaint, suggestion or survey answer", ("feedback_id",),
        (
            _text("feedback_id", "反馈编号", required=True),
            _codes("kind", "类型", "ticket complaint suggestion survey praise", required=True, default="ticket"),
            _time("opened_at", "提交时间", required=True),
            _text("customer_id", "客户", references="customers"),
            _text("product_id", "产品", references="products"),
            _text("person_id", "处理人", references="people"),
            _text("channel", "渠道"),
            _text("category", "分类"),
            _text("priority", "优先级"),
            _time("first_response_at", "首次响应"),
            _time("resolved_at", "解决"),
            _time("closed_at", "关闭"),
            _number("sla_response_h", "响应SLA"),
            _number("sla_resolve_h", "解决SLA"),
            Column("reopened", "integer", "重开次数", default="0"),
            _number("score", "评分"),
            _codes("scale", "量表", "csat5 csat10 nps11 ces7"),
            _text("text", "原文", personal=True),
            _text("action_id", "改进项", references="register"),
        ),
    ),
    Table(
        "register", "台账", "one item with owner, due date, status", ("item_id",),
        (
            _text("item_id", "编号", required=True),
            _codes("kind", "类别", "action task milestone risk lesson experiment compliance decision",
                   required=True, default="action"),
            _text("title", "标题", required=True),
            _text("detail", "说明"),
            _text("origin", "来源"),
            *_scope(required=False),
            _text("owner_id", "责任人", references="people"),
            _date("opened_at", "提出", required=True),
            _date("due_at", "截止"),
            _date("closed_at", "关闭"),
            _codes("status", "状态", "open doing done dropped", required=True, default="open"),
            _text("measure", "指标"),
            _number("baseline", "基线"),
            _number("expected", "预期"),
            _number("observed", "实际"),
            _share("probability", "概率"),
            _money("impact", "影响"),
            _text("trigger", "触发条件"),
            _text("mitigation", "应对措施"),
            _text("outcome", "结果"),
            _text("tags", "标签"),
            _text("evidence", "证据"),
        ),
        (_share_rule("probability"),),
    ),
    Table(
        "forecasts", "预测存档", "one forecast value x target period x made-on date",
        ("made_on", "forecaster", "measure", "scope_type", "scope_id", "grain", "period_start"),
        (
            _date("made_on", "预测日", required=True),
            _text("forecaster", "预测者", required=True),
            _text("measure", "指标", required=True, default="revenue"),
            *_scope(required=True),
            *_grain(),
            _number("value", "预测值", required=True),
            _number("lo_80", "80%下限"),
            _number("hi_80", "80%上限"),
            _number("lo_95", "95%下限"),
            _number("hi_95", "95%上限"),
            _codes("category", "类别", "commit best_case pipeline"),
            _text("run_id", "运行标识"),
            _text("data_hash", "数据指纹"),
            _text("package_version", "程序版本"),
        ),
    ),
)  # fmt: skip

TABLES: dict[str, Table] = {table.name: table for table in _ALL}
