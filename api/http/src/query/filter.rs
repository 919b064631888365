//! Filters, page and columns of a query, as they stand in the URL.

use std::borrow::Cow;

use projections::table::{Column, ColumnKind, Table};

use super::changed::{CHANGED, Since, UPDATED_AT};
use super::cursor::Cursor;
use super::order::Order;
use super::streams::STREAM;
use super::value::{Value, shortened};
use crate::extract::{Parameters, unknown_parameter};
use crate::problem::{self, Problem};

/// Rows of one page, unless asked otherwise and at most.
pub const PAGE_ROWS: i64 = 50;
pub const PAGE_ROWS_MAX: i64 = 200;
/// Values of one `in.(..)`.
pub const IN_VALUES_MAX: usize = 100;
/// Conditions of one query, those in an `or` too.
pub const FILTERS_MAX: usize = 20;
/// The parameter of which one condition is enough.
pub const OR: &str = "or";
/// Length of one filter.
pub const FILTER_BYTES_MAX: usize = 4_096;

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    Like,
    /// As `Like`, whatever the case of letters.
    Ilike,
    Contains,
}

/// One condition on one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Compare(Comparison, Value),
    In(Vec<Value>),
    Null,
    NotNull,
    /// Whatever the condition does not hold for: also rows for which nobody can tell, because of a null.
    Not(Box<Condition>),
}

#[derive(Debug, Clone)]
pub struct Filter {
    pub column: &'static Column,
    pub condition: Condition,
}

/// All that a URL asks of a table.
#[derive(Debug)]
pub struct Query {
    /// Each of them holds.
    pub filters: Vec<Filter>,
    /// Of each of these, at least one does.
    pub any: Vec<Vec<Filter>>,
    /// Only what changed since.
    pub changed: Option<Since>,
    pub order: Order,
    pub limit: i64,
    pub after: Option<Cursor>,
    pub columns: Vec<&'static Column>,
    /// Whether rows tell which stream they show.
    pub streams: bool,
}

impl Query {
    /// # Errors
    /// 400, naming the parameter and what is allowed.
    pub fn parse(table: &'static Table, mut parameters: Parameters) -> Result<Self, Problem> {
        let changed = Since::take(table, &mut parameters)?;
        let order = match parameters.take("order")? {
            Some(_) if changed.is_some() => {
                let detail = "what changed comes in the order in which it changed; leave order out";
                return Err(Problem::bad_value("order", detail));
            }
            Some(text) => Order::parse(table, &text)?,
            None => Order::by_default(table),
        };
        let limit = parameters.limit(PAGE_ROWS, PAGE_ROWS_MAX)?;
        let after = parameters.take("after")?;
        let after = after.map(|text| match changed {
            Some(_) => Since::cursor(&text),
            None => {
                let kinds: Vec<ColumnKind> = order.by.iter().map(|sorted| sorted.column.kind).collect();
                Cursor::parse(&order.to_string(), &kinds, &text)
            }
        });
        let after = after.transpose()?;
        let (columns, streams) = columns(table, parameters.take("select")?)?;
        let (mut filters, mut any) = (Vec::new(), Vec::new());
        for (name, text) in &parameters.0 {
            if name == OR {
                any.push(alternatives(table, text)?);
            } else {
                filters.push(Filter::parse(table, name, text)?);
            }
            if filters.len() + any.iter().map(Vec::len).sum::<usize>() > FILTERS_MAX {
                let detail = format!("there are more than {FILTERS_MAX} conditions; use fewer");
                return Err(Problem::new(problem::BAD_VALUE, detail));
            }
        }
        Ok(Self {
            filters,
            any,
            changed,
            order,
            limit,
            after,
            columns,
            streams,
        })
    }

    /// The columns that decide which rows come and in which order: who must not see them must not
    /// ask by them either.
    pub fn asked_by(&self) -> impl Iterator<Item = &'static str> {
        let filters = self.filters.iter().chain(self.any.iter().flatten());
        let order = self.order.asked().iter();
        filters
            .map(|filter| filter.column.name)
            .chain(order.map(|sorted| sorted.column.name))
    }
}

