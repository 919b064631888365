//! A connection that does not wait for ever for its reader, and does not keep others waiting while it writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long a connection may wait, in all, for its reader to take so much, in seconds.
pub const WRITE_SECONDS_MAX: u64 = 10;
/// What its reader must take meanwhile, in bytes.
pub const WRITE_BYTES_MIN: usize = 4 * 1024;
/// What is written at once, in bytes: then it is the turn of whatever else the processor has to do. The kernel copies it
/// meanwhile, half a megabyte in a millisecond or more, and a hundred connections at a time ask for as much.
const TURN_BYTES: usize = 64 * 1024;
/// Pieces of an answer that are written at once.
const SLICES_MAX: usize = 16;

/// A connection whose writer ends when it is not read: what an answer holds in memory is then given back. Time counts
/// only while there is something to write and the kernel takes none of it, so an event stream with nothing to tell, and a
/// reader who keeps up, wait for nothing. Each 4 KiB that get through begin anew.
#[derive(Debug)]
pub struct Timed<S = TcpStream> {
    stream: S,
    limit: Duration,
    /// Has the connection end at once when it is dropped, with what its reader has not taken.
    abandon: fn(&S),
    /// How long writes have waited since so much was last taken, the wait of this moment not included.
    waited: Duration,
    /// What was taken meanwhile, in bytes.
    taken: usize,
    /// Since when a write waits, and when it has waited too long.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// What was written in this turn, in bytes.
    turn: usize,
}

impl Timed {
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let abandon = |stream: &TcpStream| {
            let _ = stream.set_zero_linger();
        };
        Self::within(stream, Duration::from_secs(WRITE_SECONDS_MAX), abandon)
    }
}

impl<S> Timed<S> {
    fn within(stream: S, limit: Duration, abandon: fn(&S)) -> Self {
        Self {
            stream,
            limit,
            abandon,
            waited: Duration::ZERO,
            taken: 0,
            waiting: None,
            turn: 0,
        }
    }

    /// How much may be written in this turn, in bytes; once that was, it is the turn of others.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let left = TURN_BYTES.saturating_sub(self.turn);
        if left == 0 {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(left)
    }

    /// What becomes of a write that the stream answered so.
    fn after(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.took(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.wait(context).map(Err),
        }
    }

    fn took(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.turn += bytes;
        self.taken = self.taken.saturating_add(bytes);
        if self.taken >= WRITE_BYTES_MIN {
            (self.waited, self.taken) = (Duration::ZERO, 0);
        }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let left = self.limit.saturating_sub(self.waited);
        let begin = || (Instant::now(), Box::pin(tokio::time::sleep(left)));
        let (_, over) = self.waiting.get_or_insert_with(begin);
        over.as_mut().poll(context).map(|()| {
            (self.abandon)(&self.stream);
            metrics::counter!("daybook_connections_unread_total").increment(1);
            io::Error::new(io::ErrorKind::TimedOut, "the client does not read what it asked for")
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let left = ready!(self.turn(context));
        let written = Pin::new(&mut self.stream).poll_write(context, &bytes[..bytes.len().min(left)]);
        self.after(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut left = ready!(self.turn(context));
        let mut begin = [IoSlice::new(&[]); SLICES_MAX];
        for (kept, slice) in begin.iter_mut().zip(slices) {
            let bytes: &[u8] = &slice[..slice.len().min(left)];
            left -= bytes.len();
            *kept = IoSlice::new(bytes);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, &begin[..slices.len().min(SLICES_MAX)]);
        self.after(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const LIMIT: Duration = Duration::from_millis(300);
    /// What the connection holds by itself, in bytes.
    const HELD: usize = 1024;

    fn connection() -> (Timed<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(HELD);
        (Timed::within(ours, LIMIT, |_| {}), theirs)
    }

    /// Reads so many bytes after each pause, until there is nothing more.
    fn reads(mut stream: DuplexStream, bytes: usize, pause: Duration) -> tokio::task::JoinHandle<usize> {
        tokio::spawn(async move {
            let (mut buffer, mut all) = (vec![0; bytes], 0);
            loop {
                tokio::time::sleep(pause).await;
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return all,
                    Ok(read) => all += read,
                }
            }
        })
    }

    #[tokio::test]
    async fn a_writer_that_is_not_read_ends_in_time() {
        let (mut ours, _theirs) = connection();
        let started = Instant::now();
        let error = ours.write_all(&[0; 8 * HELD]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            (LIMIT..LIMIT * 5).contains(&started.elapsed()),
            "{:?}",
            started.elapsed()
        );
    }

    #[tokio::test]
    async fn a_writer_that_is_read_too_slowly_ends_though_some_of_it_is_taken_again_and_again() {
        let (mut ours, theirs) = connection();
        // 16 bytes at a time: far from 4 KiB within the limit.
        let reader = reads(theirs, 16, LIMIT / 10);
        let error = ours.write_all(&[0; 8 * WRITE_BYTES_MIN]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(ours);
        assert!(reader.await.unwrap() < 2 * WRITE_BYTES_MIN);
    }

    #[tokio::test]
    async fn a_reader_who_takes_enough_may_take_longer_than_the_limit_in_all() {
        let (mut ours, theirs) = connection();
        let (all, started) = (8 * WRITE_BYTES_MIN, Instant::now());
        let reader = reads(theirs, HELD, LIMIT / 12);
        ours.write_all(&vec![0; all]).await.unwrap();
        assert!(started.elapsed() > LIMIT, "{:?}", started.elapsed());
        drop(ours);
        assert_eq!(reader.await.unwrap(), all);
    }

    #[tokio::test]
    async fn a_long_write_lets_others_have_their_turn() {
        let (ours, _theirs) = duplex(10 * TURN_BYTES);
        let mut ours = Timed::within(ours, LIMIT, |_| {});
        let bytes = vec![0; 5 * TURN_BYTES];
        let mut writing = Box::pin(ours.write_all(&bytes));
        let mut turns = 1;
        while futures::poll!(writing.as_mut()).is_pending() {
            turns += 1;
        }
        assert_eq!(turns, 5);
    }

    #[tokio::test]
    async fn a_connection_with_nothing_to_write_waits_for_nothing() {
        let (mut ours, mut theirs) = connection();
        let mut buffer = [0; HELD];
        for _ in 0..3 {
            ours.write_all(&buffer).await.unwrap();
            tokio::time::sleep(LIMIT).await;
            theirs.read_exact(&mut buffer).await.unwrap();
        }
    }
}
