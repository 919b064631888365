//! Rows on their way into tables of a generation that nobody reads yet: they are copied over a connection of their own,
//! while the transactions of pages go on without them. Such a generation counts as a whole or not at all.

use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::copy;
use crate::error::PostError;

/// Buffers that wait to be copied, each of some megabytes: whoever folds the next window is not kept waiting by what the
/// last one has left.
const WAITING_MAX: usize = 4;

/// The way to the connection beside. The copying ends when every clone is dropped.
#[derive(Debug, Clone)]
pub struct Aside(mpsc::Sender<Rows>);

#[derive(Debug)]
struct Rows {
    table: &'static str,
    copy: String,
    buffer: copy::Buffer,
}

impl Aside {
    /// Copies over this connection what is sent from now on. The task tells why nothing more could be copied.
    pub fn over(mut connection: PgConnection) -> (Self, JoinHandle<Result<(), PostError>>) {
        let (sender, mut waiting) = mpsc::channel::<Rows>(WAITING_MAX);
        let copying = tokio::spawn(async move {
            while let Some(Rows { table, copy, buffer }) = waiting.recv().await {
                let copied = buffer.send(&mut connection, &copy).await;
                copied.map_err(|source| PostError::Sql { table, source })?;
            }
            Ok(())
        });
        (Self(sender), copying)
    }

    /// Sends rows of a table, with the statement that copies them.
    ///
    /// # Errors
    /// When nobody takes them any more: the task says why.
    pub async fn send(&self, table: &'static str, copy: &str, buffer: copy::Buffer) -> Result<(), sqlx::Error> {
        let copy = copy.to_owned();
        let sending = self.0.send(Rows { table, copy, buffer });
        sending.await.map_err(|_| sqlx::Error::WorkerCrashed)
    }
}
