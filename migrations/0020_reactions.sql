-- Reactors: effects outside that follow from events. DESIGN.md 6 and 10.

-- How far a reactor has read the book, in whose term, and of which kinds of streams: as `book.policies`. It never acts on
-- what came before its floor.
create table book.reactors (
    name       text        primary key,
    floor      bigint      not null,
    position   bigint      not null check (position >= floor),
    kinds      text[]      not null,
    term       bigint      not null default 0,
    created_at timestamptz not null default clock_timestamp()
);
alter table book.reactors set (fillfactor = 50);

-- An effect that is still to come, or a dead letter. One that has come has no row any more.
--
-- Whoever writes here locks the reactor's row first, so that each sees what the one before has written.
create table book.reactions (
    reaction_id uuid        primary key,
    reactor     text        not null references book.reactors (name),
    tenant_id   uuid        not null,
    -- The event that it follows from, and its place among all that follow from that.
    event_id    uuid        not null,
    position    bigint      not null,
    place       int         not null,
    -- Its name among them. Null where it could not be told what follows from the event: that is to be found out first.
    key         text,
    -- What is done in the order of position and place, one at a time.
    lane        uuid        not null,
    -- What a rate holds for.
    target      text        collate "C" not null,
    due_at      timestamptz not null default clock_timestamp(),
    -- Whether it is the next of its lane: all that come after it there wait for it.
    heads       boolean     not null default false,
    dead        boolean     not null default false,
    -- How often it was sent again as a dead letter.
    round       int         not null default 0,
    -- Attempts of this round that failed, when the first began, and what the latest said.
    attempts    int         not null default 0,
    began_at    timestamptz,
    error       text,
    -- Attempts since then that began and of which nothing was heard: the process has ended.
    cuts        int         not null default 0,
    died_at     timestamptz,
    check (not (dead and heads)),
    check (dead = (died_at is not null))
);
alter table book.reactions set (fillfactor = 70);
create unique index reactions_heads on book.reactions (reactor, tenant_id, lane) where heads;
create index reactions_due on book.reactions (reactor, tenant_id, target, due_at) where heads;
create index reactions_lanes on book.reactions (reactor, tenant_id, lane, position, place) where not dead;
create index reactions_dead on book.reactions (reactor, tenant_id, position, place) where dead;

-- When the next effect on a target may begin: written before the one that has it wait, so that no restart goes beyond a rate.
create table book.reaction_targets (
    reactor   text        not null references book.reactors (name),
    tenant_id uuid        not null,
    target    text        collate "C" not null,
    free_at   timestamptz not null,
    primary key (reactor, tenant_id, target)
);
alter table book.reaction_targets set (fillfactor = 70);

grant select, insert, update, delete on book.reactors, book.reactions, book.reaction_targets to daybook_writer;
