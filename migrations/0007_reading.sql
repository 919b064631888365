-- How far a context is posted, for whoever reads its tables: asked within the reader's own transaction, the
-- answer is never ahead of what the tables show, also after a crash has taken a checkpoint back.

-- The checkpoint of the live generation; 0 before there is one. plpgsql keeps its plan.
create function book.posted(context text) returns bigint
language plpgsql stable parallel safe
security definer set search_path = book, pg_catalog
as $$
begin
    return coalesce((
        select g.position from book.generations g where g.context = posted.context and g.state = 'live'), 0);
end
$$;

revoke all on function book.posted from public;
-- The reader gets no table of the book, and may call nothing else in it.
grant usage on schema book to daybook_reader;
grant execute on function book.posted to daybook_reader, daybook_projector;
