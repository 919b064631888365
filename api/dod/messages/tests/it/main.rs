//! The messages over their whole range: hostile texts, limits, answers, and real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop, loudly")]

mod answers;
mod calls;
mod hostile;
mod limits;
mod notices;
mod sockets;