/// The columns that `select` names, and whether it names the stream, too; or the stream and all columns that may be seen but
/// vectors, which are long and tell a person nothing.
///
/// # Errors
/// 400 when it names another one, or one twice.
pub fn columns(table: &'static Table, select: Option<String>) -> Result<(Vec<&'static Column>, bool), Problem> {
    let Some(select) = select else {
        let all = table.shown().filter(|column| column.kind != ColumnKind::Vector);
        return Ok((all.collect(), true));
    };
    let (mut columns, mut streams): (Vec<&'static Column>, bool) = (Vec::new(), false);
    for name in select.split(',') {
        let is_twice = match name {
            STREAM => std::mem::replace(&mut streams, true),
            name => {
                let column = table.shown().find(|column| column.name == name).ok_or_else(|| {
                    let names = table.shown().map(|column| column.name);
                    let detail = format!("{} has no column {:?}", table.name, shortened(name));
                    Problem::bad_value("select", detail).allowed(names.chain([STREAM]))
                })?;
                let is_twice = columns.iter().any(|chosen| chosen.name == name);
                columns.push(column);
                is_twice
            }
        };
        if is_twice {
            let detail = format!("select names {name} twice; name it once");
            return Err(Problem::bad_value("select", detail));
        }
    }
    Ok((columns, streams))
}

/// Columns to filter by.
pub fn findable(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    table.shown().filter(|column| table.find.contains(&column.name))
}

/// The parameters that a list understands.
pub fn parameters(table: &'static Table) -> impl Iterator<Item = &'static str> {
    findable(table).map(|column| column.name).chain([
        OR,
        CHANGED,
        UPDATED_AT,
        "order",
        "limit",
        "after",
        "select",
        "Daybook-After",
    ])
}

impl Filter {
    fn parse(table: &'static Table, name: &str, text: &str) -> Result<Self, Problem> {
        let Some(column) = findable(table).find(|column| column.name == name) else {
            return Err(unknown_parameter(name, parameters(table)));
        };
        if text.len() > FILTER_BYTES_MAX {
            return Err(Problem::bad_value(
                name,
                format!("the filter is longer than {FILTER_BYTES_MAX} bytes"),
            ));
        }
        Ok(Self {
            column,
            condition: condition(column, text)?,
        })
    }
}

/// `op.value`, or a bare value, which means `eq`. The words of operators are reserved, and so is what looks like one: a
/// text that begins so is written `eq.like.this`.
fn condition(column: &'static Column, text: &str) -> Result<Condition, Problem> {
    let (word, value) = text.split_once('.').unwrap_or(("", text));
    if word == "not" && value != "null" {
        let word = value.split_once('.').map_or("", |(word, _)| word);
        // A bare value, or one more `not`, would leave open what is meant.
        if !OPERATORS.contains(&word) {
            return Err(no_operator(column, "not.", value));
        }
        return condition(column, value).map(|inner| Condition::Not(Box::new(inner)));
    }
    let compare = |comparison| Value::known(column, value).map(|value| Condition::Compare(comparison, value));
    let parsed = match word {
        "eq" => compare(Comparison::Eq)?,
        "neq" => compare(Comparison::Neq)?,
        "gt" => compare(Comparison::Gt)?,
        "gte" => compare(Comparison::Gte)?,
        "lt" => compare(Comparison::Lt)?,
        "lte" => compare(Comparison::Lte)?,
        "like" => Condition::Compare(Comparison::Like, pattern(column, value)?),
        "ilike" => Condition::Compare(Comparison::Ilike, pattern(column, value)?),
        "cs" => compare(Comparison::Contains)?,
        "in" => Condition::In(list(column, value)?),
        "is" if value == "null" => Condition::Null,
        "not" => Condition::NotNull,
        "is" => {
            let detail = "is.null is the only filter that begins with is";
            return Err(Problem::bad_value(column.name, detail));
        }
        _ if looks_like_an_operator(word) => return Err(no_operator(column, "", text)),
        _ => Condition::Compare(Comparison::Eq, Value::known(column, text)?),
    };
    if allowed(column, &parsed) {
        return Ok(parsed);
    }
    let detail = format!("{} cannot be compared by {word:?}", column.name);
    Err(Problem::bad_value(column.name, detail).allowed(operators(column)))
}

/// The words that conditions begin with.
const OPERATORS: [&str; 11] = ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "cs", "in", "is"];

/// Letters alone before the first dot: taken for a value, a slip in an operator would find nothing, silently.
fn looks_like_an_operator(word: &str) -> bool {
    let is_slip = OPERATORS.iter().any(|operator| operator.eq_ignore_ascii_case(word));
    is_slip || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn no_operator(column: &Column, before: &str, text: &str) -> Problem {
    let text = shortened(text);
    let detail = format!(
        "{before}{text} begins with no operator of {}; that very value is written {before}eq.{text}",
        column.name
    );
    Problem::bad_value(column.name, detail).allowed(operators(column))
}

/// `(a.eq.1,b.gt.2)`: conditions of which one is enough.
fn alternatives(table: &'static Table, text: &str) -> Result<Vec<Filter>, Problem> {
    let bad = |detail: &str| Problem::bad_value(OR, detail);
    if text.len() > FILTER_BYTES_MAX {
        return Err(bad(&format!("or is longer than {FILTER_BYTES_MAX} bytes")));
    }
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let parts = inner.and_then(parted).ok_or_else(|| {
        bad("or is written or=(column.operator.value,column.operator.value); a value with a comma, a bracket or a quote goes \
             in double quotes")
    })?;
    let filter = |part: &str| {
        let (name, condition) = part
            .split_once('.')
            .ok_or_else(|| bad("each condition of or is written column.operator.value"))?;
        let condition = unquoted(condition).ok_or_else(|| bad("a quoted value of or does not end with its quote"))?;
        Filter::parse(table, name, &condition)
    };
    parts.into_iter().map(filter).collect()
}

/// What commas part that stand in no brackets and no quotes; `None` when one of those does not end.
fn parted(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut depth, mut is_quoted) = (Vec::new(), 0, 0_usize, false);
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' if is_quoted => {
                chars.next()?;
            }
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    (depth == 0 && !is_quoted).then_some(parts)
}

