-- Owner: ingestion (verdicts). A load is one dlt load package of one source.
create table loads (
    source varchar not null,
    load_id varchar not null,
    landed_at timestamp not null,
    verdict varchar not null check (verdict in ('pending', 'accepted', 'rejected')),
    judged_at timestamp,
    judged_by varchar,
    reason varchar,
    primary key (source, load_id)
);

create table load_tables (
    source varchar not null,
    load_id varchar not null,
    table_name varchar not null,
    rows_offered bigint not null,
    rows_landed bigint not null,
    rows_quarantined bigint not null,
    primary key (source, load_id, table_name)
);

-- Owner: khach.runs. One row per stage of a run; stage 'run' is the whole.
create table runs (
    run_id varchar not null,
    stage varchar not null,
    started_at timestamp not null,
    ended_at timestamp,
    status varchar not null check (status in ('running', 'ok', 'failed', 'stopped')),
    message varchar,
    as_of timestamp,
    primary key (run_id, stage)
);

-- Owner: khach.checks.
create table check_results (
    run_id varchar not null,
    check_name varchar not null,
    stage varchar not null,
    source varchar,
    table_name varchar,
    rule varchar not null,
    load_id varchar,
    snapshot_id varchar,
    is_success boolean not null,
    severity varchar not null check (severity in ('error', 'warning')),
    failed_count bigint,
    failing_sql varchar,
    checked_at timestamp not null
);

-- Owner: khach.quality.
create table data_quality (
    run_id varchar not null,
    load_id varchar,
    source varchar not null,
    table_name varchar not null,
    rows_offered bigint not null,
    rows_landed bigint not null,
    rows_duplicate bigint,
    rows_quarantined bigint not null,
    rows_filtered bigint,
    rows_in_marts bigint,
    gate varchar,
    status varchar,
    message varchar
);

-- Owner: khach.publishing.
create table snapshots (
    snapshot_id varchar primary key,
    run_id varchar not null,
    as_of timestamp not null,
    published_at timestamp not null,
    is_green boolean not null
);

-- Owner: khach.configuration.
create table configuration_versions (
    version varchar not null,
    kind varchar not null,
    name varchar not null,
    first_seen_at timestamp not null,
    content varchar not null,
    primary key (kind, name, version)
);
