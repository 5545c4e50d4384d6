"""What is planted in the synthetic company, as the constants that the generator uses and that tests look for."""

from __future__ import annotations

from datetime import date

START = date(2023, 1, 1)

# Money. One ordinary order line is worth this much on average, so revenue grows with the number of lines.
LINE_VALUE = 66_500.0
GROWTH = 0.09

# Sales per workday relative to an average month, before the quarter-end push and Spring Festival.
MONTH_INDEX = {
    1: 0.99, 2: 0.99, 3: 1.02, 4: 0.98, 5: 1.00, 6: 1.05, 7: 0.92, 8: 0.91, 9: 1.01, 10: 0.98, 11: 1.05,
    12: 1.10,
}  # fmt: skip
QUARTER_END_DAYS = 5
QUARTER_END_PUSH = 1.6
# Days relative to the first day of the lunar year: stocking up before, standstill, catching up after.
FESTIVAL = {(-28, -11): 1.12, (-10, -1): 0.55, (0, 14): 0.40, (15, 28): 1.15}

# Regions are made of teams; the shares are shares of the company's potential.
TEAMS = {
    "华东一部": ("华东", 0.22),
    "华东二部": ("华东", 0.16),
    "华南一部": ("华南", 0.15),
    "华南二部": ("华南", 0.11),
    "华北部": ("华北", 0.20),
    "西南部": ("西南", 0.16),
}

DECLINING_REGION = "西南"
DECLINE_FROM = date(2026, 1, 1)
DECLINE_PER_MONTH = 0.04

RISING_CATEGORY = "变频器"
PRICE_RISE_FROM = date(2025, 7, 1)
PRICE_RISE = 0.08

OUTLIER_DAY = date(2025, 8, 18)
OUTLIER_TEAM = "华北部"
OUTLIER_SHARE = 0.45

# Group: share of customers, orders a month of an active customer, value of a line, discount, payment days.
GROUPS = {
    "key": (0.05, 1.30, 1.50, 0.12, 60),
    "regular": (0.45, 0.32, 0.85, 0.07, 45),
    "bargain": (0.20, 0.13, 0.45, 0.22, 15),
    "one_off": (0.30, 0.0, 0.60, 0.03, 30),
}
PROMOTION_MONTHS = (6, 11)
CHURN_SHARE = 0.25

# The days that a deal stays in each stage, as medians.
STAGES = {"初步接触": 8, "需求确认": 12, "方案报价": 14, "商务谈判": 38}
SLOW_STAGE = "商务谈判"

BIASED_FORECASTER = "P014"
FORECAST_BIAS = 0.25

# Target over potential of each year and team; 1.0 is the unbroken trend.
STRETCH = {2024: 1.02, 2025: 1.03}
STRETCH_2026 = {
    "华东一部": 0.95, "华东二部": 0.97, "华南一部": 0.98, "华南二部": 1.35, "华北部": 0.97, "西南部": 1.01,
}  # fmt: skip
OVERSTRETCHED_TEAM = "华南二部"

# Priority of a ticket: hours to the first answer and to the solution.
SLA_HOURS = {"高": (1.0, 8.0), "中": (4.0, 48.0), "低": (8.0, 120.0)}

# Rows of the exported order lines that no import may take: header, what stands there instead,
# canonical column.
BAD_ORDER_ROWS = (
    ("下单日期", "2026/2/30", "date"),
    ("下单日期", "", "date"),
    ("下单日期", "2206/3/9", "date"),
    ("金额(元)", "待定", "amount"),
    ("金额(元)", "待定", "amount"),
)
BLANK_ROWS = 3  # below the rows of a workbook
