-- name: stamp_of_connection
-- Id, version and master key, to see whether what is remembered still holds.
select c.id, c.version, k.master_key_id from connection c left join data_key k on k.connection_id = c.id
where c.name = :name;

-- name: stamp_of_connection_by_id
select c.id, c.version, k.master_key_id from connection c left join data_key k on k.connection_id = c.id
where c.id = :id;

-- name: connection_by_id
select c.id, c.name, c.plugin, c.version, c.facts, k.version, k.master_key_id, k.wrapped, k.mac
from connection c left join data_key k on k.connection_id = c.id
where c.id = :id;

-- name: former_connection
select id, name, plugin, version, former from connection where id = :id and former is not null;

-- name: list_connections
-- The choice itself reads one index only, unless it is about the state; those in trouble have an index of their own.
with chosen as (
    select c.rowid from connection c
    where c.name > :after
        and (:plugin is null or c.plugin = :plugin)
        and (:site is null or c.site = :site or c.recipient_site = :site)
        and (:active is null or c.active = :active)
        and (:name is null or c.name glob :name)
        and (:vault is null or c.id in (select u.connection_id from vault_use u where u.vault_id = :vault))
        and (
            :state is null
            or (
                (:state = 'damaged' or c.active = (:state <> 'inactive'))
                and (
                    :state not in ('needs attention', 'failing')
                    or c.id in (select t.connection_id from health t where t.attention <> '' or t.status <> 'Passed')
                )
                and :state = (select s.state from connection_state s where s.id = c.id)
            )
        )
        and (
            not :narrowed or c.shared or c.site is :caller_site
            or c.id in (
                select t.connection_id from shared_tenant t
                where t.tenant = coalesce((select s.tenant from site s where s.name = :caller_site), :caller_tenant)
            )
        )
    order by c.name
    limit :limit
)
select c.id, c.name, c.plugin, c.version, c.facts, k.version, k.master_key_id, k.wrapped, k.mac,
    h.status, h.last_run, h.last_success, h.last_failure, h.failures, h.mailed, h.attention, h.deliveries, h.unchecked
from chosen join connection c on c.rowid = chosen.rowid
join health h on h.connection_id = c.id
left join data_key k on k.connection_id = c.id
order by c.name;

-- name: secrets_of
select name, sealed from secret where connection_id = :connection_id order by name;

-- name: secrets_of_all
-- Of the ids in a JSON list.
select connection_id, name, sealed from secret
where connection_id in (select value from json_each(:ids))
order by connection_id, name;

-- name: add_connection
insert into connection (id, name, plugin, version, facts, site, recipient_site, shared, active, check_minutes)
values (:id, :name, :plugin, :version, :facts, :site, :recipient_site, :shared, :active, :check_minutes);

-- name: change_connection
update connection set
    former = facts, name = :name, version = :version, facts = :facts, site = :site, recipient_site = :recipient_site,
    shared = :shared, active = :active, check_minutes = :check_minutes
where id = :id and version = :version - 1;

-- name: remove_connection
delete from connection where id = :id and (:version is null or version = :version);

-- name: users_of_vault
select c.name from vault_use u join connection c on c.id = u.connection_id where u.vault_id = :vault_id
order by c.name limit 5;

-- name: forget_tenants
delete from shared_tenant where connection_id = :connection_id;

-- name: share_to_tenant
insert into shared_tenant (connection_id, tenant) values (:connection_id, :tenant);

-- name: forget_vaults
delete from vault_use where connection_id = :connection_id;

-- name: use_vault
insert into vault_use (connection_id, vault_id) values (:connection_id, :vault_id);

-- name: put_data_key
insert into data_key (connection_id, version, master_key_id, wrapped, mac)
values (:connection_id, :version, :master_key_id, :wrapped, :mac)
on conflict (connection_id) do update
set version = excluded.version, master_key_id = excluded.master_key_id, wrapped = excluded.wrapped, mac = excluded.mac;

-- name: is_retired
select 1 from retired_key where id = :id;

-- name: retire_key
insert or ignore into retired_key (id) values (:id);

-- name: keys_in_use
select distinct master_key_id from data_key union select master_key_id from folder_key;

-- name: folder_key
select master_key_id, wrapped from folder_key;

