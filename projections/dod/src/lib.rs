//! Context `dod`: document 002_292caa697ae18d8c as read tables.
