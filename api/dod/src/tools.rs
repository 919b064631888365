//! How an investigation asks a tool: a GET of a service that only reads.

use book::BookError;
use dod::configuration::{self, Configuration};
use dod::tool::{self, ConfigurationRef, HeaderValue, HttpTool, Tool};
use dod_skills::finding::Finding;
use dod_skills::investigation::{self, Call as Question, Step};
use domain::register::{Command, Register};
use domain::{AnyCommand, Decider as _};
use egress::{Call, Method};
use http::App;
use http::context::Warning;
use uuid::Uuid;

use crate::outward::{ENTRIES_MAX, Outward, OutwardError, entry, host_of, may_not_go};
use crate::secrets::Secrets;

/// How long a tool may take to answer, in seconds.
pub const TOOL_SECONDS_MAX: u64 = 10;
/// How much of its answer is read, in bytes.
pub const TOOL_ANSWER_BYTES_MAX: usize = 256 << 10;

/// What is warned of when a tool is entered or amended: secrets of its headers that would not be sent.
pub const OF_TOOL: Warning = Warning {
    aggregate_type: Register::<Tool>::TYPE,
    commands: &["enter", "amend"],
    permission: "dod.configurations.read",
    find: |app, looked| Box::pin(unsent(app, looked.by.tenant, looked.command)),
};

async fn unsent(app: &App, tenant: Uuid, command: &AnyCommand) -> Result<Vec<String>, BookError> {
    let tool = match command.typed::<Register<Tool>>() {
        Some(Command::Enter(tool)) => tool.http(),
        // What is not named was told of when it was entered.
        Some(Command::Amend(amendment)) => amendment.named("config").and_then(Tool::http_of),
        Some(Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {}) | None => None,
    };
    let Some(HttpTool { base_url, headers, .. }) = tool else {
        return Ok(Vec::new());
    };
    let secrets = headers.iter().filter_map(|(name, value)| match value {
        HeaderValue::Secret(reference) => Some((name, reference)),
        HeaderValue::Text(_) => None,
    });
    let (secrets, Ok(host)) = (Vec::from_iter(secrets), host_of(&base_url)) else {
        return Ok(Vec::new());
    };
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let ids = app
        .book
        .holders(tenant, configuration::KEY, None, Uuid::nil(), ENTRIES_MAX);
    let entries = app.book.fresh::<Register<Configuration>>(tenant, &ids.await?).await?;
    let in_use = Vec::from_iter(entries.iter().filter_map(|state| state.as_deref()?.active()));
    let told = secrets.into_iter().filter_map(|(name, reference)| {
        let because = because_unsent(reference, &in_use, &host)?;
        Some(format!(
            "config.headers.{name}: {because}; until then nothing is asked of the tool"
        ))
    });
    Ok(told.collect())
}

/// Why a secret would not be sent to this host, if it would not.
fn because_unsent(reference: &ConfigurationRef, in_use: &[&Configuration], host: &str) -> Option<String> {
    let named = |entry: &&&Configuration| Some((entry.config_type, &*entry.config_key)) == reference.named();
    match in_use.iter().find(named) {
        Some(entry) => (!entry.may_go_to(host)).then(|| may_not_go(entry, host)),
        None => Some(format!(
            "there is no configuration {}; enter it, with hosts that name {host}",
            reference.configuration
        )),
    }
}

/// Asks the tool of a step, and says what its answer shows. What keeps it from answering is a finding as well.
///
/// # Errors
/// When the book fails.
pub async fn ask(outward: &Outward, tenant: Uuid, step: &Step, question: &Question) -> Result<Finding, BookError> {
    let mut secrets = Secrets::default();
    let found = match answer(outward, tenant, question, &mut secrets).await {
        Ok(answer) => investigation::judge_http(step, answer.status, &answer.body, answer.is_cut),
        Err(OutwardError::Book(error)) => return Err(error),
        Err(error) => investigation::no_answer(step, &error.to_string()),
    };
    // It may say back what was sent along.
    Ok(Finding {
        seen: secrets.hidden_in(&found.seen),
        ..found
    })
}

async fn answer(
    outward: &Outward,
    tenant: Uuid,
    question: &Question,
    secrets: &mut Secrets,
) -> Result<egress::Answer, OutwardError> {
    let name = question.tool.to_lowercase();
    let found = entry::<Tool>(&outward.book, tenant, tool::NAME, |tool| {
        tool.name.to_lowercase() == name
    })
    .await?;
    let entered = |told: String| OutwardError::Entered(told);
    let (_, tool) = found.ok_or_else(|| entered(format!("no tool in use is called {:?}; enter it", question.tool)))?;
    let http = tool.http().ok_or_else(|| {
        let told = "the tool is not asked: only those that are asked over HTTP and read only are";
        entered(told.to_owned())
    })?;
    let mut headers = Vec::new();
    for (name, value) in &http.headers {
        let value = match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Secret(reference) => {
                let named = reference
                    .named()
                    .ok_or_else(|| entered(format!("the header {name} names no configuration; amend the tool")))?;
                let (config_type, key) = named;
                let secret = outward.configuration(tenant, config_type, key).await?;
                let secret = secret
                    .ok_or_else(|| entered(format!("the configuration of the header {name} is not there; enter it")))?;
                let secret = secret.for_host_of(&http.base_url)?;
                secrets.know(secret.expose());
                format!("{}{}", reference.prefix.as_deref().unwrap_or_default(), secret.expose())
            }
        };
        headers.push((name.clone(), value));
    }
    let call = Call {
        method: Method::Get,
        url: format!("{}{}", http.base_url.trim_end_matches('/'), question.path),
        headers,
        body: Vec::new(),
        seconds_max: TOOL_SECONDS_MAX,
        answer_bytes_max: TOOL_ANSWER_BYTES_MAX,
    };
    outward.call(tenant, call).await
}
