-- Orders as their sources tell them, before anybody knows whose they are: an order row where
-- there is one, else an order made from its lines.
with ordered_lines as (
    select
        *,
        row_number() over (
            partition by source, order_id
            order by ordered_at asc nulls last, order_line_id asc
        ) as line_rank,
        min(ordered_at) over (partition by source, order_id) as first_ordered_at,
        min(updated_at) over (partition by source, order_id) as first_updated_at,
        max(updated_at) over (partition by source, order_id) as last_updated_at
    from {{ entity_rows('order_lines') }} as delivered
    where order_id is not null
),

-- A line may arrive before, or without, its order's row: its money is never dropped.
from_lines as (
    select
        lines.source,
        lines.namespace,
        lines.order_id,
        lines.channel,
        lines.store_id,
        lines.user_id,
        lines.member_number,
        lines.external_id,
        lines.email,
        lines.phone,
        lines.anonymous_id,
        cast(null as varchar) as full_name,
        cast(null as varchar) as cart_id,
        cast(null as varchar) as coupon_code,
        coalesce(lines.first_ordered_at, lines.first_updated_at) as ordered_at,
        lines.status,
        lines.country,
        lines.province,
        lines.currency,
        lines.last_updated_at as updated_at,
        true as is_from_lines
    from ordered_lines as lines
    where lines.line_rank = 1
        and not exists (
            select 1
            from {{ entity_rows('orders') }} as orders
            where orders.namespace = lines.namespace and orders.order_id = lines.order_id
        )
),

told as (
    select
        source,
        namespace,
        order_id,
        channel,
        store_id,
        user_id,
        member_number,
        external_id,
        email,
        phone,
        anonymous_id,
        full_name,
        cart_id,
        coupon_code,
        ordered_at,
        status,
        country,
        province,
        currency,
        updated_at,
        false as is_from_lines
    from {{ entity_rows('orders') }} as delivered
    union all
    select * from from_lines
),

-- Two sources of one namespace speak of the same order: the later word counts.
ranked as (
    select
        *,
        row_number() over (
            partition by namespace, order_id
            order by updated_at desc nulls last, source asc
        ) as version_rank
    from told
)

select
    ranked.namespace || ':' || ranked.order_id as order_id,
    ranked.source,
    ranked.namespace,
    ranked.order_id as source_order_id,
    coalesce(ranked.channel, sources.default_channel, 'unknown') as channel,
    ranked.store_id,
    nullif(ranked.user_id, '') as user_id,
    nullif(ranked.member_number, '') as member_number,
    nullif(ranked.external_id, '') as external_id,
    ranked.email,
    ranked.phone,
    nullif(ranked.anonymous_id, '') as anonymous_id,
    ranked.full_name,
    ranked.namespace || ':' || ranked.cart_id as cart_id,
    ranked.coupon_code,
    ranked.ordered_at,
    coalesce(ranked.status, 'unknown') as status,
    ranked.country,
    ranked.province,
    coalesce(ranked.currency, sources.currency) as currency,
    ranked.updated_at,
    ranked.is_from_lines
from ranked
left join {{ ref('int_sources') }} as sources on ranked.source = sources.source
where ranked.version_rank = 1
