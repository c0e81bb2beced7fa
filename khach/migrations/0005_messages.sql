-- Owner: activation. Messages, answers that come later, offer codes, and restored states.

-- A plan's rows may be messages; the table is built anew because a check cannot be changed.
create table plan_rows_with_messages (
    plan_id varchar not null,
    row_number bigint not null,
    customer_id varchar not null,
    action varchar not null check (action in ('add', 'update', 'remove', 'message', 'none')),
    reason_code varchar,
    identifier_hash varchar,
    remote_id varchar,
    payload_hash varchar,
    field_hashes map(varchar, varchar),
    changed_fields varchar[],
    consent_id varchar,
    entry_id varchar,
    entered_at timestamp,
    offer_code varchar
);

insert into plan_rows_with_messages by name select * from sync_plan_rows;

drop table sync_plan_rows;

alter table plan_rows_with_messages rename to sync_plan_rows;

-- batch_id: what the channel was told this batch is called; a repeat must say the same.
alter table sync_intents add column batch_id varchar;

-- The channel's own id of a member, where it gives one.
alter table sync_acknowledged add column handle varchar;

alter table sync_receipts add column not_before timestamp;

-- Rows the channel took without an answer yet: asked for under `handle` by the next run.
create table sync_submitted (
    plan_id varchar not null,
    row_number bigint not null,
    sync_id varchar not null,
    handle varchar,
    submitted_at timestamp not null
);

-- One row per message, from its intent on. sent_at is by the clock of the business.
create table messages (
    sync_id varchar not null,
    customer_id varchar not null,
    entry_id varchar not null,
    status varchar not null check (
        status in ('intent', 'submitted', 'accepted', 'delivered', 'failed', 'unknown')
    ),
    audience varchar not null,
    consent_channel varchar not null,
    purpose varchar not null,
    identifier_hash varchar not null,
    plan_id varchar not null,
    row_number bigint not null,
    handle varchar,
    sent_at timestamp not null,
    settled_at timestamp,
    primary key (sync_id, entry_id)
);

-- A code is one person's in one audience until it expires; it comes back with the order.
create table offer_codes (
    offer_code varchar primary key,
    audience varchar not null,
    customer_id varchar not null,
    valid_from timestamp not null,
    valid_until timestamp not null
);

-- Makes offer codes that nobody can guess.
create table activation_secret as select cast(uuid() as varchar) || cast(uuid() as varchar) as secret;

-- A state that was put back knows nothing of what was sent since: each sync waits for a person.
create table restores (
    restored_at timestamp not null,
    reason varchar not null
);
