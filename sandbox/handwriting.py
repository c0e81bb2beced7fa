"""How people and cashiers type names, phones and e-mails: formats, lost accents, mistakes.

A `style` is a number per record; the same style always gives the same text, so that a profile
written again tomorrow still shows the mistake made at sign-up.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from sandbox.draw import Ints

# Two digits after the 0 today -> three digits after it until 2018; people still write them.
_OLD_PREFIXES = {
    70: "120", 79: "121", 77: "122", 76: "126", 78: "128", 83: "123", 84: "124", 85: "125",
    81: "127", 82: "129", 32: "162", 33: "163", 34: "164", 35: "165", 36: "166", 37: "167",
    38: "168", 39: "169", 56: "186", 58: "188",
}  # fmt: skip
_OLD = pa.array([_OLD_PREFIXES.get(i) for i in range(100)], pa.string())

# style % 1000 chooses the name's fate, style // 1000 % 1000 the phone's, above that the e-mail's;
# `spot` is the place of a mistake.
_TYPED = """
with drawn as (
    select *, style % 1000 as ns, style // 1000 % 1000 as ps, style // 1000000 % 1000 as es,
        2 + style % greatest(length(full_name) - 3, 1) as spot,
        printf('%09d', phone) as digits, 3 + style % 6 as pat,
    from people
), wrong as (
    select *,
        case when ps < 62
            then left(digits, pat - 1) || ((digits[pat]::int + 1 + style % 8) % 10)::varchar
                || substr(digits, pat + 1)
            else digits end as d,
    from drawn
)
select
    case
        when ns between 60 and 79 then left(full_name, spot) || substr(full_name, spot + 2) || 'h'
        when ns between 80 and 99 then left(full_name, spot) || 'r' || substr(full_name, spot + 1)
        when ns between 100 and 124 then left(ascii_name, spot) || 'u' || substr(ascii_name, spot + 2)
        when ns between 125 and 280 then ascii_name
        when ns between 281 and 310 then upper(full_name)
        when ns between 311 and 330 then upper(ascii_name)
        when ns between 331 and 350 then lower(full_name)
        when ns between 351 and 365 then '  ' || full_name || ' '
        else full_name
    end as full_name,
    case
        when ps % 10 = 0 then '+84' || d
        when ps % 10 = 1 then '+84 ' || left(d, 2) || ' ' || d[3:5] || ' ' || d[6:9]
        when ps % 10 = 2 then '0' || left(d, 3) || ' ' || d[4:6] || ' ' || d[7:9]
        when ps % 10 = 3 then '0' || left(d, 2) || '.' || d[3:5] || '.' || d[6:9]
        when ps % 10 = 4 then '84' || d
        when ps % 10 = 5 and old_prefix is not null and d = digits
            then '0' || old_prefix || substr(d, 3)
        when ps % 10 = 6 then '0' || left(d, 3) || '-' || d[4:6] || '-' || d[7:9]
        else '0' || d
    end as phone,
    case
        when es < 40 then upper(left(email, 1)) || substr(email, 2)
        when es < 55 then upper(email)
        when es < 70 then email || ' '
        else email
    end as email,
from wrong
order by row_number
"""


def typed(
    con: duckdb.DuckDBPyConnection, strings: pa.Table, phone: Ints, email: pa.Array, style: Ints
) -> pa.Table:
    """full_name, phone, email as typed, one row per input row.

    `strings` has full_name and ascii_name; `phone` holds nine national digits.
    """
    source = pa.table({
        "full_name": strings["full_name"],
        "ascii_name": strings["ascii_name"],
        "phone": pa.array(phone, pa.int64()),
        "email": email,
        "style": pa.array(style, pa.int64()),
        "old_prefix": _OLD.take(pa.array(phone // 10_000_000)),
        "row_number": pa.array(np.arange(len(phone))),
    })  # fmt: skip
    con.register("people", source)
    try:
        return con.execute(_TYPED).to_arrow_table()
    finally:
        con.unregister("people")
