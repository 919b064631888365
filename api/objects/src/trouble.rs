//! Whether the store took what was last put there, for whoever looks after it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::{info, warn};

use crate::ObjectError;

/// Shared by all clones of a store.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<Failed>>>);

#[derive(Debug)]
struct Failed {
    at: Instant,
    because: String,
}

impl Trouble {
    /// Notes what came of putting something there. The log has the first of several failures, and that it works again.
    pub fn note(&self, put: &Result<(), ObjectError>) {
        let now = match put {
            Ok(()) => None,
            Err(error @ (ObjectError::NoRoom | ObjectError::Folder { .. } | ObjectError::Bucket(_))) => Some(Failed {
                at: Instant::now(),
                because: error.to_string(),
            }),
            Err(_) => return,
        };
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*failed, &now) {
            (None, Some(now)) => warn!(error = now.because, "the object store does not take what is put there"),
            (Some(_), None) => info!("the object store takes what is put there again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        *failed = now;
    }

    /// What to say of it, if what was last put there was not taken.
    pub fn told(&self) -> Option<String> {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map(|Failed { at, because }| {
            format!(
                "the object store did not take what was last put there, {} s ago, and what does not fit into an event is refused \
                 while that is so: {because}",
                at.elapsed().as_secs()
            )
        })
    }
}
