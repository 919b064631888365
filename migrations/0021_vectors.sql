-- Vectors in read tables, by pgvector: a type that no generation can make for itself, whose tables find it in `public`.
create extension if not exists vector with schema public;
