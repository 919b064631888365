-- no-transaction
-- The keys of a tenant in the order in which they were made. Each text has a key under a random name, and an append puts
-- it into every index of book.keys: in keys_by_tenant, which this one replaces, that was another page for each. Here
-- they follow one another. Appends go on while it is made; cut short, it is made anew by the next `daybook migrate`.
create index concurrently if not exists keys_by_age on book.keys (tenant_id, created_at) where wrapped is not null;
