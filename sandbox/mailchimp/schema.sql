-- The platform's state. `effects` and `requests` are its logs: hashes and ids, never an address.
create table if not exists lists (list_id text primary key, name text, created_at text);
create table if not exists members (
    seq integer primary key, list_id text not null, member_id text not null,
    email_address text not null, full_name text not null default '', status text not null,
    email_type text not null default 'html', merge_fields text not null default '{}',
    language text not null default '', vip integer not null default 0,
    unsubscribe_reason text, is_refused integer not null default 0, source text,
    timestamp_signup text, timestamp_opt text, last_changed text not null,
    unique (list_id, member_id));
create index if not exists members_changed on members (list_id, last_changed);
create table if not exists forgotten (
    list_id text, member_id text, primary key (list_id, member_id));
create table if not exists tags (
    tag_id integer primary key, list_id text not null, name text not null,
    created_at text not null, updated_at text not null, unique (list_id, name));
create table if not exists member_tags (
    list_id text, member_id text, tag_id integer, date_added text,
    primary key (list_id, member_id, tag_id)) without rowid;
create index if not exists member_tags_by_tag on member_tags (tag_id);
create table if not exists merge_fields (
    merge_id integer, list_id text, tag text, name text, type text, required integer,
    default_value text, public integer, display_order integer, primary key (list_id, tag));
create table if not exists campaigns (
    campaign_id text primary key, list_id text, title text, subject_line text, status text,
    send_time text, emails_sent integer, report text);
create table if not exists sends (
    seq integer primary key, campaign_id text, member_id text, email_address text, status text,
    unique (campaign_id, member_id));
create index if not exists sends_by_campaign on sends (campaign_id, seq);
create index if not exists sends_by_member on sends (member_id);
create table if not exists activity (
    seq integer primary key, campaign_id text, member_id text, action text, activity_type text,
    url text, occurred_at text);
create index if not exists activity_by_recipient on activity (campaign_id, member_id, occurred_at);
create index if not exists activity_by_member on activity (member_id);
create table if not exists unsubscribes (
    seq integer primary key, campaign_id text, member_id text, email_address text, reason text,
    occurred_at text, unique (campaign_id, member_id));
create index if not exists unsubscribes_by_member on unsubscribes (member_id);
create table if not exists inbox (day text primary key, loaded_at text not null);
create table if not exists effects (
    seq integer primary key autoincrement, at text not null, request_id text not null,
    list_id text not null, member_id text not null, effect text not null check (effect in (
    'member_created', 'member_updated', 'tag_added', 'tag_removed', 'unsubscribed', 'archived')),
    tag text);
create index if not exists effects_by_member on effects (member_id, effect);
create table if not exists requests (
    seq integer primary key autoincrement, at text not null, request_id text not null,
    method text not null, path text not null, status integer not null);
