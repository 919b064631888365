//! The figures of alerts: matching in process, bodies over HTTP with all that follows, and lists of very many.

pub mod intake;
pub mod list;
pub mod matching;
mod sender;
