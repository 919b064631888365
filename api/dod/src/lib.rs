//! Context `dod` as it is served, beside its commands and tables.
