-- One login for each of Daybook's roles, and logins of tools for reports, which read the tables of one tenant.

-- Whoever serves is no owner, and looks whether the migrations are there. A book that was migrated by hand has no such
-- table.
do $$
begin
    if to_regclass('_sqlx_migrations') is not null then
        grant select on _sqlx_migrations to daybook_writer;
    end if;
end
$$;

-- Roles belong to the whole cluster, so databases that are migrated at the same time take turns.
select pg_advisory_xact_lock(hashtextextended('daybook roles', 0));
do $$
begin
    if not exists (select from pg_roles where rolname = 'daybook_bi') then
        create role daybook_bi nologin noinherit;
    end if;
end
$$;

-- Whose tables a login reads. Only the owner of the database writes it.
create table book.bi_logins (
    login     name        primary key,
    tenant_id uuid        not null,
    made_at   timestamptz not null default now()
);

-- The tenant of whoever is connected: of the login, whatever role or setting it chooses. Null of any other login, which so
-- sees no row.
create function book.bi_tenant() returns uuid
language sql stable parallel safe security definer set search_path = pg_catalog as
$$ select tenant_id from book.bi_logins where login = session_user $$;
revoke all on function book.bi_tenant() from public;
grant execute on function book.bi_tenant() to daybook_bi;
