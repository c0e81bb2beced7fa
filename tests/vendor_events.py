"""One visit of Lan in the shapes of Snowplow and Google Analytics 4, from a view to an order."""

import json
from datetime import datetime, timedelta
from typing import Any

from ingestion.sources.snowplow import FIELDS

START = datetime.fromisoformat("2026-03-01T03:00:00")
ECOMMERCE = "com.snowplowanalytics.snowplow.ecommerce"
SHIRT = {"id": "P1", "name": "Áo thun", "category": "áo", "price": 200000, "quantity": 2}
CAP = {"id": "P2", "name": "Mũ", "category": "mũ", "price": 50000, "quantity": 1}
GA4_SHIRT = {"item_id": "P1", "item_name": "Áo thun", "item_category": "áo"} | {
    "price": 200000.0, "quantity": "2"
}  # fmt: skip
GA4_CAP = {"item_id": "P2", "item_name": "Mũ", "price": 50000.0}


def iglu(name: str, data: Any) -> dict[str, Any]:
    """A self-describing piece of Snowplow's e-commerce schemas."""
    return {"schema": f"iglu:{ECOMMERCE}/{name}/jsonschema/1-0-2", "data": data}


def snowplow_event(number: int, minute: int, **fields: Any) -> dict[str, Any]:
    """An enriched event with the fields that every event has."""
    at = (START + timedelta(minutes=minute)).isoformat(sep=" ", timespec="milliseconds")
    return {
        "app_id": "shop",
        "platform": "web",
        "event": "unstruct",
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "collector_tstamp": at,
        "derived_tstamp": at,
        "domain_userid": "sp-lan",
        "domain_sessionid": "session-1",
        "page_url": "https://shop.example/ao?x=1",
        "page_urlpath": "/ao",
        "dvce_type": "Mobile",
        "br_lang": "vi-VN",
        **fields,
    }


def action(type_: str, *entities: dict[str, Any]) -> dict[str, Any]:
    """The fields of an e-commerce event with its entities."""
    return {
        "event_name": "snowplow_ecommerce_action",
        "unstruct_event": {"data": iglu("snowplow_ecommerce_action", {"type": type_})},
        "contexts": {"data": list(entities)},
    }


SEARCH = {
    "event_name": "site_search",
    "unstruct_event": {
        "data": {
            "schema": "iglu:com.snowplowanalytics.snowplow/site_search/jsonschema/1-0-0",
            "data": {"terms": ["áo"]},
        }
    },
}
SNOWPLOW = [
    snowplow_event(1, 0, event="page_view", event_name="page_view", mkt_source="zalo",
                   mkt_medium="social", mkt_campaign="tet"),
    snowplow_event(2, 1, **SEARCH),
    snowplow_event(3, 2, **action("product_view", iglu("product", SHIRT))),
    snowplow_event(4, 3, **action("add_to_cart", iglu("product", SHIRT), iglu("product", CAP),
                                  iglu("cart", {"cart_id": "S1", "total_value": 450000}))),
    snowplow_event(5, 4, **action("checkout_step", iglu("checkout_step", {"step": 1}),
                                  iglu("cart", {"cart_id": "S1"}))),
    snowplow_event(6, 5, user_id="U1", **action(
        "transaction", iglu("transaction", {"transaction_id": "W1", "revenue": 450000}),
        iglu("transaction_error", {"error_code": "none"}), iglu("product", SHIRT),
        iglu("user", {"id": "U1", "email": "lan@hoa.example"}))),
    snowplow_event(7, 99, event="struct", se_category="shop", se_action="sign_up"),
    snowplow_event(8, 100, event_name="sign_up"),
]  # fmt: skip


def tsv(event: dict[str, Any]) -> str:
    """An event as the enrichment's stream has it."""
    values = (event.get(field, "") for field in FIELDS)
    return "\t".join(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values)


def sdk(event: dict[str, Any]) -> str:
    """An event as an analytics SDK has it: ISO times, a key for each schema."""
    flat = dict.fromkeys(FIELDS) | event
    for field in ("collector_tstamp", "derived_tstamp"):
        flat[field] = flat[field].replace(" ", "T") + "Z"
    del flat["contexts"], flat["derived_contexts"]
    for item in (event.get("contexts") or {"data": []})["data"]:
        flat.setdefault(f"contexts_{_key(item)}", []).append(item["data"])
    found = flat.pop("unstruct_event")
    if found:
        flat[f"unstruct_event_{_key(found['data'])}"] = found["data"]["data"]
    return json.dumps(flat, ensure_ascii=False)


def _key(item: dict[str, Any]) -> str:
    vendor, name, _, version = item["schema"].removeprefix("iglu:").split("/")
    return f"{vendor.replace('.', '_')}_{name}_{version.partition('-')[0]}"


def ga4_event(minute: int, name: str, params: dict[str, Any] | None = None, **more: Any) -> dict:
    """An event of the BigQuery export, its integers as text as BigQuery writes JSON."""
    moment = START + timedelta(minutes=minute)
    micros = (moment - datetime.fromisoformat("1970-01-01")) // timedelta(microseconds=1)
    shared = {"ga_session_id": 77, "page_location": "https://shop.example/ao?x=1"}
    return {
        "event_date": "20260301",
        "event_timestamp": str(micros),
        "event_name": name,
        "event_params": [_param(key, value) for key, value in (shared | (params or {})).items()],
        "user_pseudo_id": "ga-lan",
        "platform": "WEB",
        "stream_id": "1",
        "device": {"category": "mobile", "language": "vi-vn"},
        **more,
    }


def _param(key: str, value: Any) -> dict[str, Any]:
    kind = "string_value" if isinstance(value, str) else "int_value"
    nothing = dict.fromkeys(("string_value", "int_value", "float_value", "double_value"))
    return {"key": key, "value": nothing | {kind: str(value)}}


GA4 = [
    ga4_event(0, "page_view", collected_traffic_source={"manual_source": "zalo",
              "manual_medium": "social", "manual_campaign_name": "tet"}),
    ga4_event(1, "search", {"search_term": "áo"}),
    ga4_event(2, "view_item", items=[GA4_SHIRT]),
    ga4_event(3, "add_to_cart", items=[GA4_SHIRT, GA4_CAP]),
    ga4_event(4, "begin_checkout", items=[GA4_SHIRT, GA4_CAP]),
    ga4_event(5, "purchase", user_id="U1", items=[GA4_SHIRT],
              ecommerce={"transaction_id": "W1", "purchase_revenue": 450000.0}),
    ga4_event(100, "sign_up", user_id="U1"),
]  # fmt: skip
