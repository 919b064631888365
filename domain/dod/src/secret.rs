//! Fields that hold a secret: what comes here is sealed already, and anything else is refused.

use domain::setting;
use domain::text::Unfit;

/// Bytes of a sealed secret.
pub const SEALED_BYTES_MAX: usize = setting::SEALED_BYTES_MAX;

/// Whether the text is a sealed secret.
///
/// # Errors
/// [`Unfit`] for every other text: a secret in clear would lie in the book for ever.
pub fn sealed(value: &str) -> Result<(), Unfit> {
    if value.is_empty() {
        Err(Unfit::Empty)
    } else if setting::is_sealed(value) {
        Ok(())
    } else {
        Err(Unfit::Form(
            "is a secret that is not sealed, and none is kept in clear; send it to the API, which seals it",
        ))
    }
}

/// As [`sealed`], where there may be none.
///
/// # Errors
/// [`Unfit`] for a text that is there and no sealed secret.
pub fn sealed_if_any(value: Option<&String>) -> Result<(), Unfit> {
    value.map_or(Ok(()), |value| sealed(value))
}

/// A sealed secret, for tests: of the form alone.
#[cfg(test)]
pub(crate) fn sample(fingerprint: &str) -> String {
    setting::SealedSetting {
        key: uuid::Uuid::from_u128(0x5ec),
        fingerprint,
        cipher: &"A".repeat(40),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_clear_is_refused_with_what_to_do() {
        assert_eq!(sealed(&sample("00000001")), Ok(()));
        for clear in ["xoxb-1", " ", &format!("{} ", sample("00000001"))] {
            let told = sealed(clear).unwrap_err().to_string();
            assert!(told.contains("none is kept in clear; send it to the API"), "{clear}");
            assert!(!told.contains("xoxb"), "{told}");
        }
        assert_eq!(sealed(""), Err(Unfit::Empty));
        assert_eq!(sealed_if_any(None), Ok(()));
        assert!(sealed_if_any(Some(&"x".to_owned())).is_err());
    }
}
