{% set is_exported = "substring(email_events.email_event_id, 1, length(email_events.source) + 1)"
    ~ " = email_events.source || ':'" -%}
-- Every word on consent, and whose it is. The e-mail platform is heard only when somebody leaves: a
-- subscription there may be one that we pushed, and our own push is no evidence of a wish. Who
-- answers a text with a word that stops them (Twilio's, and TC of Viet Nam's Decree 91/2020) wants
-- none of any purpose on that channel; whose call ended in `do_not_call` wants no more calls but
-- for service.
with told as (
    select
        source,
        'consents' as record_kind,
        consent_id as record_id,
        consent_id as evidence_id,
        channel,
        purpose,
        coalesce(is_granted, false) as is_granted,
        occurred_at,
        text_version
    from {{ entity_rows('consents') }} as consents
    union all
    select
        source,
        'customers',
        member_id,
        'member:' || list_id || ':' || member_id,
        'email',
        'marketing',
        false,
        coalesce(last_changed, timestamp_opt),
        null
    from {{ ref('stg_mailchimp__members') }}
    where status in ('unsubscribed', 'cleaned')
        and {{ had_happened('coalesce(last_changed, timestamp_opt)') }}
    union all
    select
        messages.source,
        'messages',
        messages.message_id,
        'message:' || messages.message_id || ':' || purposes.purpose,
        lower(messages.channel),
        purposes.purpose,
        false,
        messages.sent_at,
        null
    from {{ entity_rows('messages') }} as messages
    cross join {{ ref('consent_purposes') }} as purposes
    where lower(messages.direction) = 'inbound'
        and lower(messages.channel) in ('sms', 'zalo')
        and purposes.purpose <> 'unknown'
        and upper(trim(messages.body)) in (
            'STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'TC'
        )
    union all
    select
        calls.source,
        'calls',
        calls.call_id,
        'call:' || calls.call_id || ':' || purposes.purpose,
        'phone',
        purposes.purpose,
        false,
        calls.started_at,
        null
    from {{ entity_rows('calls') }} as calls
    cross join {{ ref('consent_purposes') }} as purposes
    where lower(calls.outcome) = 'do_not_call' and purposes.purpose not in ('unknown', 'service')
)

select
    told.source,
    told.record_kind,
    told.record_id,
    told.evidence_id,
    coalesce(replies.customer_id, listed.customer_id, record_customers.customer_id) as customer_id,
    told.channel,
    told.purpose,
    told.is_granted,
    told.occurred_at,
    told.text_version
from told
left join {{ ref('int_record_customers') }} as record_customers
    on told.source = record_customers.source
    and told.record_kind = record_customers.record_kind
    and told.record_id = record_customers.record_id
-- Who refuses at a number that several share is whom we wrote to, or whom our list had called.
left join {{ ref('int_message_replies') }} as replies
    on told.record_kind = 'messages'
    and told.source = replies.source
    and told.record_id = replies.message_id
left join {{ ref('int_sync_calls') }} as listed
    on told.record_kind = 'calls'
    and 'call:' || told.source || ':' || told.record_id = listed.touch_id
union all
select
    email_events.source,
    -- An exported event is a record of its own; at a platform its members are the records.
    case when {{ is_exported }} then 'email_events' else 'customers' end,
    case
        when {{ is_exported }}
            then substring(email_events.email_event_id, length(email_events.source) + 2)
        else email_events.member_id
    end,
    'unsubscribe:' || email_events.email_event_id,
    email_events.customer_id,
    'email',
    'marketing',
    false,
    email_events.occurred_at,
    null
from {{ ref('int_email_events') }} as email_events
where email_events.kind = 'unsubscribe'
