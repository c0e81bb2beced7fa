{%- set kinds = exclusive_kinds().keys() %}
-- Nobody is in two segments of an exclusive kind or in none, now or in the history's last word; and
-- the stage on the customer's row is the one its lifecycle intervals end with.
with current_membership as (
    select customer_id, segment_kind, segment_id
    from {{ ref('segment_membership') }}
    where valid_to is null
),

disagreeing as (
    select
        coalesce(assigned.customer_id, held.customer_id) as customer_id,
        coalesce(assigned.segment_kind, held.segment_kind) as segment_kind,
        'history and present disagree' as problem
    from {{ ref('segment_assignments') }} as assigned
    full outer join current_membership as held
        on assigned.customer_id = held.customer_id and assigned.segment_kind = held.segment_kind
    where assigned.segment_id is distinct from held.segment_id
),

kind_counts as (
    select customer_id, count(*) as kind_count
    from {{ ref('segment_assignments') }}
    where segment_kind in (
            {% for kind in kinds -%}
            '{{ kind }}'{{ ',' if not loop.last }}
            {% endfor %}
        )
    group by customer_id
),

incomplete as (
    select customers.customer_id, 'any' as segment_kind, 'not in each family' as problem
    from {{ ref('customers') }} as customers
    left join kind_counts on customers.customer_id = kind_counts.customer_id
    where coalesce(kind_counts.kind_count, 0) <> {{ kinds | length }}
),

misstaged as (
    select customers.customer_id, 'lifecycle' as segment_kind, 'intervals disagree' as problem
    from {{ ref('customers') }} as customers
    left join {{ ref('lifecycle_intervals') }} as intervals
        on customers.customer_id = intervals.customer_id and intervals.valid_to is null
    where coalesce(intervals.stage, 'lead') <> customers.lifecycle_stage
)

select * from disagreeing
union all
select * from incomplete
union all
select * from misstaged
