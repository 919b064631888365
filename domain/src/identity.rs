//! People and what they may do: shared by every context, posted into each one's own tables.

pub mod department;
pub mod role;
pub mod sign_in;
pub mod user;
