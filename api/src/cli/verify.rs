//! `daybook verify [--from POSITION] [--seals FILE] [--public-key KEY]...`

use std::fs::File;
use std::io::{BufReader, IsTerminal as _, Write as _};
use std::path::PathBuf;

use book::Pools;
use book::seals::verify::{Report, VerifyError, Wanted};
use book::seals::{Exported, PublicKey, verify};
use clap::Args;

use super::say;
use crate::{Config, Fault, migrate};

#[derive(Debug, Args)]
pub struct Verify {
    /// Begin at the seal that covers this position, and believe what the seal before it says
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// Hold the seals against these, which `daybook seal export` printed earlier
    #[arg(long, value_name = "FILE")]
    seals: Option<PathBuf>,
    /// A key whose seals are believed; may be given several times. That of DAYBOOK_SEAL_KEY is without saying
    #[arg(long, value_name = "KEY")]
    public_key: Vec<PublicKey>,
}

impl Verify {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        let mut keys = self.public_key.clone();
        keys.extend(config.seal_key()?.map(|key| key.public()));
        if keys.is_empty() {
            return Err(Fault::setting(
                "there is no key to believe: name the public part of the key that seals with --public-key; `daybook seal \
                 key` printed it. Do not take it from the database",
            ));
        }
        let exported = match &self.seals {
            Some(path) => {
                let of_file = || Fault::io(format!("{} cannot be read", path.display()));
                let file = File::open(path).map_err(of_file())?;
                if file.metadata().map_err(of_file())?.len() == 0 {
                    return Err(Fault::Refused(format!(
                        "{} holds no seal; `daybook seal export` prints them",
                        path.display()
                    )));
                }
                Some(Exported::new(Box::new(BufReader::new(file))))
            }
            None => None,
        };
        let pools = Pools::connect_of(&config.logins()?).await?;
        migrate::check(&pools.owner).await?;
        let shown = std::io::stderr().is_terminal();
        let told = |position: i64, to: i64| {
            let (start, end) = if shown { ("\r\x1b[K", "") } else { ("", "\n") };
            // Progress that nobody can read is no reason to stop.
            let _ = write!(std::io::stderr(), "{start}verified {position}/{to}{end}");
        };
        let wanted = Wanted {
            from: self.from,
            keys: &keys,
            exported,
            told: &told,
        };
        let outcome = verify(&pools.projector.connect_options(), wanted).await;
        if shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let report = outcome.map_err(|error| match error {
            VerifyError::Book(error) => Fault::Book(error),
            other => Fault::Refused(other.to_string()),
        })?;
        tell(&report)?;
        match &report.finding {
            Some(finding) => Err(Fault::Refused(finding.to_string())),
            None => Ok(()),
        }
    }
}

/// Says what was looked at, whatever was found.
fn tell(report: &Report) -> Result<(), Fault> {
    let events = (report.verified - report.from + 1).max(0);
    let per_second = events as f64 / report.seconds.max(f64::EPSILON);
    say(&format!(
        "{events} events of {} seals are as they were sealed, from position {} to {}, in {:.1} s ({per_second:.0}/s)",
        report.seals, report.from, report.verified, report.seconds
    ))?;
    for (key, number) in &report.keys {
        say(&format!("from seal {number} on the key is {key}"))?;
    }
    for (history, number) in report.histories.iter().skip(1) {
        say(&format!(
            "with seal {number} a new history begins, {history}: the database was restored or moved, or a standby took over"
        ))?;
    }
    if let Some(since) = report.unsealed_since {
        say(&format!(
            "{} events after them are not sealed yet, the first of {}",
            report.unsealed,
            since.format("%Y-%m-%d %H:%M:%S UTC")
        ))?;
    }
    if !report.uncovered.is_empty() {
        let columns = report.uncovered.join(", ");
        say(&format!("no seal that this version knows covers the columns {columns}"))?;
    }
    Ok(())
}
