//! Secrets that were sent along with a call: whoever answers may say them back, and what is quoted of an answer is kept.

use std::collections::BTreeSet;

/// What stands in their place.
const HIDDEN: &str = "[hidden]";
/// Characters from which on a part of a secret is hidden.
const PART_CHARS_MIN: usize = 4;

/// The secrets of one call, in the parts that are left of them however they were quoted, escaped or cut.
#[derive(Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// A secret that goes along.
    pub fn know(&mut self, secret: &str) {
        let parts = secret.split(|character: char| !character.is_ascii_alphanumeric());
        let told = parts.filter(|part| part.len() >= PART_CHARS_MIN);
        self.0.extend(told.map(str::to_owned));
        // One without any such part is hidden as it is.
        let secret = secret.trim();
        if secret.len() >= PART_CHARS_MIN {
            self.0.insert(secret.to_owned());
        }
    }

    /// A URL that is a secret behind its host.
    pub fn know_url(&mut self, url: &str) {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        if let Some((_, secret)) = rest.split_once(['/', '?', '#']) {
            self.know(secret);
        }
    }

    /// The text without them. A part is one only as a word of its own.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        // The longest first: they are parts of each other.
        let mut parts = Vec::from_iter(&self.0);
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts
            .into_iter()
            .fold(text.to_owned(), |text, part| without(&text, part))
    }
}

fn without(text: &str, part: &str) -> String {
    let is_in_word = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    let (mut shown, mut from) = (String::new(), 0);
    for (place, _) in text.match_indices(part) {
        let (before, after) = (
            text[..place].chars().next_back(),
            text[place + part.len()..].chars().next(),
        );
        if place >= from && !is_in_word(before) && !is_in_word(after) {
            shown.push_str(&text[from..place]);
            shown.push_str(HIDDEN);
            from = place + part.len();
        }
    }
    shown.push_str(&text[from..]);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secret: &str, text: &str) -> String {
        let mut secrets = Secrets::default();
        secrets.know(secret);
        secrets.hidden_in(text)
    }

    #[test]
    fn what_a_host_says_back_of_a_secret_is_hidden_however_it_was_quoted_or_cut() {
        for (secret, text, shown) in [
            (
                "xoxb-ab/cd+ef=JSONSECRET2",
                "Bearer [hidden]=JSONSECRET2",
                "Bearer [hidden]=[hidden]",
            ),
            (
                r#"xoxb-a"b\c/JSONSECRET"#,
                r#"[hidden]"b\c/JSONSECRET"#,
                r#"[hidden]"b\c/[hidden]"#,
            ),
            (
                "correct horse battery staple",
                "Bearer [hidden] horse battery staple",
                "Bearer [hidden] [hidden] [hidden] [hidden]",
            ),
            ("p4ss.word!2026", "app_secret p4ss.word!2026", "app_secret [hidden]"),
            (
                "p4ss.word!2026",
                "app_secret word!2026 and p4ss",
                "app_secret [hidden]![hidden] and [hidden]",
            ),
            ("é!é!é!", "said é!é!é!", "said [hidden]"),
            ("abc", "Slack said abc", "Slack said abc"),
            ("hook", "hooks said hook", "hooks said [hidden]"),
        ] {
            assert_eq!(hidden(secret, text), shown, "{secret}");
        }
    }

    #[test]
    fn of_a_url_all_behind_its_host_is_hidden() {
        let mut secrets = Secrets::default();
        secrets.know_url("http://hooks.example:19003/hook?key=shortpw1");
        assert_eq!(
            secrets.hidden_in("hooks.example said no to /hook?key=shortpw1"),
            "hooks.example said no to /[hidden]"
        );
        assert_eq!(secrets.hidden_in("key is shortpw1"), "key is [hidden]");
    }
}
