//! Answers that tests get, against the document: whatever status an operation answers, it says so there.

use std::collections::HashMap;
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

/// The templates of paths with their operations, by how many words they have: a test of many thousand
/// answers looks each of them up.
static TEMPLATES: LazyLock<HashMap<usize, Vec<Template>>> = LazyLock::new(|| {
    let mut all = HashMap::<usize, Vec<Template>>::new();
    for (path, operations) in DOCUMENT["paths"].as_object().into_iter().flatten() {
        let words: Vec<&str> = path.split('/').collect();
        all.entry(words.len()).or_default().push(Template {
            path,
            words,
            operations,
        });
    }
    all
});

struct Template {
    path: &'static str,
    words: Vec<&'static str>,
    operations: &'static Value,
}

impl Template {
    fn fits(&self, words: &[&str]) -> bool {
        let mut pairs = self.words.iter().zip(words);
        pairs.all(|(of, word)| of == word || of.starts_with('{'))
    }

    /// Which of its words are its own, from the first on.
    fn own(&self) -> impl Iterator<Item = bool> {
        self.words.iter().map(|word| !word.starts_with('{'))
    }
}

/// The operations of the path that fits: of several, the one whose first words are its own.
fn operations(path: &str) -> Option<(&'static str, &'static Value)> {
    let words: Vec<&str> = path.split('/').collect();
    let fitting = TEMPLATES
        .get(&words.len())?
        .iter()
        .filter(|template| template.fits(&words));
    let best = fitting.max_by(|one, other| one.own().cmp(other.own()))?;
    Some((best.path, best.operations))
}
