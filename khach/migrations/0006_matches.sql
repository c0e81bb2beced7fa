-- Owner: activation. How many people a platform found for a list, as it said at a moment; where it
-- tells a range, its ends. sent_count: valid rows that it had then; audience_size: whom the rule
-- meant, those left out included.
create table sync_matches (
    sync_id varchar not null,
    audience varchar not null,
    channel varchar not null,
    plan_id varchar not null,
    measured_at timestamp not null,
    matched_at_least bigint not null,
    matched_at_most bigint not null,
    sent_count bigint not null,
    audience_size bigint not null
);
