-- Every delivered record that names a person, with the identifiers as they were written.
-- Millions of events name few people: one record per combination of identifiers, not per event.
with combinations as (
    select
        source,
        namespace,
        min(message_id) as first_message_id,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at,
        user_id,
        email,
        phone,
        anonymous_id
    from {{ ref('int_web_identifiers') }}
    group by source, namespace, user_id, email, phone, anonymous_id
),

web_identities as (
    select
        source,
        namespace,
        'web_identities' as record_kind,
        -- One event may show two combinations.
        first_message_id || ':' || cast(row_number() over (
            partition by source, first_message_id
            order by user_id nulls last, email nulls last, phone nulls last, anonymous_id nulls last
        ) as varchar) as record_id,
        first_seen_at,
        last_seen_at,
        user_id,
        cast(null as varchar) as member_number,
        cast(null as varchar) as external_id,
        email,
        phone,
        anonymous_id,
        cast(null as varchar) as full_name,
        cast(null as varchar) as country
    from combinations
),

-- A member is one address under every list: the list that changed last tells.
mailchimp_members as (
    select
        source,
        namespace,
        'customers' as record_kind,
        member_id as record_id,
        coalesce(timestamp_opt, last_changed) as first_seen_at,
        coalesce(last_changed, timestamp_opt) as last_seen_at,
        cast(null as varchar) as user_id,
        cast(null as varchar) as member_number,
        cast(null as varchar) as external_id,
        email_address as email,
        cast(null as varchar) as phone,
        cast(null as varchar) as anonymous_id,
        full_name,
        cast(null as varchar) as country
    from (
        select
            *,
            row_number() over (
                partition by source, member_id
                order by last_changed desc nulls last, list_id asc
            ) as recency
        from {{ ref('stg_mailchimp__members') }}
        where {{ had_happened('timestamp_opt') }}
    ) as members
    where recency = 1
),

-- Who named whom, and when: the record's key, its moments, its name and country where it has them.
{% set entities = {
    'customers': ('record_id', 'created_at', 'updated_at', told_name(), 'country'),
    'consents': ('consent_id', 'occurred_at', 'occurred_at', 'null', 'null'),
    'experiments': ('experiment_id', 'assigned_at', 'assigned_at', 'null', 'null'),
    'survey_responses': ('response_id', 'answered_at', 'answered_at', 'null', 'null'),
    'conversations': ('conversation_id', 'opened_at', 'updated_at', 'full_name', 'null'),
    'messages': ('message_id', 'sent_at', 'sent_at', 'null', 'null'),
    'calls': ('call_id', 'started_at', 'started_at', 'null', 'null'),
    'leads': ('lead_id', 'created_at', 'updated_at', 'full_name', 'null'),
    'appointments': ('appointment_id', 'booked_at', 'starts_at', 'full_name', 'null'),
    'coupon_redemptions': ('redemption_id', 'redeemed_at', 'redeemed_at', 'null', 'null'),
    'loyalty_enrolments': ('enrolment_id', 'enrolled_at', 'updated_at', 'full_name', 'null'),
    'referrals': ('referral_id', 'referred_at', 'referred_at', 'full_name', 'null'),
    'email_events': ('email_event_id', 'occurred_at', 'occurred_at', 'null', 'null'),
} -%}
{% set told = ['web_identities', 'mailchimp_members', 'orders'] -%}
{% for entity, (key, first, last, name, country) in entities.items() if has_entity(entity) -%}
{% do told.append(entity) -%}
{{ entity }} as (
    select
        source,
        namespace,
        '{{ entity }}' as record_kind,
        {{ key }} as record_id,
        coalesce({{ first }}, {{ last }}) as first_seen_at,
        coalesce({{ last }}, {{ first }}) as last_seen_at,
        user_id,
        member_number,
        external_id,
        email,
        phone,
        anonymous_id,
        cast({{ name }} as varchar) as full_name,
        cast({{ country }} as varchar) as country
    from {{ entity_rows(entity) }} as delivered
),

{% endfor -%}
{% if has_entity('referrals') -%}
{% do told.append('referrers') -%}
referrers as (
    select
        source,
        namespace,
        'referrers' as record_kind,
        referral_id as record_id,
        referred_at as first_seen_at,
        referred_at as last_seen_at,
        referrer_user_id as user_id,
        referrer_member_number as member_number,
        referrer_external_id as external_id,
        referrer_email as email,
        referrer_phone as phone,
        cast(null as varchar) as anonymous_id,
        cast(null as varchar) as full_name,
        cast(null as varchar) as country
    from {{ entity_rows('referrals') }} as delivered
),

{% endif -%}
orders as (
    select
        source,
        namespace,
        'orders' as record_kind,
        source_order_id as record_id,
        ordered_at as first_seen_at,
        ordered_at as last_seen_at,
        user_id,
        member_number,
        external_id,
        email,
        phone,
        anonymous_id,
        full_name,
        country
    from {{ ref('int_source_orders') }}
)

{% for relation in told -%}
select * from {{ relation }}
{{ "union all" if not loop.last }}
{% endfor %}
