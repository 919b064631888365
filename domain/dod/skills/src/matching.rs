//! Which binding an alert meets first. Thousands of patterns are held against an alert in one pass over its text.
//!
//! All keywords lie in one automaton. So does, of each regular expression, a piece of text that every match of it must hold; an
//! expression is run only where its piece was seen. What has no such piece is run against every field that it names, in the
//! order of priority and within a bound on the work, so that no set of patterns makes an alert wait.

mod literals;

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold::{self, Folded};
use crate::pattern::{self, BadPattern, PatternKind};
use crate::quote::quoted;
use crate::subject::{Field, Subject};

/// Bindings that one matcher takes. Those of the lowest priority beyond are handed back.
pub const BINDINGS_MAX: usize = 20_000;
/// Bytes that the regular expressions of one matcher take. Those of the lowest priority beyond are handed back. A thousand of a
/// usual kind take some 20 MiB; each that is in use takes at most 64 KiB more.
pub const COMPILED_BYTES_MAX: usize = 192 << 20;
/// Bytes of a field that are looked at.
pub const FIELD_BYTES_MAX: usize = 32 << 10;
/// Labels that are looked at, in the order of their names.
pub const LABELS_MAX: usize = 256;
/// Other bindings that a match names; it counts them all.
pub const OTHERS_MAX: usize = 20;
/// Bytes that regular expressions read of one alert, all of them together, and keywords found within one another. Only sets of
/// patterns that nobody has come near; the match says when something was left out.
pub const REGEX_WORK_BYTES_MAX: usize = 2 << 20;
pub const HITS_MAX: usize = 300_000;

const EXCERPT_CHARS_MAX: usize = 80;

/// That an alert which meets a pattern is a case for a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub id: Uuid,
    pub skill_id: Uuid,
    pub kind: PatternKind,
    pub field: Field,
    pub pattern: String,
    /// The higher is asked first.
    pub priority: i32,
    /// Where in the book the binding was made. Of one priority, the older is asked first.
    pub since: i64,
}

/// The binding that an alert met first.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    pub binding_id: Uuid,
    pub skill_id: Uuid,
    /// Sentences: which binding, on which field, what it found and where, its priority, and how many others were met.
    pub why: String,
    /// The first of the other bindings that the alert meets, in their order. At most 20.
    pub others: Vec<Uuid>,
    /// How many others the alert meets.
    pub others_count: u32,
}

/// A binding whose pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub binding_id: Uuid,
    pub bad: BadPattern,
}

/// The bindings of a tenant, made ready. To be kept for as long as they do not change: making it takes tenths of a second for
/// a thousand usual expressions, and seconds for as many as large as they may be.
#[derive(Default)]
pub struct Matcher {
    /// The first asked first.
    bindings: Vec<Binding>,
    /// For each binding, the field that it names; [`ANY`] for all.
    fields: Vec<u32>,
    names: Names,
    has_any: bool,
    automaton: Option<AhoCorasick>,
    /// What each text of the automaton stands for.
    pieces: Vec<Piece>,
    regexes: Vec<Expression>,
}

const ANY: u32 = 0;

/// Fields that bindings name, by number.
#[derive(Default)]
struct Names {
    fixed: HashMap<Field, u32>,
    labels: HashMap<String, u32>,
}

#[derive(Default)]
struct Piece {
    /// Bindings whose keyword it is.
    keyword_of: Vec<usize>,
    /// Regular expressions that cannot match without it.
    needed_by: Vec<usize>,
}

struct Expression {
    regex: Regex,
    bindings: Vec<usize>,
    /// Whether no text must be there for it to match.
    is_unguarded: bool,
}

/// A part of an alert.
struct Segment<'a> {
    number: Option<u32>,
    field: Place<'a>,
    text: &'a str,
}

