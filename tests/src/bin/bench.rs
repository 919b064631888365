//! `./dev bench [NAME] [--json]`: each figure with its ratio to a baseline measured in the same run.

#![expect(clippy::expect_used, reason = "a bench that cannot run must stop, loudly")]

use clap::Parser;
use tests::bench::{self, Figure, Size};

/// The allocator of the service, so that what is measured in process is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Only figures whose name begins so: `append`, `http.command`, `project.orders`.
    name: Option<String>,
    /// One JSON object per figure instead of a table.
    #[arg(long)]
    json: bool,
    /// For how many seconds bodies of alerts come in, of `dod.intake`.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Among how many alerts lists are made, of `dod.list`.
    #[arg(long, default_value_t = 1_000_000)]
    alerts: u32,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let size = Size {
        seconds: arguments.seconds.max(1),
        alerts: arguments.alerts,
    };
    let wanted = arguments.name.unwrap_or_default();
    for group in bench::GROUPS {
        if !group
            .figures
            .iter()
            .any(|figure| figure.starts_with(&wanted) || wanted.starts_with(figure))
        {
            continue;
        }
        for figure in (group.run)(size).await {
            print(&figure, arguments.json);
        }
    }
}

fn print(figure: &Figure, json: bool) {
    if json {
        println!("{}", serde_json::to_string(figure).expect("a figure is JSON"));
    } else {
        let baseline = figure
            .baseline
            .map_or(String::new(), |baseline| format!("  baseline {baseline:.0}"));
        let ratio = figure
            .ratio
            .map_or(String::new(), |ratio| format!("  ratio {ratio:.2}"));
        println!(
            "{:<24} {:>12.2} {:<12}{baseline}{ratio}",
            figure.name, figure.value, figure.unit
        );
    }
}
