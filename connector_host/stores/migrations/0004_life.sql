-- What each recipient of a health check's mails was told, and what a connection's test left open.

alter table health add column deliveries text not null default '{}'; -- JSON: what became of each recipient's notices
alter table health add column unchecked text not null default '[]';  -- JSON: what the last test did not check
