-- Every word on consent with whom it concerns. A refusal that comes from an address or number which
-- stands for nobody, because several share it, concerns each of them: whoever holds it is written
-- to there, and must not be.
with refusals as (
    select distinct source, record_kind, record_id
    from {{ ref('int_consent_words') }}
    where customer_id is null and not is_granted
),

shown as (
    select
        refusals.source,
        refusals.record_kind,
        refusals.record_id,
        observed.identifier_type,
        observed.identifier_value
    from refusals
    inner join {{ ref('int_identifiers_observed') }} as observed
        on refusals.source = observed.source
        and refusals.record_kind = observed.record_kind
        and refusals.record_id = observed.record_id
    where observed.identifier_type in ('email', 'phone')
),

holders as (
    select distinct
        shown.source,
        shown.record_kind,
        shown.record_id,
        shown.identifier_type,
        record_customers.customer_id
    from shown
    inner join {{ ref('int_identifiers_observed') }} as held
        on shown.identifier_type = held.identifier_type
        and shown.identifier_value = held.identifier_value
    inner join {{ ref('int_record_customers') }} as record_customers
        on held.source = record_customers.source
        and held.record_kind = record_customers.record_kind
        and held.record_id = record_customers.record_id
    where record_customers.customer_id is not null
),

-- An advertiser's audience is matched by either, which would give one word twice.
concerned as (
    select distinct
        words.source,
        words.evidence_id,
        holders.customer_id
    from {{ ref('int_consent_words') }} as words
    inner join holders
        on words.source = holders.source
        and words.record_kind = holders.record_kind
        and words.record_id = holders.record_id
    where words.customer_id is null and not words.is_granted
        and case
            when words.channel = 'email' then holders.identifier_type = 'email'
            when words.channel in ('sms', 'zalo', 'phone') then holders.identifier_type = 'phone'
            else true
        end
)

select
    words.source,
    words.evidence_id,
    coalesce(words.customer_id, concerned.customer_id) as customer_id,
    words.channel,
    words.purpose,
    words.is_granted,
    words.occurred_at,
    words.text_version,
    concerned.customer_id is not null as is_shared
from {{ ref('int_consent_words') }} as words
left join concerned
    on words.source = concerned.source
    and words.evidence_id = concerned.evidence_id
