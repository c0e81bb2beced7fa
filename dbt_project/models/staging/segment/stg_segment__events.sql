{{ config(unique_key=['source', 'message_id'], meta={'raw_table': 'segment.events'}) }}

{#- The JSON is read once, when the event arrives: later runs see columns. -#}
{{ latest_rows(
    'segment.events',
    keys=['message_id'],
    order_by=[],
    derived={
        'trait_email': 'coalesce(' ~ json_text('traits', 'email') ~ ', '
            ~ json_text('context', 'traits.email') ~ ')',
        'trait_phone': 'coalesce(' ~ json_text('traits', 'phone') ~ ', '
            ~ json_text('context', 'traits.phone') ~ ')',
        'product_id': json_text('properties', 'product_id'),
        'product_name': 'coalesce(' ~ json_text('properties', 'name') ~ ', '
            ~ json_text('properties', 'product_name') ~ ')',
        'category': json_text('properties', 'category'),
        'cart_id': json_text('properties', 'cart_id'),
        'order_id': json_text('properties', 'order_id'),
        'search_text': json_text('properties', 'query'),
        'price': 'try_cast(' ~ json_text('properties', 'price') ~ ' as decimal(18, 4))',
        'quantity': 'try_cast(' ~ json_text('properties', 'quantity') ~ ' as decimal(18, 4))',
        'total': 'try_cast(' ~ json_text('properties', 'total') ~ ' as decimal(18, 4))',
        'page_path': json_text('context', 'page.path'),
        'page_url': json_text('context', 'page.url'),
        'referrer': json_text('context', 'page.referrer'),
        'utm_source': json_text('context', 'campaign.source'),
        'utm_medium': json_text('context', 'campaign.medium'),
        'utm_campaign': json_text('context', 'campaign.name'),
        'device_id': json_text('context', 'device.id'),
        'device_type': json_text('context', 'device.type'),
        'locale': json_text('context', 'locale'),
    },
) }}