/// A condition whose value stands in quotes, without them; as it is where it begins with none. `None` when the quotes do not end
/// where the value does.
fn unquoted(condition: &str) -> Option<Cow<'_, str>> {
    let mut value = condition;
    while let Some((word, rest)) = value.split_once('.')
        && (word == "not" || OPERATORS.contains(&word))
    {
        value = rest;
    }
    if !value.starts_with('"') {
        return Some(Cow::Borrowed(condition));
    }
    let before = condition.strip_suffix(value)?;
    let (value, after) = item(value)?;
    // A bare value that begins as an operator does is meant to be the value.
    let before = if before.is_empty() { "eq." } else { before };
    after.is_none().then(|| Cow::Owned(format!("{before}{value}")))
}

/// Words of a closed list have an order of their own, or none, and it is not that of the alphabet.
fn has_order(column: &Column) -> bool {
    let is_words = !column.words().is_empty();
    !is_words
        && column.kind.is_compared()
        && !matches!(column.kind, ColumnKind::Json | ColumnKind::Boolean | ColumnKind::Inet)
}

fn allowed(column: &Column, condition: &Condition) -> bool {
    use Comparison::{Contains, Eq, Gt, Gte, Ilike, Like, Lt, Lte, Neq};
    let kind = column.kind;
    match condition {
        Condition::Null | Condition::NotNull => true,
        Condition::Not(inner) => allowed(column, inner),
        Condition::In(_) => kind != ColumnKind::Json,
        Condition::Compare(comparison, _) => match comparison {
            Eq | Neq => kind != ColumnKind::Json,
            Gt | Gte | Lt | Lte => has_order(column),
            Like | Ilike => kind == ColumnKind::Text,
            Contains => kind == ColumnKind::Json,
        },
    }
}

/// The operators of a column, as they are written.
#[must_use]
pub fn operators(column: &Column) -> Vec<&'static str> {
    let mut words = match column.kind {
        ColumnKind::Json => vec!["cs.{json}"],
        kind if !kind.is_compared() => Vec::new(),
        _ => vec!["eq.", "neq."],
    };
    if has_order(column) {
        words.extend(["gt.", "gte.", "lt.", "lte."]);
    }
    if column.kind.is_compared() && column.kind != ColumnKind::Json {
        words.push("in.(..)");
    }
    if column.kind == ColumnKind::Text {
        words.extend(["like.", "ilike."]);
    }
    if column.nullable {
        words.extend(["is.null", "not.null"]);
    }
    if !words.is_empty() {
        words.push("not.operator.value");
    }
    words
}

/// A pattern of LIKE: `%` any text, `_` any character, `\` takes the next one as it is.
fn pattern(column: &'static Column, text: &str) -> Result<Value, Problem> {
    let escapes = text.bytes().rev().take_while(|&byte| byte == b'\\').count();
    if escapes % 2 == 1 {
        return Err(Problem::bad_value(column.name, "the pattern ends with a lone \\"));
    }
    Value::parse(column, text)
}

/// `(a,b,"c, d")`: values parted by commas, quoted where they contain one.
fn list(column: &'static Column, text: &str) -> Result<Vec<Value>, Problem> {
    let bad = |detail: &str| Problem::bad_value(column.name, detail);
    let inner = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .ok_or_else(|| bad("a list is written in.(a,b); a value that contains a comma goes in double quotes"))?;
    let mut values = Vec::new();
    let mut rest = Some(inner);
    while let Some(text) = rest {
        let (value, after) = item(text).ok_or_else(|| bad("a quoted value of the list does not end with a quote"))?;
        values.push(Value::known(column, &value)?);
        rest = after;
        if values.len() > IN_VALUES_MAX {
            return Err(bad(&format!("a list has at most {IN_VALUES_MAX} values")));
        }
    }
    Ok(values)
}

/// The first value of a list, and what comes after its comma.
fn item(text: &str) -> Option<(String, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(match text.split_once(',') {
            Some((value, after)) => (value.to_owned(), Some(after)),
            None => (text.to_owned(), None),
        });
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => value.push(chars.next()?.1),
            '"' => {
                let after = &quoted[at + 1..];
                return if after.is_empty() {
                    Some((value, None))
                } else {
                    Some((value, Some(after.strip_prefix(',')?)))
                };
            }
            char => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests;
