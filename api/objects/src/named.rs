//! Which sealed objects are named by events: found by the keys that they are sealed under, whose owners are streams.

use std::collections::HashSet;

use book::keys::Naming;
use book::{Book, BookError};
use uuid::Uuid;

use crate::PURPOSE;

/// The objects of a tenant, by their SHA-256, that events name which are told of here: of those that are sealed in the name of
/// the event's stream, and can be opened. Content whose key is destroyed is nobody's any more.
///
/// # Errors
/// The database's error.
pub async fn named(book: &Book, tenant: Uuid, naming: Naming) -> Result<HashSet<String>, BookError> {
    book.vault().named(tenant, PURPOSE, naming).await
}
