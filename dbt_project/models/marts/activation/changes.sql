-- Each change of a configuration file that the pipeline met, with the version it replaced.
with versions as (
    select
        first_seen_at as changed_at,
        kind,
        name,
        lag(version) over (
            partition by kind, name order by first_seen_at asc, version asc
        ) as from_version,
        version as to_version
    from state.main.configuration_versions
    where kind in ('audience', 'policy')
)

select changed_at, kind, name, from_version, to_version
from versions
