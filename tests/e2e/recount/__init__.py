"""The KPIs counted again, from the sandbox's own files and docs/kpis.md alone.

- `inputs` reads what the simulated systems hold (the newest row of each key, local times);
- `facts` says what happened, one list per kind of event, each with its day and its slices;
- `formulas` is docs/kpis.md in Python: one function per KPI over facts and a period;
- `compare` holds the published figures against them.

From the product comes one thing only, since who is who is judged elsewhere: whose a source's record
is (`intermediate.int_record_customers`; of web visits and carts, the published tables).
"""
