{{ config(unique_key=['source', 'event_id'], meta={'raw_table': 'snowplow.events'}) }}

{#- Snowplow's words become those of Segment's spec; the first product stands for an event's. -#}
{% set step = "coalesce(" ~ json_text('checkout', 'step') ~ ", '1')" %}
{% set legacy = "(case when event_name in ('add_to_cart', 'remove_from_cart')"
    ~ " then unstruct_event end)" %}
{{ latest_rows(
    'snowplow.events',
    keys=['event_id'],
    order_by=['collector_tstamp'],
    derived={
        'message_id': 'event_id',
        'type': "case when event_type = 'page_view' and event_name = 'screen_view' then 'screen'"
            ~ " when event_type = 'page_view' then 'page' else 'track' end",
        'event': "case " ~ json_text('action', 'type')
            ~ " when 'product_view' then 'Product Viewed' when 'list_view' then"
            ~ " 'Product List Viewed' when 'list_click' then 'Product Clicked' when 'add_to_cart'"
            ~ " then 'Product Added' when 'remove_from_cart' then 'Product Removed'"
            ~ " when 'checkout_step' then case when " ~ step ~ " = '1' then 'Checkout Started'"
            ~ " else 'Checkout Step Viewed' end when 'transaction' then 'Order Completed'"
            ~ " when 'refund' then 'Order Refunded' else case"
            ~ " when event_type = 'page_view' then null"
            ~ " when event_type = 'transaction' then 'Order Completed'"
            ~ " when event_name = 'add_to_cart' then 'Product Added'"
            ~ " when event_name = 'remove_from_cart' then 'Product Removed'"
            ~ " when event_name = 'site_search' then 'Products Searched'"
            ~ " when lower(coalesce(event_name, '')) in ('sign_up', 'signup', 'signed_up')"
            ~ " or lower(coalesce(se_action, '')) in ('sign_up', 'signup', 'sign-up')"
            ~ " then 'Signed Up' else coalesce(se_action, event_name, event_type) end end",
        'anonymous_id': 'coalesce(domain_userid, network_userid)',
        'previous_id': 'cast(null as varchar)',
        'received_at': 'collector_tstamp',
        'trait_email': json_text('shopper', 'email'),
        'trait_phone': 'cast(null as varchar)',
        'product_id': "coalesce(" ~ json_first('products', 'id') ~ ", "
            ~ json_text(legacy, 'data.data.sku') ~ ", ti_sku)",
        'product_name': "coalesce(" ~ json_first('products', 'name') ~ ", "
            ~ json_text(legacy, 'data.data.name') ~ ", ti_name)",
        'category': "coalesce(" ~ json_first('products', 'category') ~ ", "
            ~ json_text(legacy, 'data.data.category') ~ ", ti_category)",
        'cart_id': "coalesce(" ~ json_text('cart', 'cart_id') ~ ", case when "
            ~ json_text('action', 'type') ~ " in ('add_to_cart', 'remove_from_cart',"
            ~ " 'checkout_step', 'transaction') or event_name in ('add_to_cart',"
            ~ " 'remove_from_cart') then domain_sessionid end)",
        'order_id': "coalesce(" ~ json_text('purchase', 'transaction_id') ~ ", tr_orderid)",
        'search_text': json_text('unstruct_event', 'data.data.terms[0]'),
        'price': "coalesce(" ~ item_price('products') ~ ", try_cast("
            ~ json_text(legacy, 'data.data.unitPrice') ~ " as decimal(18, 4)))",
        'quantity': "coalesce(" ~ item_units('products') ~ ", try_cast("
            ~ json_text(legacy, 'data.data.quantity') ~ " as decimal(18, 4)))",
        'total': "try_cast(coalesce(" ~ json_text('purchase', 'revenue')
            ~ ", tr_total) as decimal(18, 4))",
        'page_path': 'page_urlpath',
        'referrer': 'page_referrer',
        'utm_source': 'mkt_source',
        'utm_medium': 'mkt_medium',
        'utm_campaign': 'mkt_campaign',
        'device_id': 'domain_userid',
        'device_type': 'lower(dvce_type)',
        'locale': 'br_lang',
    },
) }}
