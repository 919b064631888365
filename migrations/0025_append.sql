-- Appends that put keys of texts into the book faster.
--
-- book.append takes the place of the former one under the same name, with the same arguments and answers, so that processes
-- of the former version go on and have the same of it. It differs in how keys are written, and in nothing else.
create or replace function book.append(
    command_ids uuid[], tenants uuid[], body_hashes bytea[], answers text[], event_ends int[],
    stream_command int[], stream_types text[], stream_ids uuid[], stream_expected bigint[],
    event_command int[], event_ids uuid[], event_stream_types text[], event_stream_ids uuid[], event_sequences bigint[],
    event_types text[], event_versions text[], payloads text[], metadatas text[],
    claim_command int[], claim_takes bool[], claim_names text[], claim_digests bytea[], claim_types text[], claim_ids uuid[],
    erased_command int[], erased_kinds text[], erased_subjects uuid[],
    key_command int[], key_subjects uuid[], key_wrapped bytea[], key_authors uuid[], key_fields text[],
    standing_command int[], standings text[]
) returns table (
    command int, outcome text, body_hash bytea, last_position bigint, recorded_at timestamptz, answer text, detail text
)
language plpgsql volatile
set jit = off
-- A plan made while the tables were empty must not be kept for when they are not.
set enable_seqscan = off
security definer set search_path = book, pg_catalog
as $$
#variable_conflict use_column
declare
    head           bigint;
    head_time      timestamptz;
    written_at     timestamptz;
    repeated       int[];
    suspended      int[] := '{}';
    moved          int[];
    moved_stream   text[];
    claimed        int[] := '{}';
    claimed_name   text[] := '{}';
    -- Claims, by their place in the arrays, that the stream which takes them holds already.
    held           int[] := '{}';
    refused        int[];
    -- Per command how many events of refused commands come before its own; empty when none is refused.
    skipped        int[] := '{}';
    -- Whether keys need no second look.
    is_plain       boolean;
