//! Reactors: effects outside that follow from events, at least once, under stable ids.
//!
//! A [`Reactor`] of a context says what is to be done because of an event ([`Task`]), and does it. A [`Performer`] is the
//! worker of one reactor: of all that run, one leads. It reads the book from the reactor's own checkpoint, and writes what
//! is to be done to `book.reactions` together with the checkpoint, in one transaction. What is done leaves no row; its
//! outcome is an event, which the reactor commands.
//!
//! # What holds whatever dies
//!
//! - A task is performed at least once, and its id is the same each time. Nothing is done because of events before the floor
//!   of a reactor, which is the end of the book when the reactor was first known.
//! - Who dies after the effect and before its outcome does the effect once more under the same id. The other side has to know
//!   the id again where that must not be seen (an idempotency key, a message that is looked for first). A reactor can do the
//!   same by itself: a first command notes what it is about to do, and an attempt that finds the note looks outside first.
//! - A command of a step ([`Doing::send`]) takes effect once, however often the task is performed: its id is derived from the
//!   task's and the step's name, and its receipt is kept for as long as the task has a row. An effect that is repeated may
//!   bring in another outcome; the first that was commanded stands.
//! - In a lane there is one at a time, in the book's order. One that waits for its next attempt holds its lane. A dead letter
//!   does not; sent again, it comes before all in its lane that have not begun.
//! - The time between the beginnings of two effects on one target of a tenant is that of its rate, over restarts too. Clocks
//!   are the database's: whose own clock jumps does nothing too early. A database whose clock jumps ahead does what was to come
//!   at once, and one whose clock jumps back waits until that time has come again.
//! - What a process began and did not end because it was ended (`cuts`) is no failed attempt, but whatever ends ten processes
//!   in a row is a dead letter.
//! - A leader that was stopped for a while begins nothing more when it goes on: it has lost its lead by its own clock, and
//!   what it would write names its term.
//!
//! # Who waits for whom
//!
//! Tenants take turns, and one has at most half of the places that the others leave free ([`Bounds`]): a target of one that
//! hangs does not hold another's. Targets of one tenant are walked through one by one, so they should be few: channels or
//! hosts, not issues. What is to be done for a suspended tenant waits until it is active; of a deleted one all is dropped.
//!
//! A task whose event told of a person who was erased meanwhile is performed with those fields null, as `tasks` sees them in an
//! event that is read late. An event that this program cannot read, or whose tasks end in a panic, is a dead letter of its own.

mod attempt;
mod checkpoint;
pub mod deleted;
pub mod doing;
pub mod letters;
mod outcome;
pub mod performer;
mod planned;
pub mod reactor;
mod rows;
mod running;
mod taking;
mod telling;

pub use checkpoint::register;
pub use doing::Doing;
pub use letters::{Letter, Progress, letters, progress, retry};
pub use performer::{Performer, ReactorError};
pub use reactor::{Bounds, Done, Known, Reactor, Schedule, Task};
