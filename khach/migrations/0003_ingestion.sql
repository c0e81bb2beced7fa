-- Owner: ingestion (verdicts). Columns that a load brought first, or with another type than before.
create table schema_changes (
    source varchar not null,
    load_id varchar not null,
    table_name varchar not null,
    column_name varchar not null,
    old_type varchar,
    new_type varchar
);

-- Owner: ingestion (backfills). A range of days to be read again; open until a run has ended well.
create table backfills (
    source varchar not null,
    first_day date not null,
    last_day date not null,
    started_at timestamp not null,
    finished_at timestamp
);
