//! Context `sample` as it is served: its commands, its table, and a query with an address of its own.

use http::Context;
use http::query::named::{Named, Parameter, Place};
use projections::ColumnKind;
use projections::row::Row as _;
use sample_tables::jars::JarRow;

pub static CONTEXT: Context = Context {
    queries: &[&LABELLED_BY],
    ..Context::of(&sample::CONTEXT, Some(&sample_tables::CONTEXT))
};

static LABELLED_BY: Named = Named {
    address: "/v1/sample/jars/labelled-by",
    doc: "What somebody has labelled, the latest first.",
    table: JarRow::TABLE,
    also: &[],
    oneself: Some("labelled_by"),
    takes: &[Parameter {
        name: "labelled_by",
        table: JarRow::TABLE,
        column: "labelled_by",
        required: true,
        doc: "the user",
    }],
    beside: &[],
    sql: "from sample.jars t where t.labelled_by = $labelled_by",
    order: &[
        Place {
            sql: "t.labelled_at",
            kind: ColumnKind::Timestamp,
        },
        Place {
            sql: "t.position",
            kind: ColumnKind::Bigint,
        },
    ],
    descending: true,
};

/// The contexts of the program, and this one after them.
pub fn added() -> http::Contexts {
    http::Contexts::new(&[daybook::contexts::CONTEXTS, &[&CONTEXT]].concat()).unwrap()
}

/// The prelude that all may read, and this one alone.
pub fn alone() -> http::Contexts {
    http::Contexts::new(&[prelude(), &CONTEXT]).unwrap()
}

pub fn prelude() -> &'static Context {
    let mut contexts = daybook::contexts::CONTEXTS.iter();
    contexts
        .find(|context| context.name() == identity::CONTEXT.name)
        .unwrap()
}
