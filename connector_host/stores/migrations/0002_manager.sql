-- Tenants and sites, what connections are found and refused by, their health, and the audit.

create table tenant (
    name text primary key,
    master integer not null
);

create unique index one_master on tenant (master) where master;

create table site (
    name text primary key,
    tenant text not null references tenant (name),
    internal integer not null
);

create table place_stamp (
    number integer not null             -- grows with each change of a tenant or a site
);

insert into place_stamp values (0);

alter table connection add column site text references site (name);
alter table connection add column recipient_site text references site (name);
alter table connection add column shared integer not null default 0;
alter table connection add column active integer not null default 1;
alter table connection add column check_minutes integer;

create table shared_tenant (
    connection_id text not null references connection (id) on delete cascade,
    tenant text not null references tenant (name),
    primary key (connection_id, tenant)
) without rowid;

create table vault_use (
    connection_id text not null references connection (id) on delete cascade,
    vault_id text not null references connection (id),
    primary key (connection_id, vault_id)
) without rowid;

create index used_vault on vault_use (vault_id);

create table health (
    connection_id text primary key references connection (id) on delete cascade,
    status text,
    last_run real,                      -- Unix seconds, as the three below
    last_success real,
    last_failure real,
    failures integer not null default 0,
    mailed integer not null default 0,
    attention text not null default '',
    jitter real not null default 1,
    claimant text,
    claimed_until real
);

-- What sites and tenants connections named before there were any: all of one master tenant.
insert into tenant (name, master)
select 'master', 1 from connection
where json_valid(facts)
    and (facts ->> 'site' is not null or facts ->> 'recipient_site' is not null or facts ->> 'tenants' <> '[]')
limit 1;

insert or ignore into tenant (name, master)
select distinct t.value, 0 from connection, json_each(facts -> 'tenants') t where json_valid(facts);

insert or ignore into site (name, tenant, internal)
select distinct named.site, 'master', 1
from (
    select facts ->> 'site' as site from connection where json_valid(facts)
    union select facts ->> 'recipient_site' from connection where json_valid(facts)
) named
where named.site is not null;

update connection set
    site = facts ->> 'site',
    recipient_site = facts ->> 'recipient_site',
    shared = coalesce(facts ->> 'shared_to_internal_sites', 0),
    active = coalesce(facts ->> 'active', 1),
    check_minutes = facts ->> '$.health_check.interval_minutes'
where json_valid(facts);

insert into shared_tenant (connection_id, tenant)
select distinct c.id, t.value from connection c, json_each(c.facts -> 'tenants') t where json_valid(c.facts);

insert into health (connection_id) select id from connection;

create index connection_listing on connection (name, plugin, site, recipient_site, shared, active);
create index health_trouble on health (connection_id) where attention <> '' or status <> 'Passed';
create index connection_checked on connection (id) where check_minutes is not null and active;

create view connection_state (id, state) as
select c.id, case
    when not json_valid(c.facts) then 'damaged'
    when not c.active then 'inactive'
    when h.attention <> '' then 'needs attention'
    when h.status = 'Passed' then 'healthy'
    when h.status is not null then 'failing'
    else 'untested'
end
from connection c join health h on h.connection_id = c.id;

create table audit (
    number integer primary key,
    at text not null,
    actor text not null,
    action text not null,
    subject text not null,
    subject_id text not null,
    details text not null,
    previous text not null,
    digest text not null
);

create table audit_head (
    number integer not null,
    digest text not null
);

insert into audit_head values (0, '0000000000000000000000000000000000000000000000000000000000000000');

create trigger audit_is_never_altered before update on audit
begin
    select raise(abort, 'the audit is append-only');
end;

create trigger audit_is_never_shortened before delete on audit
begin
    select raise(abort, 'the audit is append-only');
end;

alter table invocation add column connection_id text not null default '';
update invocation set connection_id = coalesce((select id from connection c where c.name = invocation.connection), '');
drop index invocation_by_connection;
create index invocation_by_connection on invocation (connection_id, id);

alter table intake_record add column site text;
