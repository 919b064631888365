-- What a policy's checkpoint knows besides its position. DESIGN.md 6.

-- The kinds of streams that the policy reads, in the order of their names: united over all versions of the policy
-- that were ever registered. No leader moves the checkpoint past an event of a kind that it does not read itself. Null
-- until a program that knows of it registers the policy; programs before this one do not look at it.
alter table book.policies add column kinds text[];
-- Raised by every leader when it begins: one that was stopped and goes on after another has begun writes nothing.
alter table book.policies add column term bigint not null default 0;
