//! By which way a receiver is told, and what came of it.

use chrono::Utc;
use dod::configuration::ConfigType;
use dod::message::{Notice, Place, QUIET_MINUTES, Tells, Wanted};
use dod::receiver::{ImType, Receiver};
use dod_messages::{ANSWER_BYTES_MAX, Call, Link, Outcome, State, lark, slack};
use egress::{Answer, Method};
use settings::Secret;
use uuid::Uuid;

use crate::edges::{BOT_TOKEN, SIGN_SECRET, WEBHOOK_URL};
use crate::outward::{Outward, OutwardError};
use crate::secrets::Secrets;

/// How long Slack or Lark may take to answer, in seconds.
pub const IM_SECONDS_MAX: u64 = 15;
/// The configuration, of type `general`, that says by which address people reach Daybook.
pub const PUBLIC_URL: &str = "public-url";

/// Tells the receiver the latest of a message.
///
/// # Errors
/// [`OutwardError`].
pub async fn tell(
    outward: &Outward,
    tenant: Uuid,
    receiver: &Receiver,
    wanted: &Wanted,
) -> Result<Outcome, OutwardError> {
    let base = outward.configuration(tenant, ConfigType::General, PUBLIC_URL).await?;
    let link = base.map(|base| {
        format!(
            "{}/v1/dod/issues/{}",
            base.value.expose().trim_end_matches('/'),
            wanted.issue_id
        )
    });
    let notice = notice(wanted, link);
    let way = Way {
        outward,
        tenant,
        receiver,
        wanted,
        notice: &notice,
    };
    let mut secrets = Secrets::default();
    let told = match (receiver.im_type, &receiver.bot_token) {
        (ImType::Slack, Some(token)) => way.slack_app(token, &mut secrets).await,
        (ImType::Slack, None) => way.slack_webhook(&mut secrets).await,
        (ImType::Lark, Some(secret)) => way.lark_app(secret, &mut secrets).await,
        (ImType::Lark, None) => way.lark_bot(&mut secrets).await,
    };
    told.map(|outcome| match outcome {
        Outcome::Sent { .. } => outcome,
        Outcome::Later { after, because } => Outcome::Later {
            after,
            because: secrets.hidden_in(&because),
        },
        Outcome::Unknown { because } => Outcome::Unknown {
            because: secrets.hidden_in(&because),
        },
        Outcome::Refused { because } => Outcome::Refused {
            because: secrets.hidden_in(&because),
        },
    })
}

struct Way<'a> {
    outward: &'a Outward,
    tenant: Uuid,
    receiver: &'a Receiver,
    wanted: &'a Wanted,
    notice: &'a dod_messages::Notice,
}

