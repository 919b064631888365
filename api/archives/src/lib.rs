//! Archives: what is old leaves the tables of a context, and is kept in files.
//!
//! First the rows of many things are written to a file, with a manifest that says what is to be archived; only when both
//! are on the disk is each thing commanded to be archived; and only when each command is answered is the manifest closed.
//! Whoever dies anywhere between goes on from the manifest: the commands' ids are derived from the archive's name and
//! the thing, so that nothing is done twice, and nothing leaves the tables that is not in a file. A command says at which
//! event of its stream the rows were read, so what changed meanwhile stays, and is archived by a later run.
//!
//! A context says by a [`Kind`] what is due, which rows belong to it, and which commands make it leave.

mod archiver;
mod folder;
mod kind;
mod manifest;
mod select;
mod worker;

pub use archiver::{ArchiveError, Archiver, Due, Left, Report};
pub use kind::{Archives, Kind, Part, parked};
pub use manifest::{Along, Cursor, Data, Kept, Manifest, Member};
pub use worker::ArchiveWorker;
