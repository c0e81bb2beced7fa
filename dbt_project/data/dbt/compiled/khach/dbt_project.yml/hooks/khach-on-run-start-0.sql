create schema if not exists staging;
    create table if not exists staging.processed_loads (
        model varchar not null,
        source varchar not null,
        namespace varchar not null,
        load_id varchar not null
    );
    alter table staging.processed_loads add column if not exists raw_table varchar;