//! Seals as they are exported, to be kept where whoever can write to the database cannot: one JSON object a line, in the
//! order of their numbers.

use std::io::{BufRead, Lines};
use std::iter::Peekable;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;

use super::finding::{Covers, Finding};
use super::verify::VerifyError;
use super::{PublicKey, Seal, store};
use crate::BookError;

/// The form of a line. Stored for ever: add fields, do not rename any.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    number: i64,
    from: i64,
    to: i64,
    format: i16,
    history: String,
    root: String,
    sealed_at: String,
    key: String,
    chain: String,
    signature: String,
}

/// Hands over the seals that cover a position and all after it, each as a line, in order.
///
/// # Errors
/// The database's error, or what `line` ends in.
pub async fn export<E: From<BookError>>(
    options: &PgConnectOptions,
    from: i64,
    mut line: impl FnMut(String) -> Result<(), E>,
) -> Result<u64, E> {
    let mut connection = store::connect(options).await?;
    let Some(first) = store::covering(&mut connection, from).await? else {
        return Ok(0);
    };
    let (mut number, mut exported) = (first.number - 1, 0);
    loop {
        let page = store::page(&mut connection, number, i64::MAX).await?;
        let Some(last) = page.last() else {
            return Ok(exported);
        };
        number = last.number;
        for seal in &page {
            line(written(seal).map_err(BookError::from)?)?;
            exported += 1;
        }
    }
}

fn written(seal: &Seal) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line {
        number: seal.number,
        from: seal.from,
        to: seal.to,
        format: seal.format,
        history: seal.history.clone(),
        root: hex::encode(seal.root),
        sealed_at: seal.sealed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        key: seal.key.to_string(),
        chain: hex::encode(seal.chain),
        signature: hex::encode(seal.signature),
    })
}

fn read(line: &str) -> Option<Seal> {
    let line: Line = serde_json::from_str(line).ok()?;
    fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
        hex::decode(digits).ok()?.try_into().ok()
    }
    Some(Seal {
        number: line.number,
        from: line.from,
        to: line.to,
        format: line.format,
        history: line.history,
        root: bytes(&line.root)?,
        sealed_at: DateTime::parse_from_rfc3339(&line.sealed_at).ok()?.with_timezone(&Utc),
        key: PublicKey::stored(bytes(&line.key)?),
        chain: bytes(&line.chain)?,
        signature: bytes(&line.signature)?,
    })
}

/// What was exported, read line by line: there may be millions.
pub struct Exported {
    lines: Peekable<Read>,
    former: Option<Seal>,
}

struct Read {
    lines: Lines<Box<dyn BufRead + Send>>,
    number: usize,
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exported")
    }
}

impl Iterator for Read {
    type Item = Result<Seal, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.number += 1;
            let number = self.number;
            match self.lines.next()? {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => return Some(read(&line).ok_or(format!("line {number} is no exported seal"))),
                Err(error) => return Some(Err(format!("line {number} cannot be read: {error}"))),
            }
        }
    }
}

impl Exported {
    #[must_use]
    pub fn new(lines: Box<dyn BufRead + Send>) -> Self {
        let lines = Read {
            lines: lines.lines(),
            number: 0,
        };
        Self {
            lines: lines.peekable(),
            former: None,
        }
    }

