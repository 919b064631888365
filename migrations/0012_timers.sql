-- no-transaction
-- Each context fires its own timers: what the policies of others have overdue, however much, is not read for it.
-- Policies go on meanwhile; cut short, it is made anew by the next `daybook migrate`.
create index concurrently if not exists timers_by_policy on book.timers (policy, due_at);
