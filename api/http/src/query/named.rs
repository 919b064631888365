//! Queries with addresses of their own, declared as data: the table whose rows they show, what they
//! take, which rows they choose, and in which order. Permissions, scope, masks, pages and OpenAPI follow.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use projections::table::{Column, ColumnKind, Table};

use super::cursor::Cursor;
use super::filter::{PAGE_ROWS, PAGE_ROWS_MAX};
use super::read::{self, Plan};
use super::value::Value;
use super::{Source, answer, may_read, no_row, rows_and_next, sees_masked, sql, texts};
use crate::app::App;
use crate::auth::{By, Principal};
use crate::extract::{self, Parameters, Path};
use crate::problem::Problem;

/// A query with an address of its own.
#[derive(Debug)]
pub struct Named {
    /// `/v1/context/plural/word`. A word in braces is the key of a row, without which there is no answer.
    pub address: &'static str,
    /// A sentence on its answer, for OpenAPI.
    pub doc: &'static str,
    /// The table whose rows are shown whole. Whoever may read it may ask; its scope and masks hold.
    pub table: &'static Table,
    /// Other tables that one must be allowed to read, because the answer tells their rows.
    pub also: &'static [&'static Table],
    /// The parameter that names a user; asking about oneself needs no permission.
    pub oneself: Option<&'static str>,
    pub takes: &'static [Parameter],
    /// The cells that each row has besides.
    pub beside: &'static [Beside],
    /// From `from` to the last condition of `where`, in which `t` is the table and `$name` a parameter, null
    /// when it is left out. Tenant, scope, page and order are added.
    pub sql: &'static str,
    /// The order: the last places tell any two rows apart, and none is null.
    pub order: &'static [Place],
    pub descending: bool,
}

/// A parameter of a query, in its address or after the question mark.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// Whose values it has.
    pub table: &'static Table,
    pub column: &'static str,
    pub required: bool,
    /// The least that a number may be.
    pub least: Option<i32>,
    pub doc: &'static str,
}

/// A cell that a row has besides the columns of its table.
#[derive(Debug)]
pub enum Beside {
    /// A column of another table, whose mask holds and which is null to those who may not read that table; `of` is that
    /// table in the SQL. It is none with texts: a test says so.
    Column {
        name: &'static str,
        of: &'static str,
        table: &'static Table,
        column: &'static str,
        /// Whether the other table may have no row.
        outer: bool,
    },
    Computed {
        name: &'static str,
        sql: &'static str,
        kind: ColumnKind,
        doc: &'static str,
    },
}

/// A place in the order: an expression that is never null.
#[derive(Debug)]
pub struct Place {
    pub sql: &'static str,
    pub kind: ColumnKind,
}

/// The arguments with which somebody asks a query.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// The values of the parameters, in their order.
    pub values: Vec<Option<Value>>,
    /// The cells besides that are hidden from the asker.
    pub hidden: Vec<&'static str>,
    pub after: Option<Cursor>,
    pub limit: i64,
}

impl Named {
    /// Its name in OpenAPI: `context.plural.word`.
    #[must_use]
    pub fn operation(&self) -> String {
        let words = self.address.trim_start_matches("/v1/").split('/');
        words
            .filter(|word| !word.starts_with('{'))
            .collect::<Vec<_>>()
            .join(".")
    }

    /// The parameters that stand after the question mark.
    pub fn after_the_question_mark(&self) -> impl Iterator<Item = &'static Parameter> {
        self.takes.iter().filter(|parameter| !self.is_in_address(parameter))
    }

    #[must_use]
    pub fn is_in_address(&self, parameter: &Parameter) -> bool {
        self.address
            .split('/')
            .any(|word| word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) == Some(parameter.name))
    }

    /// Whether this principal may ask.
    fn permit(&self, by: &Principal, values: &[Option<Value>]) -> Result<(), Problem> {
        by.require_unbound()?;
        if self.is_about(by, values) {
            return Ok(());
        }
        self.needed().try_for_each(|table| by.require(&may_read(table)))
    }

    /// The tables that one must be allowed to read to ask at all.
    pub fn needed(&self) -> impl Iterator<Item = &'static Table> {
        std::iter::once(self.table).chain(self.also.iter().copied())
    }

    /// Whether this principal asks about themselves.
    fn is_about(&self, by: &Principal, values: &[Option<Value>]) -> bool {
        let named = self.takes.iter().zip(values);
        let mut users = named.filter(|(parameter, _)| Some(parameter.name) == self.oneself);
        users.any(|(_, value)| *value == Some(Value::Uuid(by.user)))
    }

    /// The cells besides that this principal could not read in their own table either. What a query tells
    /// about oneself is hidden only where it is masked.
    fn hidden_from(&self, by: &Principal, values: &[Option<Value>]) -> Vec<&'static str> {
        let is_about = self.is_about(by, values);
        let hidden = |beside: &&Beside| match beside {
            Beside::Column { table, column, .. } => {
                let is_masked = table.masked.contains(column) && !by.permits(&sees_masked(table));
                is_masked || !(is_about || by.permits(&may_read(table)))
            }
            Beside::Computed { .. } => false,
        };
        self.beside.iter().filter(hidden).map(Beside::name).collect()
    }
}

