//! Answers that tests get, against the document: whatever status an operation answers, it says so there.

use std::sync::LazyLock;

use reqwest::{Method, StatusCode};
use serde_json::Value;

/// The document of the program's own contexts; tests that serve others are looked at for these alone.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| http::openapi::document(&crate::contexts()));

/// Asserts that an operation of the document tells of a status that it was answered with.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn tells(method: &Method, path: &str, status: StatusCode, answer: &str) {
    // A program without the context says so in these words.
    if answer.contains("there is no context") {
        return;
    }
    let Some((template, operations)) = operations(path) else {
        return;
    };
    let Some(operation) = operations.get(method.as_str().to_lowercase()) else {
        return;
    };
    assert!(
        operation["responses"][status.as_str()].is_object(),
        "{method} {template} answers {status}, of which its documentation tells nothing"
    );
}

/// The operations of the path that fits: of several, the one with the most words of its own.
fn operations(path: &str) -> Option<(&'static String, &'static Value)> {
    let words: Vec<&str> = path.split('/').collect();
    let own = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let fits = |(of, word): (&&str, &&str)| of == word || of.starts_with('{');
        let fits = template.len() == words.len() && template.iter().zip(&words).all(fits);
        fits.then(|| template.iter().map(|word| !word.starts_with('{')).collect::<Vec<_>>())
    };
    let fitting = DOCUMENT["paths"].as_object().into_iter().flatten();
    let fitting = fitting.filter_map(|(template, operations)| Some((own(template)?, template, operations)));
    let best = fitting.max_by(|one, other| one.0.cmp(&other.0))?;
    Some((best.1, best.2))
}