-- name: put_folder_key
insert into folder_key (number, master_key_id, wrapped) values (1, :master_key_id, :wrapped)
on conflict (number) do nothing;

-- name: rewrap_folder_key
update folder_key set master_key_id = :master_key_id, wrapped = :wrapped where wrapped = :old_wrapped;

-- name: remove_secrets
delete from secret where connection_id = :connection_id;

-- name: remove_data_key
delete from data_key where connection_id = :connection_id;

-- name: add_secret
insert into secret (connection_id, name, sealed) values (:connection_id, :name, :sealed);

-- name: rewrap
update data_key set master_key_id = :master_key_id, wrapped = :wrapped
where connection_id = :connection_id and wrapped = :old_wrapped;

-- name: site_stamp
select number, mac from place_stamp;

-- name: touch_sites
update place_stamp set number = number + 1, mac = null;

-- name: sign_sites
update place_stamp set mac = :mac;

-- name: tenants
select name, master from tenant order by name;

-- name: sites
select name, tenant, internal from site order by name;

-- name: put_tenant
insert into tenant (name, master) values (:name, :master)
on conflict (name) do update set master = excluded.master;

-- name: put_site
insert into site (name, tenant, internal) values (:name, :tenant, :internal)
on conflict (name) do update set tenant = excluded.tenant, internal = excluded.internal;

-- name: remove_tenant
delete from tenant where name = :name;

-- name: remove_site
delete from site where name = :name;

-- name: add_health
insert into health (connection_id) values (:connection_id);

-- name: health_of
select status, last_run, last_success, last_failure, failures, mailed, attention, deliveries, unchecked
from health where connection_id = :connection_id;

-- name: claim_due
-- Each interval counts from the last run, so that a changed interval or an hour of standstill needs no bookkeeping.
update health set claimant = :claimant, claimed_until = :until
where connection_id in (
    select h.connection_id
    from connection c join health h on h.connection_id = c.id
    where c.check_minutes is not null and c.active
        and (
            h.last_run is null or h.last_run + c.check_minutes * 60 * h.jitter <= :now
            or h.last_run > :now + 86400 -- the clock was set back
        )
        and (h.claimed_until is null or h.claimed_until <= :now or h.claimed_until > :now + 86400)
    order by h.last_run
    limit :limit
)
returning connection_id, status, last_run, last_success, last_failure, failures, mailed, attention, deliveries,
    unchecked;

-- name: finish_check
update health set
    status = :status, last_run = :last_run, last_success = :last_success, last_failure = :last_failure,
    failures = :failures, mailed = :mailed, deliveries = :deliveries, jitter = :jitter, claimant = null, claimed_until = null
where connection_id = :connection_id and claimant = :claimant;

-- name: tested
update health set
    status = :status, unchecked = :unchecked,
    last_success = iif(:status = 'Passed', :at, last_success), failures = iif(:status = 'Passed', 0, failures),
    last_failure = iif(:status = 'Passed', last_failure, :at)
where connection_id = :connection_id;

-- name: attend
update health set attention = :attention where connection_id = :connection_id and attention <> :attention;

-- name: audit_head
select number, digest from audit_head;

-- name: add_audit
insert into audit (number, at, actor, action, subject, subject_id, details, actor_kind, actor_id, previous, digest)
values (
    :number, :at, :actor, :action, :subject, :subject_id, :details, :actor_kind, :actor_id, :previous, :digest
);

-- name: move_audit_head
update audit_head set number = :number, digest = :digest;

-- name: read_audit
select number, at, actor, action, subject, subject_id, details, actor_kind, actor_id, previous, digest
from audit where number > :after order by number limit :limit;

-- name: add_invocation
insert into invocation (
    id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result, connection_id,
    actor_kind, actor_id, actor_site, actor_tenant, effect, request_id
) values (
    :id, :plugin, :command, :connection, :caller, :status, :started_at, :duration_ms, :inputs, :error, :result,
    :connection_id, :actor_kind, :actor_id, :actor_site, :actor_tenant, :effect, :request_id
) on conflict (id) do nothing;

-- name: search_invocations
-- Newest first; what is looked for stands in conditions that are added, so that an index is used for it.
select id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result, connection_id,
    actor_kind, actor_id, actor_site, actor_tenant, effect, request_id
from invocation where true
order by started_at desc, rowid desc limit :limit;

