-- Seals: what shows that somebody changed the book behind Daybook's back. docs/operations.md, "Seals and verify".

-- One seal covers the events of some positions that follow one another. Its chain is a digest over the chain of the
-- seal before it, its own columns and the root, which is a digest over the leaves: one digest for each event,
-- over all columns that the format lists. The signature is made with a key that this database never sees, so whoever
-- rewrites events cannot make the seals that would go with them.
create table book.seals (
    number        bigint      primary key check (number > 0),
    from_position bigint      not null,
    to_position   bigint      not null unique,
    -- Which columns of book.events are covered, and how: book/src/seals/leaves.rs.
    format        smallint    not null,
    -- The incarnation of the book that was sealed: another one after a restore or a fail-over.
    history       text        not null,
    root          bytea       not null check (octet_length(root) = 32),
    -- By the sealer's own clock.
    sealed_at     timestamptz not null,
    -- The public key that the signature is checked with: it names the key.
    key           bytea       not null check (octet_length(key) = 32),
    chain         bytea       not null check (octet_length(chain) = 32),
    signature     bytea       not null check (octet_length(signature) = 64),
    -- 32 bytes for each event, to tell which one of a seal was changed.
    leaves        bytea       not null,
    check (from_position > 0 and to_position >= from_position),
    check (octet_length(leaves) = 32 * (to_position - from_position + 1))
);
-- Digests cannot be compressed, and are read only when something is wrong.
alter table book.seals alter column leaves set storage external;

create trigger seals_are_append_only
    before update or delete or truncate on book.seals
    for each statement execute function book.refuse_rewrite();

-- Appends the seal that follows the last one. `columns` are those of book.events that it covers, position
-- included: a column that a migration has added is one that an older program would leave out of its seals.
--
-- The outcome is 'sealed'; 'moved' when it does not follow the last seal, or is of events that are not there; or 'columns'
-- when book.events has other columns. Nothing is written but for the first.
create function book.seal(
    number bigint, from_position bigint, to_position bigint, format smallint, columns text[], history text,
    root bytea, sealed_at timestamptz, key bytea, chain bytea, signature bytea, leaves bytea
) returns text
language plpgsql volatile
security definer set search_path = book, pg_catalog
as $$
#variable_conflict use_variable
declare
    last_number bigint;
    last_to     bigint;
begin
    -- One after the other, so that there is one seal that comes next.
    perform pg_advisory_xact_lock(7236270103);
    if exists (select from pg_attribute a
               where a.attrelid = 'book.events'::regclass and a.attnum > 0 and not a.attisdropped
                 and a.attname <> all (columns)) then
        return 'columns';
    end if;
    select s.number, s.to_position into last_number, last_to from book.seals s order by s.number desc limit 1;
    if number <> coalesce(last_number, 0) + 1 or from_position <> coalesce(last_to, 0) + 1
       or to_position > book.last_position() then
        return 'moved';
    end if;
    insert into book.seals as s (number, from_position, to_position, format, history, root, sealed_at, key, chain,
                                 signature, leaves)
    values (number, from_position, to_position, format, history, root, sealed_at, key, chain, signature, leaves);
    return 'sealed';
end
$$;

-- As with events, whoever seals does it through the function alone.
revoke all on function book.seal from public;
grant execute on function book.seal to daybook_projector;
grant select on book.seals to daybook_projector;
