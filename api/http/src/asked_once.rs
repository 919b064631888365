//! A question that many have at one time is asked once.

use std::time::Instant;

use tokio::sync::Mutex;

/// The answer to a question, and when it was asked.
#[derive(Debug)]
pub struct AskedOnce<T>(Mutex<Option<(T, Instant)>>);

impl<T> Default for AskedOnce<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> AskedOnce<T> {
    /// The answer to a question that was asked after this call began: by it, or by another one while it waited for its
    /// turn. So it is under way once at a time, however many want to know, and nobody is told what was true before they
    /// wanted to. Whoever gives up while they ask leaves it to the next one.
    ///
    /// # Errors
    /// That of the question; the next one asks again.
    pub async fn ask<E>(&self, question: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let arrived = Instant::now();
        let mut told = self.0.lock().await;
        if let Some((answer, asked)) = &*told
            && *asked > arrived
        {
            return Ok(answer.clone());
        }
        let asked = Instant::now();
        let answer = question.await?;
        *told = Some((answer.clone(), asked));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_question_answers_all_who_wait_for_their_turn_and_nobody_who_comes_after_it() {
        let (asked, times) = (AskedOnce::default(), AtomicUsize::new(0));
        let ask = || {
            asked.ask(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Infallible>(times.fetch_add(1, Ordering::Relaxed) + 1)
            })
        };
        let told = futures::future::join_all((0..100).map(|_| ask())).await;
        assert_eq!(told[0], Ok(1));
        assert!(told[1..].iter().all(|told| *told == Ok(2)), "{told:?}");
        assert_eq!(ask().await, Ok(3));
    }

    #[tokio::test]
    async fn a_question_that_fails_is_asked_again_by_the_next_one() {
        let asked = AskedOnce::default();
        let (failed, told) = tokio::join!(
            asked.ask(async {
                tokio::task::yield_now().await;
                Err("no answer")
            }),
            asked.ask(async { Ok::<_, &str>(7) }),
        );
        assert_eq!((failed, told), (Err("no answer"), Ok(7)));
    }
}