impl Way<'_> {
    async fn slack_app(&self, token: &str, secrets: &mut Secrets) -> Result<Outcome, OutwardError> {
        let token = self.open(BOT_TOKEN, token).await?;
        secrets.know(token.expose());
        let base = self.api_base(slack::API_BASE);
        if let Some(place) = self.place()
            && let Some(channel) = &place.channel
        {
            let call = slack::update(&base, token.expose(), channel, &place.im_id, self.notice);
            let answer = self.call(call).await?;
            if !slack::message_is_gone(&answer.body) {
                return Ok(slack::outcome(answer.status, &answer.headers, &answer.body));
            }
        }
        let channel = self.receiver.destination_id.as_deref().unwrap_or_default();
        let call = slack::post(&base, token.expose(), channel, self.notice, None);
        let answer = self.call(call).await?;
        Ok(slack::outcome(answer.status, &answer.headers, &answer.body))
    }

    /// The message that is changed. What is escalated or worse is said anew, for nobody is called by a message that changes.
    fn place(&self) -> Option<&Place> {
        let calls = matches!(self.wanted.notice.tells, Tells::Escalated | Tells::Worsened);
        self.wanted.place.as_ref().filter(|_| !calls)
    }

    async fn slack_webhook(&self, secrets: &mut Secrets) -> Result<Outcome, OutwardError> {
        let url = self.webhook_url().await?;
        secrets.know_url(url.expose());
        let call = slack::webhook(url.expose(), self.notice).map_err(|bad| OutwardError::Entered(bad.to_string()))?;
        let answer = self.call(call).await?;
        Ok(slack::outcome_of_webhook(answer.status, &answer.headers, &answer.body))
    }

    async fn lark_app(&self, secret: &str, secrets: &mut Secrets) -> Result<Outcome, OutwardError> {
        let secret = self.open(BOT_TOKEN, secret).await?;
        secrets.know(secret.expose());
        let base = self.api_base(lark::LARK_BASE);
        let app_id = self.receiver.app_id.as_deref().unwrap_or_default();
        let asked = self.call(lark::token_call(&base, app_id, secret.expose())).await?;
        let token = match lark::token_of(asked.status, &asked.body) {
            Ok(token) => token,
            Err(outcome) => return Ok(outcome),
        };
        secrets.know(&token.value);
        if let Some(place) = self.place() {
            let answer = self
                .call(lark::update(&base, &token.value, &place.im_id, self.notice))
                .await?;
            if !lark::message_is_gone(&answer.body) {
                return Ok(lark::outcome(answer.status, &answer.headers, &answer.body));
            }
        }
        let chat = self.receiver.destination_id.as_deref().unwrap_or_default();
        let uuid = lark::stable_uuid(self.wanted.issue_id, self.wanted.revision, chat);
        let answer = self
            .call(lark::send(&base, &token.value, chat, &uuid, self.notice))
            .await?;
        Ok(lark::outcome(answer.status, &answer.headers, &answer.body))
    }

    async fn lark_bot(&self, secrets: &mut Secrets) -> Result<Outcome, OutwardError> {
        let url = self.webhook_url().await?;
        secrets.know_url(url.expose());
        dod_messages::check_webhook(url.expose()).map_err(|bad| OutwardError::Entered(bad.to_string()))?;
        let secret = match &self.receiver.sign_secret {
            Some(secret) => Some(self.open(SIGN_SECRET, secret).await?),
            None => None,
        };
        if let Some(secret) = &secret {
            secrets.know(secret.expose());
        }
        let call = lark::bot(
            url.expose(),
            secret.as_ref().map(Secret::expose),
            Utc::now(),
            self.notice,
        );
        let answer = self.call(call).await?;
        Ok(lark::outcome(answer.status, &answer.headers, &answer.body))
    }

    async fn webhook_url(&self) -> Result<Secret, OutwardError> {
        let url = self.receiver.webhook_url.as_deref().ok_or_else(|| {
            OutwardError::Entered("the receiver has neither a webhook nor a bot; enter one of them".to_owned())
        })?;
        self.open(WEBHOOK_URL, url).await
    }

    async fn open(&self, place: &str, sealed: &str) -> Result<Secret, OutwardError> {
        Ok(self.outward.settings.open(self.tenant, place, sealed).await?)
    }

    fn api_base(&self, usual: &str) -> String {
        let base = self.receiver.api_base.as_deref().unwrap_or(usual);
        base.trim_end_matches('/').to_owned()
    }

    async fn call(&self, call: Call) -> Result<Answer, OutwardError> {
        let method = match call.method {
            "PATCH" => Method::Patch,
            _ => Method::Post,
        };
        let call = egress::Call {
            method,
            url: call.url,
            headers: call.headers,
            body: call.body.into_bytes(),
            seconds_max: IM_SECONDS_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        self.outward.call(self.tenant, call).await
    }
}

fn notice(wanted: &Wanted, link: Option<String>) -> dod_messages::Notice {
    let Notice {
        tells,
        title,
        severity,
        source,
        alerts,
        description,
        labels,
        conclusion,
        is_real_issue,
        links,
        opened_at,
        told_at,
        is_flapping,
        ..
    } = &wanted.notice;
    let state = match tells {
        Tells::Opened | Tells::Grown | Tells::Reopened => State::Firing,
        Tells::Worsened => State::Worsened,
        Tells::Escalated => State::Escalated,
        Tells::Concluded => State::Concluded,
        Tells::Resolved => State::Resolved,
        Tells::FalsePositive => State::FalsePositive,
        Tells::UnableToResolve => State::UnableToResolve,
    };
    let is_over = matches!(tells, Tells::Resolved | Tells::FalsePositive);
    dod_messages::Notice {
        issue_id: wanted.issue_id,
        revision: wanted.revision,
        state,
        title: title.clone(),
        severity: severity.to_string(),
        source: source.clone(),
        alerts: (*alerts).into(),
        description: match is_flapping {
            true => Some(flapping(description.as_deref())),
            false => description.clone(),
        },
        labels: labels.clone(),
        skill: None,
        conclusion: conclusion.clone(),
        is_real_issue: *is_real_issue,
        started_at: *opened_at,
        ended_at: is_over.then_some(*told_at),
        assignee: None,
        links: links
            .iter()
            .map(|link| Link {
                title: link.title.clone(),
                url: link.url.clone(),
            })
            .collect(),
        link,
    }
}

/// What else the first alert says, behind the reason why not each of its ups and downs is told.
fn flapping(description: Option<&str>) -> String {
    let flaps = format!("It flaps: its ups and downs are told every {QUIET_MINUTES} minutes at most.");
    let parts = [Some(flaps.as_str()), description];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}
