-- Entities of the KPIs of movement between stages. `stock` rows carry +1 and -1 on the days a
-- customer enters and leaves a group of stages, so that sums of earlier periods are what stood at a
-- period's start. `flow` rows are moves, once for each recent interval of the group they started
-- from: whoever was in that interval at the period's start counts in numerator and denominator.
{{ config(schema='intermediate') }}

with stages as (
    select
        *,
        case
            when stage in ('first_time', 'repeat', 'loyal', 'at_risk') then 'active' else 'lapsed'
        end as stage_group,
        case
            when previous_stage in ('first_time', 'repeat', 'loyal', 'at_risk') then 'active'
            when previous_stage is not null then 'lapsed'
        end as previous_group
    from {{ ref('lifecycle_intervals') }}
),

stock as (
    select customer_id, valid_from as on_date, stage, stage_group, 1 as change from stages
    union all
    select customer_id, valid_to, stage, stage_group, -1 from stages
    where valid_to is not null
),

moves as (
    select customer_id, valid_from as moved_on, 'became_loyal' as move
    from stages
    where stage = 'loyal' and previous_stage is not null
    union all
    select customer_id, valid_from, stage_group
    from stages
    where previous_group <> stage_group
),

entities as (
    select
        on_date, customer_id,
        case when stage = 'repeat' then change else 0 end as repeat_change,
        case when stage_group = 'active' then change else 0 end as active_change,
        case when stage_group = 'lapsed' then change else 0 end as lapsed_change,
        cast(null as varchar) as move,
        cast(null as date) as held_from,
        cast(null as date) as held_to
    from stock
    union all
    select
        moves.moved_on, moves.customer_id, 0, 0, 0, moves.move, held.valid_from, held.valid_to
    from moves
    inner join stages as held
        on moves.customer_id = held.customer_id
        and held.valid_to <= moves.moved_on
        -- No period is longer than 31 days: an interval that ended earlier met none of its starts.
        and held.valid_to >= {{ days_after('moves.moved_on', -31) }}
        and (
            (moves.move = 'became_loyal' and held.stage = 'repeat')
            or (moves.move = 'lapsed' and held.stage_group = 'active')
            or (moves.move = 'active' and held.stage_group = 'lapsed')
        )
)

select
    entities.*,
    customers.customer_number,
    customers.generation,
    customers.age_band,
    customers.gender,
    customers.province,
    customers.country
from entities
inner join {{ ref('kpi_customers') }} as customers on entities.customer_id = customers.customer_id
