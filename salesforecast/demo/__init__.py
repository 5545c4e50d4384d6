"""A synthetic company, seeded, at any size, with planted truths that analyses have to find.

    demo = company()                       # 12 canonical tables: 9,000 order lines, 400 customers, 40 products
    demo.truths["declining_region"]        # what, where, when and size: {"region": "西南"}, "2026-01-01", 0.04
    write_exports(demo, "data/demo")       # what its CRM and ERP would give
    write_order_lines("lines.csv", 10_000_000)   # for benchmarks, a month at a time

The company sells industrial controls in four regions and four channels from 2023-01-01 to 2026-11-15. Planted are

- `trend`: growth of 9 % a year in every region but the declining one;
- `seasonality`, `quarter_end`, `spring_festival`, `workdays`: the year's shape, the push of the last five workdays of
  a quarter, January and February following the lunar year, no office order on a day off (调休 included);
- `price_rise`: +8 % for 变频器 from 2025-07-01;
- `customer_groups`: key, regular, bargain and one-off customers; `churn`: who stopped ordering, and when;
- `slow_stage`: deals stay in 商务谈判 about 38 days, elsewhere 8 to 14;
- `biased_forecaster`: P014 calls 25 % too much;
- `overstretched_target`: the 2026 target of 华南二部 is 1.35 of its potential;
- `outlier_month`: one project order on 2025-08-18 worth 45 % of an ordinary month;
- `declining_region`: 西南 loses 4 % a month from January 2026, a key account among it;
- `export_faults`: rows of the exports that an import must reject or leave out.

Everything is invented: no name, firm or number is of a real one.
"""

from salesforecast.demo.build import Company, company, write_order_lines
from salesforecast.demo.exports import write_exports

__all__ = ["Company", "company", "write_exports", "write_order_lines"]
