//! Filters, order, page and columns of a query, as they stand in the URL.

use std::fmt;

use projections::table::{Column, ColumnKind, Table};

use super::cursor::{Cursor, compared};
use super::value::{Value, shortened};
use crate::extract::{Parameters, unknown_parameter};
use crate::problem::{self, Problem};

/// Rows of one page, unless asked otherwise and at most.
pub const PAGE_ROWS: i64 = 50;
pub const PAGE_ROWS_MAX: i64 = 200;
/// Values of one `in.(..)`.
pub const IN_VALUES_MAX: usize = 100;
/// Filters of one query.
pub const FILTERS_MAX: usize = 20;
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
    Contains,
}

/// One condition on one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Compare(Comparison, Value),
    In(Vec<Value>),
    Null,
    NotNull,
}

#[derive(Debug, Clone)]
pub struct Filter {
    pub column: &'static Column,
    pub condition: Condition,
}

/// By which column rows come, their place in the book deciding between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// `None` orders by the key alone.
    pub column: Option<&'static str>,
    pub descending: bool,
}

/// All that a URL asks of a table.
#[derive(Debug)]
pub struct Query {
    pub filters: Vec<Filter>,
    pub order: Order,
    pub limit: i64,
    pub after: Option<Cursor>,
    pub columns: Vec<&'static Column>,
}

impl Query {
    /// # Errors
    /// 400, naming the parameter and what is allowed.
    pub fn parse(table: &'static Table, mut parameters: Parameters) -> Result<Self, Problem> {
        let order = match parameters.take("order")? {
            Some(text) => Order::parse(table, &text)?,
            None => Order::by_default(table),
        };
        let limit = parameters.take("limit")?.map_or(Ok(PAGE_ROWS), |text| limit(&text))?;
        let after = parameters
            .take("after")?
            .map(|text| {
                let kinds: Vec<ColumnKind> = compared(table, order).iter().map(|column| column.kind).collect();
                Cursor::parse(&order.to_string(), &kinds, &text)
            })
            .transpose()?;
        let columns = columns(table, parameters.take("select")?)?;
        if parameters.0.len() > FILTERS_MAX {
            return Err(Problem::new(
                problem::BAD_VALUE,
                format!("there are more than {FILTERS_MAX} filters; use fewer"),
            ));
        }
        let filters = parameters
            .0
            .iter()
            .map(|(name, text)| Filter::parse(table, name, text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            filters,
            order,
            limit,
            after,
            columns,
        })
    }

    /// The columns that decide which rows come and in which order: who must not see them must not
    /// ask by them either.
    pub fn asked_by(&self) -> impl Iterator<Item = &'static str> {
        self.filters
            .iter()
            .map(|filter| filter.column.name)
            .chain(self.order.column)
    }
}

/// Rows of a page, as a request says.
///
/// # Errors
/// 400 when it is out of bounds.
pub fn limit(text: &str) -> Result<i64, Problem> {
    let bounded = text.parse().ok().filter(|limit| (1..=PAGE_ROWS_MAX).contains(limit));
    bounded.ok_or_else(|| {
        Problem::bad_value(
            "limit",
            format!("limit must be a whole number from 1 to {PAGE_ROWS_MAX}"),
        )
    })
}

