//! `daybook`: see `daybook help` and [`daybook::config`].

use std::io::{ErrorKind, IsTerminal as _};
use std::process::ExitCode;

use daybook::cli::{self, Typed};
use daybook::config::LogFormat;
use daybook::{Fault, contexts};
use domain::text;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Appends and folds make many small values; the system's allocator is slower at them, and keeps more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is logged when `RUST_LOG` does not say.
const LOGGED: &str = "info,sqlx=warn,async_nats=warn";

fn main() -> ExitCode {
    let contexts = match contexts::all() {
        Ok(contexts) => contexts,
        Err(fault) => {
            log_to_stderr(LogFormat::Text);
            error!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let typed = Typed::parse(&contexts);
    log_to_stderr(typed.config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(error = %error, "the runtime cannot start");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(cli::run(typed, contexts));
    // Whatever is still waiting on something must not hold the process up.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // `daybook events | head` has seen enough.
        Err(Fault::Io { error, .. }) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(fault) => {
            error!("{}", text::visible(&fault.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Who reads the log may go away; the service stays.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