    /// Holds a seal of the book against what was exported of its number, which may be nothing.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn differs(&mut self, seal: &Seal, keys: &[PublicKey]) -> Result<Option<Finding>, VerifyError> {
        while let Some(line) = self
            .lines
            .next_if(|line| line.as_ref().is_ok_and(|it| it.number < seal.number))
        {
            if let Some(finding) = self.line(line, keys)?.1 {
                return Ok(Some(finding));
            }
        }
        let is_next = |line: &Result<Seal, String>| line.as_ref().map_or(true, |it| it.number == seal.number);
        let Some(line) = self.lines.next_if(is_next) else {
            return Ok(None);
        };
        let (exported, finding) = self.line(line, keys)?;
        if finding.is_some() || (exported.chain == seal.chain && exported.number == seal.number) {
            return Ok(finding);
        }
        Ok(Some(Finding::Rewritten {
            seal: Covers::from(seal),
            exported: Covers::from(&exported),
            restored: exported.history != seal.history,
        }))
    }

    /// Whether anything was exported that comes after all seals of the book.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn rest(&mut self, last: &Seal, keys: &[PublicKey]) -> Result<Option<Finding>, VerifyError> {
        while let Some(line) = self.lines.next() {
            let (exported, finding) = self.line(line, keys)?;
            if finding.is_some() {
                return Ok(finding);
            }
            if exported.number > last.number {
                return Ok(Some(Finding::ExportedMissing {
                    exported: Covers::from(&exported),
                    sealed: last.to,
                }));
            }
        }
        Ok(None)
    }

    /// Takes a line, and says what is wrong with it by itself.
    fn line(&mut self, line: Result<Seal, String>, keys: &[PublicKey]) -> Result<(Seal, Option<Finding>), VerifyError> {
        let seal = line.map_err(VerifyError::Exported)?;
        let covers = Covers::from(&seal);
        let finding = if !keys.contains(&seal.key) || !seal.is_signed() {
            Some(Finding::ExportedNotSigned {
                exported: covers,
                key: seal.key,
            })
        } else {
            // Of a file that was put together from several exports, lines that are next to each other continue.
            let former = self.former.as_ref();
            let is_next = former.is_some_and(|former| former.number + 1 == seal.number);
            let is_earlier = former.is_some_and(|former| former.number >= seal.number);
            let is_wrong = is_earlier || (is_next && !seal.follows(former));
            is_wrong.then_some(Finding::ExportedChanged(covers))
        };
        self.former = Some(seal.clone());
        Ok((seal, finding))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::seals::{SealKey, Stretch};

    fn seals(key: &SealKey, history: &str, count: i64) -> Vec<Seal> {
        let mut seals: Vec<Seal> = Vec::new();
        for number in 0..count {
            let stretch = Stretch {
                from: number * 10 + 1,
                to: number * 10 + 10,
                format: 1,
                root: [number as u8; 32],
            };
            seals.push(Seal::make(key, seals.last(), &stretch, history, Utc::now()));
        }
        seals
    }

    fn exported(seals: &[Seal]) -> Exported {
        let lines: Vec<String> = seals.iter().map(|seal| written(seal).unwrap()).collect();
        Exported::new(Box::new(Cursor::new(lines.join("\n"))))
    }

    /// What a whole verification finds in the file.
    fn found(mut exported: Exported, book: &[Seal], keys: &[PublicKey]) -> Option<Finding> {
        for seal in book {
            if let Some(finding) = exported.differs(seal, keys).unwrap() {
                return Some(finding);
            }
        }
        exported.rest(book.last().unwrap(), keys).unwrap()
    }

    #[test]
    fn a_seal_is_read_as_it_was_written() {
        let seal = seals(&SealKey::generate(), "1/2/\"3", 1).remove(0);
        assert_eq!(read(&written(&seal).unwrap()), Some(seal));
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn what_was_exported_is_found_again_in_whole_and_in_part() {
        let key = SealKey::generate();
        let book = seals(&key, "a", 5);
        let keys = [key.public()];
        for part in [
            &book[..],
            &book[..3],
            &book[2..4],
            &book[4..],
            &[],
            &[book[0].clone(), book[3].clone()],
        ] {
            assert_eq!(found(exported(part), &book, &keys), None);
        }
        // A verification from a later place on passes over what comes before.
        assert_eq!(found(exported(&book), &book[3..], &keys), None);
    }

    #[test]
    fn a_book_that_was_made_anew_is_told_from_the_one_that_was_exported() {
        let key = SealKey::generate();
        let (book, keys) = (seals(&key, "a", 5), [key.public()]);
        let mut anew = book.clone();
        anew.truncate(2);
        for n in 2..5 {
            let stretch = Stretch {
                from: n * 10 + 1,
                to: n * 10 + 10,
                format: 1,
                root: [99; 32],
            };
            anew.push(Seal::make(&key, anew.last(), &stretch, "a", Utc::now()));
        }
        let finding = found(exported(&book), &anew, &keys).unwrap();
        assert!(
            matches!(finding, Finding::Rewritten { seal, restored: false, .. } if seal.number == 3),
            "{finding}"
        );
        let restored = seals(&key, "b", 5);
        let finding = found(exported(&book), &restored, &keys).unwrap();
        assert!(
            matches!(finding, Finding::Rewritten { restored: true, .. }),
            "{finding}"
        );
        let finding = found(exported(&book), &book[..4], &keys).unwrap();
        assert!(
            matches!(finding, Finding::ExportedMissing { exported, sealed: 40 } if exported.number == 5),
            "{finding}"
        );
    }

    #[test]
    fn a_file_that_was_changed_proves_nothing_and_says_so() {
        let key = SealKey::generate();
        let (book, keys) = (seals(&key, "a", 5), [key.public()]);
        let forged = seals(&SealKey::generate(), "a", 5);
        let finding = found(exported(&forged), &book, &keys).unwrap();
        assert!(matches!(finding, Finding::ExportedNotSigned { .. }), "{finding}");
        let mut twice = book.clone();
        twice.swap(1, 2);
        let finding = found(exported(&twice), &book, &keys).unwrap();
        assert!(matches!(finding, Finding::ExportedChanged(..)), "{finding}");
        let mut unreadable = Exported::new(Box::new(Cursor::new("seal 1\n")));
        assert!(unreadable.differs(&book[0], &keys).is_err());
    }
}
