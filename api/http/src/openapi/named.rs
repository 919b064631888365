//! The operations of named queries.

use serde_json::{Map, Value, json};

use super::Paths;
use super::parts::{answer, answers, in_path, in_query, needs};
use super::tables::{nullable_property, of_a_page, of_kind, page, property, reference, said};
use crate::context::Context;
use crate::query::may_read;
use crate::query::named::{Beside, Named};

pub fn add(context: &Context, paths: &mut Paths) {
    for query in context.queries {
        paths.add(query.address, "get", operation(query));
    }
}

fn operation(query: &'static Named) -> Value {
    let mut parameters = Vec::new();
    for parameter in query.takes {
        let mut schema = parameter
            .of()
            .map(|column| property(parameter.table, column))
            .unwrap_or_default();
        if let Some(least) = parameter.least {
            schema["minimum"] = least.into();
        }
        let mut described = if query.is_in_address(parameter) {
            in_path(parameter.name, parameter.doc, schema)
        } else {
            in_query(parameter.name, parameter.doc, schema)
        };
        described["required"] = parameter.required.into();
        parameters.push(described);
    }
    let in_address = parameters.iter().any(|parameter| parameter["in"] == "path");
    parameters.extend(of_a_page());
    let needed: Vec<String> = query.needed().map(may_read).collect();
    // About oneself none is needed, so that a client must not refuse to ask without.
    let always = if query.oneself.is_some() {
        &[]
    } else {
        needed.as_slice()
    };
    json!({
        "operationId": query.operation(),
        "tags": [query.table.context],
        "summary": query.doc,
        "description": format!("{} The order is fixed.", said(&needed)),
        "security": needs(always),
        "parameters": parameters,
        "responses": answers(
            vec![("200", answer("A page of rows.", page(row(query))))],
            if in_address { &[400, 404] } else { &[400] },
        ),
    })
}

/// A row of the table, and what is shown besides.
fn row(query: &'static Named) -> Value {
    let beside = query.beside.iter().map(|beside| {
        let schema = match beside {
            Beside::Column {
                table, column, outer, ..
            } => {
                let is_open = query.needed().any(|needed| needed.name == table.name);
                let column = table.column(column).map(|column| {
                    let mut property = nullable_property(table, column, column.nullable || *outer || !is_open);
                    if let (false, Some(doc)) = (is_open, property["description"].as_str()) {
                        property["description"] =
                            format!("{doc} Null without the permission `{}`.", may_read(table)).into();
                    }
                    property
                });
                column.unwrap_or_default()
            }
            Beside::Computed { kind, doc, .. } => of_kind(*kind, doc, false),
        };
        (beside.name().to_owned(), schema)
    });
    let beside: Map<String, Value> = beside.collect();
    if beside.is_empty() {
        return reference(query.table);
    }
    json!({ "allOf": [reference(query.table), { "type": "object", "properties": beside }] })
}
