//! What a read table is: plain data from which SQL, queries, OpenAPI and conformance are written.

/// A read table. One value of this type per table, written by `row!`.
#[derive(Debug)]
pub struct Table {
    /// The context, which is also the schema of the live generation.
    pub context: &'static str,
    pub name: &'static str,
    /// What a row is, in a sentence or two, for OpenAPI.
    pub doc: &'static str,
    /// The primary key's columns.
    pub key: &'static [&'static str],
    pub columns: &'static [Column],
    /// Columns a client may filter and sort by; conformance demands an index for each.
    pub find: &'static [&'static str],
    /// Which rows of the tenant somebody may see.
    pub scope: Scope,
    /// Columns shown as null to those without the permission `{context}.{table}.unmasked`.
    pub masked: &'static [&'static str],
    /// Columns that sealed fields of events are shown in. They read differently once a person is erased.
    pub personal: &'static [&'static str],
    /// Columns with texts that somebody wrote, alone, in sentences or in JSON. They are stored sealed, see
    /// [`book::texts`], and opened for who reads them; nobody filters or sorts by them.
    pub texts: &'static [&'static str],
    /// The hidden column with the stream that each row shows, where the key is not its id: rows are found by it as they are
    /// posted, and the key is unique within the tenant alone.
    pub stream: Option<&'static str>,
    /// Whether rows come as lines of something, several with one event, and are read in the order in which
    /// they were entered.
    pub is_lines: bool,
}

/// The column that every table has: the position of the event that brought the row in.
pub const POSITION: &str = "position";
/// The column of tables into which one event can bring several rows: the row's place among them, from 1.
pub const PLACE: &str = "place";

/// One column of a read table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
    pub nullable: bool,
    /// Computed by Postgres from other columns of the row; never written.
    pub generated: bool,
    /// Never shown: the tenant, which whoever asks knows already.
    pub hidden: bool,
    /// Meaning and unit, for OpenAPI.
    pub doc: &'static str,
    /// The words that it holds, where there are only a few.
    pub words: Words,
}

/// The words of a column: a list, or what makes one. None where the column may hold others.
#[derive(Debug, Clone, Copy)]
pub enum Words {
    Listed(&'static [&'static str]),
    Of(fn() -> Vec<&'static str>),
}

impl Column {
    /// The words that it holds, where there are only a few; none where it may hold others.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        match self.words {
            Words::Listed(words) => words.to_vec(),
            Words::Of(words) => words(),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Uuid,
    Text,
    Integer,
    Bigint,
    Boolean,
    Decimal,
    Timestamp,
    Date,
    Json,
    Inet,
    /// Numbers of a fixed count, compared by how near they are to others.
    Vector,
    Bytea,
    /// A list of texts.
    Texts,
    /// A time of day.
    Time,
    /// A span of time.
    Interval,
}

/// Which rows of a tenant a person may see, besides holding the table's read permission.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    /// All of the tenant's rows.
    Tenant,
    /// Rows whose department column lies in the subtree of one of the person's departments.
    Department(&'static str),
    /// Rows whose `column` names a row of `parent` (by its one key column) that the person may see.
    Through { column: &'static str, parent: &'static str },
    /// None, unless the person sees every department: the rows tell of all of them.
    Whole,
}

impl Table {
    /// The column of this name, hidden ones too.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that say where a row stands in the book: no two rows of the table have the same there.
    pub fn place(&self) -> impl Iterator<Item = &'static Column> {
        [POSITION, PLACE]
            .into_iter()
            .filter_map(|name| self.columns.iter().find(|column| column.name == name))
    }

    /// The columns by which rows are found as they are posted.
    #[must_use]
    pub fn posted_by(&self) -> &[&'static str] {
        match &self.stream {
            Some(_) => self.stream.as_slice(),
            None => self.key,
        }
    }

    /// Whether the parts of its keys are escaped in their text: other keys may have slashes in the last part.
    #[must_use]
    pub fn escapes_key(&self) -> bool {
        self.stream.is_some() && self.key.len() > 1
    }

    /// Whether the column is nothing that another table may tell.
    #[must_use]
    pub fn is_private(&self, column: &str) -> bool {
        self.masked.contains(&column) || self.personal.contains(&column)
    }

    /// The columns that clients may see.
    pub fn shown(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| !column.hidden)
    }

    /// The columns that folds write, in the order in which rows bind and read them.
    pub fn written(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| !column.generated)
    }
}

impl ColumnKind {
    /// Whether a client may compare values of this kind with others.
    #[must_use]
    pub const fn is_compared(self) -> bool {
        !matches!(self, Self::Vector | Self::Bytea | Self::Texts | Self::Interval)
    }

    /// The type under which a value of this kind is sent; arrays of it are flattened by `unnest`.
    #[must_use]
    pub fn sent_as(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Integer => "int4",
            Self::Bigint => "int8",
            Self::Boolean => "bool",
            Self::Decimal => "numeric",
            Self::Timestamp => "timestamptz",
            Self::Date => "date",
            Self::Bytea => "bytea",
            Self::Time => "time",
            Self::Interval => "interval",
            // unnest would flatten nested arrays and Postgres parses json and vectors itself, so these go as text.
            Self::Text | Self::Json | Self::Inet | Self::Vector | Self::Texts => "text",
        }
    }

    /// What a sent value is cast to before it is stored, where Postgres would not do it by itself.
    #[must_use]
    pub fn stored_as(self) -> Option<&'static str> {
        match self {
            Self::Json => Some("jsonb"),
            Self::Inet => Some("inet"),
            Self::Vector => Some("vector"),
            Self::Texts => Some("text[]"),
            Self::Uuid | Self::Integer | Self::Bigint | Self::Boolean | Self::Decimal | Self::Timestamp => None,
            Self::Date | Self::Time | Self::Interval | Self::Bytea | Self::Text => None,
        }
    }
}
