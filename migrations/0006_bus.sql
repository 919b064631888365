-- The durable consumers that integrators have on the stream, and what each has acknowledged. The stream
-- is a cache and may be lost with all of its consumers: the relay makes both anew from the book and from
-- these rows. Written by the relay that leads, when something changed.
create table book.bus_consumers (
    stream       text        not null,
    name         text        not null,
    -- As the server reported it, but for where it starts.
    config       json        not null,
    -- Every event up to here that it asked for was acknowledged.
    acknowledged bigint      not null check (acknowledged >= 0),
    -- When the server made it, in the server's own words: another consumer of the name is another one.
    made         text        not null,
    noted_at     timestamptz not null default clock_timestamp(),
    primary key (stream, name)
);
alter table book.bus_consumers set (fillfactor = 50);
grant select, insert, update, delete on book.bus_consumers to daybook_projector;