begin
    -- Held until the commit is visible, so positions are contiguous and in commit order.
    perform pg_advisory_xact_lock(7236270102);

    select e.position, e.recorded_at into head, head_time from book.events e order by e.position desc limit 1;
    head := coalesce(head, 0);
    -- The clock may have jumped back; the book's time does not.
    written_at := greatest(clock_timestamp(), head_time);

    select coalesce(array_agg(c.ord::int), '{}') into repeated
    from unnest(command_ids) with ordinality c(id, ord)
    join book.receipts r on r.command_id = c.id;

    -- A tenant that is suspended makes no events but those that change how it stands or destroy keys: what a person
    -- may ask for does not wait. One that is deleted has no keys left to destroy, and makes none at all. Nearly always there is none, and this is one look at a small table.
    if exists (select from book.tenants t where t.standing <> 'active') then
        select coalesce(array_agg(c.ord::int), '{}') into suspended
        from unnest(tenants) with ordinality c(tenant, ord)
        join book.tenants t on t.tenant_id = c.tenant and t.standing <> 'active'
        where c.ord <> all (repeated)
          and (t.standing = 'deleted' or c.ord <> all (standing_command) and c.ord <> all (erased_command));
    end if;

    select coalesce(array_agg(s.command), '{}'), coalesce(array_agg(s.type || '/' || s.id), '{}')
    into moved, moved_stream
    from unnest(stream_command, stream_types, stream_ids, stream_expected) s(command, type, id, expected)
    where s.command <> all (repeated) and s.command <> all (suspended)
      and s.expected <> coalesce((
          select e.sequence from book.events e
          where e.aggregate_type = s.type and e.aggregate_id = s.id::text
          order by e.sequence desc limit 1), 0);
    refused := repeated || suspended || moved;

    if cardinality(claim_command) > 0 then
        with met as (
            select k.command, k.name, k.ord::int as ord,
                   (c.aggregate_type, c.aggregate_id) = (k.type, k.id::text) as own,
                   -- One command may give a claim back and take it again, for another of its streams.
                   exists (
                       select from unnest(claim_command, claim_takes, claim_names, claim_digests) g(command, takes, name, digest)
                       where g.command = k.command and not g.takes and g.name = k.name and g.digest = k.digest) as given_back
            from unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
                with ordinality k(command, takes, name, digest, type, id, ord)
            join book.claims c on c.tenant_id = tenants[k.command] and c.name = k.name and c.digest = k.digest
            where k.takes and k.command <> all (refused)
        )
        select coalesce(array_agg(m.command) filter (where not m.own and not m.given_back), '{}'),
               coalesce(array_agg(m.name) filter (where not m.own and not m.given_back), '{}'),
               coalesce(array_agg(m.ord) filter (where m.own and not m.given_back), '{}')
        into claimed, claimed_name, held from met m;
        refused := refused || claimed;
    end if;

    if cardinality(refused) > 0 then
        select array_agg(s.events order by s.ord) into skipped from (
            select c.ord, coalesce(sum(case when c.ord = any (refused) then
                       event_ends[c.ord] - coalesce(event_ends[c.ord - 1], 0) end) over (order by c.ord), 0)::int as events
            from generate_subscripts(command_ids, 1) c(ord)) s;
    end if;

    insert into book.events (position, event_id, tenant_id, aggregate_type, aggregate_id, sequence,
                             event_type, event_version, payload, metadata, recorded_at)
    select head + e.ord - coalesce(skipped[e.command], 0), e.id, tenants[e.command], e.stream_type, e.stream_id::text,
           e.sequence, e.type, e.version, e.payload::json, e.metadata::json, written_at
    from unnest(event_command, event_ids, event_stream_types, event_stream_ids, event_sequences,
                event_types, event_versions, payloads, metadatas)
        with ordinality e(command, id, stream_type, stream_id, sequence, type, version, payload, metadata, ord)
    where e.command <> all (refused);

    insert into book.receipts (command_id, tenant_id, body_hash, position, recorded_at, answer)
    select c.id, c.tenant, c.hash, head + c.ends - coalesce(skipped[c.ord], 0), written_at, c.answer::json
    from unnest(command_ids, tenants, body_hashes, answers, event_ends) with ordinality
        c(id, tenant, hash, answer, ends, ord)
    where c.ord <> all (refused);

    if false = any (claim_takes) then
        delete from book.claims c
        using unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
            k(command, takes, name, digest, type, id)
        where not k.takes and k.command <> all (refused)
          and c.tenant_id = tenants[k.command] and c.name = k.name and c.digest = k.digest
          and c.aggregate_type = k.type and c.aggregate_id = k.id::text;
    end if;
    if true = any (claim_takes) then
        insert into book.claims (tenant_id, name, digest, aggregate_type, aggregate_id)
        select tenants[k.command], k.name, k.digest, k.type, k.id::text
        from unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
            with ordinality k(command, takes, name, digest, type, id, ord)
        where k.takes and k.command <> all (refused) and k.ord <> all (held);
    end if;

    if cardinality(key_command) > 0 then
        -- Nearly always nobody who wrote anything is erased and every subject is new: then keys are inserted and nothing
        -- is asked for each of them, since there is one for each text.
        is_plain := not exists (select from book.keys a where a.subject = any (key_authors) and a.wrapped is null);
        if is_plain then
            begin
                insert into book.keys (subject, tenant_id, wrapped, author, field)
                select k.subject, tenants[k.command], k.wrapped, k.author, k.field
                from unnest(key_command, key_subjects, key_wrapped, key_authors, key_fields)
                    k(command, subject, wrapped, author, field)
                where k.command <> all (refused);
            exception when unique_violation then
                is_plain := false;
            end;
        end if;
        if not is_plain then
            -- What somebody wrote who was erased meanwhile cannot be read from the outset. A subject that is there already
            -- is that of an event which the book does not have any more: it was restored, and its keys were not.
            insert into book.keys (subject, tenant_id, wrapped, author, field, destroyed_at)
            select k.subject, k.tenant, case when not k.is_erased then k.wrapped end, k.author, k.field,
                   case when k.is_erased then written_at end
            from (
                select n.*, tenants[n.command] as tenant, exists (
                    select from book.keys a
                    where a.subject = n.author and a.tenant_id = tenants[n.command] and a.wrapped is null) as is_erased
                from unnest(key_command, key_subjects, key_wrapped, key_authors, key_fields)
                    n(command, subject, wrapped, author, field)
            ) k
            where k.command <> all (refused)
            on conflict (subject) do update
                set wrapped = excluded.wrapped, author = excluded.author, field = excluded.field,
                    destroyed_at = excluded.destroyed_at, swept_at = null
                where book.keys.tenant_id = excluded.tenant_id and book.keys.author is not null;
        end if;
    end if;

    if cardinality(erased_command) > 0 then
        -- By the tenant of the command: nobody destroys another's keys, whatever an event says. Each kind by an index of
        -- its own, for there is a key for each text, and everybody waits meanwhile.
        with erased as (
            select g.kind, g.subject, tenants[g.command] as tenant
            from unnest(erased_command, erased_kinds, erased_subjects) g(command, kind, subject)
            where g.command <> all (refused)
        ), gone as (
            select k.subject from erased g join book.keys k on k.subject = g.subject and k.tenant_id = g.tenant
            where g.kind in ('person', 'key') and k.wrapped is not null
            union
            select k.subject from erased g join book.keys k on k.author = g.subject and k.tenant_id = g.tenant
            where g.kind = 'person' and k.author is not null and k.wrapped is not null
        )
        update book.keys set wrapped = null, destroyed_at = written_at from gone where book.keys.subject = gone.subject;
    end if;

    if cardinality(standing_command) > 0 then
        insert into book.tenants (tenant_id, standing, since)
        select distinct on (tenants[s.command]) tenants[s.command], s.standing, written_at
        from unnest(standing_command, standings) with ordinality s(command, standing, ord)
        where s.command <> all (refused)
        order by tenants[s.command], s.ord desc
        on conflict (tenant_id) do update set standing = excluded.standing, since = excluded.since;
    end if;

    return query select 0, null::text, null::bytea, head, written_at, null::text, null::text;
    if cardinality(refused) > 0 then
        return query
        select c.ord::int,
               case when c.ord = any (repeated) then 'repeated'
                    when c.ord = any (suspended) then 'suspended'
                    when c.ord = any (moved) then 'moved'
                    else 'claimed' end,
               r.body_hash, r.position, r.recorded_at, r.answer::text,
               case when c.ord = any (moved) then moved_stream[array_position(moved, c.ord::int)]
                    when c.ord = any (claimed) then claimed_name[array_position(claimed, c.ord::int)] end
        from unnest(command_ids) with ordinality c(id, ord)
        left join book.receipts r on r.command_id = c.id
        where c.ord = any (refused)
        order by c.ord;
    end if;
end
$$;

-- As before, along keys_by_age: in the order in which the keys were made.
create or replace function book.destroy_keys(deleted uuid, at_most int) returns bigint
language sql volatile
set enable_seqscan = off
security definer set search_path = book, pg_catalog
as $$
    with due as (
        -- In one order, so that two who do this at once wait for each other and no more than that.
        select k.subject
        from book.tenants t join book.keys k on k.tenant_id = t.tenant_id
        where t.tenant_id = deleted and t.standing = 'deleted' and k.wrapped is not null
        order by k.tenant_id, k.created_at limit at_most
        for update of k
    ), gone as (
        update book.keys k set wrapped = null, destroyed_at = clock_timestamp(), swept_at = null
        from due where k.subject = due.subject
        returning k.subject
    )
    select count(*) from gone
$$;
