"""Web events as Snowplow's enrichment writes them, gzipped or not: TSV, or an SDK's JSON.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). Lands the raw table `events`: the 131 canonical fields (`event` as `event_type`), contexts as
self-describing JSON, and the e-commerce entities in columns of their own.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Literal

from ingestion.event_files import EXTRA, EventFilesConfig, event_source, is_blank, words
from ingestion.line_landing import land_lines
from ingestion.parquet import literal, quote
from ingestion.projection import Target
from ingestion.spec import TableSpec
from ingestion.unread_fields import Unread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ingestion.contract import JsonColumn
    from ingestion.delivered import LocalFile
    from ingestion.landing import Landed
    from ingestion.readers import Reading
    from ingestion.spec import FetchContext

# In the order of the TSV.
FIELDS = words(
    "app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id "
    "name_tracker v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint "
    "domain_userid domain_sessionidx network_userid geo_country geo_region geo_city geo_zipcode "
    "geo_latitude geo_longitude geo_region_name ip_isp ip_organization ip_domain ip_netspeed "
    "page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath "
    "page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath "
    "refr_urlquery refr_urlfragment refr_medium refr_source refr_term mkt_medium mkt_source "
    "mkt_term mkt_content mkt_campaign contexts se_category se_action se_label se_property "
    "se_value unstruct_event tr_orderid tr_affiliation tr_total tr_tax tr_shipping tr_city "
    "tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity "
    "pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent br_name br_family "
    "br_version br_type br_renderengine br_lang br_features_pdf br_features_flash "
    "br_features_java br_features_director br_features_quicktime br_features_realplayer "
    "br_features_windowsmedia br_features_gears br_features_silverlight br_cookies br_colordepth "
    "br_viewwidth br_viewheight os_name os_family os_manufacturer os_timezone dvce_type "
    "dvce_ismobile dvce_screenwidth dvce_screenheight doc_charset doc_width doc_height "
    "tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency ti_price_base "
    "base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp "
    "refr_domain_userid refr_dvce_tstamp derived_contexts domain_sessionid derived_tstamp "
    "event_vendor event_name event_format event_version event_fingerprint true_tstamp"
)
_SHREDDED = ("contexts_", "unstruct_event_")  # an SDK's keys, one for each schema
_JSON = ("contexts", "unstruct_event", "derived_contexts")
# Our column, and the entity of Snowplow's e-commerce schemas that it holds.
_ENTITIES = {
    "products": "product",
    "cart": "cart",
    "purchase": "transaction",
    "checkout": "checkout_step",
    "shopper": "user",
}


def _column(field: str) -> str:
    return "event_type" if field == "event" else field


def _letter(field: str) -> str:
    return "t" if field.endswith("_tstamp") else "j" if field in _JSON else "v"


EVENTS = TableSpec(
    "events",
    {
        "event_id": "v",
        "occurred_at": "t",
        "action": "j",
        **dict.fromkeys(_ENTITIES, "j"),
        **{_column(field): _letter(field) for field in FIELDS if field != "event_id"},
        "_extra": "j",
        "_file": "v",
        "_row": "i",
    },
)


class SnowplowConfig(EventFilesConfig):
    """A snowplow source in sources.yml."""

    kind: Literal["snowplow"]


def _land(
    context: FetchContext, files: list[LocalFile], path: Path, unread: Unread
) -> tuple[Landed, Reading, Mapping[str, JsonColumn]]:
    targets = [
        Target("occurred_at", "t", "coalesce(derived_tstamp, collector_tstamp)"),
        Target("action", "j", _action()),
        *(Target(column, "j", _entity(name)) for column, name in _ENTITIES.items()),
        *(Target(_column(field), _letter(field), quote(field)) for field in FIELDS),
        EXTRA,
    ]
    shape = partial(_shape, unread)
    return land_lines(context, EVENTS, files, shape=shape, targets=targets, path=path)


def _shape(unread: Unread, lines: str) -> str:
    """A line that begins with a brace is JSON, any other is TSV."""
    structure = {field: "JSON" if field in _JSON else "VARCHAR" for field in FIELDS}
    structure |= unread.structure
    values = ", ".join(f"{_value(n, field)} as {quote(field)}" for n, field in enumerate(FIELDS, 1))
    return (
        f"(select {values}, {unread.sql('parsed', 'line')} as _extra, _file, _row, _malformed, "
        "line as _original from (select *, "
        "json_transform(case when is_json and _malformed is null then line else '{}' end, "
        f"{literal(json.dumps(structure))}) as parsed from (select *, case "
        f"when {is_blank('line')} then 'a blank line' "
        "when is_json and not json_valid(line) then 'not valid JSON' "
        f"when not is_json and len(fields) != {len(FIELDS)} "
        f"then len(fields) || ' fields instead of {len(FIELDS)}' {_cut_off()}end as _malformed "
        "from (select *, coalesce(starts_with(ltrim(line), '{'), false) as is_json, "
        f"string_split(rtrim(line, e'\\r\\n'), e'\\t') as fields from {lines}))))"
    )


def _cut_off() -> str:
    """Whens for the JSON in a line of TSV, which some collectors cut off at a length."""
    places = {field: FIELDS.index(field) + 1 for field in ("unstruct_event", "contexts")}
    return "".join(
        f"when not is_json and fields[{place}] != '' and not json_valid(fields[{place}]) "
        f"then '{field}: not valid JSON' "
        for field, place in places.items()
    )


def _value(number: int, field: str) -> str:
    of_json = f"parsed.{quote(field)}"
    if field in _JSON:
        of_json = f"nullif(cast({of_json} as varchar), 'null')"
    if field == "contexts":
        of_json = f"coalesce({of_json}, {_shredded(_SHREDDED[0], is_list=True)})"
    if field == "unstruct_event":
        of_json = f"coalesce({of_json}, {_shredded(_SHREDDED[1], is_list=False)})"
    return f"case when is_json then {of_json} else nullif(fields[{number}], '') end"


def _shredded(prefix: str, *, is_list: bool) -> str:
    """What an analytics SDK put into a key per schema, self-describing as in the TSV."""
    value = "json_extract(line, '$.\"' || k || '\"')"
    one = f"json_object('schema', k, 'data', {value})"
    if is_list:
        one = (
            f"list_transform(cast({value} as json[]), lambda d: "
            "json_object('schema', k, 'data', d))"
        )
    found = (
        f"list_transform(list_filter(json_keys(line), lambda k: starts_with(k, '{prefix}')), "
        f"lambda k: {one})"
    )
    data = f"flatten({found})" if is_list else f"({found})[1]"
    sql = f"cast(json_object('data', {data}) as varchar)"
    return f"case when _malformed is null and contains(line, '\"{prefix}') then {sql} end"


def _entity(name: str) -> str:
    """The data of the contexts of one schema: all products, the one of any other entity."""
    found = (
        "list_transform(list_filter(json_extract(try_cast(contexts as json), '$.data[*]'), "
        f"lambda c: {_is_schema(name)}), lambda c: json_extract(c, '$.data'))"
    )
    return f"nullif(to_json({found}), '[]')" if name == "product" else f"({found})[1]"


def _action() -> str:
    event = "try_cast(unstruct_event as json)"  # or null: such a line is refused
    is_action = _is_schema("snowplow_ecommerce_action", f"json_extract({event}, '$.data')")
    return f"case when {is_action} then json_extract({event}, '$.data.data') end"


def _is_schema(name: str, item: str = "c") -> str:
    """SQL: whether an item is of an e-commerce schema, by its address or an SDK's key."""
    pattern = f"snowplow[._]ecommerce[/_]{name}(/jsonschema/|_[0-9])"
    return f"regexp_matches({item} ->> '$.schema', '{pattern}')"


SPEC = event_source("snowplow", SnowplowConfig, EVENTS, _land, Unread(FIELDS, _SHREDDED))
