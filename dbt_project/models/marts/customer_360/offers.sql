-- Offers that a source declares, what our audiences give codes of one person each for, and codes
-- only seen when they were used.
with declared as (
    select
        offer_id,
        coalesce(offer_code, offer_id) as offer_code,
        offer_name,
        campaign_id,
        valid_from,
        valid_to,
        row_number() over (
            partition by offer_id order by updated_at desc nulls last, source asc
        ) as version_rank
    from {{ entity_rows('offers') }} as offers
),

known as (
    select offer_id as code
    from declared
    union
    select offer_code
    from declared
),

given as (
    select offer_code, offer_id, audience
    from {{ ref('given_codes') }}
),

seen as (
    select coupon_code as code
    from {{ ref('orders') }}
    where coupon_code is not null
    union
    select offer_id
    from {{ entity_rows('coupon_redemptions') }} as redemptions
    where offer_id is not null
)

select
    offer_id,
    offer_code,
    offer_name,
    campaign_id,
    valid_from,
    valid_to
from declared
where version_rank = 1
union all
-- Each of its codes has its own validity.
select offer_id, offer_id as offer_code, min(audience), null, null, null
from given
group by offer_id
union all
-- A code's validity is not guessed.
select
    seen.code as offer_id,
    seen.code as offer_code,
    null as offer_name,
    null as campaign_id,
    null as valid_from,
    null as valid_to
from seen
left join known on seen.code = known.code
where known.code is null
    and not exists (
        select 1
        from given
        where upper(trim(seen.code)) = given.offer_code
    )
