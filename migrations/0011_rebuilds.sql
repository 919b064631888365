-- What rebuilds say of themselves while they work, for processes that wait for the tables: a long step moves no
-- checkpoint, and whoever waits has to tell it from one that nobody works on any more. One row for each context that
-- was ever rebuilt. Processes of the former version neither read nor write it.
create table book.rebuilds (
    context  text   primary key,
    -- What is being done; null once the rebuild has ended. One that died leaves it, and beats no more.
    phase    text,
    -- Grows every few seconds while somebody rebuilds.
    beats    bigint not null default 0,
    -- Grows with every rebuild that failed or was given up.
    failures bigint not null default 0
);
grant select, insert, update, delete on book.rebuilds to daybook_projector;
