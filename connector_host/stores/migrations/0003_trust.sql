-- Rows carry a MAC, actors are structured, what acts is known before it ends, and programs share budgets.

alter table data_key add column mac blob;            -- over the connection's row; null in a row of schema 2

create table folder_key (                            -- wrapped by the master key; signs what belongs to no connection
    number integer primary key check (number = 1),
    master_key_id text not null,
    wrapped blob not null
);

alter table place_stamp add column mac blob;         -- over all tenants and sites, and the number

create table retired_key (
    id text primary key                              -- a master key under which nothing may be sealed any more
) without rowid;

alter table audit add column actor_kind text not null default '';
alter table audit add column actor_id text not null default '';

alter table invocation add column actor_kind text not null default '';
alter table invocation add column actor_id text not null default '';
alter table invocation add column actor_site text;
alter table invocation add column actor_tenant text;
alter table invocation add column effect text not null default '';

drop index invocation_by_connection;
create index invocation_by_connection on invocation (connection_id, started_at);
create index invocation_by_time on invocation (started_at);  -- an id may be its caller's own, of any kind

create table idempotency_key (                       -- the first invocation that was given a key, for a day
    scope text not null,
    key text not null,
    invocation_id text not null,
    inputs text not null,                            -- a digest
    process text not null,
    at real not null,
    primary key (scope, key)
) without rowid;

create index idempotency_key_by_time on idempotency_key (at);

create table noted_time (                            -- the latest time at which this store is known to have been in use
    number integer primary key check (number = 1),
    at real not null,
    doubted real                                     -- when a clock was first seen that is a day or more away from it
);

create table intake_cursor (                         -- how far an intake came, by connection, command and filter
    connection text not null,
    command text not null,
    name text not null,
    position text not null,                          -- ISO 8601
    primary key (connection, command, name)
) without rowid;

create table rate_lease (                            -- requests that programs took of a shared limit, ahead of sending
    key text not null,                               -- a digest: the limit may be counted by a secret
    at real not null,
    count integer not null
);

create index rate_lease_by_key on rate_lease (key, at);
