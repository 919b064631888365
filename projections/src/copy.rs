//! COPY in Postgres' binary form: the fastest way in for rows that are not in the table yet.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgConnection};

use crate::cell::Cell;

/// From this many rows on, COPY is faster than INSERT in spite of its extra round trip.
pub const ROWS_MIN: usize = 50;
/// Bytes sent in one message.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// From so many bytes on, a buffer that can be sent in portions is sent.
const PORTION_BYTES: usize = 4 << 20;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// No flags, no header extension.
const HEADER: [u8; 8] = [0; 8];
const TRAILER: i16 = -1;

/// Rows on their way.
#[derive(Debug)]
pub struct Buffer(PgArgumentBuffer);

impl Default for Buffer {
    fn default() -> Self {
        let mut buffer = PgArgumentBuffer::default();
        buffer.extend_from_slice(SIGNATURE);
        buffer.extend_from_slice(&HEADER);
        Self(buffer)
    }
}

impl Buffer {
    /// Begins a row of so many cells.
    pub fn row(&mut self, cells: usize) {
        self.0.extend_from_slice(&(cells as i16).to_be_bytes());
    }

    /// # Errors
    /// When the value cannot be written in Postgres' form.
    pub fn cell<C: Cell>(&mut self, cell: &C) -> Result<(), BoxDynError> {
        self.sized(|out| cell.encode(out))
    }

    /// A cell of text that is no `String`.
    ///
    /// # Errors
    /// When it is longer than Postgres allows.
    pub fn text(&mut self, text: &str) -> Result<(), BoxDynError> {
        self.sized(|out| {
            out.extend_from_slice(text.as_bytes());
            Ok(IsNull::No)
        })
    }

    /// A cell is preceded by its length, which is known once it is written; null has none.
    fn sized(
        &mut self,
        write: impl FnOnce(&mut PgArgumentBuffer) -> Result<IsNull, BoxDynError>,
    ) -> Result<(), BoxDynError> {
        let start = self.0.len();
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        if let IsNull::No = write(&mut self.0)? {
            let length = i32::try_from(self.0.len() - start - 4)?;
            self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Whether it is time to send what is there, when there may be much more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= PORTION_BYTES
    }

    /// Sends everything with a statement of the form `copy .. from stdin binary`.
    ///
    /// # Errors
    /// The database's error.
    pub async fn send(mut self, connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
        self.0.extend_from_slice(&TRAILER.to_be_bytes());
        let mut copy = connection.copy_in_raw(statement).await?;
        for message in self.0.chunks(MESSAGE_BYTES_MAX) {
            copy.send(message).await?;
        }
        copy.finish().await.map(|_| ())
    }
}