impl Parameter {
    /// The column whose values it has.
    #[must_use]
    pub fn of(&self) -> Option<&'static Column> {
        self.table.column(self.column)
    }

    fn parse(&self, text: Option<String>) -> Result<Option<Value>, Problem> {
        match (text, self.of()) {
            (Some(text), Some(column)) => match (Value::known_as(self.name, column, &text)?, self.least) {
                (Value::Integer(number), Some(least)) if number < least => {
                    let detail = format!("{} is {number}, and must be {least} at least", self.name);
                    Err(Problem::bad_value(self.name, detail))
                }
                (value, _) => Ok(Some(value)),
            },
            (None, _) if self.required => Err(Problem::bad_value(
                self.name,
                format!("{} is needed: {}", self.name, self.doc),
            )),
            (Some(_) | None, _) => Ok(None),
        }
    }
}

impl Beside {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Column { name, .. } | Self::Computed { name, .. } => name,
        }
    }
}

/// A page of a query's rows.
///
/// # Errors
/// [`Problem`].
pub async fn list(
    query: &'static Named,
    State(app): State<App>,
    by: By,
    Path(mut words): Path<BTreeMap<String, String>>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let source = Source::of(&app.contexts, query.table.context, query.table.name)?;
    let mut values = Vec::new();
    for parameter in query.takes {
        let text = match words.remove(parameter.name) {
            Some(word) => Some(word),
            None => parameters.take(parameter.name)?,
        };
        values.push(parameter.parse(text));
    }
    // Somebody who may not ask hears so first, whatever else is wrong.
    let known: Vec<_> = values.iter().map(|value| value.clone().ok().flatten()).collect();
    query.permit(&by, &known)?;
    let limit = parameters.limit(PAGE_ROWS, PAGE_ROWS_MAX)?;
    app.unmark(&mut parameters)?;
    let kinds: Vec<ColumnKind> = query.order.iter().map(|place| place.kind).collect();
    let after = parameters
        .take("after")?
        .map(|text| Cursor::parse(query.address, &kinds, &text))
        .transpose()?;
    let posted = extract::after(&app, &headers, &mut parameters).await?;
    let names = query.after_the_question_mark().map(|parameter| parameter.name);
    parameters.finish(names.chain(["limit", "after", "Daybook-After"]))?;
    let asked = Arguments {
        values: values.into_iter().collect::<Result<_, _>>()?,
        hidden: query.hidden_from(&by, &known),
        after,
        limit,
    };
    let (page, reader) = (asked.clone(), source.reader_of(&by));
    // Rows without documents are never so large that planning each time, which pieces cost, would pay.
    let has_documents = query.table.shown().any(|column| column.kind == ColumnKind::Json);
    let plan = match has_documents {
        true => Plan::OfStatement.of_page(limit),
        false => Plan::OfStatement,
    };
    let read = read::rows(&app, source.context, by.bearer, posted, plan, move || {
        sql::chosen(query, &page, &reader)
    })
    .await?;
    if read.rows.is_empty() {
        subjects(query, &app, &by, &asked, posted).await?;
    }
    let rows = usize::try_from(limit).unwrap_or_default();
    let shown = texts::rows(&app, by.tenant, query.table, &read.rows).await?;
    let json = rows_and_next(&read, &shown, rows, |place| {
        app.marked(Cursor::write(query.address, place))
    })?;
    Ok(answer(json, read.posted))
}

/// That the rows exist which the address names, and are in sight: without them nothing is empty.
async fn subjects(
    query: &'static Named,
    app: &App,
    by: &By,
    asked: &Arguments,
    posted: Option<i64>,
) -> Result<(), Problem> {
    for (parameter, value) in query.takes.iter().zip(&asked.values) {
        let Some(key) = value.clone().filter(|_| query.is_in_address(parameter)) else {
            continue;
        };
        let source = Source::of(&app.contexts, parameter.table.context, parameter.table.name)?;
        let (reader, keys) = (source.reader_of(by), vec![key.clone()]);
        let read = read::rows(app, source.context, by.bearer, posted, Plan::OfValues, move || {
            let columns: Vec<_> = parameter.of().into_iter().collect();
            sql::row(source.table, &columns, &keys, None, &reader)
        });
        if read.await?.rows.is_empty() {
            return Err(no_row(source, &key.text()));
        }
    }
    Ok(())
}
