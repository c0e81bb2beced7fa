{{ config(materialized='view', meta={'raw_table': 'shopify.customers'}) }}

-- What a customer says to e-mail and SMS now. Who was never asked has no row, and a state that is
-- anything but subscribed is a refusal.
{% set states = {
    'email': ('email_marketing_state', 'email_marketing_updated_at'),
    'sms': ('sms_marketing_state', 'sms_marketing_updated_at'),
} %}
{% for channel, (state, moved) in states.items() -%}
select
    record_id || ':{{ channel }}' as consent_id,
    user_id,
    member_number,
    external_id,
    email,
    phone,
    anonymous_id,
    '{{ channel }}' as channel,
    'marketing' as purpose,
    {{ state }} = 'SUBSCRIBED' as is_granted,
    coalesce({{ moved }}, updated_at) as occurred_at,
    cast(null as varchar) as text_version,
    _file,
    _row,
    _is_deleted,
    source,
    namespace,
    _load_id
from {{ ref('stg_shopify__customers') }}
where not coalesce(_is_deleted, false)
    and {{ state }} is not null
    and ({{ state }} <> 'NOT_SUBSCRIBED' or {{ moved }} is not null)
{{ "union all" if not loop.last }}
{% endfor %}
