-- no-transaction
-- The index that keys_by_age replaces. Appends go on meanwhile.
drop index concurrently if exists book.keys_by_tenant;