-- name: calls_of
-- Of the ids in a JSON list, or of all connections.
with timed as (
    select connection_id, status, duration_ms,
        row_number() over (partition by connection_id order by duration_ms) as place,
        count(*) over (partition by connection_id) as total
    from invocation
    where started_at >= :since and (:ids is null or connection_id in (select value from json_each(:ids)))
)
select connection_id, max(total), sum(status = 'Failed'), min(iif(place * 20 >= total * 19, duration_ms, null))
from timed group by connection_id order by max(total) desc limit :limit;

-- name: calls_by_hour
-- Of the ids in a JSON list, or of all connections.
with timed as (
    select substr(started_at, 1, 13) as hour, status, duration_ms,
        row_number() over (partition by substr(started_at, 1, 13) order by duration_ms) as place,
        count(*) over (partition by substr(started_at, 1, 13)) as total
    from invocation
    where started_at >= :since and (:ids is null or connection_id in (select value from json_each(:ids)))
)
select hour, max(total), sum(status = 'Failed'), min(iif(place * 20 >= total * 19, duration_ms, null))
from timed group by hour order by hour;

-- name: uses_of
select caller, command, count(*), max(started_at) from invocation
where connection_id = :connection_id and started_at >= :since
group by caller, command order by count(*) desc, caller, command limit 200;

-- name: invocation_by_id
select id, plugin, command, connection, caller, status, started_at, duration_ms, inputs, error, result, connection_id,
    actor_kind, actor_id, actor_site, actor_tenant, effect, request_id
from invocation where id = :id;

-- name: prune_invocations
-- What was kept before the first that is young enough: a run that says it is old, and came later, had a wrong clock.
delete from invocation where rowid in (
    select rowid from invocation
    where rowid < coalesce(
        (select rowid from invocation where started_at >= :before order by rowid limit 1), 9223372036854775807
    )
    order by rowid limit :most
);

-- name: noted_time
select at, doubted from noted_time;

-- name: note_time
insert into noted_time (number, at, doubted) values (1, :at, :doubted)
on conflict (number) do update set at = excluded.at, doubted = excluded.doubted;

-- name: add_intake_record
-- What is new, or changed, arrives last.
insert into intake_record (connection, command, unique_key, raw, mapped, site, arrived, arrived_at)
values (
    :connection, :command, :unique_key, :raw, :mapped, :site,
    (select coalesce(max(r.arrived), 0) + 1 from intake_record r), :arrived_at
)
on conflict (connection, command, unique_key) do update set
    raw = excluded.raw, mapped = excluded.mapped, site = excluded.site,
    arrived = excluded.arrived, arrived_at = excluded.arrived_at
where raw <> excluded.raw or mapped <> excluded.mapped;

-- name: arrivals
select arrived, connection, command, arrived_at, unique_key, raw, mapped, site from intake_record
where arrived > :after and (:anywhere or site is :site)
order by arrived limit :limit;

-- name: arrivals_of
select arrived, connection, command, arrived_at, unique_key, raw, mapped, site from intake_record
where connection = :connection and arrived > :after and (:anywhere or site is :site)
order by arrived limit :limit;

-- name: last_arrival
select coalesce(max(arrived), 0) from intake_record;

-- name: reader
select arrived from intake_reader where person = :person and name = :name;

-- name: move_reader
insert into intake_reader (person, name, arrived)
select :person, :name, :arrived where (
    select count(*) from intake_reader r where r.person = :person and r.name <> :name
) < :most
on conflict (person, name) do update set arrived = max(arrived, excluded.arrived);

-- name: put_schedule
insert into intake_schedule (connection_id, command, minutes, document, due_at)
values (:connection_id, :command, :minutes, :document, 0)
on conflict (connection_id, command) do update set
    minutes = excluded.minutes, document = excluded.document,
    due_at = coalesce(last_run + excluded.minutes * 60, 0);

-- name: remove_schedule
delete from intake_schedule where connection_id = :connection_id and command = :command;

-- name: schedules
select s.connection_id, c.name, s.command, s.document, s.last_run, s.status, s.words, s.counts
from intake_schedule s join connection c on c.id = s.connection_id
order by c.name, s.command limit :limit;

