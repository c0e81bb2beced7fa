-- Up to three products per customer, each with its strongest reason.
with reasons as (
    select
        *,
        row_number() over (
            partition by customer_id, product_id
            order by reason_rank asc, score desc, because_product_id asc
        ) as reason_choice
    from {{ ref('recommendation_candidates') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id order by reason_rank asc, score desc, product_id asc
        ) as place
    from reasons
    where reason_choice = 1
)

select
    customer_id,
    cast(place as integer) as {{ adapter.quote('rank') }},
    product_id,
    cast(score as double) as score,
    reason,
    because_product_id
from ranked
where place <= 3
