
    
    

with child as (
    select kind as from_field
    from "warehouse"."intermediate"."int_web_events"
    where kind is not null
),

parent as (
    select kind as to_field
    from "warehouse"."intermediate"."interaction_kinds"
)

select
    from_field

from child
left join parent
    on child.from_field = parent.to_field

where parent.to_field is null


