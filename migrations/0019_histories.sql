-- A book that was restored in its place goes on from an earlier point, and is the same by all that the server says of it.
-- Whoever finds out, or whoever restored it, has it told from what it was: places that were given out before are another
-- history's, and the bus is filled anew.
create function book.begin_history() returns void
language sql volatile
security definer set search_path = pg_catalog
as $$
    update book.incarnation set id = gen_random_uuid()
$$;
revoke all on function book.begin_history() from public;
grant execute on function book.begin_history() to daybook_projector;
