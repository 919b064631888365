//! The migrations of schema `book`, listed by name. Read tables are declared, not migrated.
//!
//! The list is written by hand: a build script that watched the folder for new files would watch the read tables in
//! it, too, and an edit of one context's tables would build the book and everything above it anew.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The numbered files of `migrations`, each as its number and its name without `.sql`.
macro_rules! numbered {
    ($($version:literal => $name:literal),+ $(,)?) => {
        [$(migration($version, $name, include_str!(concat!("../../migrations/", $name, ".sql")))),+]
    };
}

/// All migrations, in order; the last line is the latest. Those of a newer program are left alone: migrations only add, so
/// that a program may go on over, and be gone back to on, a database of its successor.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = numbered![
        1 => "0001_book",
        2 => "0002_append",
        3 => "0003_policies",
        4 => "0004_master_key",
        5 => "0005_policies",
        6 => "0006_bus",
        7 => "0007_reading",
        8 => "0008_receipts",
        9 => "0009_terms",
        10 => "0010_receipts_block_range",
        11 => "0011_rebuilds",
        12 => "0012_timers",
        13 => "0013_append",
        14 => "0014_secrets",
        15 => "0015_erasures",
        16 => "0016_seals",
        17 => "0017_logins",
        18 => "0018_tenants",
        19 => "0019_histories",
        20 => "0020_reactions",
        21 => "0021_vectors",
        22 => "0022_shown",
        23 => "0023_keys_by_age",
        24 => "0024_numbers",
        25 => "0025_append",
        26 => "0026_keys_by_tenant",
    ];
    Migrator {
        migrations: Cow::Owned(migrations.to_vec()),
        ignore_missing: true,
        ..Migrator::DEFAULT
    }
});

/// A migration as sqlx reads it from its file.
fn migration(version: i64, name: &str, sql: &'static str) -> Migration {
    let description = name.split_once('_').map_or(name, |(_, description)| description);
    Migration::new(
        version,
        description.replace('_', " ").into(),
        MigrationType::Simple,
        sql.into(),
        sql.starts_with("-- no-transaction"),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    type Read<'a> = (i64, &'a str, &'a [u8], bool);

    fn read(migration: &Migration) -> Read<'_> {
        let Migration {
            version,
            description,
            checksum,
            no_tx,
            ..
        } = migration;
        (*version, description, checksum, *no_tx)
    }

    #[tokio::test]
    async fn every_numbered_file_is_in_the_list_as_sqlx_reads_it() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let files = Migrator::new(Path::new(folder)).await.unwrap();
        let files: Vec<Read<'_>> = files.iter().map(read).collect();
        let listed: Vec<Read<'_>> = MIGRATOR.iter().map(read).collect();
        assert_eq!(
            listed, files,
            "a file of `migrations` lacks its line in `migrations.rs`"
        );
    }
}
