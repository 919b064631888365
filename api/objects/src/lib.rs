//! The object store: content by its SHA-256, in a folder or in S3.