-- name: schedules_of
select s.connection_id, c.name, s.command, s.document, s.last_run, s.status, s.words, s.counts
from intake_schedule s join connection c on c.id = s.connection_id
where s.connection_id = :connection_id order by s.command;

-- name: claim_schedules
-- What is due long after the longest interval was set by a clock that was ahead.
update intake_schedule set claimant = :claimant, claimed_until = :until
where (connection_id, command) in (
    select s.connection_id, s.command from intake_schedule s join connection c on c.id = s.connection_id
    where (s.due_at <= :now or s.due_at > :now + 691200) and c.active
        and (s.claimed_until is null or s.claimed_until <= :now or s.claimed_until > :now + 691200)
    order by s.due_at
    limit :limit
)
returning connection_id, command, document, last_run, status, words, counts;

-- name: renew_schedule
update intake_schedule set claimed_until = :until
where connection_id = :connection_id and command = :command and claimant = :claimant;

-- name: finish_schedule
update intake_schedule set
    last_run = :last_run, due_at = coalesce(:last_run, 0) + minutes * 60, status = :status, words = :words,
    counts = :counts, claimant = null, claimed_until = null
where connection_id = :connection_id and command = :command and claimant = :claimant;

-- name: mapping
select document, version from field_mapping where connection_id = :connection_id and command = :command;

-- name: put_mapping
insert into field_mapping (connection_id, command, version, document)
select :connection_id, :command, :version, :document
where :version = 1 + coalesce(
    (select m.version from field_mapping m where m.connection_id = :connection_id and m.command = :command), 0
)
on conflict (connection_id, command) do update set version = excluded.version, document = excluded.document;

-- name: known_keys
select count(*) from intake_record
where connection = :connection and command = :command
    and unique_key in (select value from json_each(:keys));

-- name: intake_position
select position from intake_cursor where connection = :connection and command = :command and name = :name;

-- name: move_intake
insert into intake_cursor (connection, command, name, position)
values (:connection, :command, :name, :position)
on conflict (connection, command, name) do update set position = excluded.position;

-- name: recent_intake_records
select unique_key, raw, mapped, site from intake_record
where connection = :connection and command = :command and (:anywhere or site is :site)
order by arrived desc limit :limit;

-- name: key_of
select invocation_id, inputs, process, at from idempotency_key where scope = :scope and key = :key;

-- name: take_key
insert into idempotency_key (scope, key, invocation_id, inputs, process, at)
values (:scope, :key, :invocation_id, :inputs, :process, :at)
on conflict (scope, key) do update set
    invocation_id = excluded.invocation_id, inputs = excluded.inputs, process = excluded.process, at = excluded.at;

-- name: forget_keys
delete from idempotency_key where at < :before;

-- name: forget_leases
delete from rate_lease where key = :key and (at <= :before or at > :after);

-- name: leased
select coalesce(sum(count), 0), min(at) from rate_lease where key = :key;

-- name: take_lease
insert into rate_lease (key, at, count) values (:key, :at, :count);

-- name: preference
select document from preference where person = :person;

-- name: put_preference
insert into preference (person, document) values (:person, :document)
on conflict (person) do update set document = excluded.document;

-- name: forget_preference
delete from preference where person = :person;

-- name: add_token
insert into token (id, document, digest, mac) values (:id, :document, :digest, :mac);

-- name: tokens
select id, document, digest, mac, last_used_at from token order by id;

-- name: token_by_id
select id, document, digest, mac, last_used_at from token where id = :id;

-- name: remove_token
delete from token where id = :id;

-- name: token_used
update token set last_used_at = :at where id = :id;

-- name: add_sign_in
insert into sign_in (digest, kind, token_id, expires_at) values (:digest, :kind, :token_id, :expires_at);

-- name: sign_in
select token_id, expires_at from sign_in where digest = :digest and kind = :kind;

-- name: remove_sign_in
delete from sign_in where digest = :digest;

-- name: remove_sign_ins_of
delete from sign_in where token_id = :token_id or expires_at < :now;

-- name: checks_of
-- The newest of each: its index gives them in their order.
select connection_id, status from (
    select connection_id, status, started_at,
        row_number() over (partition by connection_id order by started_at desc, rowid desc) as place
    from invocation
    where connection_id in (select value from json_each(:ids)) and actor_kind = 'health check'
)
where place <= :most order by connection_id, place desc;
