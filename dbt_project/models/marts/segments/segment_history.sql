-- What we believed on a day, append-only and never rebuilt: the change of a customer's segment per
-- kind. A second run of a day adds nothing unless the day's own belief changed, and then adds the
-- correction with the next `sequence_number`; the earlier belief stays on record.
{{ config(
    database='state',
    schema='main',
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
) }}

{% if is_incremental() -%}
with moved as (
    {{ moved_since_the_first_day(this) }}
),

{% else -%}
with {% endif -%}
latest as (
    {% if is_incremental() -%}
    select
        history.segment_kind, history.customer_id, history.to_segment_id, history.changed_on,
        history.sequence_number
    from {{ this }} as history
    left join moved
        on history.segment_kind = moved.segment_kind and history.customer_id = moved.customer_id
    where moved.customer_id is null
    union all
    select segment_kind, customer_id, to_segment_id, changed_on, sequence_number
    from (
        select
            history.*,
            row_number() over (
                partition by history.segment_kind, history.customer_id
                order by history.changed_on desc, history.sequence_number desc
            ) as recency_rank
        from {{ this }} as history
        inner join moved
            on history.segment_kind = moved.segment_kind
            and history.customer_id = moved.customer_id
    ) as moves
    where recency_rank = 1
    {%- else -%}
    select
        cast(null as varchar) as segment_kind,
        cast(null as varchar) as customer_id,
        cast(null as varchar) as to_segment_id,
        cast(null as date) as changed_on,
        cast(null as integer) as sequence_number
    where false
    {%- endif %}
),

compared as (
    select
        coalesce(assigned.segment_kind, latest.segment_kind) as segment_kind,
        coalesce(assigned.customer_id, latest.customer_id) as customer_id,
        latest.to_segment_id as from_segment_id,
        assigned.segment_id as to_segment_id,
        latest.changed_on as latest_changed_on,
        latest.sequence_number as latest_sequence_number
    from {{ ref('segment_assignments') }} as assigned
    full outer join latest
        on assigned.segment_kind = latest.segment_kind
        and assigned.customer_id = latest.customer_id
)

select
    segment_kind,
    customer_id,
    from_segment_id,
    to_segment_id,
    {{ as_of_on() }} as changed_on,
    cast(
        case
            when latest_changed_on = {{ as_of_on() }} then latest_sequence_number + 1
            else 1
        end as integer
    ) as sequence_number,
    '{{ run_value("run_id") }}' as run_id
from compared
where from_segment_id is distinct from to_segment_id
    -- The past is never written again, whatever day a run is asked for.
    and (latest_changed_on is null or latest_changed_on <= {{ as_of_on() }})
