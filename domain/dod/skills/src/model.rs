//! Vectors that a model makes, behind an endpoint that speaks as OpenAI's does: what it is asked, and what its answers mean.
//!
//! Nothing here calls anybody. What comes back is data from outside: it is a vector of the right size and of length one, or
//! it is refused with a reason, which repeats nothing of the answer but a short word.

use serde::Deserialize;
use serde_json::json;

use crate::vectors::DIMENSIONS;

/// What the address of the endpoint ends with.
pub const PATH: &str = "/embeddings";
/// Texts of one question.
pub const TEXTS_MAX: usize = 32;
/// Bytes of an answer that are read: so many vectors, with room for numbers that are written out at length.
pub const ANSWER_BYTES_MAX: usize = 2 << 20;

/// Characters of a word of the other side that is repeated.
const WORD_CHARS_MAX: usize = 64;
/// Decimals that are kept of a number: more than that says nothing of what is near.
const DECIMALS: f64 = 1e7;

/// Why an answer brings no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("the embedding server answered {status}{}", told(.word))]
    Status { status: u16, word: Option<String> },
    #[error("the embedding server answered 200 with an error{}", told(.word))]
    Error { word: Option<String> },
    #[error("the embedding server answered 200 with something else than vectors; check the address")]
    NotVectors,
    #[error(
        "the embedding server's answer has more than {} bytes, which is more than the vectors take",
        ANSWER_BYTES_MAX
    )]
    TooLong,
    #[error("the embedding server gave {given} vectors for {asked} texts")]
    Count { given: usize, asked: usize },
    #[error(
        "the model gives vectors of {0} numbers, and {DIMENSIONS} are needed; configure a model that gives as many"
    )]
    Dimensions(usize),
    #[error("the model gave a vector with something else than finite numbers")]
    NotFinite,
    #[error("the model gave a vector that is zero in every place, and so near to nothing")]
    Zero,
}

impl BadAnswer {
    /// Whether the same question may have a better answer later, without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Error { .. } | Self::NotVectors | Self::Count { .. } | Self::NotFinite | Self::Zero => true,
            Self::TooLong | Self::Dimensions(_) => false,
        }
    }

    /// Whether it may be one text that is refused, and not all that were asked together.
    #[must_use]
    pub fn may_be_one_text(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 400 | 413 | 422),
            Self::Error { .. } | Self::NotFinite | Self::Zero => true,
            Self::NotVectors | Self::TooLong | Self::Count { .. } | Self::Dimensions(_) => false,
        }
    }
}

/// A word of the other side, where it has one.
fn told(word: &Option<String>) -> String {
    word.as_ref().map(|word| format!(" ({word})")).unwrap_or_default()
}

/// What is asked: a vector of each text.
#[must_use]
pub fn question(model: &str, texts: &[String]) -> String {
    json!({ "model": model, "input": texts, "dimensions": DIMENSIONS, "encoding_format": "float" }).to_string()
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Made>,
}

#[derive(Deserialize)]
struct Made {
    index: Option<usize>,
    embedding: Vec<f64>,
}

#[derive(Deserialize)]
struct Failed {
    error: serde_json::Value,
}

/// The vectors of the texts, in their order, each of length one.
///
/// # Errors
/// [`BadAnswer`].
pub fn vectors(status: u16, body: &[u8], is_cut: bool, asked: usize) -> Result<Vec<Vec<f32>>, BadAnswer> {
    if status != 200 {
        let word = word(body);
        return Err(BadAnswer::Status { status, word });
    }
    if is_cut {
        return Err(BadAnswer::TooLong);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Err(match serde_json::from_slice::<Failed>(body) {
            Ok(_) => BadAnswer::Error { word: word(body) },
            Err(_) => BadAnswer::NotVectors,
        });
    };
    let given = answer.data.len();
    let mut placed: Vec<Option<Vec<f32>>> = vec![None; asked];
    for (at, made) in answer.data.into_iter().enumerate() {
        let place = placed.get_mut(made.index.unwrap_or(at));
        let Some(place @ None) = place else {
            return Err(BadAnswer::Count { given, asked });
        };
        *place = Some(unit(&made.embedding)?);
    }
    let vectors: Option<Vec<Vec<f32>>> = placed.into_iter().collect();
    vectors.ok_or(BadAnswer::Count { given, asked })
}

/// The vector of length one in the same direction.
fn unit(numbers: &[f64]) -> Result<Vec<f32>, BadAnswer> {
    if numbers.len() != DIMENSIONS {
        return Err(BadAnswer::Dimensions(numbers.len()));
    }
    // The largest first, so that squares neither grow beyond all bounds nor vanish.
    let largest = numbers.iter().fold(0.0f64, |largest, number| largest.max(number.abs()));
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(BadAnswer::NotFinite);
    }
    if largest == 0.0 {
        return Err(BadAnswer::Zero);
    }
    let squares = numbers.iter().map(|number| (number / largest) * (number / largest));
    let length = squares.sum::<f64>().sqrt();
    let of_unit = |number: &f64| ((number / largest / length * DECIMALS).round() / DECIMALS) as f32;
    Ok(numbers.iter().map(of_unit).collect())
}