/// The columns that `select` names, or all that may be seen but vectors, which are long and tell a person nothing.
///
/// # Errors
/// 400 when it names another one, or one twice.
pub fn columns(table: &'static Table, select: Option<String>) -> Result<Vec<&'static Column>, Problem> {
    let Some(select) = select else {
        let all = table.shown().filter(|column| column.kind != ColumnKind::Vector);
        return Ok(all.collect());
    };
    let mut columns: Vec<&'static Column> = Vec::new();
    for name in select.split(',') {
        let column = table.shown().find(|column| column.name == name).ok_or_else(|| {
            Problem::bad_value("select", format!("{} has no column {name:?}", table.name))
                .allowed(table.shown().map(|column| column.name))
        })?;
        if columns.iter().any(|chosen| chosen.name == name) {
            return Err(Problem::bad_value(
                "select",
                format!("select names {name} twice; name it once"),
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Columns to order by: an index serves them, and null has no place among values.
pub fn orderable(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    let has_order = |kind| !matches!(kind, ColumnKind::Json | ColumnKind::Inet | ColumnKind::Vector);
    findable(table).filter(move |column| !column.nullable && has_order(column.kind))
}

/// Columns to filter by.
pub fn findable(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    table.shown().filter(|column| table.find.contains(&column.name))
}

/// The parameters that a list understands.
pub fn parameters(table: &'static Table) -> impl Iterator<Item = &'static str> {
    findable(table)
        .map(|column| column.name)
        .chain(["order", "limit", "after", "select", "Daybook-After"])
}

impl Order {
    /// The newest first, where a table has a time to tell by, but lines in the order in which they were entered;
    /// the order of keys else.
    #[must_use]
    pub fn by_default(table: &'static Table) -> Self {
        let time = orderable(table).find(|column| column.kind == ColumnKind::Timestamp);
        Self {
            column: time.map(|column| column.name),
            descending: time.is_some() && !table.is_lines,
        }
    }

    fn parse(table: &'static Table, text: &str) -> Result<Self, Problem> {
        let (name, descending) = match text.rsplit_once('.') {
            Some((name, "asc")) => (name, false),
            Some((name, "desc")) => (name, true),
            Some(_) | None => (text, false),
        };
        let column = orderable(table).find(|column| column.name == name).ok_or_else(|| {
            Problem::bad_value(
                "order",
                format!(
                    "{} cannot be ordered by {name:?}; write column.asc or column.desc",
                    table.name
                ),
            )
            .allowed(orderable(table).map(|column| column.name))
        })?;
        // A key of one column needs no second one to decide between equals.
        let is_key = table.key == [column.name];
        Ok(Self {
            column: (!is_key).then_some(column.name),
            descending,
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}",
            self.column.unwrap_or("key"),
            if self.descending { "desc" } else { "asc" }
        )
    }
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

/// `op.value`, or a bare value, which means `eq`. The words of operators are reserved: a text that
/// begins with one is written `eq.like.this`.
fn condition(column: &'static Column, text: &str) -> Result<Condition, Problem> {
    let (word, value) = text.split_once('.').unwrap_or(("", text));
    let compare = |comparison| known(column, value).map(|value| Condition::Compare(comparison, value));
    let parsed = match word {
        "eq" => compare(Comparison::Eq)?,
        "neq" => compare(Comparison::Neq)?,
        "gt" => compare(Comparison::Gt)?,
        "gte" => compare(Comparison::Gte)?,
        "lt" => compare(Comparison::Lt)?,
        "lte" => compare(Comparison::Lte)?,
        "like" => Condition::Compare(Comparison::Like, pattern(column, value)?),
        "cs" => compare(Comparison::Contains)?,
        "in" => Condition::In(list(column, value)?),
        "is" if value == "null" => Condition::Null,
        "not" if value == "null" => Condition::NotNull,
        "is" | "not" => {
            return Err(Problem::bad_value(
                column.name,
                format!("{word}.null is the only filter that begins with {word}"),
            ));
        }
        _ => Condition::Compare(Comparison::Eq, known(column, text)?),
    };
    if allowed(column, &parsed) {
        return Ok(parsed);
    }
    let detail = format!("{} cannot be compared by {word:?}", column.name);
    Err(Problem::bad_value(column.name, detail).allowed(operators(column)))
}

/// A value that the column can have: where it has a few words alone, another one is a slip, and would find nothing.
fn known(column: &'static Column, text: &str) -> Result<Value, Problem> {
    let words = (column.words)();
    if words.is_empty() || words.contains(&text) {
        return Value::parse(column, text);
    }
    let detail = format!("{} is never {:?}; write one of its words", column.name, shortened(text));
    Err(Problem::bad_value(column.name, detail).allowed(words))
}

/// Words of a closed list have an order of their own, or none, and it is not that of the alphabet.
fn has_order(column: &Column) -> bool {
    let is_words = !(column.words)().is_empty();
    !is_words
        && !matches!(
            column.kind,
            ColumnKind::Json | ColumnKind::Boolean | ColumnKind::Inet | ColumnKind::Vector
        )
}

fn allowed(column: &Column, condition: &Condition) -> bool {
    use Comparison::{Contains, Eq, Gt, Gte, Like, Lt, Lte, Neq};
    let kind = column.kind;
    match condition {
        Condition::Null | Condition::NotNull => true,
        Condition::In(_) => kind != ColumnKind::Json,
        Condition::Compare(comparison, _) => match comparison {
            Eq | Neq => kind != ColumnKind::Json,
            Gt | Gte | Lt | Lte => has_order(column),
            Like => kind == ColumnKind::Text,
            Contains => kind == ColumnKind::Json,
        },
    }
}

/// The operators of a column, as they are written.
#[must_use]
pub fn operators(column: &Column) -> Vec<&'static str> {
    let mut words = match column.kind {
        ColumnKind::Json => vec!["cs.{json}"],
        ColumnKind::Vector => Vec::new(),
        _ => vec!["eq.", "neq."],
    };
    if has_order(column) {
        words.extend(["gt.", "gte.", "lt.", "lte."]);
    }
    if !matches!(column.kind, ColumnKind::Json | ColumnKind::Vector) {
        words.push("in.(..)");
    }
    if column.kind == ColumnKind::Text {
        words.push("like.");
    }
    if column.nullable {
        words.extend(["is.null", "not.null"]);
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
        values.push(known(column, &value)?);
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
