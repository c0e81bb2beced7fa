{{ config(unique_key=['source', 'message_id'], meta={'raw_table': 'segment.events'}) }}

{#- The JSON is read once, when the event arrives: later runs see columns. -#}
{%- set documents = {
    'traits': [
        'email', 'phone',
    ],
    'context': [
        'traits.email', 'traits.phone', 'page.path', 'page.url', 'page.referrer',
        'campaign.source', 'campaign.medium', 'campaign.name', 'device.id', 'device.type',
        'locale',
    ],
    'properties': [
        'product_id', 'name', 'product_name', 'category', 'cart_id', 'order_id', 'query',
        'price', 'quantity', 'total',
    ],
} -%}
{{ latest_rows(
    'segment.events',
    keys=['message_id'],
    order_by=[],
    documents=documents,
    derived={
        'trait_email': 'coalesce(' ~ document_text(documents, 'traits', 'email') ~ ', '
            ~ document_text(documents, 'context', 'traits.email') ~ ')',
        'trait_phone': 'coalesce(' ~ document_text(documents, 'traits', 'phone') ~ ', '
            ~ document_text(documents, 'context', 'traits.phone') ~ ')',
        'product_id': document_text(documents, 'properties', 'product_id'),
        'product_name': 'coalesce(' ~ document_text(documents, 'properties', 'name') ~ ', '
            ~ document_text(documents, 'properties', 'product_name') ~ ')',
        'category': document_text(documents, 'properties', 'category'),
        'cart_id': document_text(documents, 'properties', 'cart_id'),
        'order_id': document_text(documents, 'properties', 'order_id'),
        'search_text': document_text(documents, 'properties', 'query'),
        'price': document_number(documents, 'properties', 'price'),
        'quantity': document_number(documents, 'properties', 'quantity'),
        'total': document_number(documents, 'properties', 'total'),
        'page_path': document_text(documents, 'context', 'page.path'),
        'page_url': document_text(documents, 'context', 'page.url'),
        'referrer': document_text(documents, 'context', 'page.referrer'),
        'utm_source': document_text(documents, 'context', 'campaign.source'),
        'utm_medium': document_text(documents, 'context', 'campaign.medium'),
        'utm_campaign': document_text(documents, 'context', 'campaign.name'),
        'device_id': document_text(documents, 'context', 'device.id'),
        'device_type': document_text(documents, 'context', 'device.type'),
        'locale': document_text(documents, 'context', 'locale'),
    },
) }}
