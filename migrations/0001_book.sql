-- The book: the append-only event log and what keeps it honest. DESIGN.md 4.
-- Read tables are not migrated: migrations/read/<context>.sql declares them whole.

create schema book;

-- Roles belong to the whole cluster, so databases that are migrated at the same time take turns.
select pg_advisory_xact_lock(hashtextextended('daybook roles', 0));
do $$
declare
    role_name text;
begin
    foreach role_name in array array['daybook_writer', 'daybook_projector', 'daybook_reader'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin noinherit', role_name);
        end if;
        -- The owner of the database works under these roles, one pool each.
        execute format('grant %I to current_user', role_name);
    end loop;
    -- The projector makes and renames the schemas of generations.
    execute format('grant create on database %I to daybook_projector', current_database());
end
$$;

grant usage on schema book to daybook_writer, daybook_projector;

-- One event. `payload` is json, not jsonb: the bytes stay as they were written.
create table book.events (
    position       bigint      primary key,
    event_id       uuid        not null,
    tenant_id      uuid        not null,
    aggregate_type text        not null,
    aggregate_id   text        not null,
    sequence       bigint      not null check (sequence > 0),
    event_type     text        not null,
    event_version  text        not null,
    payload        json        not null,
    metadata       json        not null,
    recorded_at    timestamptz not null,
    constraint events_stream unique (aggregate_type, aggregate_id, sequence)
);
-- Rows arrive in order and never change, so pages stay dense and the insert trigger of autovacuum
-- keeps the visibility map current.
alter table book.events set (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05);

-- What an accepted command got as its answer, kept for 30 days.
create table book.receipts (
    command_id   uuid        primary key,
    tenant_id    uuid        not null,
    body_hash    bytea       not null,
    -- The last position of the command's events; the book's end then, when it made none.
    position     bigint      not null,
    recorded_at  timestamptz not null,
    -- What the answer needs besides: the streams and events of the command.
    answer       json        not null
);
create index receipts_recorded_at on book.receipts using brin (recorded_at);

-- A value that must be unique in its tenant. Only an HMAC of it is kept.
create table book.claims (
    tenant_id      uuid  not null,
    name           text  not null,
    digest         bytea not null,
    aggregate_type text  not null,
    aggregate_id   text  not null,
    primary key (tenant_id, name, digest)
);

-- The key of a person (or an import), wrapped by the master key. Destroying it erases.
create table book.keys (
    subject      uuid        primary key,
    tenant_id    uuid        not null,
    wrapped      bytea,
    created_at   timestamptz not null default clock_timestamp(),
    destroyed_at timestamptz,
    check ((wrapped is null) = (destroyed_at is not null))
);

-- One built set of a context's tables, and how far it has posted the book: its checkpoint.
create table book.generations (
    context     text        not null,
    generation  bigint      not null,
    schema_name text        not null,
    state       text        not null check (state in ('building', 'live', 'retired')),
    position    bigint      not null default 0,
    fingerprint text        not null,
    created_at  timestamptz not null default clock_timestamp(),
    swapped_at  timestamptz,
    primary key (context, generation)
);
create unique index generations_live on book.generations (context) where state = 'live';
alter table book.generations set (fillfactor = 50);

-- A stream that a context could not post, from its first failing event on.
create table book.parked (
    context        text        not null,
    generation     bigint      not null,
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    tenant_id      uuid        not null,
    position       bigint      not null,
    error          text        not null,
    parked_at      timestamptz not null default clock_timestamp(),
    primary key (context, generation, aggregate_type, aggregate_id)
);

-- A value drawn once per book: a bus that was filled from another book is told apart by it.
create table book.incarnation (
    id uuid not null default gen_random_uuid()
);
insert into book.incarnation default values;

-- Nothing rewrites the past.
create function book.refuse_rewrite() returns trigger
language plpgsql as $$
begin
    raise exception 'the book is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;
create trigger events_are_append_only
    before update or delete or truncate on book.events
    for each statement execute function book.refuse_rewrite();

-- The state of the book's end, by one index probe.
create function book.last_position() returns bigint
language sql stable parallel safe as $$
    select coalesce((select position from book.events order by position desc limit 1), 0)
$$;

-- Appends a batch of commands in one transaction, each accepted or refused by itself.
--
-- Arguments come as parallel arrays; *_command counts from 1 and names the command that a stream,
-- a fact, an event, a claim or a destroyed key belongs to. The caller promises that no two commands
-- of a batch share a command id, a claim or a stream that they write, and that none writes what
-- another reads.
--
-- Per command one row comes back: the outcome ('appended', 'repeated', 'moved', 'claimed'); for the
-- first two what the receipt says; for the last two the stream that moved or the claim that is taken.
-- stream_* lists the streams a command writes and those it only read, with the sequence it saw.
create function book.append(
    command_ids uuid[], tenants uuid[], body_hashes bytea[], answers text[],
    stream_command int[], stream_types text[], stream_ids text[], stream_expected bigint[],
    event_command int[], event_ids uuid[], event_stream_types text[], event_stream_ids text[], event_sequences bigint[],
    event_types text[], event_versions text[], payloads text[], metadatas text[],
    claim_command int[], claim_takes bool[], claim_names text[], claim_digests bytea[], claim_types text[], claim_ids text[],
    erased_command int[], erased_subjects uuid[]
) returns table (
    command int, outcome text, body_hash bytea, last_position bigint, recorded_at timestamptz, answer json, detail text
)
language plpgsql volatile
set jit = off
-- A plan made while the tables were empty must not be kept for when they are not.
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    head           bigint;
    head_time      timestamptz;
    written_at     timestamptz;
    repeated       int[];
    moved          int[];
    moved_stream   text[];
    claimed        int[] := '{}';
    claimed_name   text[] := '{}';
    refused        int[];
    -- Per command the position after its events.
    positions      bigint[];
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

    select coalesce(array_agg(s.command), '{}'), coalesce(array_agg(s.type || '/' || s.id), '{}')
    into moved, moved_stream
    from unnest(stream_command, stream_types, stream_ids, stream_expected) s(command, type, id, expected)
    where s.command <> all (repeated)
      and s.expected <> coalesce((
          select e.sequence from book.events e
          where e.aggregate_type = s.type and e.aggregate_id = s.id
          order by e.sequence desc limit 1), 0);
    refused := repeated || moved;

    if cardinality(claim_command) > 0 then
        select coalesce(array_agg(k.command), '{}'), coalesce(array_agg(k.name), '{}') into claimed, claimed_name
        from unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
            k(command, takes, name, digest, type, id)
        join book.claims c on c.tenant_id = tenants[k.command] and c.name = k.name and c.digest = k.digest
        where k.takes and k.command <> all (refused)
          and (c.aggregate_type, c.aggregate_id) <> (k.type, k.id)
          -- One command may hand a claim from one of its streams to another.
          and not exists (
              select from unnest(claim_command, claim_takes, claim_names, claim_digests) g(command, takes, name, digest)
              where g.command = k.command and not g.takes and g.name = k.name and g.digest = k.digest);
        refused := refused || claimed;
    end if;

    with counted as (
        select e.command, count(*) as events from unnest(event_command) e(command)
        where e.command <> all (refused)
        group by e.command
    )
    select array_agg(c.position order by c.ord) into positions from (
        select c.ord, head + (sum(coalesce(n.events, 0)) over (order by c.ord))::bigint as position
        from generate_subscripts(command_ids, 1) c(ord)
        left join counted n on n.command = c.ord) c;

    insert into book.events (position, event_id, tenant_id, aggregate_type, aggregate_id, sequence,
                             event_type, event_version, payload, metadata, recorded_at)
    select head + row_number() over (order by e.ord), e.id, tenants[e.command], e.stream_type, e.stream_id,
           e.sequence, e.type, e.version, e.payload::json, e.metadata::json, written_at
    from unnest(event_command, event_ids, event_stream_types, event_stream_ids, event_sequences,
                event_types, event_versions, payloads, metadatas)
        with ordinality e(command, id, stream_type, stream_id, sequence, type, version, payload, metadata, ord)
    where e.command <> all (refused)
    order by e.ord;

    insert into book.receipts (command_id, tenant_id, body_hash, position, recorded_at, answer)
    select c.id, c.tenant, c.hash, c.position, written_at, c.answer::json
    from unnest(command_ids, tenants, body_hashes, answers, positions) with ordinality
        c(id, tenant, hash, answer, position, ord)
    where c.ord <> all (refused);

    if cardinality(claim_command) > 0 then
        delete from book.claims c
        using unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
            k(command, takes, name, digest, type, id)
        where not k.takes and k.command <> all (refused)
          and c.tenant_id = tenants[k.command] and c.name = k.name and c.digest = k.digest
          and c.aggregate_type = k.type and c.aggregate_id = k.id;

        insert into book.claims (tenant_id, name, digest, aggregate_type, aggregate_id)
        select tenants[k.command], k.name, k.digest, k.type, k.id
        from unnest(claim_command, claim_takes, claim_names, claim_digests, claim_types, claim_ids)
            k(command, takes, name, digest, type, id)
        where k.takes and k.command <> all (refused)
        on conflict (tenant_id, name, digest) do nothing;
    end if;

    if cardinality(erased_command) > 0 then
        update book.keys set wrapped = null, destroyed_at = written_at
        from unnest(erased_command, erased_subjects) g(command, subject)
        where book.keys.subject = g.subject and book.keys.wrapped is not null and g.command <> all (refused);
    end if;

    return query
    select c.ord::int,
           case when c.ord = any (repeated) then 'repeated'
                when c.ord = any (moved) then 'moved'
                when c.ord = any (claimed) then 'claimed'
                else 'appended' end,
           r.body_hash, coalesce(r.position, c.position), coalesce(r.recorded_at, written_at), r.answer,
           case when c.ord = any (moved) then moved_stream[array_position(moved, c.ord::int)]
                when c.ord = any (claimed) then claimed_name[array_position(claimed, c.ord::int)] end
    from unnest(command_ids, positions) with ordinality c(id, position, ord)
    -- Receipts written just now are not looked up again.
    left join book.receipts r on r.command_id = case when c.ord = any (repeated) then c.id end
    order by c.ord;
end
$$;

-- The writer appends through the function alone, which runs with its owner's rights: nobody can put
-- an event into the book without the lock, the checks and the receipt.
alter function book.append security definer set search_path = book, pg_catalog;
revoke all on function book.append from public;
grant execute on function book.append to daybook_writer;
grant select on book.events, book.receipts, book.claims, book.keys, book.incarnation to daybook_writer;
grant delete on book.receipts to daybook_writer;
grant insert on book.keys to daybook_writer;

grant select on book.events, book.incarnation, book.keys to daybook_projector;
grant select, insert, update, delete on book.generations, book.parked to daybook_projector;
grant execute on function book.last_position to daybook_writer, daybook_projector;
