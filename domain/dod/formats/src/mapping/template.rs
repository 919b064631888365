//! Pointers and templates, and what they give.

use std::collections::HashMap;

use super::{PLACES_MAX, STEPS_MAX, bounded};
use crate::json::Node;

/// A text with places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Within the alert.
    Here(Vec<String>),
    /// From the top of the body, and its own text.
    Top(Vec<String>, String),
}

/// The steps of a JSON pointer (RFC 6901).
pub(super) fn pointer(text: &str) -> Result<Vec<String>, String> {
    bounded(text)?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err("is no JSON pointer; begin with a slash, as in /alert/name".to_string());
    };
    let steps: Vec<&str> = rest.split('/').collect();
    if steps.len() > STEPS_MAX {
        return Err(format!(
            "has more than {STEPS_MAX} steps; name a place that is less deep"
        ));
    }
    steps.into_iter().map(step).collect()
}

fn step(text: &str) -> Result<String, String> {
    let tildes = text.split('~').skip(1);
    for after in tildes {
        if !after.starts_with(['0', '1']) {
            return Err("has a ~ that is neither ~0 (for ~) nor ~1 (for /)".to_string());
        }
    }
    Ok(text.replace("~1", "/").replace("~0", "~"))
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        bounded(text)?;
        if text.trim().is_empty() {
            return Err("is empty; give a pointer as in /alert/name, or a text".to_string());
        }
        if text.starts_with('/') || text.starts_with("^/") {
            return Ok(Self(vec![place(text)?]));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = ["{/", "{^/"].iter().filter_map(|open| rest.find(open)).min() {
            let (before, from) = rest.split_at(at);
            let Some((inner, after)) = from[1..].split_once('}') else {
                return Err("has a { without its }".to_string());
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_string()));
            }
            parts.push(place(inner)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_string()));
        }
        if parts.iter().filter(|part| !matches!(part, Part::Text(_))).count() > PLACES_MAX {
            return Err(format!("names more than {PLACES_MAX} places"));
        }
        Ok(Self(parts))
    }
}

fn place(text: &str) -> Result<Part, String> {
    Ok(match text.strip_prefix('^') {
        Some(top) => Part::Top(pointer(top)?, top.to_string()),
        None => Part::Here(pointer(text)?),
    })
}

/// The templates of a mapping at work on one body. What is asked of its top is looked up once.
pub(super) struct Rendering<'a> {
    top: Node<'a>,
    templates: HashMap<String, Option<Template>>,
    found: HashMap<String, Option<String>>,
}

impl<'a> Rendering<'a> {
    pub(super) fn new(top: Node<'a>) -> Self {
        Self {
            top,
            templates: HashMap::new(),
            found: HashMap::new(),
        }
    }

    /// What a template gives. Absent when none of its places holds anything.
    pub(super) fn text(&mut self, template: &str, here: Node<'_>) -> Option<String> {
        if !self.templates.contains_key(template) {
            self.templates
                .insert(template.to_string(), Template::parse(template).ok());
        }
        let Template(parts) = self.templates.get(template)?.as_ref()?;
        let (mut text, mut places, mut held) = (String::new(), 0, 0);
        for part in parts {
            let value = match part {
                Part::Text(literal) => {
                    text.push_str(literal);
                    continue;
                }
                Part::Here(steps) => value_at(here, steps),
                Part::Top(steps, name) => match self.found.get(name) {
                    Some(found) => found.clone(),
                    None => {
                        let found = value_at(self.top, steps);
                        self.found.insert(name.clone(), found.clone());
                        found
                    }
                },
            };
            places += 1;
            if let Some(value) = value {
                held += 1;
                text.push_str(&value);
            }
        }
        let is_found = places == 0 || held > 0;
        (is_found && !text.trim().is_empty()).then_some(text)
    }
}

// A text, a number, a truth; of a list of them, all with commas.
fn value_at(node: Node<'_>, steps: &[String]) -> Option<String> {
    let node = node.at(steps.iter().map(String::as_str))?;
    if let Some((elements, _)) = node.array(super::LABELS_MAX) {
        let words: Vec<_> = elements.into_iter().filter_map(|element| element.scalar()).collect();
        return (!words.is_empty()).then(|| words.join(", "));
    }
    node.scalar().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn of(template: &str, body: &str) -> Option<String> {
        let document = Document::read(body.as_bytes()).unwrap();
        let root = document.root().unwrap();
        let here = root.at(["here"]).unwrap_or(root);
        Rendering::new(root).text(template, here)
    }

    #[test]
    fn a_pointer_is_followed_and_a_template_filled_in() {
        let body = r#"{"env":"prod","here":{"a/b":{"~c":[1,1.10,9007199254740993]},"n":"disk","e":"","no":null}}"#;
        assert_eq!(of("/n", body).as_deref(), Some("disk"));
        assert_eq!(of("/a~1b/~0c/1", body).as_deref(), Some("1.10"));
        assert_eq!(of("/a~1b/~0c", body).as_deref(), Some("1, 1.10, 9007199254740993"));
        assert_eq!(of("{/n} on {^/env}{/missing}!", body).as_deref(), Some("disk on prod!"));
        assert_eq!(of("always {x} this", body).as_deref(), Some("always {x} this"));
        for nothing in ["/missing", "/e", "/no", "/a~1b", "/a~1b/~0c/9", "x{/missing}"] {
            assert_eq!(of(nothing, body), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_its_reason() {
        assert!(pointer("").is_ok() && pointer("/").is_ok() && pointer("/a/0").is_ok());
        assert!(pointer("a").is_err() && pointer("/~2").is_err() && pointer("/~").is_err());
        assert!(pointer(&"/a".repeat(STEPS_MAX + 1)).is_err());
        for refused in ["", " ", "{/a", "{/~}", "^/~3"] {
            assert!(Template::parse(refused).is_err(), "{refused}");
        }
        assert!(Template::parse(&"{/a}".repeat(PLACES_MAX + 1)).is_err());
    }
}
