-- no-transaction
-- The index that receipts_by_time replaces. Appends go on meanwhile.
drop index concurrently if exists book.receipts_recorded_at;
