-- Numbers for kinds of reference data whose documents say SERIAL: those of each tenant run by themselves, so that none tells
-- how much another does. A number that was drawn for a command that is refused is left out, as sequences leave some out.
create table book.numbers (
    tenant_id uuid    not null,
    kind      text    not null,
    last      integer not null,
    primary key (tenant_id, kind)
);

create function book.draw_number(tenant uuid, kind text) returns integer
language sql volatile
security definer set search_path = book, pg_catalog
as $$
    insert into book.numbers as n (tenant_id, kind, last) values (draw_number.tenant, draw_number.kind, 1)
    on conflict (tenant_id, kind) do update set last = n.last + 1
    returning last
$$;

-- The number that would be drawn next: for what is tried and not done.
create function book.next_number(tenant uuid, kind text) returns integer
language sql stable
security definer set search_path = book, pg_catalog
as $$
    select coalesce((select n.last + 1 from book.numbers n
                     where n.tenant_id = next_number.tenant and n.kind = next_number.kind), 1)
$$;

revoke all on function book.draw_number, book.next_number from public;
grant execute on function book.draw_number, book.next_number to daybook_writer;

-- A span of time as ISO 8601 has durations, in the one form in which Daybook writes them: P1Y2M3DT4H5M6.5S, PT0S.
create function book.duration(span interval) returns text
language sql immutable parallel safe strict
as $$
    select case when p.date = '' and p.time = '' then 'PT0S'
                else 'P' || p.date || case when p.time = '' then '' else 'T' || p.time end end
    from (select
        coalesce(nullif(extract(year from span)::bigint, 0) || 'Y', '')
            || coalesce(nullif(extract(month from span)::bigint, 0) || 'M', '')
            || coalesce(nullif(extract(day from span)::bigint, 0) || 'D', '') as date,
        coalesce(nullif(extract(hour from span)::bigint, 0) || 'H', '')
            || coalesce(nullif(extract(minute from span)::bigint, 0) || 'M', '')
            || coalesce(nullif(trim_scale(extract(second from span)), 0) || 'S', '') as time) p
$$;
grant execute on function book.duration to daybook_reader, daybook_projector;
