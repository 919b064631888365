//! The printer of labels: a worker with an effect outside.

use std::path::PathBuf;
use std::time::Duration;

use book::lease::Lease;
use book::worker::{Beat, Work, pause};
use book::{BookError, End, Tail};
use domain::{Decider as _, DecodeError};
use http::crew::Worker;
use sample::jar::{AGGREGATE, Event, Jar};
use tokio_util::sync::CancellationToken;

/// The printer among the workers.
pub static WORKER: Worker = Worker {
    name: "labels",
    lock: "daybook sample labels",
    start: |crew| {
        let printer = Printer {
            tail: crew.tail.clone(),
            end: crew.end.clone(),
            folder: crew.archive.clone(),
        };
        crew.lead(&WORKER, printer);
    },
};
/// The file in the folder of archives.
pub const SHEET: &str = "labels.txt";
/// Events that are read at once.
const PAGE_EVENTS: i64 = 100;
/// How long it waits for more before it says that it is alive, in seconds.
const TURN_SECONDS: u64 = 1;

/// Writes a sheet of all labels that were ever put on jars, a line each.
#[derive(Debug)]
pub struct Printer {
    pub tail: Tail,
    pub end: End,
    pub folder: PathBuf,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum PrinterError {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Unread(#[from] DecodeError),
    #[error("the sheet cannot be written: {0}")]
    Sheet(#[from] std::io::Error),
}

impl Work for Printer {
    type Error = PrinterError;

    /// Whoever comes to lead begins the sheet anew.
    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), PrinterError> {
        let (mut printed, mut sheet) = (0, String::new());
        let jars = [Jar::TYPE.to_owned()];
        while !stop.is_cancelled() {
            let more = self
                .tail
                .of_types(printed, self.end.position(), &jars, PAGE_EVENTS)
                .await?;
            for recorded in &more.events {
                let event = AGGREGATE.decode(&recorded.stored())?;
                if let Some(Event::JarLabelled { label: Some(label) }) = event.of::<Jar>() {
                    sheet.push_str(label);
                    sheet.push('\n');
                }
            }
            lease.check()?;
            if !more.events.is_empty() {
                tokio::fs::create_dir_all(&self.folder).await?;
                tokio::fs::write(self.folder.join(SHEET), &sheet).await?;
            }
            printed = more.to;
            beat.beat(|status| status.position = printed);
            tokio::select! {
                () = self.end.beyond(printed) => {}
                () = pause(stop, Duration::from_secs(TURN_SECONDS)) => {}
            }
        }
        Ok(())
    }
}
