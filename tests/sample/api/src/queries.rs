//! A query with an address of its own.

use http::query::named::{Named, Parameter, Place};
use projections::ColumnKind;
use projections::row::Row as _;
use sample_tables::jars::JarRow;

pub static LABELLED_BY: Named = Named {
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
        least: None,
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
