-- no-transaction
-- Receipts that are past their time are walked through in the order of their times, a bounded number at once,
-- since some of them stay. A block range index cannot do that, and tells nothing any more once rows were deleted
-- and their place is used again. New receipts are always the latest, so that this one grows at its right end alone.
-- Appends go on while it is made; cut short, it is made anew by the next `daybook migrate`.
create index concurrently if not exists receipts_by_time on book.receipts (recorded_at);
