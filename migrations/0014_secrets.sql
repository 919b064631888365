-- Keys of the book itself, and tables that show what the book does not say.

-- Each name has generations, the greatest of which is in use:
-- * wrapping: the keys that wrap all others. The latest is wrapped by the master key, each former one by the one after
--   it. While it is new, `bridge` has the latest once more, wrapped by the former one, so that processes which began
--   under the former master key can follow.
-- * claims: what makes digests of unique values. Wrapped by a wrapping key, and never another one: the digests stay.
-- * bus: what messages are told by. Wrapped by a wrapping key; a former one is accepted until `accepted_until`.
-- Nothing in here can be read without the master key. The first process of this version that starts fills it.
create table book.secrets (
    name           text        not null check (name <> ''),
    generation     int         not null check (generation > 0),
    wrapped        bytea       not null,
    bridge         bytea,
    created_at     timestamptz not null default clock_timestamp(),
    accepted_until timestamptz,
    primary key (name, generation)
);
grant select, insert on book.secrets to daybook_writer;
grant select on book.secrets to daybook_projector;

-- When a checkpoint was found beyond the book's end. It stays, so that a book which has grown past the checkpoint
-- meanwhile does not hide that the rows are wrong: nobody posts them on, and a rebuild takes their place.
alter table book.generations add column ahead_since timestamptz;

-- As before, but -1 for tables that are ahead of the book: what they show must not be told.
create or replace function book.posted(context text) returns bigint
language plpgsql stable parallel safe
security definer set search_path = book, pg_catalog
as $$
begin
    return coalesce((
        select case when g.ahead_since is null and g.position <= book.last_position() then g.position else -1 end
        from book.generations g where g.context = posted.context and g.state = 'live'), 0);
end
$$;
