{{ config(materialized='view') }}

-- Web events in our words, before sessions and customers are known.
with events as (
    select
        *,
        coalesce(nullif(anonymous_id, ''), 'user:' || user_id, 'message:' || message_id)
            as visitor_key,
        {{ json_text('context', 'page.url') }} as page_url
    from {{ ref('stg_segment__events') }}
)

select
    message_id,
    source,
    namespace,
    visitor_key,
    nullif(anonymous_id, '') as anonymous_id,
    nullif(user_id, '') as user_id,
    occurred_at,
    received_at,
    type,
    event,
    case
        when event in ('Product Viewed', 'Product List Viewed') or type in ('page', 'screen')
            then 'view'
        when event = 'Products Searched' then 'search'
        when event in ('Product Added', 'Product Removed', 'Cart Viewed', 'Checkout Started')
            then 'cart'
        when event = 'Order Completed' then 'order'
        when event = 'Signed Up' then 'sign_up'
        when type in ('identify', 'alias') then 'identify'
        else 'other'
    end as kind,
    {{ json_text('properties', 'product_id') }} as product_id,
    coalesce({{ json_text('properties', 'name') }}, {{ json_text('properties', 'product_name') }})
        as product_name,
    {{ json_text('properties', 'category') }} as category,
    {{ json_text('properties', 'cart_id') }} as cart_id,
    {{ json_text('properties', 'order_id') }} as order_id,
    {{ json_text('properties', 'query') }} as search_text,
    try_cast({{ json_text('properties', 'price') }} as decimal(18, 4)) as original_price_amount,
    try_cast({{ json_text('properties', 'quantity') }} as decimal(18, 4)) as quantity,
    try_cast({{ json_text('properties', 'total') }} as decimal(18, 4)) as original_total_amount,
    coalesce(
        {{ json_text('context', 'page.path') }},
        {{ rx_extract('page_url', '^[a-z]+://[^/]+([^?#]*)', 1) }}
    ) as page_path,
    {{ json_text('context', 'page.referrer') }} as referrer,
    {{ json_text('context', 'campaign.source') }} as utm_source,
    {{ json_text('context', 'campaign.medium') }} as utm_medium,
    {{ json_text('context', 'campaign.name') }} as utm_campaign,
    {{ json_text('context', 'device.id') }} as device_id,
    {{ json_text('context', 'device.type') }} as device_type,
    {{ json_text('context', 'locale') }} as locale
from events
