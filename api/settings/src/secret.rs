//! A secret in memory.

use std::fmt;

use zeroize::Zeroizing;

/// A secret that was opened, to be used at once and kept nowhere. Its memory is overwritten when it is dropped; `Debug` does
/// not show it, and nothing writes it into JSON.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// `None` when the bytes are no text.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself, for the call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let secret = Secret::of(b"hunter2").unwrap();
        assert_eq!(format!("{secret:?} {secret:#?}"), "(secret) (secret)");
        assert_eq!(secret.expose(), "hunter2");
        assert!(Secret::of(b"\xff").is_none());
    }
}
