//! `daybook seal key [FILE]` and `daybook seal export [--from POSITION]`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use book::Pools;
use book::seals::{SealKey, exported};
use clap::{Args, Subcommand};

use super::say;
use crate::{Config, Fault, migrate};

#[derive(Debug, Args)]
pub struct Seal {
    #[command(subcommand)]
    wanted: Wanted,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Make a new key in a file and print its public part; without a file, print that of the key that is set
    Key {
        /// The file to make; it is for DAYBOOK_SEAL_KEY_FILE
        file: Option<PathBuf>,
    },
    /// Print the seals, one JSON object a line, to be kept where whoever can write to the database cannot
    Export {
        /// Begin with the seal that covers this position
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
        from: i64,
    },
}

impl Seal {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        match &self.wanted {
            Wanted::Key { file: Some(file) } => say(&made(file)?.public().to_string()),
            Wanted::Key { file: None } => {
                let missing =
                    "neither DAYBOOK_SEAL_KEY nor DAYBOOK_SEAL_KEY_FILE is set; `daybook seal key FILE` makes a key";
                let key = config.seal_key()?.ok_or_else(|| Fault::setting(missing))?;
                say(&key.public().to_string())
            }
            Wanted::Export { from } => {
                let pools = Pools::connect_of(&config.logins()?).await?;
                migrate::check(&pools.owner).await?;
                let options = pools.projector.connect_options();
                let seals = exported::export(&options, *from, |line| say(&line)).await?;
                if seals == 0 {
                    return Err(Fault::Refused(format!(
                        "there is no seal that covers position {from} or a later one"
                    )));
                }
                Ok(())
            }
        }
    }
}

/// A new key in a new file that nobody else may read.
fn made(file: &Path) -> Result<SealKey, Fault> {
    let key = SealKey::generate();
    let failed = || Fault::io(format!("{} cannot be made", file.display()));
    // A file that is there holds a key, perhaps, whose seals nobody could go on with.
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed())?;
    let text = format!("{}\n", key.to_hex());
    let writing = made.write_all(text.as_bytes()).and_then(|()| made.sync_all());
    writing.map_err(|error| {
        // Half a key is none, and would stand in the way of the next one.
        let _ = std::fs::remove_file(file);
        failed()(error)
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let file = std::env::temp_dir().join(format!("daybook-{}.key", uuid::Uuid::new_v4().simple()));
        let key = made(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(SealKey::from_hex(&written).unwrap().public(), key.public());
        assert!(made(&file).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
        std::fs::remove_file(file).unwrap();
    }
}
