-- What waits while its tenant is suspended, and goes on once the tenant is active again.
--
-- Processes of the former version take such a reaction or timer for a refused one, and forget it: suspend no tenant
-- before those have ended.

-- A reaction that waits is none that failed: whoever leads the policy reacts again by itself.
alter table book.missed add column waits boolean not null default false;
create index missed_that_wait on book.missed (policy, tenant_id, position) where waits;

-- A timer that fell due meanwhile, and is looked at again only once its tenant is active.
alter table book.timers add column waits boolean not null default false;
create index timers_that_fire on book.timers (policy, due_at) where not waits;
create index timers_that_wait on book.timers (tenant_id) where waits;
