//! How an investigation asks a tool: a GET of a service that only reads.

use book::BookError;
use dod::tool::{self, HeaderValue, Tool};
use dod_skills::finding::Finding;
use dod_skills::investigation::{self, Call as Question, Step};
use egress::{Call, Method};
use uuid::Uuid;

use crate::outward::{Outward, OutwardError, entry};

/// How long a tool may take to answer, in seconds.
pub const TOOL_SECONDS_MAX: u64 = 10;
/// How much of its answer is read, in bytes.
pub const TOOL_ANSWER_BYTES_MAX: usize = 256 << 10;

/// Asks the tool of a step, and says what its answer shows. What keeps it from answering is a finding as well.
///
/// # Errors
/// When the book fails.
pub async fn ask(outward: &Outward, tenant: Uuid, step: &Step, question: &Question) -> Result<Finding, BookError> {
    match answer(outward, tenant, question).await {
        Ok(answer) => Ok(investigation::judge_http(
            step,
            answer.status,
            &answer.body,
            answer.is_cut,
        )),
        Err(OutwardError::Book(error)) => Err(error),
        Err(error) => Ok(investigation::no_answer(step, &error.to_string())),
    }
}

async fn answer(outward: &Outward, tenant: Uuid, question: &Question) -> Result<egress::Answer, OutwardError> {
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
