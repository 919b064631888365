//! Codes of parts and variants that were taken before codes were compared as people do: each is taken so, too, unless another
//! one like it was first. Then both stay, and in use.

use book::{Book, Envelope, ExecuteError, Step};
use chrono::Utc;
use cloudwatcher::part::{PART_CODE, Part};
use cloudwatcher::part_variant::{PartVariant, VARIANT_CODE};
use domain::register::{Command, Entry, Register};
use domain::{Claim, SYSTEM};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::Fault;
use uuid::Uuid;

/// Values that each of them has: the code as it is written, and as people compare it.
const VALUES: i64 = 2;
/// Commands that are under way at one time.
const AT_ONCE: usize = 64;

/// Has all of them taken. Several processes may do so at one time.
pub fn take(book: &Book) -> BoxFuture<'_, Result<(), Fault>> {
    async move {
        of::<Part>(book, PART_CODE).await?;
        of::<PartVariant>(book, VARIANT_CODE).await
    }
    .boxed()
}

async fn of<K: Entry>(book: &Book, claim: Claim) -> Result<(), Fault> {
    let found = book.holders_of_fewer(claim, VALUES).await?;
    let taking = found
        .into_iter()
        .map(|(tenant, stream)| taken::<K>(book, tenant, stream));
    let taking = futures::stream::iter(taking).buffer_unordered(AT_ONCE);
    taking.try_for_each(|()| async { Ok(()) }).await
}

async fn taken<K: Entry>(book: &Book, tenant: Uuid, stream: Uuid) -> Result<(), Fault> {
    // Under an id of its own each time: an older program may have left a value since one was taken.
    let envelope = Envelope {
        reason: Some("codes are compared as people do from now on".to_owned()),
        ..Envelope::once(tenant, SYSTEM, Utc::now())
    };
    let step = Step::of::<Register<K>>(stream, None, Command::TakeAnew {});
    match book.execute(envelope, vec![step]).await {
        Ok(_) => Ok(()),
        // Another one like it holds it, or the tenant has to wait: tried again at the next start.
        Err(ExecuteError::Claimed { .. } | ExecuteError::Refused(_) | ExecuteError::Suspended) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
