{{ config(materialized='view') }}

-- Web events in our words, before sessions and customers are known.
select
    event_number,
    message_id,
    source,
    namespace,
    coalesce(nullif(anonymous_id, ''), 'user:' || user_id, 'message:' || message_id)
        as visitor_key,
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
    product_id,
    product_name,
    category,
    cart_id,
    order_id,
    search_text,
    price as original_price_amount,
    quantity,
    total as original_total_amount,
    coalesce(page_path, {{ rx_extract('page_url', '^[a-z]+://[^/]+([^?#]*)', 1) }}) as page_path,
    page_url,
    referrer,
    utm_source,
    utm_medium,
    utm_campaign,
    device_id,
    device_type,
    locale
from {{ web_event_rows() }} as events
where {{ had_happened('occurred_at') }}