/// The word by which the other side calls an error, if it is nothing but a word: the rest of what it says may repeat
/// secrets.
fn word(body: &[u8]) -> Option<String> {
    let failed: Failed = serde_json::from_slice(body).ok()?;
    let words = ["code", "type"].into_iter();
    let mut words = words.filter_map(|name| failed.error.get(name)?.as_str());
    let is_word = |word: &&str| {
        let is_in = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !word.is_empty() && word.len() <= WORD_CHARS_MAX && word.bytes().all(is_in)
    };
    words.find(is_word).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::vectors::cosine;

    fn answer(vectors: &[(Option<usize>, Vec<f64>)]) -> Vec<u8> {
        let data: Vec<Value> = vectors
            .iter()
            .map(|(index, embedding)| json!({ "object": "embedding", "index": index, "embedding": embedding }))
            .collect();
        json!({ "object": "list", "data": data, "model": "m", "usage": { "prompt_tokens": 1 } })
            .to_string()
            .into_bytes()
    }

    fn axis(at: usize, length: f64) -> Vec<f64> {
        let mut numbers = vec![0.0; DIMENSIONS];
        numbers[at] = length;
        numbers
    }

    #[test]
    fn vectors_come_in_the_order_of_their_texts_and_have_length_one() {
        let body = answer(&[(Some(1), axis(7, 3.0)), (Some(0), axis(4, -1e300))]);
        let made = vectors(200, &body, false, 2).unwrap();
        assert_eq!((made[0][4], made[1][7]), (-1.0, 1.0));
        let unnumbered = vectors(200, &answer(&[(None, axis(0, 1e-300))]), false, 1).unwrap();
        assert_eq!(unnumbered[0][0], 1.0);
    }

    #[test]
    fn what_is_no_vector_of_each_text_is_refused() {
        let one = || (Some(0), axis(0, 1.0));
        let of = |body: &[u8], asked| vectors(200, body, false, asked).unwrap_err();
        assert_eq!(of(&answer(&[one()]), 2), BadAnswer::Count { given: 1, asked: 2 });
        assert_eq!(of(&answer(&[one(), one()]), 2), BadAnswer::Count { given: 2, asked: 2 });
        assert_eq!(of(&answer(&[one(), one()]), 1), BadAnswer::Count { given: 2, asked: 1 });
        assert_eq!(of(&answer(&[(Some(0), vec![1.0; 768])]), 1), BadAnswer::Dimensions(768));
        assert_eq!(of(&answer(&[(Some(0), axis(0, 0.0))]), 1), BadAnswer::Zero);
        assert_eq!(of(b"<html>", 1), BadAnswer::NotVectors);
        assert_eq!(of(b"[]", 1), BadAnswer::NotVectors);
        let no_number = String::from_utf8(answer(&[one()])).unwrap().replacen("1.0", "NaN", 1);
        assert_eq!(of(no_number.as_bytes(), 1), BadAnswer::NotVectors);
        let too_large = String::from_utf8(answer(&[one()])).unwrap().replacen("1.0", "1e999", 1);
        assert_eq!(of(too_large.as_bytes(), 1), BadAnswer::NotVectors);
        assert_eq!(
            vectors(200, &answer(&[one()]), true, 1).unwrap_err(),
            BadAnswer::TooLong
        );
    }

    #[test]
    fn an_error_is_told_by_its_word_alone() {
        let body = br#"{"error": {"message": "Incorrect API key provided: sk-secret", "type": "invalid_request_error", "code": "invalid_api_key"}}"#;
        let told = vectors(401, body, false, 1).unwrap_err();
        assert_eq!(told.to_string(), "the embedding server answered 401 (invalid_api_key)");
        assert!(!told.may_pass());
        let told = vectors(
            200,
            br#"{"error": {"message": "m", "code": "has spaces in it"}}"#,
            false,
            1,
        )
        .unwrap_err();
        assert_eq!(told, BadAnswer::Error { word: None });
        assert!(vectors(503, b"upstream", false, 1).unwrap_err().may_pass());
    }

    proptest! {
        #[test]
        fn no_answer_brings_a_vector_that_cannot_be_compared(scale in -300i32..300, seed in prop::collection::vec(-1.0f64..1.0, 8)) {
            let numbers: Vec<f64> = (0..DIMENSIONS).map(|at| seed[at % 8] * 10f64.powi(scale)).collect();
            if let Ok(made) = vectors(200, &answer(&[(Some(0), numbers)]), false, 1) {
                prop_assert!(cosine(&made[0], &made[0]) > 0.999);
            }
        }
    }
}