enum Place<'a> {
    Fixed(&'static str),
    Label(&'a str),
}

/// Where a binding was met first.
struct Met {
    binding: usize,
    segment: usize,
    /// Of a keyword, where it begins in the folded text.
    at: usize,
}

impl Matcher {
    /// The matcher, and the bindings that it cannot ask: their patterns cannot be used, or there are too many of them.
    pub fn new(mut bindings: Vec<Binding>) -> (Self, Vec<Unusable>) {
        bindings.sort_by_key(|binding| (std::cmp::Reverse(binding.priority), binding.since, binding.id));
        let mut unusable = Vec::new();
        let beyond = bindings.split_off(bindings.len().min(BINDINGS_MAX));
        let too_many = format!("At most {BINDINGS_MAX} bindings are asked; delete those that are not needed.");
        unusable.extend(beyond.iter().map(|binding| Unusable {
            binding_id: binding.id,
            bad: BadPattern {
                position: 1,
                reason: too_many.clone(),
            },
        }));

        let mut built = Building::default();
        for binding in bindings {
            unusable.extend(built.add(binding).err());
        }
        (built.finish(), unusable)
    }

    /// How many bindings are asked.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// The binding that the alert meets first, and how it was met.
    pub fn first(&self, subject: &Subject<'_>) -> Option<Match> {
        let segments = self.segments(subject);
        let mut search = Search {
            matcher: self,
            segments: &segments,
            met: Vec::new(),
            is_met: vec![false; self.len()],
            is_cut: false,
        };
        let pairs = search.keywords();
        search.expressions(&pairs);
        search.met.sort_by_key(|met| met.binding);
        let (first, others) = search.met.split_first()?;
        let binding = self.bindings.get(first.binding)?;
        let segment = segments.get(first.segment)?;
        Some(Match {
            binding_id: binding.id,
            skill_id: binding.skill_id,
            why: why(binding, segment, first.at, others.len(), search.is_cut),
            others: others
                .iter()
                .filter_map(|met| self.bindings.get(met.binding))
                .map(|b| b.id)
                .take(OTHERS_MAX)
                .collect(),
            others_count: u32::try_from(others.len()).unwrap_or(u32::MAX),
        })
    }

    /// The parts of the alert that some binding names.
    fn segments<'a>(&self, subject: &Subject<'a>) -> Vec<Segment<'a>> {
        let severity: &'static str = subject.severity.into();
        let fixed = [
            (Field::Title, "title", subject.title),
            (Field::Description, "description", subject.description),
            (Field::Source, "source", subject.source),
            (Field::AlertType, "alert_type", subject.alert_type),
            (Field::Severity, "severity", severity),
        ];
        let fixed = fixed.into_iter().map(|(field, name, text)| Segment {
            number: self.names.fixed.get(&field).copied(),
            field: Place::Fixed(name),
            text: start(text),
        });
        let labels = subject.labels.iter().take(LABELS_MAX).map(|(name, text)| Segment {
            number: self.names.labels.get(name).copied(),
            field: Place::Label(name),
            text: start(text),
        });
        fixed
            .chain(labels)
            .filter(|segment| self.has_any || segment.number.is_some())
            .collect()
    }

    fn is_on(&self, binding: usize, segment: &Segment<'_>) -> bool {
        self.fields
            .get(binding)
            .is_some_and(|field| *field == ANY || Some(*field) == segment.number)
    }
}

fn start(text: &str) -> &str {
    let mut end = text.len().min(FIELD_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn why(binding: &Binding, segment: &Segment<'_>, at: usize, others: usize, is_cut: bool) -> String {
    let Binding {
        id,
        kind,
        field,
        pattern,
        priority,
        ..
    } = binding;
    let (position, found) = match kind {
        PatternKind::Keyword => (fold::position(segment.text, at), pattern.as_str()),
        PatternKind::Regex => pattern::compiled(pattern)
            .ok()
            .and_then(|(regex, _)| regex.find(segment.text))
            .map_or((1, ""), |found| {
                (segment.text[..found.start()].chars().count() + 1, found.as_str())
            }),
    };
    let place = match segment.field {
        Place::Fixed(name) => format!("the alert's {name}"),
        Place::Label(name) => format!("the alert's label {}", quoted(name, EXCERPT_CHARS_MAX)),
    };
    let others = match others {
        0 => "No other binding was met.".to_owned(),
        1 => "One other binding was met, which comes after it by priority or age.".to_owned(),
        n => format!("{n} other bindings were met, which come after it by priority or age."),
    };
    let left_out = if is_cut {
        " The alert is too long for all patterns; some of the last were not tried."
    } else {
        ""
    };
    format!(
        "Binding {id} looks for the {kind} {} in {field}, and found {} in {place}, at character {position}. Its priority is \
         {priority}. {others}{left_out}",
        quoted(pattern, pattern::PATTERN_CHARS_MAX),
        quoted(found, EXCERPT_CHARS_MAX),
    )
}

/// A matcher that is being made.
#[derive(Default)]
struct Building {
    matcher: Matcher,
    texts: Vec<String>,
    by_text: HashMap<String, usize>,
    by_expression: HashMap<String, usize>,
    compiled_bytes: usize,
}

impl Building {
    fn add(&mut self, binding: Binding) -> Result<(), Unusable> {
        let index = self.matcher.bindings.len();
        let added = match binding.kind {
            PatternKind::Keyword => pattern::keyword(&binding.pattern).map(|keyword| {
                let piece = self.piece(keyword);
                self.matcher.pieces[piece].keyword_of.push(index);
            }),
            PatternKind::Regex => self.expression(&binding.pattern).map(|expression| {
                self.matcher.regexes[expression].bindings.push(index);
            }),
        };
        if let Err(bad) = added {
            return Err(Unusable {
                binding_id: binding.id,
                bad,
            });
        }
        let field = self.field(&binding.field);
        self.matcher.fields.push(field);
        self.matcher.bindings.push(binding);
        Ok(())
    }

    fn piece(&mut self, text: String) -> usize {
        *self.by_text.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            self.matcher.pieces.push(Piece::default());
            self.texts.len() - 1
        })
    }

    fn expression(&mut self, pattern: &str) -> Result<usize, BadPattern> {
        if let Some(known) = self.by_expression.get(pattern) {
            return Ok(*known);
        }
        // What is not taken is not compiled either: that takes milliseconds each.
        if self.compiled_bytes > COMPILED_BYTES_MAX {
            let reason =
                "All regular expressions together are too large; delete some, or write keywords in their place.".into();
            return Err(BadPattern { position: 1, reason });
        }
        let (regex, bytes) = pattern::compiled(pattern)?;
        self.compiled_bytes += bytes;
        let index = self.matcher.regexes.len();
        let needed = literals::needed(&pattern::parsed(pattern)?);
        let is_unguarded = needed.is_empty();
        for text in needed {
            let piece = self.piece(text);
            self.matcher.pieces[piece].needed_by.push(index);
        }
        self.matcher.regexes.push(Expression {
            regex,
            bindings: Vec::new(),
            is_unguarded,
        });
        self.by_expression.insert(pattern.to_owned(), index);
        Ok(index)
    }

    fn field(&mut self, field: &Field) -> u32 {
        let names = &mut self.matcher.names;
        let next = u32::try_from(names.fixed.len() + names.labels.len() + 1).unwrap_or(u32::MAX);
        match field {
            Field::Any => {
                self.matcher.has_any = true;
                ANY
            }
            Field::Label(name) => *names.labels.entry(name.clone()).or_insert(next),
            Field::Title | Field::Description | Field::Source | Field::AlertType | Field::Severity => {
                *names.fixed.entry(field.clone()).or_insert(next)
            }
        }
    }

    fn finish(mut self) -> Matcher {
        // It fails beyond two thousand million letters, which the bounds above keep far away.
        self.matcher.automaton = AhoCorasick::new(&self.texts).ok().filter(|_| !self.texts.is_empty());
        self.matcher
    }
}

