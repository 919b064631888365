//! What is printed: how the victim fared in quiet, and under each attack.

use std::time::Duration;

use super::Carried;
use super::attacks::Attack;
use super::victim::Seen;
use super::wire;

/// How much longer the slowest in a hundred may take under attack.
const TIMES_QUIET_MAX: f64 = 5.0;
/// How long it may take, whatever it took in quiet.
const P99_MAX: Duration = Duration::from_secs(1);
/// What the process may take for an attack, in bytes.
const MEMORY_BYTES_MAX: u64 = 250_000_000;

pub struct Report {
    quiet_p99: Duration,
    quiet: Seen,
    idle_bytes: u64,
}

impl Report {
    pub fn of(mut quiet: Seen, idle_bytes: u64) -> Self {
        quiet.times.sort_unstable();
        Self {
            quiet_p99: percentile(&quiet.times, 99),
            quiet,
            idle_bytes,
        }
    }

    pub fn head(&self) {
        println!(
            "{:<10} {:>9} {:>7} {:>8} {:>8} {:>7} {:>8}  {:<6} what attackers were told",
            "attack", "attackers", "asked", "p50 ms", "p99 ms", "x quiet", "MB more", ""
        );
        println!(
            "{:<10} {:>9} {:>7} {:>8.1} {:>8.1} {:>7} {:>8}  {}",
            "(quiet)",
            "",
            self.quiet.times.len(),
            milliseconds(percentile(&self.quiet.times, 50)),
            milliseconds(self.quiet_p99),
            "",
            format!("({:.0})", self.idle_bytes as f64 / 1e6),
            self.quiet.told()
        );
    }

    /// Prints a line for an attack. Whether the victim fared as it must.
    pub fn line(&self, attack: &Attack, mut carried: Carried) -> bool {
        carried.seen.times.sort_unstable();
        let times = &carried.seen.times;
        let p99 = percentile(times, 99);
        let more_bytes = carried.memory_bytes.saturating_sub(self.idle_bytes);
        let told = carried.told.counts();
        let mut wrong = Vec::new();
        if times.is_empty() {
            wrong.push("the victim was not served at all".to_owned());
        }
        if !carried.seen.refused.is_empty() {
            wrong.push(format!("the victim was refused: {}", carried.seen.told()));
        }
        let ratio = p99.as_secs_f64() / self.quiet_p99.as_secs_f64().max(1e-6);
        if ratio > TIMES_QUIET_MAX {
            wrong.push(format!("p99 is more than {TIMES_QUIET_MAX} times that of quiet"));
        }
        if p99 > P99_MAX {
            wrong.push(format!("p99 is more than {P99_MAX:?}"));
        }
        if more_bytes > MEMORY_BYTES_MAX {
            let before_bytes = carried.before_bytes.saturating_sub(self.idle_bytes);
            wrong.push(format!(
                "memory is more than {} MB over idle, {:.0} of which were left by what came before",
                MEMORY_BYTES_MAX / 1_000_000,
                before_bytes as f64 / 1e6
            ));
        }
        if let Some(status) = attack.must_be_told
            && !told.contains_key(&wire::Told::Status(status))
        {
            wrong.push(format!("no attacker was told {status}"));
        }
        let mut listed: Vec<String> = Vec::new();
        for (told, times) in &told {
            listed.push(match told {
                wire::Told::Status(status) => format!("{status} {times}x"),
                wire::Told::Closed => format!("closed {times}x"),
            });
        }
        println!(
            "{:<10} {:>9} {:>7} {:>8.1} {:>8.1} {:>7.1} {:>8.0}  {:<6} {}",
            attack.name,
            attack.attackers,
            times.len(),
            milliseconds(percentile(times, 50)),
            milliseconds(p99),
            ratio,
            more_bytes as f64 / 1e6,
            if wrong.is_empty() { "ok" } else { "FAILED" },
            listed.join(", ")
        );
        for wrong in &wrong {
            println!("{:<10} {wrong}", "");
        }
        wrong.is_empty()
    }

    pub fn end(&self, fared_well: bool) {
        match fared_well {
            true => println!("no attack reached the other tenant"),
            false => println!("the other tenant was reached"),
        }
    }
}

impl Seen {
    /// How often what was refused.
    fn told(&self) -> String {
        let told = self.refused.iter().map(|(what, times)| format!("{what} {times}x"));
        told.collect::<Vec<_>>().join(", ")
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Of times in order; zero of none.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).copied().unwrap_or_default()
}
