-- Owner: activation. Ids, hashes, counts and reasons only: no identifier and no payload is kept.

-- Who was in or out of an audience, per sync (consent and identifiers differ by channel).
-- reason_code is 'member', or why the customer stayed out; a row only when that changes.
create table audience_membership (
    audience varchar not null,
    sync_id varchar not null,
    customer_id varchar not null,
    valid_from timestamp not null,
    valid_to timestamp,
    reason_code varchar not null
);

create table holdouts (
    audience varchar not null,
    customer_id varchar not null,
    "group" varchar not null check ("group" in ('treated', 'holdout')),
    assigned_at timestamp not null,
    salt_version integer not null,
    primary key (audience, customer_id)
);

-- figures: JSON with counts per reason and each tripped guard's limit and actual value.
create table sync_plans (
    plan_id varchar primary key,
    sync_id varchar not null,
    audience varchar not null,
    channel varchar not null,
    snapshot_id varchar not null,
    as_of timestamp not null,
    created_at timestamp not null,
    status varchar not null
        check (status in ('ready', 'blocked', 'applied', 'partly_applied', 'superseded')),
    blocked_by varchar,
    accepted_by varchar,
    add_count bigint not null,
    update_count bigint not null,
    remove_count bigint not null,
    unchanged_count bigint not null,
    excluded_count bigint not null,
    estimated_cost_amount decimal(18, 4),
    fingerprint varchar not null,
    figures json not null,
    started_at timestamp,
    ended_at timestamp
);

-- Only what changes: adds, updates, removes, and customers whose reason differs from the open
-- interval (action 'none'). reason_code null: no longer a candidate.
create table sync_plan_rows (
    plan_id varchar not null,
    row_number bigint not null,
    customer_id varchar not null,
    action varchar not null check (action in ('add', 'update', 'remove', 'none')),
    reason_code varchar,
    identifier_hash varchar,
    remote_id varchar,
    payload_hash varchar,
    field_hashes map(varchar, varchar),
    changed_fields varchar[],
    consent_id varchar
);

-- What the channel has confirmed. payload_hash null: present there, content not confirmed.
create table sync_acknowledged (
    sync_id varchar not null,
    customer_id varchar not null,
    identifier_hash varchar not null,
    remote_id varchar not null,
    payload_hash varchar,
    field_hashes map(varchar, varchar),
    acknowledged_at timestamp not null
);

-- Durable before a batch is sent; deleted in the transaction that writes the row's receipt.
create table sync_intents (
    plan_id varchar not null,
    row_number bigint not null,
    sync_id varchar not null,
    opened_at timestamp not null
);

create table sync_receipts (
    receipt_id varchar not null,
    plan_id varchar,
    sync_id varchar not null,
    customer_id varchar not null,
    action varchar not null
        check (action in ('add', 'update', 'remove', 'message', 'suppress')),
    status varchar not null check (
        status in (
            'sent', 'submitted', 'acknowledged', 'rejected', 'deferred', 'dropped', 'unknown'
        )
    ),
    payload_hash varchar,
    consent_id varchar,
    remote_id varchar,
    vendor_code varchar,
    vendor_message varchar,
    attempted_at timestamp not null,
    settled_at timestamp
);

create table leases (
    sync_id varchar primary key,
    owner varchar not null,
    acquired_at timestamp not null,
    expires_at timestamp not null
);

-- Withdrawals already carried to a destination (or not held there), so that none is asked twice.
create table suppression_pushes (
    sync_id varchar not null,
    destination varchar not null,
    identifier_hash varchar not null,
    customer_id varchar not null,
    consent_id varchar not null,
    withdrawn_at timestamp,
    outcome varchar not null check (outcome in ('unsubscribed', 'already', 'not_held')),
    pushed_at timestamp not null
);
