-- Policies and their timers. DESIGN.md 6.

-- How far a policy has reacted to the book. It never reacts to what came before its floor: a policy
-- that is new to a book must not act on its past.
create table book.policies (
    name       text        primary key,
    floor      bigint      not null,
    position   bigint      not null check (position >= floor),
    created_at timestamptz not null default clock_timestamp()
);
alter table book.policies set (fillfactor = 50);

-- A command that a policy sends when it falls due. Posted from events, so the same event sets the
-- same timer again and nothing more.
create table book.timers (
    timer_id       uuid        primary key,
    policy         text        not null references book.policies (name),
    tenant_id      uuid        not null,
    due_at         timestamptz not null,
    -- The event that set it: the cause of the command.
    event_id       uuid        not null,
    position       bigint      not null,
    correlation_id uuid        not null,
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    command        json        not null
);
create index timers_due_at on book.timers (due_at);

-- What a policy could not do for a reason that trying again does not cure: kept until somebody has it
-- tried again.
create table book.missed (
    policy    text        not null references book.policies (name),
    event_id  uuid        not null,
    tenant_id uuid        not null,
    position  bigint      not null,
    error     text        not null,
    missed_at timestamptz not null default clock_timestamp(),
    primary key (policy, event_id)
);

grant select, insert, update, delete on book.policies, book.timers, book.missed to daybook_writer;
