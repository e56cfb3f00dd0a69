-- What surfaces need beyond running commands: runs searched for, records read in order of arrival, intake on a schedule,
-- field mappings of a connection's own.

alter table invocation add column request_id text not null default '';  -- of the HTTP request that asked for it

alter table intake_record add column arrived integer not null default 0; -- grows with each that is new, or changed
alter table intake_record add column arrived_at text not null default '';-- ISO 8601; empty where it was before this
update intake_record set arrived = number;

create unique index intake_record_by_arrival on intake_record (arrived);
create index intake_record_by_source on intake_record (connection, command, arrived);

create index invocation_by_actor on invocation (actor_kind, actor_id, started_at);
create index invocation_by_command on invocation (plugin, command, started_at);

create table intake_reader (                         -- how far somebody who reads records on has come
    person text not null,                            -- JSON: who they are
    name text not null,                              -- what they call the reader
    arrived integer not null,
    primary key (person, name)
) without rowid;

create table intake_schedule (
    connection_id text not null references connection (id) on delete cascade,
    command text not null,
    minutes integer not null,
    document text not null,                          -- JSON: its inputs, from when, how much is read again
    due_at real not null,                            -- Unix seconds, as all that follow
    last_run real,
    status text,
    words text not null default '',                  -- why it did not pass
    counts text,                                     -- JSON: fetched, new, updated, known
    claimant text,
    claimed_until real,
    primary key (connection_id, command)
) without rowid;

create index intake_schedule_by_due on intake_schedule (due_at);

create table field_mapping (                         -- in place of the manifest's tables
    connection_id text not null references connection (id) on delete cascade,
    command text not null,
    version integer not null,
    document text not null,                          -- JSON: the tables
    primary key (connection_id, command)
) without rowid;

create table preference (                            -- how somebody wants times written
    person text primary key,                         -- JSON: who they are
    document text not null                           -- JSON
) without rowid;

alter table connection add column former text;       -- the facts before the last change: an edit can be undone
