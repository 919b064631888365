//! Reference data as rows: the one fold of everything that is entered, amended and struck.

/// Declares the read table of a register kind, as `row!` does, and its fold.
///
/// The columns are fields of the kind by the same names; one that is written otherwise than the field
/// says how: `kind: String = |entry| entry.kind.to_string()`. `of` names the kind. `in_use` names the column
/// that says whether the entry is struck; without one a struck entry's row goes, and the kind must say so too
/// (`STRUCK_STAYS`). `contacts` names the columns with what the kind calls its contacts (`CONTACTS`).
///
/// The crate that declares one depends on `chrono` and `domain`, besides what `row!` needs.
#[macro_export]
macro_rules! register {
    (@struck $row:expr, $at:expr, $in_use:ident) => {
        Some(Self { $in_use: false, updated_at: $at, ..$row })
    };
    (@column $entry:ident, $column:ident) => {
        $entry.$column.clone()
    };
    (@column $entry:ident, $column:ident, |$of:ident| $make:expr) => {{
        let $of = $entry;
        $make
    }};
    (@struck $row:expr, $at:expr,) => {{
        let _: Self = $row;
        None
    }};
    (
        $(#[doc = $doc:literal])+
        $row:ident = $context:ident.$name:ident of $kind:ident
        columns { $($(#[doc = $column_doc:literal])* $column:ident: $type:ty $(= |$of:ident| $make:expr)?,)* }
        in_use { $($in_use:ident)? }
        find { $($find:ident),* $(,)? }
        scope { $scope:expr }
        $(contacts { $($contact:ident),+ $(,)? })?
    ) => {
        $crate::row! {
            $(#[doc = $doc])+
            $row = $context.$name
            key {
                /// The entry's id.
                id: uuid::Uuid,
            }
            columns {
                $($(#[doc = $column_doc])* $column: $type,)*
                $(
                    /// Whether it is in use.
                    $in_use: bool,
                )?
                /// When it was first entered.
                created_at: chrono::DateTime<chrono::Utc>,
                /// When it last changed.
                updated_at: chrono::DateTime<chrono::Utc>,
            }
            generated {}
            find { $($find),* }
            scope { $scope }
            masked {}
            personal { $($($contact),+)? }
        }

        const _: () = assert!(
            <$kind as domain::register::Entry>::STRUCK_STAYS == (false $(|| !stringify!($in_use).is_empty())?),
            "the kind and its table differ on whether a struck entry's row stays"
        );
        const _: () = assert!(
            <$kind as domain::register::Entry>::CONTACTS.len() == { const NAMES: &[&str] = &[$($(stringify!($contact)),+)?]; NAMES.len() },
            "the kind and its table differ on which columns are contacts"
        );

        impl $crate::fold::Project for $row {
            const OWNED: bool = true;

            fn keys(recorded: &domain::Recorded<domain::AnyEvent>) -> Vec<uuid::Uuid> {
                let change = recorded.of::<domain::register::Register<$kind>>();
                change.map(|_| recorded.stream).into_iter().collect()
            }

            fn fold(
                row: Option<Self>,
                &id: &uuid::Uuid,
                recorded: &domain::Recorded<domain::AnyEvent>,
            ) -> Result<Option<Self>, $crate::fold::FoldError> {
                use domain::register::Change;

                let Some(change) = recorded.of::<domain::register::Register<$kind>>() else {
                    return Ok(row);
                };
                let written = |entry: &$kind, (position, created_at)| Self {
                    tenant_id: recorded.tenant_id,
                    position,
                    id,
                    $($column: $crate::register!(@column entry, $column $(, |$of| $make)?),)*
                    $($in_use: true,)?
                    created_at,
                    updated_at: recorded.at,
                };
                let came = |row: Self| (row.position, row.created_at);
                Ok(match change {
                    Change::Entered(entry) => Some(written(entry, row.map_or((recorded.position, recorded.at), came))),
                    Change::Amended(entry) => Some(written(entry, came($crate::fold::existing(row)?))),
                    Change::Struck {} => $crate::register!(@struck $crate::fold::existing(row)?, recorded.at, $($in_use)?),
                    // A row that went with its entry is not there.
                    Change::Forgotten {} => row.map(|row| Self { $($($contact: None,)+)? updated_at: recorded.at, ..row }),
                    // Nothing that it shows has changed.
                    Change::Taken {} => row,
                })
            }
        }
    };
}
