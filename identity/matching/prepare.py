"""From records as written to the columns that are compared, in an order of their own.

The order is that of the contents: what is learned and linked does not depend on the order of the
rows or on how the records are numbered.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

from identity.matching.settings import COLUMNS, MatchSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Letters without accents, lower case, words with single spaces; U+00D0 and U+0110 are one letter.
_MACROS = r"""
create macro folded(x) as nullif(trim(regexp_replace(translate(strip_accents(lower(x)), 'đðø',
    'ddo'), '[^\p{L}\p{N}]+', ' ', 'g')), '');
create macro digits(x) as nullif(regexp_replace(x, '[^0-9]', '', 'g'), '');
-- Year, month and day as eight digits, from text that may be no date; the day comes first.
create macro dated(x) as case
    when regexp_matches(x, '^\d{4}[^0-9]\d{1,2}[^0-9]\d{1,2}')
        then regexp_extract(x, '^(\d{4})', 1)
            || lpad(regexp_extract(x, '^\d{4}[^0-9](\d{1,2})', 1), 2, '0')
            || lpad(regexp_extract(x, '^\d{4}[^0-9]\d{1,2}[^0-9](\d{1,2})', 1), 2, '0')
    when regexp_matches(x, '^\d{1,2}[^0-9]\d{1,2}[^0-9]\d{4}')
        then regexp_extract(x, '^\d{1,2}[^0-9]\d{1,2}[^0-9](\d{4})', 1)
            || lpad(regexp_extract(x, '^\d{1,2}[^0-9](\d{1,2})', 1), 2, '0')
            || lpad(regexp_extract(x, '^(\d{1,2})', 1), 2, '0')
    when length(digits(x)) in (4, 8) then digits(x)
end;
-- The rest of a name without one of its words, the first from that end of the name.
create macro without(name, word) as nullif(trim(case
    when starts_with(name || ' ', word || ' ') then substr(name, length(word) + 2)
    when ends_with(' ' || name, ' ' || word) then left(name, length(name) - length(word) - 1)
    else replace(' ' || name || ' ', ' ' || word || ' ', ' ') end), '');
"""

_PREPARE = """
create table people as
with trimmed as (
    select record_key, source_key, {trimmed}
    from records
),
folded_names as (
    select
        * replace (lower(email) as email),
        folded(full_name) as whole,
        split_part(lower(email), '@', 1) as email_local
    from trimmed
),
named as (
    select
        *,
        -- Without parts the family name is the first of several words, as in Viet Nam.
        coalesce(folded(family_name), case when given_name is null and contains(whole, ' ')
            then split_part(whole, ' ', 1) end) as family
    from folded_names
),
folded_records as (
    select
        record_key,
        source_key,
        family,
        -- A full name also tells the middle names.
        case when whole is null then folded(given_name)
            when family is null then coalesce(folded(given_name), whole)
            when contains(' ' || whole || ' ', ' ' || family || ' ') then
                coalesce(without(whole, family), folded(given_name))
            else coalesce(folded(given_name), whole) end as given,
        coalesce(replace(birth_date, '-', ''), dated(birth_date_text), birth_year) as birth,
        left(folded(gender), 1) as gender,
        nullif(replace(folded(national_id), ' ', ''), '') as national,
        email,
        email_local,
        substr(email, length(email_local) + 1) as email_domain,
        nullif(regexp_replace(email_local, '[^a-z0-9]', '', 'g'), '')
            as email_user,
        case when email is not null
            then regexp_replace(email_local, '[^0-9]', '', 'g') end as email_number,
        right(digits(phone), 9) as phone,
        folded(address) as address,
        nullif(replace(folded(postal_code), ' ', ''), '') as postal,
        folded(city) as city,
        folded(province) as province
    from named
)
select
    (row_number() over (order by {order}))::integer - 1 as id,
    *,
    list_aggregate(list_sort(string_split(concat_ws(' ', family, given), ' ')), 'string_agg', ' ')
        as words,
    birth[1:4] as year,
    case when length(birth) = 8 then birth[5:6] end as month,
    case when length(birth) = 8 then birth[7:8] end as day,
    nullif(regexp_extract(address, '\\d+'), '') as house,
    nullif(trim(regexp_replace(address, '\\d+', '', 'g')), '') as street
from folded_records
order by id
"""
COMPARED = (
    "given", "family", "birth", "gender", "national", "email", "phone", "address", "postal",
    "city", "province",
)  # fmt: skip


def prepare(con: "DuckDBPyConnection", records: pa.Table, settings: MatchSettings) -> pa.Table:
    """Make the table `people` and return it: id by rank of contents, keys, columns to compare."""
    present = [name for name in COLUMNS if name in records.column_names]
    used = {name for name in present if name not in settings.left_out}
    con.register("records", records.select(["record_key", "source_key", *present]))
    con.execute(_MACROS)
    trimmed = [
        f"nullif(trim({name}::varchar), '') as {name}" if name in used
        else f"null::varchar as {name}"
        for name in COLUMNS
    ]  # fmt: skip
    order = ", ".join([*COMPARED, "source_key", "record_key"])
    con.execute(_PREPARE.format(trimmed=", ".join(trimmed), order=order))
    con.unregister("records")
    return con.execute("from people order by id").to_arrow_table()
