//! What is secret: from the environment or from files, never an argument.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::Config;
use crate::Fault;

/// Size of a file that holds a secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A setting that no log, error or `Debug` may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// A secret setting: the variable that holds it, and where it is kept.
type Place = (&'static str, fn(&mut Config) -> &mut Option<Secret>);

const SECRETS: &[Place] = &[
    ("DATABASE_URL", |config| &mut config.database_url),
    ("DAYBOOK_WRITER_URL", |config| &mut config.writer_url),
    ("DAYBOOK_PROJECTOR_URL", |config| &mut config.projector_url),
    ("DAYBOOK_READER_URL", |config| &mut config.reader_url),
    ("NATS_URL", |config| &mut config.nats_url),
    ("DAYBOOK_MASTER_KEY", |config| &mut config.master_key),
    ("DAYBOOK_MASTER_KEY_NEXT", |config| &mut config.master_key_next),
    ("DAYBOOK_JWT_SECRET", |config| &mut config.jwt_secret),
    ("DAYBOOK_SEAL_KEY", |config| &mut config.seal_key),
    ("AWS_ACCESS_KEY_ID", |config| &mut config.bucket_key_id),
    ("AWS_SECRET_ACCESS_KEY", |config| &mut config.bucket_key),
];

/// What `daybook help` says of the settings that are no options.
#[must_use]
pub fn help() -> String {
    let names: Vec<&str> = SECRETS.iter().map(|(variable, _)| *variable).collect();
    format!(
        "Secrets are read from the environment ({}), or from the files whose paths are in the variables of these names \
         with _FILE behind them.",
        names.join(", ")
    )
}

impl Config {
    /// Reads what is secret from the environment and the files that it names. What was set before stays.
    ///
    /// # Errors
    /// When a secret is in both, or its file cannot be read; the message names the variable and never the secret.
    pub fn read_secrets(&mut self) -> Result<(), Fault> {
        self.read_secrets_from(|variable| std::env::var_os(variable))
    }

    fn read_secrets_from(&mut self, environment: impl Fn(&str) -> Option<OsString>) -> Result<(), Fault> {
        // A variable that was passed on empty is none: compose does that with each that is not set.
        let found = |variable: &str| environment(variable).filter(|value| !value.is_empty());
        for (variable, place) in SECRETS {
            let in_file = format!("{variable}_FILE");
            let secret = match (found(variable), found(&in_file)) {
                (None, None) => continue,
                (Some(_), Some(_)) => {
                    return Err(Fault::setting(format!("set {variable} or {in_file}, not both")));
                }
                (Some(value), None) => value
                    .into_string()
                    .map_err(|_| Fault::setting(format!("{variable} is no text")))?,
                (None, Some(path)) => of_file(&in_file, Path::new(&path))?,
            };
            place(self).get_or_insert(Secret(secret));
        }
        Ok(())
    }
}

/// The text of a file that holds a secret, without the line break that editors end it with.
fn of_file(variable: &str, path: &Path) -> Result<String, Fault> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let mut text = read().map_err(Fault::io(format!(
        "{variable} names {}, which cannot be read",
        path.display()
    )))?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Fault::setting(format!(
            "{variable} names a file of more than {SECRET_BYTES_MAX} bytes, which is no secret"
        )));
    }
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    if text.is_empty() {
        return Err(Fault::setting(format!("{variable} names an empty file")));
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use std::path::PathBuf;

    use uuid::Uuid;

    use super::*;

    #[derive(clap::Parser)]
    struct Settings {
        #[command(flatten)]
        config: Config,
    }

    /// The settings of a program that finds this in its environment.
    pub fn found(environment: &[(&str, &str)]) -> Result<Config, Fault> {
        let environment: BTreeMap<&str, &str> = environment.iter().copied().collect();
        let mut config = Settings::parse_from(["daybook"]).config;
        // What the test itself was started with is none of it.
        for (_, place) in SECRETS {
            *place(&mut config) = None;
        }
        config.read_secrets_from(|variable| environment.get(variable).map(OsString::from))?;
        Ok(config)
    }

    /// A file with this text, gone when dropped.
    struct Written(PathBuf);

    impl Written {
        fn new(text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("daybook-secret-{}", Uuid::new_v4()));
            std::fs::write(&path, text).unwrap();
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn every_secret_is_read_from_its_variable_or_from_the_file_that_another_one_names() {
        let file = Written::new("in a file\r\n");
        for (variable, place) in SECRETS {
            let read = |name: &str, value: &str| {
                let mut config = found(&[(name, value)]).unwrap();
                place(&mut config).clone().unwrap().reveal().to_owned()
            };
            assert_eq!(read(variable, "in the open"), "in the open");
            assert_eq!(read(&format!("{variable}_FILE"), file.path()), "in a file");
        }
    }

    #[test]
    fn a_secret_is_no_argument() {
        for (variable, _) in SECRETS {
            let option = variable.trim_start_matches("DAYBOOK_").to_lowercase().replace('_', "-");
            let typed = Settings::try_parse_from(["daybook".to_owned(), format!("--{option}"), "hunter2".to_owned()]);
            let error = typed.err().map(|error| error.to_string()).unwrap();
            assert!(error.contains("unexpected") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn who_sets_both_a_variable_and_its_file_is_told_so() {
        let file = Written::new("one");
        let both = [("NATS_URL", "another"), ("NATS_URL_FILE", file.path())];
        let error = found(&both).unwrap_err().to_string();
        assert_eq!(error, "set NATS_URL or NATS_URL_FILE, not both");
        let config = found(&[("NATS_URL", ""), ("NATS_URL_FILE", file.path())]).unwrap();
        assert_eq!(config.nats_url.unwrap().reveal(), "one", "an empty variable is none");
    }

    #[test]
    fn a_file_that_holds_no_secret_is_named() {
        let (empty, large) = (
            Written::new("\n"),
            Written::new(&"x".repeat(SECRET_BYTES_MAX as usize + 1)),
        );
        for path in ["/nowhere/at/all", empty.path(), large.path()] {
            let error = found(&[("DAYBOOK_JWT_SECRET_FILE", path)]).unwrap_err().to_string();
            assert!(error.starts_with("DAYBOOK_JWT_SECRET_FILE names "), "{error}");
        }
    }

    #[test]
    fn what_was_set_before_stays() {
        let mut config = found(&[("NATS_URL", "first")]).unwrap();
        config
            .read_secrets_from(|_| Some(OsString::from("second")))
            .unwrap_err();
        config
            .read_secrets_from(|variable| (variable == "NATS_URL").then(|| "second".into()))
            .unwrap();
        assert_eq!(config.nats_url.unwrap().reveal(), "first");
    }
}
