"""Invented names of the synthetic company: places, people, firms, goods and words of the trade."""

from __future__ import annotations

from typing import Any

# Region: (province, city), the larger places first.
PLACES = {
    "华东": (
        ("上海", "上海"), ("江苏", "苏州"), ("浙江", "杭州"), ("江苏", "无锡"),
        ("浙江", "宁波"), ("江苏", "南京"), ("安徽", "合肥"),
    ),
    "华南": (
        ("广东", "深圳"), ("广东", "广州"), ("广东", "东莞"), ("广东", "佛山"),
        ("广西", "南宁"), ("海南", "海口"),
    ),
    "华北": (
        ("北京", "北京"), ("天津", "天津"), ("河北", "石家庄"), ("河北", "唐山"),
        ("山西", "太原"), ("内蒙古", "包头"),
    ),
    "西南": (
        ("四川", "成都"), ("重庆", "重庆"), ("云南", "昆明"), ("贵州", "贵阳"),
        ("四川", "绵阳"),
    ),
}  # fmt: skip

FIRST_CHARACTERS = "恒远华信天瑞博联中鼎新汇金凯东方大盛宏达科创永泰正源长隆嘉和百川卓越"
SECOND_CHARACTERS = "拓锐诚峰腾洋宇辉利德康晟旺达邦翔驰捷锦昊奥众格维纳业能力特润"
INDUSTRIES = {
    "装备制造": ("精密机械", "自动化设备", "重工机械"),
    "电子信息": ("电子科技", "光电", "半导体设备"),
    "汽车零部件": ("汽车部件", "车桥", "动力系统"),
    "食品饮料": ("食品机械", "饮料", "包装"),
    "化工材料": ("化工", "新材料", "涂料"),
    "水务环保": ("水处理", "环保工程"),
    "新能源": ("新能源", "锂电设备", "光伏装备"),
}
CHANNELS = ("直销", "经销", "集成商", "电商")
LEAD_SOURCES = ("展会", "老客户介绍", "官网", "电话开发", "行业媒体", "经销商推荐")
SIZE_BANDS = ("50人以下", "50-199人", "200-999人", "1000人以上")
COMPETITORS = ("南桓自动化", "德立传动", "海锐控制")
LOST_REASONS = ("价格偏高", "交期过长", "技术参数不符", "项目取消", "选择竞品")

# Category: weight, price range of the catalogue, unit, product names with their model letters.
CATALOGUE = {
    "传感器": (0.18, (180, 1_600), "只", (
        ("电感式接近开关", "QH-LJ"), ("光电传感器", "QH-GD"), ("压力变送器", "QH-YL"),
        ("温度变送器", "QH-WD"), ("激光测距传感器", "QH-JG"), ("称重传感器", "QH-CZ"),
        ("编码器", "QH-BM"), ("流量计", "QH-LL"),
    )),
    "变频器": (0.26, (1_800, 16_000), "台", (
        ("通用变频器1.5kW", "QV-15"), ("通用变频器4kW", "QV-40"), ("通用变频器7.5kW", "QV-75"),
        ("高性能变频器15kW", "QV-150"), ("高性能变频器37kW", "QV-370"), ("风机水泵变频器", "QV-FS"),
        ("四象限变频器", "QV-SX"), ("节能一体变频柜", "QV-JN"),
    )),
    "伺服驱动": (0.24, (2_400, 15_000), "套", (
        ("伺服驱动器400W", "QS-04"), ("伺服驱动器750W", "QS-08"), ("伺服驱动器1.5kW", "QS-15"),
        ("伺服驱动器3kW", "QS-30"), ("总线型伺服套件", "QS-BUS"), ("直线电机模组", "QS-LM"),
        ("多轴运动控制器", "QS-MC"), ("低压伺服一体机", "QS-LV"),
    )),
    "气动元件": (0.14, (60, 900), "件", (
        ("气动接头组件", "QP-JT"), ("标准气缸", "QP-SC"), ("薄型气缸", "QP-BX"),
        ("电磁换向阀", "QP-DC"), ("气源处理三联件", "QP-QY"), ("真空发生器", "QP-ZK"),
        ("气动手指", "QP-SZ"), ("阀岛", "QP-FD"),
    )),
    "工业阀门": (0.18, (320, 6_800), "台", (
        ("电动调节阀", "QF-DT"), ("气动蝶阀", "QF-QD"), ("不锈钢球阀", "QF-QF"),
        ("法兰闸阀", "QF-ZF"), ("减压稳压阀", "QF-JY"), ("安全阀", "QF-AQ"),
        ("止回阀", "QF-ZH"), ("智能阀门定位器", "QF-DW"),
    )),
}  # fmt: skip

