"""What sqlfluff sees where dbt would render a macro: SQL of the same shape, without a warehouse."""

import json
from types import SimpleNamespace
from typing import Any

QUERY = "select 1 as stub"
execute = False
adapter = SimpleNamespace(
    get_relation=lambda *names: ".".join(names), quote=lambda name: f'"{name}"'
)
_VARS: dict[str, Any] = {
    "sources": [{"name": "shop", "kind": "files", "area": "web", "currency": "VND"}],
    "thresholds": {},
    "attribution": {"window_days": 30, "include": ["sends", "opens"]},
    "measurement": {"campaign_window_days": 7, "lift_window_days": [3, 7]},
    "holdout_shares": {"stub": 0.1},
    "identity": {
        "gmail_rules": False,
        "identifiers": {
            name: {"strength": 80, "per_person": 5, "holders": 2, "window_days": 30}
            for name in ("email", "phone", "anonymous_id")
        },
        "matching": {
            "enabled": True,
            "link_at": 0.7,
            "review_at": 0.5,
            "duplicate_free": [],
            "leave_out": [],
        },
    },
}


def var(name: str, default: Any = None) -> Any:
    """A run's variable."""
    return _VARS.get(name, default or name)


def tojson(value: Any) -> str:
    """As dbt's."""
    return json.dumps(value)


def local_md5(value: str) -> str:
    """As dbt's, without the arithmetic."""
    return value[:0] + "0" * 32


def _call(*arguments: Any) -> str:
    return f"stub({', '.join(str(argument) for argument in arguments)})"


def _value(expression: Any, *_: Any, **__: Any) -> str:
    return f"stub({expression})"


def _query(*_: Any, **__: Any) -> str:
    return QUERY


def _relation(*_: Any, **__: Any) -> str:
    return f"({QUERY})"


def _number(*_: Any) -> int:
    return 1


def _slices() -> str:
    return "customers.customer_number as customer_number"


def _condition(relation: str) -> str:
    return f"({relation}.kind = 'call')"


def _constant(*_: Any) -> str:
    return "stub()"


json_first = json_param = item_price = item_units = _value
parse_ts = business_date = business_hour = iso_dow = json_text = rx_extract = _value
json_elements = woocommerce_name = woocommerce_province = staged_table = _value
major_units = is_square_return = trust_rank = _value
rx_replace = sha256 = fold_text = money = converted = rate_or_one = or_unknown = identifier_rank = (
    identifier_strength
) = matched_email = sorted_words = _value
rx_like = gender_word = salutation = salutation_name = age_band = age_on = quintile_score = (
    is_test_customer
) = _value
name_in_order = json_item = json_sum = shopify_key = speaks_of_carts = _value
json_pairs = listed = segment_slug = quoted = _value
unit_cost = _value
customer_slices = _slices
is_sales_call = _condition
spoken_as = _constant
raw_only_account = _query
seconds_between = plus_minutes = days_after = days_between = source_key = _call
lifecycle_stage = recovery_ends_at = _call
share_of_first = share_of_amount = window_ends_at = is_window_over = _call
is_counted = is_converted = document_text = document_number = _constant
lift_bound = _call
told_name = customer_id_of = as_of_at = as_of_on = run_value = last_observed_on = _constant
threshold = most_names_compared = _number
latest_rows = not_yet_filled = last_links = table_account = kpi_rows = _query
moved_since_the_first_day = _query
vocabulary = entity_rows = entity_rows_once = web_event_rows = segment_definitions = _relation
has_entity = is_staged = is_told_twice = bool
had_happened = order_had_happened = _constant
happened_at = str
is_replay = bool
dbt = SimpleNamespace(dateadd=_call, datediff=_call, date_trunc=_call, concat=_call)


def thresholds() -> dict[str, Any]:
    """One."""
    return {"loyal_order_days": 3}


def kpi_bounds() -> dict[str, tuple[int, int]]:
    """One."""
    return {"nps": (-100, 100)}


def blocked_patterns() -> list[dict[str, str]]:
    """One."""
    return [{"identifier_type": "'stub'", "pattern": "'stub'", "reason": "'stub'"}]


def segment_flags() -> list[dict[str, str]]:
    """One."""
    return [{"segment_id": "stub", "kind": "psychographic", "rule": "stub > 1"}]


def evidence_terms(_: Any) -> dict[str, Any]:
    """One."""
    term = {"segment_id": "stub", "measure": "stub", "comparison": ">", "limit": "1"}
    return {"rows": [term], "columns": ["stub"]}


def exclusive_kinds() -> dict[str, dict[str, str]]:
    """One of each sort."""
    return {"gender": {"column": "gender"}, "ward": {"column": "ward", "open": "geographic"}}


def identifier_rule(identifier_type: str, key: str) -> Any:
    """As ours."""
    return _VARS["identity"]["identifiers"][identifier_type][key]


def issuing_namespace(_: str, of: str = "") -> str:
    """A column."""
    return f"{of}.namespace" if of else "namespace"


def same_person(left: str, right: str) -> str:
    """A condition on both."""
    return f"({left}.folded_name = {right}.folded_name)"


may_be_one_person = same_person


def tells_a_person(record: str) -> str:
    """A condition on one."""
    return f"({record}.birth_date is not null)"


def attribution_models() -> dict[str, str]:
    """Two of them: sqlfluff sees a union."""
    return {"first_touch": "touch_number = 1", "linear": "touch_number > 0"}


def lift_metrics() -> list[dict[str, Any]]:
    """One."""
    return [{"name": "order", "days": 3, "at": "stub"}]


def with_segments(relation: str) -> str:
    """A query that reads the relation."""
    return f"select * from {relation}"


def raw_columns(_: str) -> dict[str, str]:
    """One column."""
    return {"stub": "varchar"}


def as_entity(_entity: str, relation: str, _columns: dict[str, str]) -> str:
    """A query that reads the relation."""
    return f"select 1 as stub from {relation}"


def web_event_vendors() -> list[str]:
    """All."""
    return ["snowplow", "ga4"]


def raw_only_tables() -> list[str]:
    """None: there is nothing to lint in an account that is all macro."""
    return []
