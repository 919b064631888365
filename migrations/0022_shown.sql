-- What whoever reads tables is told besides rows: at which sequence a stream is shown, and by which rules a generation
-- was posted. Asked within the reader's own statement, so that both are of the moment at which the rows are read.

-- The last sequence of a stream of the tenant in a context's tables: that of its last event up to the checkpoint that the
-- transaction has noted (`daybook.posted`), and before the one that could not be posted if the stream is parked. Null when
-- there is none.
create function book.shown(context text, aggregate_type text, aggregate_id uuid) returns bigint
language plpgsql stable
security definer set search_path = book, pg_catalog
-- Whoever reads tables has each statement planned for its values; this one is asked for each row.
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select e.sequence
        from book.events e
        where e.aggregate_type = shown.aggregate_type
          and e.aggregate_id = shown.aggregate_id::text
          and e.tenant_id = nullif(current_setting('daybook.tenant', true), '')::uuid
          and e.position <= least(
              nullif(current_setting('daybook.posted', true), '')::bigint,
              (select p.position - 1
               from book.parked p
               join book.generations g using (context, generation)
               where g.context = shown.context and g.state = 'live'
                 and p.aggregate_type = shown.aggregate_type and p.aggregate_id = shown.aggregate_id))
        order by e.sequence desc
        limit 1);
end
$$;

-- A short digest of what the live generation was posted by: another one where the same events may have given other rows.
create function book.rules(context text) returns text
language plpgsql stable
security definer set search_path = book, pg_catalog
as $$
begin
    return (
        select left(md5(g.fingerprint), 8)
        from book.generations g where g.context = rules.context and g.state = 'live');
end
$$;

revoke all on function book.shown, book.rules from public;
grant execute on function book.shown, book.rules to daybook_reader;
