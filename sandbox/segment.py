"""The query that writes events as Segment's JSON: one line per row of `events`.

It joins the tables `events` (numbers), `visits` (what all events of a visit repeat) and `products`.
Times come as milliseconds of local time and are written in UTC.
"""

LINES = """
with picked as (
    select e.*, v.* exclude (row_number),
        p.product_id, p.name as product_name, p.category,
        strftime(make_timestamp((e.sent_ms - 25200000) * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') as sent,
        strftime(make_timestamp((e.at_ms - 25200000) * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') as original,
        strftime(make_timestamp((e.received_ms - 25200000) * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')
            as received,
        strftime(make_timestamp((e.received_ms - e.sent_ms + e.at_ms - 25200000) * 1000),
            '%Y-%m-%dT%H:%M:%S.%gZ') as stamp
    from events e
    join visits v on v.row_number = e.visit
    left join products p on p.row_number = e.product
), shaped as (
    select *,
        case code when 1 then 'identify' when 8 then 'alias' when 0 then 'page' when 3 then 'page'
            else 'track' end as kind,
        case code when 2 then 'Products Searched' when 4 then 'Product Viewed'
            when 5 then 'Product Added' when 6 then 'Cart Viewed' when 7 then 'Checkout Started'
            when 9 then 'Signed Up' when 10 then 'Order Completed' end as event,
        case code when 0 then '/' when 2 then '/tim-kiem' when 3 then '/san-pham/' || product_id
            when 4 then '/san-pham/' || product_id when 5 then '/san-pham/' || product_id
            when 6 then '/gio-hang' when 7 then '/thanh-toan' when 10 then '/cam-on'
            else '/tai-khoan' end as path,
        case code
            when 2 then json_object('query', category)
            when 4 then json_object('product_id', product_id, 'name', product_name,
                'category', category, 'price', price, 'currency', 'VND')
            when 5 then json_object('cart_id', cart_id, 'product_id', product_id,
                'name', product_name, 'category', category, 'price', price,
                'quantity', quantity, 'currency', 'VND')
            when 6 then json_object('cart_id', cart_id)
            when 7 then json_object('cart_id', cart_id, 'value', total, 'currency', 'VND')
            when 9 then json_object('method', sign_up_method)
            when 10 then json_object('order_id', order_id, 'cart_id', cart_id, 'total', total,
                'currency', 'VND')
            else json_object('path', case code when 0 then '/' else '/san-pham/' || product_id end)
        end as properties
    from picked
)
select to_json({
    type: kind, messageId: message_id, anonymousId: anonymous_id,
    userId: case when is_known then user_id end,
    previousId: case when code = 8 then anonymous_id end,
    event: event, name: case code when 0 then 'Home' when 3 then 'Product' end,
    properties: case when kind in ('identify', 'alias') then null else properties end,
    traits: case when code = 1
        then json_object('email', email, 'phone', phone, 'name', full_name) end,
    context: {
        campaign: {source: source, medium: medium, name: campaign},
        page: {url: 'https://sai.example' || path, path: path, referrer: referrer,
            title: coalesce(product_name, 'Sải')},
        device: {id: device_id, type: device_type},
        userAgent: user_agent, locale: 'vi-VN', library: {name: 'analytics.js', version: '2.1'}
    },
    originalTimestamp: original, sentAt: sent, receivedAt: received, timestamp: stamp
})::varchar as line, received_ms
from shaped order by received_ms, event_number, sent_ms
"""
