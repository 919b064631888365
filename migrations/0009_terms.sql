-- Terms of projectors: a leader that was stopped, and goes on after another one has begun, writes nothing. The new
-- leader raises the term of the generation, and every page names the term that it was begun in. Processes
-- of the former version name none, and are told apart by the position alone, as before.
alter table book.generations add column term bigint not null default 0;
