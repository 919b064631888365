//! For commands of the command line that look into the tables: they wait until all is shown that happened before.

use std::time::Duration;

use http::Fault;
use http::cli::Opened;
use projections::Posted;

/// How long the tables may take, in seconds.
const POSTED_SECONDS_MAX: u64 = 60;

/// Waits until the tables show the book as it is now, and says how long it is.
///
/// # Errors
/// When they do not, since no projector runs; the failure of the book.
pub async fn up_to_now(opened: &Opened) -> Result<i64, Fault> {
    let tables = &dod_tables::CONTEXT;
    let posted = Posted::new(opened.pools.projector.clone(), &[tables]);
    let end = opened.tail.end().await?;
    match posted
        .wait(tables, end, Duration::from_secs(POSTED_SECONDS_MAX))
        .await?
    {
        true => Ok(end),
        false => Err(Fault::Refused(
            "the tables are behind the book; try again once a process with the role `projector` has caught up"
                .to_owned(),
        )),
    }
}
