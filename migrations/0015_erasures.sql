-- What is left to do after a key was destroyed: tables that are not posted any more are dropped, and what rows said
-- before is vacuumed away. Keys that were destroyed before this migration are swept, too.
create index keys_unswept on book.keys (destroyed_at) where destroyed_at is not null and swept_at is null;
grant update (swept_at) on book.keys to daybook_projector;
grant select on book.tenants to daybook_projector;

-- A key that was destroyed is still in the row that it was destroyed in, until that is vacuumed away: at the next round
-- of autovacuum, not once a fifth of all keys are gone. Only rows that were changed or deleted count, and keys are
-- neither but when they are destroyed or wrapped anew.
alter table book.keys set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);

-- Where the server has the privilege, the projector need not wait for autovacuum.
do $$
begin
    if current_setting('server_version_num')::int >= 170000 then
        execute 'grant maintain on book.keys to daybook_projector';
    end if;
end
$$;

-- The oldest transaction of which a session may still see what was before it, as far as the owner is told of other
-- sessions (a superuser, or who has pg_read_all_stats): a vacuum removes no row that was deleted since.
create function book.looked_back_to() returns bigint
language sql volatile
security definer set search_path = pg_catalog
as $$
    with holders(xmin) as (
        select backend_xmin from pg_stat_activity
        where pid <> pg_backend_pid() and (datname = current_database() or datname is null)
          and backend_type <> 'autovacuum worker' and backend_xmin is not null
        union all
        select xmin from pg_replication_slots where xmin is not null
        union all
        select transaction from pg_prepared_xacts where database = current_database()
    )
    select pg_snapshot_xmax(pg_current_snapshot())::text::bigint - coalesce(max(age(xmin)), 0) from holders
$$;
revoke all on function book.looked_back_to() from public;
grant execute on function book.looked_back_to() to daybook_projector;