/// One alert being looked through.
struct Search<'s, 'a> {
    matcher: &'s Matcher,
    segments: &'s [Segment<'a>],
    met: Vec<Met>,
    is_met: Vec<bool>,
    is_cut: bool,
}

impl Search<'_, '_> {
    /// Meets the bindings by keyword. Gives the expressions that may match, each with the segment where it may.
    fn keywords(&mut self) -> Vec<(usize, usize)> {
        let Some(automaton) = &self.matcher.automaton else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        let mut hits = 0;
        // Of each piece, the last segment in which it was a keyword, and in which it was seen at all.
        let (mut whole, mut seen) = (
            vec![usize::MAX; self.matcher.pieces.len()],
            vec![usize::MAX; self.matcher.pieces.len()],
        );
        for (index, segment) in self.segments.iter().enumerate() {
            let folded = Folded::new(segment.text);
            for hit in automaton.find_overlapping_iter(&folded.text) {
                hits += 1;
                if hits > HITS_MAX {
                    self.is_cut = true;
                    return pairs;
                }
                let number = hit.pattern().as_usize();
                let piece = &self.matcher.pieces[number];
                if seen[number] != index {
                    seen[number] = index;
                    pairs.extend(piece.needed_by.iter().map(|expression| (*expression, index)));
                }
                if whole[number] != index && !piece.keyword_of.is_empty() && folded.is_whole(hit.start(), hit.end()) {
                    whole[number] = index;
                    for binding in &piece.keyword_of {
                        self.meet(*binding, index, hit.start());
                    }
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Meets the bindings by regular expression, those of the highest priority first.
    fn expressions(&mut self, pairs: &[(usize, usize)]) {
        let mut pairs = pairs.iter().peekable();
        let mut work = 0;
        for (number, expression) in self.matcher.regexes.iter().enumerate() {
            let mut try_in = |search: &mut Self, index: usize| {
                let segment = &search.segments[index];
                let is_wanted = |binding: &usize| !search.is_met[*binding] && search.matcher.is_on(*binding, segment);
                if !expression.bindings.iter().any(is_wanted) {
                    return;
                }
                work += segment.text.len();
                if work > REGEX_WORK_BYTES_MAX {
                    search.is_cut = true;
                } else if expression.regex.is_match(segment.text) {
                    for binding in &expression.bindings {
                        search.meet(*binding, index, 0);
                    }
                }
            };
            if expression.is_unguarded {
                (0..self.segments.len()).for_each(|index| try_in(self, index));
            }
            while let Some((_, index)) = pairs.next_if(|(expression, _)| *expression == number) {
                try_in(self, *index);
            }
            if work > REGEX_WORK_BYTES_MAX {
                return;
            }
        }
    }

    fn meet(&mut self, binding: usize, segment: usize, at: usize) {
        if !self.is_met[binding] && self.matcher.is_on(binding, &self.segments[segment]) {
            self.is_met[binding] = true;
            self.met.push(Met { binding, segment, at });
        }
    }
}

#[cfg(test)]
mod tests;
