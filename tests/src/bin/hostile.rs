//! `./dev hostile [--only NAME] [--seconds N]`: whether what one does reaches another. See `tests::hostile`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// Only attacks of this name; may be given again.
    #[arg(long)]
    only: Vec<String>,
    /// How long each attack lasts, in seconds; the quiet time that they are measured against is four times as long.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match tests::hostile::run(&arguments.only, Duration::from_secs(arguments.seconds)).await {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
