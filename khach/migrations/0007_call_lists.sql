-- Owner: activation. Who stood on a list of people to be called, from the first apply that found
-- the channel's confirmation until it was gone; by the clock of the business. receipt_id: the row
-- that put them there.
create table call_list_entries (
    sync_id varchar not null,
    audience varchar not null,
    customer_id varchar not null,
    identifier_hash varchar not null,
    receipt_id varchar,
    listed_at timestamp not null,
    unlisted_at timestamp
);
