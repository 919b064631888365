//! The messages over their whole range: hostile texts, limits, answers, and real sockets.

mod answers;
mod calls;
mod hostile;
mod limits;
mod notices;
mod sockets;
