{{ config(unique_key=['source', 'activity_id'], meta={'raw_table': 'mailchimp.email_activity'}) }}

{#- The API gives activity no id and a link's address may be absent: the key is the content. -#}
{{ latest_rows(
    'mailchimp.email_activity',
    keys=['activity_id'],
    order_by=[],
    derived={
        'activity_id': sha256(
            "concat_ws('|', campaign_id, member_id, action, cast(occurred_at as varchar),"
            ~ " coalesce(activity_type, ''), coalesce(url, ''))"
        ),
    },
) }}
