//! What the proxy does to connections, over a server that gives back what it hears.

use super::*;
use crate::until;

const WAIT: Duration = Duration::from_secs(30);
/// Long enough for what is on its way to have come.
const LULL: Duration = Duration::from_millis(300);

/// A server that gives back what it hears, one that counts what it heard, and a way to it.
async fn echo() -> (Proxy, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut bytes = vec![0; CHUNK_BYTES];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    counter.fetch_add(count, Ordering::Relaxed);
                    if stream.write_all(&bytes[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (Proxy::to(target).await, heard)
}

async fn connected(proxy: &Proxy) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    answers(&mut stream, "hello").await;
    stream
}

/// What is said comes back.
async fn answers(stream: &mut TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut back = vec![0; words.len()];
    let read = tokio::time::timeout(WAIT, stream.read_exact(&mut back)).await;
    read.expect("an answer").expect("no end");
    assert_eq!(back, words.as_bytes());
}

/// Nothing comes of what is said, not even an end.
async fn is_silent(stream: &mut TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).await.unwrap();
    let read = tokio::time::timeout(LULL, stream.read(&mut [0; 64])).await;
    assert!(read.is_err(), "{read:?} after {words:?}");
}

/// The server has heard so many bytes.
async fn hears(heard: &AtomicUsize, bytes: usize) {
    let look = async || (heard.load(Ordering::Relaxed) == bytes).then_some(());
    until("the server hears it", WAIT, look).await;
}

#[tokio::test]
async fn connections_that_are_there_fall_silent_without_an_end_and_new_ones_work() {
    let (proxy, heard) = echo().await;
    let mut old = [connected(&proxy).await, connected(&proxy).await];
    assert_eq!(proxy.half_open(Which::Present, Silence::Both), 2);
    let before = heard.load(Ordering::Relaxed);
    for stream in &mut old {
        is_silent(stream, "anybody?").await;
    }
    assert_eq!(heard.load(Ordering::Relaxed), before, "the server hears nothing");
    let mut new = connected(&proxy).await;
    answers(&mut new, "again").await;
    proxy.set(Way::Cut);
    assert_eq!(new.read(&mut [0; 8]).await.unwrap_or(0), 0, "an end");
    for stream in &mut old {
        is_silent(stream, "not even now?").await;
    }
    drop(proxy);
    for stream in &mut old {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "the test is over");
    }
}

#[tokio::test]
async fn a_connection_may_fall_silent_in_one_direction_alone() {
    let (proxy, heard) = echo().await;
    let mut deaf = connected(&proxy).await;
    proxy.half_open(Which::Present, Silence::ToServer);
    let before = heard.load(Ordering::Relaxed);
    is_silent(&mut deaf, "lost on its way").await;
    assert_eq!(heard.load(Ordering::Relaxed), before);
    let mut dumb = connected(&proxy).await;
    let before = heard.load(Ordering::Relaxed);
    proxy.half_open(Which::Present, Silence::ToClient);
    is_silent(&mut dumb, "12345").await;
    hears(&heard, before + 5).await;
    assert_eq!((proxy.tried(), proxy.silent(), proxy.speaking()), (2, 2, 0));
}

#[tokio::test]
async fn the_next_connection_or_one_that_says_something_falls_silent_and_no_other() {
    let (proxy, heard) = echo().await;
    let mut old = connected(&proxy).await;
    proxy.half_open(Which::Next, Silence::Both);
    let mut next = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    is_silent(&mut next, "hello").await;
    answers(&mut old, "still here").await;
    let mut other = connected(&proxy).await;

    proxy.half_open(Which::saying("open sesame"), Silence::ToClient);
    answers(&mut old, "open").await;
    let before = heard.load(Ordering::Relaxed);
    is_silent(&mut old, " sesame").await;
    // The answer alone is lost.
    hears(&heard, before + 7).await;
    answers(&mut other, "open sesame").await;

    proxy.half_open(Which::having_said("goodbye"), Silence::ToServer);
    let mut leaving = connected(&proxy).await;
    answers(&mut leaving, "goodbye").await;
    is_silent(&mut leaving, "one more thing").await;

    answers(&mut other, "my name is other").await;
    let mut another = connected(&proxy).await;
    assert_eq!(proxy.half_open(Which::greeted("is other"), Silence::Both), 1);
    is_silent(&mut other, "hello?").await;
    answers(&mut another, "hello!").await;
}

#[tokio::test]
async fn what_is_late_comes_in_order_and_all_at_once_if_it_was_sent_so() {
    let (proxy, _) = echo().await;
    let mut stream = connected(&proxy).await;
    let delay = Duration::from_millis(200);
    proxy.delay(delay);
    let started = Instant::now();
    let sent: Vec<u8> = (0..200_u8).collect();
    for byte in &sent {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut back = vec![0; sent.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, sent);
    assert!(
        started.elapsed() >= 2 * delay,
        "there and back: {:?}",
        started.elapsed()
    );
    // One after the other they would have taken 200 times as long.
    assert!(started.elapsed() < 50 * delay, "{:?}", started.elapsed());
    proxy.delay(Duration::ZERO);
    answers(&mut stream, "soon").await;
}

#[tokio::test]
async fn what_is_frozen_comes_later_and_what_is_cut_ends() {
    let (proxy, heard) = echo().await;
    let mut stream = connected(&proxy).await;
    let before = heard.load(Ordering::Relaxed);
    proxy.set(Way::Frozen);
    is_silent(&mut stream, "later").await;
    assert_eq!(heard.load(Ordering::Relaxed), before);
    proxy.set(Way::Open);
    let mut back = [0; 5];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"later");
    proxy.set(Way::Cut);
    assert_eq!(stream.read(&mut back).await.unwrap_or(0), 0);
    let look = async || (proxy.speaking() == 0).then_some(());
    until("the end of the connection", WAIT, look).await;
    let mut refused = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    assert_eq!(refused.read(&mut back).await.unwrap_or(0), 0);
    proxy.set(Way::Open);
    connected(&proxy).await;
}