DIRECTOR = ("P001", "周景明")
MANAGERS = {
    "华东一部": ("P002", "陈立群"), "华东二部": ("P003", "林雅文"), "华南一部": ("P004", "郑国栋"),
    "华南二部": ("P005", "许晓岚"), "华北部": ("P006", "何志远"), "西南部": ("P007", "吕思齐"),
}  # fmt: skip

# A seat is a territory of a team. Who sits in it, from which month to which (inclusive); None: always or still.
SEATS = (
    ("华东一部", (("P008", "沈嘉禾", None, None),)),
    ("华东一部", (("P009", "韩子墨", None, None),)),
    ("华东一部", (("P010", "冯若琳", None, None),)),
    ("华东一部", (("P011", "曹一鸣", None, "2026-03"), ("P026", "蔡文博", "2026-04", None))),
    ("华东二部", (("P012", "彭思远", None, None),)),
    ("华东二部", (("P013", "曾雨桐", None, None),)),
    ("华东二部", (("P024", "潘晓峰", None, "2025-06"), ("P025", "蒋梦洁", "2025-07", None))),
    ("华南一部", (("P014", "萧楚河", None, None),)),
    ("华南一部", (("P015", "田佳宁", None, None),)),
    ("华南一部", (("P016", "董海川", None, None),)),
    ("华南二部", (("P017", "袁梓萱", None, None),)),
    ("华南二部", (("P018", "黄伟杰", None, "2025-06"), ("P024", "潘晓峰", "2025-07", None))),
    ("华北部", (("P019", "罗振廷", None, None),)),
    ("华北部", (("P020", "唐诗涵", None, None),)),
    ("华北部", (("P021", "宋致和", None, "2024-08"), ("P027", "梁若曦", "2024-09", None))),
    ("西南部", (("P022", "邓凯文", None, None),)),
    ("西南部", (("P023", "谢雨辰", None, None),)),
)

TICKET_CATEGORIES = ("安装调试", "质量问题", "交期咨询", "备件更换", "技术咨询", "发票问题")
COURSES = ("产品知识-变频器", "大客户谈判", "CRM 使用规范", "合规与廉洁")
VISIT_TOPICS = ("需求沟通", "方案讲解", "报价跟进", "合同条款", "交付进度", "年度框架洽谈")

