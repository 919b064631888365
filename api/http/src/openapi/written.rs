//! The document as the files that changes of it are read in: a line holds what fits into one, and references stand together.

use serde_json::Value;

/// Characters of a line: sentences are longer still, and whoever reads a change counts entries, not characters.
const LINE_CHARS_MAX: usize = 240;
/// Of a line of references, of which there is nothing to read but the names.
const REFERENCES_CHARS_MAX: usize = 480;
const INDENT: &str = "  ";

/// The JSON, in lines.
#[must_use]
pub fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out.push('\n');
    out
}

/// Writes a value that begins behind so many characters of its line, at this level.
fn write(value: &Value, before: usize, level: usize, out: &mut String) {
    let line = in_line(value);
    if before + line.chars().count() < LINE_CHARS_MAX {
        out.push_str(&line);
        return;
    }
    let (open, close, entries): (char, char, Vec<(String, &Value)>) = match value {
        Value::Object(fields) => {
            let named = |(name, value)| (format!("{}: ", Value::String(String::clone(name))), value);
            ('{', '}', fields.iter().map(named).collect())
        }
        Value::Array(values) => ('[', ']', values.iter().map(|value| (String::new(), value)).collect()),
        _ => {
            out.push_str(&line);
            return;
        }
    };
    let indent = INDENT.repeat(level + 1);
    out.push(open);
    // Where the line ends, if something that only refers to something else ends it.
    let mut column = None;
    let last = entries.len().saturating_sub(1);
    for (at, (name, value)) in entries.into_iter().enumerate() {
        let width = name.chars().count() + in_line(value).chars().count() + 2;
        let fits = |column: &usize| column + width < REFERENCES_CHARS_MAX;
        match column.filter(|column| refers(value) && fits(column)) {
            Some(end) => {
                out.push(' ');
                column = Some(end + width);
            }
            None => {
                out.push('\n');
                out.push_str(&indent);
                column = refers(value).then_some(indent.len() + width);
            }
        }
        out.push_str(&name);
        write(value, indent.len() + name.chars().count(), level + 1, out);
        if at < last {
            out.push(',');
        }
    }
    out.push('\n');
    out.push_str(&INDENT.repeat(level));
    out.push(close);
}

/// Whether it does nothing but refer to something else: of those several stand in one line.
fn refers(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|fields| fields.len() == 1 && fields.contains_key("$ref"))
}

fn in_line(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::String(name.clone()), in_line(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(in_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back_and_no_line_is_longer_than_it_has_to_be() {
        let refs: Value = (0..9).map(|n| json!({ "$ref": format!("#/parameters/{n}") })).collect();
        let value = json!({ "text": "x".repeat(190), "refs": refs, "none": [], "deep": { "a": [1, { "b": "y".repeat(200) }] } });
        let text = written(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(
            text.lines().all(|line| line.chars().count() <= REFERENCES_CHARS_MAX),
            "{text}"
        );
        assert!(text.lines().count() < 16, "{text}");
    }
}
