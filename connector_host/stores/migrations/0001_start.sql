-- Connections with their sealed secrets, the invocation history, and records taken in.

create table connection (
    id text primary key,
    name text not null unique,
    plugin text not null,
    version integer not null,
    facts text not null                 -- JSON: everything but name, plugin, id, version
);

create table data_key (
    connection_id text primary key references connection (id) on delete cascade,
    version integer not null,
    master_key_id text not null,
    wrapped blob not null
);

create table secret (
    connection_id text not null references connection (id) on delete cascade,
    name text not null,
    sealed blob not null,
    primary key (connection_id, name)
);

create table invocation (
    id text primary key,                -- UUID version 7: sorts by time
    plugin text not null,
    command text not null,
    connection text not null,
    caller text not null,
    status text not null,
    started_at text not null,
    duration_ms integer not null,
    inputs text not null,
    error text,
    result text
);

create index invocation_by_connection on invocation (connection, id);

create table intake_record (
    number integer primary key,
    connection text not null,
    command text not null,
    unique_key text not null,
    raw text not null,
    mapped text not null,
    unique (connection, command, unique_key)
);