# Kind, title, scope, owner, opened, due, closed, further columns.
REGISTER: tuple[tuple[Any, ...], ...] = (
    ("action", "华北大项目回款专人跟进", ("region", "华北"), "P006",
     "2025-09-03", "2025-11-30", "2025-11-20", {"measure": "receipts", "expected": 6_000_000, "observed": 6_150_000}),
    ("action", "变频器调价后老客户逐一沟通", ("category", "变频器"), "P001",
     "2025-06-16", "2025-07-31", "2025-07-28",
     {"measure": "gm_pct", "baseline": 0.3, "expected": 0.33,
      "observed": 0.335}),
    ("action", "商务谈判阶段超 30 天商机每周复盘", ("company", "*"), "P001",
     "2026-07-06", "2026-12-31", None, {"measure": "cycle_days", "baseline": 74, "expected": 60}),
    ("action", "西南流失客户回访并提交原因清单", ("region", "西南"), "P007",
     "2026-05-11", "2026-06-30", "2026-07-10", {"measure": "customers", "expected": 12, "observed": 5}),
    ("action", "西南重点客户恢复计划", ("region", "西南"), "P007",
     "2026-08-05", "2026-10-31", None, {"measure": "revenue", "baseline": 1_500_000, "expected": 2_000_000}),
    ("action", "华南二部目标复核与补充资源", ("team", "华南二部"), "P005",
     "2026-07-15", "2026-09-30", None, {"measure": "attainment", "baseline": 0.72, "expected": 0.85}),
    ("action", "促销客户折扣审批上收", ("segment", "bargain"), "P001",
     "2026-03-02", "2026-04-30", "2026-04-22",
     {"measure": "price_realisation", "baseline": 0.78, "expected": 0.82,
      "observed": 0.79}),
    ("action", "销售预测偏差个人辅导", ("person", "P014"), "P004",
     "2026-09-08", "2026-11-30", None, {"measure": "forecast_bias", "baseline": 0.25, "expected": 0.1}),
    ("task", "国庆前完成客户资料补全", ("company", "*"), "P003",
     "2025-09-01", "2025-09-28", "2025-09-26", {}),
    ("task", "四季度备货清单确认", ("company", "*"), "P002",
     "2026-09-14", "2026-10-15", "2026-10-13", {}),
    ("task", "电商店铺年中大促复盘", ("channel", "电商"), "P004",
     "2026-06-22", "2026-07-10", "2026-07-08", {}),
    ("milestone", "华东样板线验收", ("region", "华东"), "P002",
     "2025-02-10", "2025-06-30", "2025-07-18", {}),
    ("milestone", "2027 年度目标草案", ("company", "*"), "P001",
     "2026-10-12", "2026-11-30", None, {}),
    ("risk", "西南区域持续下滑", ("region", "西南"), "P007",
     "2026-04-08", "2026-12-31", None,
     {"probability": 0.7, "impact": 6_000_000, "trigger": "连续三个月同比低于 -15%",
      "mitigation": "增派华东骨干、客户恢复计划"}),
    ("risk", "重点客户集中度过高", ("company", "*"), "P001",
     "2025-03-10", "2026-12-31", None,
     {"probability": 0.3, "impact": 9_000_000, "trigger": "前五大客户占比超过 30%",
      "mitigation": "拓展腰部客户"}),
    ("risk", "进口芯片交期延长", ("category", "伺服驱动"), "P001",
     "2024-05-20", "2025-06-30", "2025-06-12",
     {"probability": 0.4, "impact": 3_500_000, "trigger": "交期超过 16 周",
      "mitigation": "双供应商"}),
    ("lesson", "八月大单:高层互访提前锁定预算", ("region", "华北"), "P006",
     "2025-09-15", None, "2025-09-15", {"outcome": "成功", "tags": "大客户;项目型"}),
    ("lesson", "苏州项目丢单:谈判拖延 70 天", ("region", "华东"), "P003",
     "2024-11-04", None, "2024-11-04", {"outcome": "失败", "tags": "谈判;时机"}),
    ("experiment", "报价后 24 小时内回访", ("team", "华东一部"), "P002",
     "2025-10-08", "2026-01-31", "2026-02-05",
     {"measure": "win_rate", "baseline": 0.41, "expected": 0.46,
      "observed": 0.45}),
    ("experiment", "电商满额包邮", ("channel", "电商"), "P004",
     "2026-06-01", "2026-08-31", "2026-09-04",
     {"measure": "aov", "baseline": 52_000, "expected": 56_000,
      "observed": 53_100}),
    ("compliance", "2025 年折扣权限检查", ("company", "*"), "P001",
     "2025-12-08", "2025-12-31", "2025-12-29", {}),
    ("compliance", "2026 年客户信息授权检查", ("company", "*"), "P001",
     "2026-06-08", "2026-06-30", "2026-06-30", {}),
    ("decision", "变频器自 2025 年 7 月起调价 8%", ("category", "变频器"), "P001",
     "2025-05-26", None, "2025-05-26", {}),
    ("decision", "华南二部 2026 年目标上调", ("team", "华南二部"), "P001",
     "2025-12-15", None, "2025-12-15", {}),
)  # fmt: skip

SETTINGS = """# The settings of the synthetic company. Everything that is not said here has its default.
company = "启衡工控科技有限公司"
language = "zh"
basis = "order"

[currency]
base = "CNY"
display = "万元"

[calendar]
country = "CN"
lunar_new_year = true

[[stages.default]]
code = "初步接触"
label = { zh = "初步接触", en = "First contact" }
probability = 0.1
category = "pipeline"
max_days = 16

[[stages.default]]
code = "需求确认"
label = { zh = "需求确认", en = "Needs confirmed" }
probability = 0.3
category = "pipeline"
max_days = 24

[[stages.default]]
code = "方案报价"
label = { zh = "方案报价", en = "Quotation" }
probability = 0.5
category = "best_case"
max_days = 28

[[stages.default]]
code = "商务谈判"
label = { zh = "商务谈判", en = "Negotiation" }
probability = 0.7
category = "commit"
max_days = 30

[[stages.default]]
code = "赢单"
label = { zh = "赢单", en = "Won" }
closed = "won"

[[stages.default]]
code = "输单"
label = { zh = "输单", en = "Lost" }
closed = "lost"

[sla."高"]
response_h = 1
resolve_h = 8

[sla."中"]
response_h = 4
resolve_h = 48

[sla."低"]
response_h = 8
resolve_h = 120
"""
