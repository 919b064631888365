//! What is wrong with an entry, all of it: so an amendment is refused for what it changes, and not for what was so before.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<W> {
    pub field: &'static str,
    /// Other fields without whose values it might not be wrong.
    beside: &'static [&'static str],
    pub why: W,
}

/// What is wrong with an entry's fields, in the order in which it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults<W>(Vec<Fault<W>>);

impl<W> Default for Faults<W> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<W: PartialEq> Faults<W> {
    /// With what a rule says of a field.
    #[must_use]
    pub fn at(self, field: &'static str, rule: Result<(), W>) -> Self {
        self.at_beside(field, &[], rule)
    }

    /// With what a rule says of a field that looks at others, too.
    #[must_use]
    pub fn at_beside(mut self, field: &'static str, beside: &'static [&'static str], rule: Result<(), W>) -> Self {
        self.0.extend(rule.err().map(|why| Fault { field, beside, why }));
        self
    }

    /// With what others say, after these.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The first, if anything is wrong.
    ///
    /// # Errors
    /// The first.
    pub fn first(self) -> Result<(), Fault<W>> {
        self.0.into_iter().next().map_or(Ok(()), Err)
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> Vec<Fault<W>> {
        self.0
    }

    /// Those that an amendment from `now` to `next` has to answer for. What was wrong in the same way before, and is about
    /// nothing that changes, is left as it is: what was entered under other rules can be amended still.
    #[must_use]
    pub fn of_amending<K: Serialize>(now: &K, next: &K, of: impl Fn(&K) -> Self) -> Self {
        let faults = of(next);
        if faults.0.is_empty() {
            return faults;
        }
        let (before, changed) = (of(now), changed(now, next));
        let is_left =
            |fault: &Fault<W>| before.0.contains(fault) && !fault.fields().any(|field| changed.contains(field));
        Self(faults.0.into_iter().filter(|fault| !is_left(fault)).collect())
    }
}

impl<W> Fault<W> {
    /// All that it is about, each by the name of the entry's own field that it is in.
    fn fields(&self) -> impl Iterator<Item = &'static str> {
        let all = std::iter::once(&self.field).chain(self.beside);
        all.map(|field| field.split('.').next().unwrap_or(field))
    }
}

/// The names of the fields that the two do not have in common.
fn changed<K: Serialize>(now: &K, next: &K) -> BTreeSet<String> {
    let fields = |entry: &K| match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let (now, next) = (fields(now), fields(next));
    let names = now.keys().chain(next.keys());
    names
        .filter(|name| now.get(*name) != next.get(*name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its width is at most 9; what stands on it is not wider, and is named.
    #[derive(Clone, Serialize)]
    struct Shelf {
        name: &'static str,
        width: u32,
        on_it: u32,
    }

    const FINE: Shelf = Shelf {
        name: "A",
        width: 5,
        on_it: 4,
    };

    fn faults(shelf: &Shelf) -> Faults<&'static str> {
        let refused = |is_wrong: bool, why| if is_wrong { Err(why) } else { Ok(()) };
        Faults::default()
            .at("width", refused(shelf.width > 9, "too wide"))
            .at_beside("on_it", &["width"], refused(shelf.on_it > shelf.width, "falls off"))
            .at("name", refused(shelf.name.is_empty(), "unnamed"))
    }

    fn amending(now: &Shelf, next: &Shelf) -> Result<(), &'static str> {
        Faults::of_amending(now, next, faults)
            .first()
            .map_err(|fault| fault.why)
    }

    #[test]
    fn what_is_entered_answers_for_everything() {
        assert_eq!(faults(&FINE).first(), Ok(()));
        let wide = Shelf {
            width: 12,
            name: "",
            ..FINE
        };
        let told: Vec<_> = faults(&wide).all().into_iter().map(|fault| fault.field).collect();
        assert_eq!(told, ["width", "name"]);
    }

    #[test]
    fn an_amendment_answers_for_what_it_changes_and_not_for_what_was_so_before() {
        let wide = Shelf { width: 12, ..FINE };
        assert_eq!(
            amending(
                &wide,
                &Shelf {
                    name: "B",
                    ..wide.clone()
                }
            ),
            Ok(())
        );
        assert_eq!(
            amending(
                &wide,
                &Shelf {
                    on_it: 3,
                    ..wide.clone()
                }
            ),
            Ok(())
        );
        assert_eq!(
            amending(
                &wide,
                &Shelf {
                    width: 10,
                    ..wide.clone()
                }
            ),
            Err("too wide")
        );
        assert_eq!(amending(&wide, &FINE), Ok(()));
        // What is left does not hide what is new.
        assert_eq!(
            amending(
                &wide,
                &Shelf {
                    name: "",
                    ..wide.clone()
                }
            ),
            Err("unnamed")
        );
    }

    #[test]
    fn an_amendment_answers_for_what_depends_on_a_field_that_it_changes() {
        let loaded = Shelf { on_it: 7, ..FINE };
        assert_eq!(
            amending(
                &loaded,
                &Shelf {
                    name: "B",
                    ..loaded.clone()
                }
            ),
            Ok(())
        );
        assert_eq!(
            amending(
                &loaded,
                &Shelf {
                    width: 6,
                    ..loaded.clone()
                }
            ),
            Err("falls off")
        );
        assert_eq!(amending(&FINE, &Shelf { width: 3, ..FINE }), Err("falls off"));
    }
}
