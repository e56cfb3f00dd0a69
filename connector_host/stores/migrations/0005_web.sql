-- Tokens for the HTTP API, and what people who signed in hold.

create table token (
    id text primary key,
    document text not null,                          -- JSON: name, scopes, whose it is, what it is narrowed to
    digest blob not null,                            -- SHA-256 of its text
    mac blob not null,                               -- by the folder's own key, over all of it
    last_used_at real
) without rowid;

create table sign_in (
    digest blob primary key,                         -- SHA-256 of what the browser holds, or of the link
    kind text not null check (kind in ('session', 'link')),
    token_id text not null references token (id) on delete cascade,
    expires_at real not null
) without rowid;

create index sign_in_by_token on sign_in (token_id);
