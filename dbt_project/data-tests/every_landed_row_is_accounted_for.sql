-- landed = in marts + duplicate + filtered, per accepted load and raw table. A replay leaves out
-- what happened after its day: there the marts only must not hold more than what landed.
select
    loads.source,
    loads.load_id,
    tables.table_name,
    tables.rows_landed,
    accounts.rows_in_marts,
    accounts.rows_duplicate,
    accounts.rows_filtered
from state.main.loads as loads
inner join state.main.load_tables as tables
    on loads.source = tables.source and loads.load_id = tables.load_id
left join {{ ref('row_accounting') }} as accounts
    on loads.source = accounts.source
    and loads.load_id = accounts.load_id
    and tables.table_name = accounts.table_name
where loads.verdict = 'accepted'
    and tables.rows_landed {{ '<' if is_replay() else '<>' }} coalesce(
        accounts.rows_in_marts + accounts.rows_duplicate + accounts.rows_filtered, 0
    )
