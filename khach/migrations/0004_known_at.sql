-- Owner: ingestion (verdicts). Every verdict ever given; `loads` holds the last one of each load.
create table verdicts (
    source varchar not null,
    load_id varchar not null,
    verdict varchar not null check (verdict in ('accepted', 'rejected')),
    judged_at timestamp not null,
    judged_by varchar,
    reason varchar
);

insert into verdicts
select source, load_id, verdict, judged_at, judged_by, reason
from loads
where judged_at is not null and verdict <> 'pending';

-- Owner: khach.configuration. A file that goes back to an earlier version is a change too, so a
-- version may stand here more than once.
create table recorded_versions (
    version varchar not null,
    kind varchar not null,
    name varchar not null,
    first_seen_at timestamp not null,
    content varchar not null
);

insert into recorded_versions
select version, kind, name, first_seen_at, content from configuration_versions;

drop table configuration_versions;

alter table recorded_versions rename to configuration_versions;
