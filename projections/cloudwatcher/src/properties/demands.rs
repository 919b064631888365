//! What the tables demand of their rows, read from their DDL.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use projections::table::ColumnKind;

type Rows<'a> = [(&'static str, Vec<Map<String, Value>>)];

/// Limits, unique keys and references of all tables.
pub(super) struct Demands {
    /// Characters that a column holds, by table and column.
    chars: BTreeMap<(String, String), usize>,
    /// What an amount must stay below, and its decimals.
    amounts: BTreeMap<(String, String), (Decimal, usize)>,
    unique: Vec<Unique>,
    references: Vec<Reference>,
}

struct Unique {
    table: String,
    columns: Vec<String>,
    nulls_distinct: bool,
}

struct Reference {
    table: String,
    column: String,
    parent: String,
}

impl Demands {
    pub(super) fn of(ddl: &str) -> Self {
        let mut demands = Self {
            chars: BTreeMap::new(),
            amounts: BTreeMap::new(),
            unique: Vec::new(),
            references: Vec::new(),
        };
        let mut table = String::new();
        for line in ddl.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["create", "table", name, ..] = words.as_slice() {
                table = (*name).to_owned();
            } else if let Some((_, chars)) = line.split_once("varchar(") {
                let chars = chars.split(')').next().unwrap().parse().unwrap();
                demands.chars.insert((table.clone(), words[0].to_owned()), chars);
            } else if line.contains(" decimal(") {
                let limits: Vec<u32> = listed(line).iter().map(|limit| limit.parse().unwrap()).collect();
                let below = Decimal::from(10_i64.pow(limits[0] - limits[1]));
                let decimals = usize::try_from(limits[1]).unwrap();
                demands
                    .amounts
                    .insert((table.clone(), words[0].to_owned()), (below, decimals));
            } else if let ["alter", "table", name, "add", "constraint", _, "unique", ..] = words.as_slice() {
                let columns = listed(line)
                    .into_iter()
                    .filter(|column| column != "tenant_id")
                    .collect();
                let nulls_distinct = !line.contains("nulls not distinct");
                demands.unique.push(Unique {
                    table: (*name).to_owned(),
                    columns,
                    nulls_distinct,
                });
            } else if let ["alter", "table", name, "add", "constraint", _, "foreign", "key", ..] = words.as_slice() {
                let parent = line
                    .split_once("references ")
                    .unwrap()
                    .1
                    .split_whitespace()
                    .next()
                    .unwrap();
                let column = listed(line).remove(0);
                demands.references.push(Reference {
                    table: (*name).to_owned(),
                    column,
                    parent: parent.to_owned(),
                });
            }
        }
        // As often as the DDL says so: what this reader overlooks, no test would look at.
        let said = |word: &str| {
            let statements = ddl.lines().filter(|line| line.starts_with("alter table"));
            statements.filter(|line| line.contains(word)).count()
        };
        assert!(demands.chars.len() > 20);
        assert_eq!(demands.unique.len(), said(" unique "));
        assert_eq!(demands.references.len(), said(" foreign key "));
        demands
    }

    /// Every demand that a row does not meet, as a sentence.
    pub(super) fn broken(&self, tables: &Rows<'_>) -> Vec<String> {
        let mut broken = Vec::new();
        for (table, rows) in tables {
            for row in rows {
                broken.extend(row.iter().filter_map(|(column, cell)| self.unfit(table, column, cell)));
            }
        }
        broken.extend(
            self.unique
                .iter()
                .filter_map(|unique| unique.broken(rows_of(tables, &unique.table))),
        );
        for Reference { table, column, parent } in &self.references {
            let parents: BTreeSet<&str> = rows_of(tables, parent)
                .iter()
                .filter_map(|row| row["id"].as_str())
                .collect();
            let orphans = rows_of(tables, table).iter().filter_map(|row| row[column].as_str());
            broken.extend(
                orphans
                    .filter(|id| !parents.contains(id))
                    .map(|id| format!("{table}.{column} names no {parent}: {id}")),
            );
        }
        broken
    }

    fn unfit(&self, table: &str, column: &str, cell: &Value) -> Option<String> {
        let declared = super::CONTEXT.table(table)?.column(column)?;
        let unfit = match (declared.kind, cell) {
            (_, Value::Null) => !declared.nullable,
            (ColumnKind::Text, Value::String(text)) => {
                let max = self.chars.get(&(table.to_owned(), column.to_owned()));
                text.contains('\0') || max.is_some_and(|max| text.chars().count() > *max)
            }
            (ColumnKind::Decimal, Value::String(amount)) => {
                let (below, decimals) = self.amounts[&(table.to_owned(), column.to_owned())];
                amount.parse::<Decimal>().unwrap() >= below || amount.split_once('.').unwrap().1.len() > decimals
            }
            (_, _) => false,
        };
        unfit.then(|| format!("{table}.{column} cannot hold {cell}"))
    }
}

impl Unique {
    fn broken(&self, rows: &[Map<String, Value>]) -> Option<String> {
        let mut seen = BTreeSet::new();
        let keys = rows.iter().map(|row| {
            self.columns
                .iter()
                .map(|column| row[column].to_string())
                .collect::<Vec<_>>()
        });
        let twice = keys
            .filter(|key| !self.nulls_distinct || !key.contains(&"null".to_owned()))
            .find(|key| !seen.insert(key.clone()))?;
        Some(format!("{} has {:?} twice: {twice:?}", self.table, self.columns))
    }
}

fn rows_of<'a>(tables: &'a Rows<'_>, name: &str) -> &'a [Map<String, Value>] {
    tables
        .iter()
        .find(|(table, _)| *table == name)
        .map_or(&[], |(_, rows)| rows)
}

/// The first words in parentheses.
fn listed(line: &str) -> Vec<String> {
    let inside = line.split_once('(').unwrap().1.split(')').next().unwrap();
    inside.split(',').map(|column| column.trim().to_owned()).collect()
}
