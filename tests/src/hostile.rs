//! `./dev hostile`: what one tenant's people, and strangers, can do to another tenant. Every attack runs against one fresh
//! process, and a victim of another tenant is measured meanwhile, against a quiet time of the same run. Linux alone: the
//! attackers come from another address of the loopback network than the victim, and memory is what the kernel says.

mod attacks;
mod report;
mod stage;
mod victim;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use attacks::{ATTACKS, Attack};
use report::Report;
use stage::Stage;
use victim::Watch;

/// How long the quiet time lasts that attacks are measured against, in attacks.
const QUIET_ATTACKS: u32 = 4;
/// Between two attacks, for what the last one left to end, in seconds.
const REST_SECONDS: u64 = 5;
/// Between two looks at the process's memory, in milliseconds.
const LOOK_MS: u64 = 50;

/// Runs the attacks of these names, or all, each for so long, and prints how the victim fared. Whether it fared as it
/// must.
pub async fn run(only: &[String], attack: Duration) -> bool {
    let unknown = only
        .iter()
        .find(|name| !ATTACKS.iter().any(|attack| attack.name == **name));
    if let Some(unknown) = unknown {
        let names: Vec<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
        eprintln!("there is no attack \"{unknown}\"; there are {}", names.join(", "));
        return false;
    }
    let stage = Stage::open().await;
    let watch = Watch::begin(&stage.victim);
    tokio::time::sleep(attack * QUIET_ATTACKS).await;
    let quiet = watch.end();
    let report = Report::of(quiet, stage.process.memory_bytes());
    report.head();
    let mut fared_well = true;
    for each in ATTACKS {
        if only.is_empty() || only.iter().any(|name| name == each.name) {
            fared_well &= report.line(each, carried_out(&stage, each, attack).await);
            tokio::time::sleep(Duration::from_secs(REST_SECONDS)).await;
        }
    }
    report.end(fared_well);
    fared_well
}

/// How the victim fared during an attack, what the attackers were told, and the most memory that the process had.
struct Carried {
    seen: victim::Seen,
    told: attacks::Told,
    memory_bytes: u64,
    /// What it had before: what other attacks left.
    before_bytes: u64,
}

async fn carried_out(stage: &Stage, attack: &'static Attack, lasting: Duration) -> Carried {
    let (told, before_bytes) = (Arc::new(attacks::Told::default()), stage.process.memory_bytes());
    let mut attackers = attack.begin(&stage.hostile, &told);
    let watch = Watch::begin(&stage.victim);
    let (mut memory_bytes, begun) = (0, std::time::Instant::now());
    while begun.elapsed() < lasting {
        memory_bytes = memory_bytes.max(stage.process.memory_bytes());
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    let seen = watch.end();
    attackers.shutdown().await;
    drop(attackers);
    Carried {
        seen,
        told: Arc::into_inner(told).unwrap_or_default(),
        memory_bytes,
        before_bytes,
    }
}
