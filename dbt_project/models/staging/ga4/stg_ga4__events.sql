{{ config(unique_key=['source', 'event_id'], meta={'raw_table': 'ga4.events'}) }}

{#- Google's words become those of Segment's spec; the first item stands for an event's items. -#}
{% set words = {
    'view_item': 'Product Viewed', 'view_item_list': 'Product List Viewed',
    'select_item': 'Product Clicked', 'search': 'Products Searched',
    'view_search_results': 'Products Searched', 'add_to_cart': 'Product Added',
    'remove_from_cart': 'Product Removed', 'view_cart': 'Cart Viewed',
    'begin_checkout': 'Checkout Started', 'purchase': 'Order Completed',
    'refund': 'Order Refunded', 'sign_up': 'Signed Up',
} %}
{% set ns = namespace(cases='') %}
{% for word, ours in words.items() %}
{% set ns.cases = ns.cases ~ " when '" ~ word ~ "' then '" ~ ours ~ "'" %}
{% endfor %}
{% set campaign = 'collected_traffic_source' %}
{{ latest_rows(
    'ga4.events',
    keys=['event_id'],
    order_by=[],
    derived={
        'message_id': 'event_id',
        'type': "case event_name when 'page_view' then 'page' when 'screen_view' then 'screen'"
            ~ " else 'track' end",
        'event': "case event_name when 'page_view' then null when 'screen_view' then null"
            ~ ns.cases ~ " else event_name end",
        'anonymous_id': 'user_pseudo_id',
        'previous_id': 'cast(null as varchar)',
        'received_at': 'cast(null as timestamp)',
        'trait_email': 'cast(null as varchar)',
        'trait_phone': 'cast(null as varchar)',
        'product_id': json_first('items', 'item_id'),
        'product_name': json_first('items', 'item_name'),
        'category': json_first('items', 'item_category'),
        'cart_id': "case when event_name in ('add_to_cart', 'remove_from_cart', 'view_cart',"
            ~ " 'begin_checkout', 'purchase') then coalesce(" ~ json_param('event_params', 'cart_id')
            ~ ", user_pseudo_id || '.' || " ~ json_param('event_params', 'ga_session_id') ~ ") end",
        'order_id': "nullif(coalesce(" ~ json_text('ecommerce', 'transaction_id') ~ ", "
            ~ json_param('event_params', 'transaction_id') ~ "), '(not set)')",
        'search_text': json_param('event_params', 'search_term'),
        'price': item_price('items'),
        'quantity': item_units('items'),
        'total': "try_cast(coalesce(" ~ json_text('ecommerce', 'purchase_revenue') ~ ", "
            ~ json_param('event_params', 'value') ~ ") as decimal(18, 4))",
        'page_path': 'cast(null as varchar)',
        'page_url': json_param('event_params', 'page_location'),
        'referrer': json_param('event_params', 'page_referrer'),
        'utm_source': "coalesce(" ~ json_text(campaign, 'manual_source') ~ ", "
            ~ json_param('event_params', 'source') ~ ")",
        'utm_medium': "coalesce(" ~ json_text(campaign, 'manual_medium') ~ ", "
            ~ json_param('event_params', 'medium') ~ ")",
        'utm_campaign': "coalesce(" ~ json_text(campaign, 'manual_campaign_name') ~ ", "
            ~ json_param('event_params', 'campaign') ~ ")",
        'device_id': "coalesce(" ~ json_text('device', 'vendor_id') ~ ", user_pseudo_id)",
        'device_type': json_text('device', 'category'),
        'locale': json_text('device', 'language'),
    },
) }}
