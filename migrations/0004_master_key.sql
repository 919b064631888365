-- What tells whether a process has the right master key: a digest that only that key makes. The first
-- process to start notes it; one with another key refuses to start, before it seals what nobody else can
-- open or takes claims that nobody else can see.
create table book.master_key (
    only_row    boolean primary key default true check (only_row),
    check_value bytea   not null
);
grant select, insert on book.master_key to daybook_writer;
