-- From which day on a customer is known, and reached by e-mail, by telephone and through an account
-- (which an app logs in with): null where no valid identifier of the kind is theirs. Nobody is
-- known before the first day of the history.
{{ config(schema='intermediate') }}

with first_day as (select min(on_date) as first_on from {{ ref('calendar') }}),

seen as (
    select
        customer_id,
        min(case when kind = 'email' then shown_at end) as email_at,
        min(case when kind = 'phone' then shown_at end) as phone_at,
        min(case when kind = 'user_id' then shown_at end) as account_at,
        max(case when kind = 'user_id' then 1 else 0 end) as has_account
    from (
        select customer_id, identifier_type as kind, first_seen_at as shown_at
        from {{ ref('customer_identifiers') }}
        where valid_to is null
        -- What a family shares reaches each of them, though it tells nobody apart. What one browser
        -- alone showed may be somebody else's.
        union all
        select holders.customer_id, observed.identifier_type, min(observed.first_seen_at)
        from {{ ref('int_identifiers_observed') }} as observed
        inner join {{ ref('int_record_customers') }} as holders
            on observed.source = holders.source
            and observed.record_kind = holders.record_kind
            and observed.record_id = holders.record_id
        where observed.identifier_type in ('email', 'phone')
        group by holders.customer_id, observed.identifier_type, observed.identifier_value
        having max(case when observed.record_kind = 'web_identities' then 0 else 1 end) = 1
    ) as shown
    group by customer_id
)

select
    customers.customer_id,
    customers.customer_number,
    greatest(
        coalesce({{ business_date('customers.identified_at') }}, first_day.first_on),
        first_day.first_on
    ) as known_on,
    case
        when facts.email is not null
            then coalesce({{ business_date('seen.email_at') }}, first_day.first_on)
    end as email_on,
    case
        when facts.phone_e164 is not null
            then coalesce({{ business_date('seen.phone_at') }}, first_day.first_on)
    end as phone_on,
    case
        when seen.has_account = 1
            then coalesce({{ business_date('seen.account_at') }}, first_day.first_on)
    end as account_on
from {{ ref('kpi_customers') }} as customers
inner join {{ ref('customers') }} as facts on customers.customer_id = facts.customer_id
left join seen on customers.customer_id = seen.customer_id
cross join first_day
