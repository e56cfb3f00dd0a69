-- name: stamp_of_connection(name)^
-- Id and version, to see whether what is remembered still holds.
select id, version from connection where name = :name;

-- name: connection_by_name(name)^
select c.id, c.name, c.plugin, c.version, c.facts, k.version, k.master_key_id, k.wrapped
from connection c left join data_key k on k.connection_id = c.id
where c.name = :name;

-- name: all_connections(plugin)
select c.id, c.name, c.plugin, c.version, c.facts, k.version, k.master_key_id, k.wrapped
from connection c left join data_key k on k.connection_id = c.id
where :plugin is null or c.plugin = :plugin
order by c.name;

-- name: secrets_of(connection_id)
select name, sealed from secret where connection_id = :connection_id order by name;

-- name: all_secrets()
select connection_id, name, sealed from secret order by connection_id, name;

-- name: add_connection(id, name, plugin, version, facts)!
insert into connection (id, name, plugin, version, facts) values (:id, :name, :plugin, :version, :facts);

-- name: change_connection(id, name, version, facts)!
update connection set name = :name, version = :version, facts = :facts where id = :id and version = :version - 1;

-- name: remove_connection(id)!
delete from connection where id = :id;

-- name: put_data_key(connection_id, version, master_key_id, wrapped)!
insert into data_key (connection_id, version, master_key_id, wrapped)
values (:connection_id, :version, :master_key_id, :wrapped)
on conflict (connection_id) do update
set version = excluded.version, master_key_id = excluded.master_key_id, wrapped = excluded.wrapped;

-- name: remove_secrets(connection_id)!
delete from secret where connection_id = :connection_id;

-- name: remove_data_key(connection_id)!
delete from data_key where connection_id = :connection_id;

-- name: add_secret(connection_id, name, sealed)!
insert into secret (connection_id, name, sealed) values (:connection_id, :name, :sealed);

-- name: rewrap(connection_id, old_wrapped, master_key_id, wrapped)!
update data_key set master_key_id = :master_key_id, wrapped = :wrapped
where connection_id = :connection_id and wrapped = :old_wrapped;

-- name: add_invocation(invocation_id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result)!
insert into invocation (id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result)
values (:invocation_id, :plugin, :command, :connection, :caller, :status, :started_at, :duration_ms, :inputs, :error, :result);

-- name: recent_invocations(connection, limit)
select id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result
from invocation where :connection is null or connection = :connection
order by id desc limit :limit;

-- name: invocation_by_id(id)^
select id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result
from invocation where id = :id;

-- name: prune_invocations(bound, before)!
-- Ids sort by time, so the oldest stand first; the bound on the id spares the rest.
delete from invocation where id < :bound and started_at < :before;

-- name: add_intake_record(connection, command, unique_key, raw, mapped)*!
insert into intake_record (connection, command, unique_key, raw, mapped)
values (:connection, :command, :unique_key, :raw, :mapped)
on conflict (connection, command, unique_key) do nothing;

-- name: recent_intake_records(connection, command, limit)
select unique_key, raw, mapped from intake_record
where connection = :connection and command = :command
order by number desc limit :limit;
