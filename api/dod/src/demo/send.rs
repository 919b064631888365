//! Sends the demo's day to where Daybook serves, with the tokens of its sources, as the senders themselves would.

use std::collections::HashMap;
use std::time::Duration;

use book::Envelope;
use book::keys::Named;
use chrono::{NaiveTime, TimeDelta, Utc};
use dod::source::Source;
use dod::token::{TOKEN_CHARS, Token};
use domain::{Decider as _, SYSTEM};
use egress::{Allowed, Call, Egress, Method, Texts};
use http::Fault;
use http::cli::{Opened, say};
use http::demo::Story;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::{Sender, day};
use crate::{shown, tokens, webhooks};

/// How long one body may take, how often it is sent again when there is no room for it, and how long is waited between.
const CALL_SECONDS_MAX: u64 = 30;
const TRIES_MAX: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Tokens of one source that somebody may have retired.
const RETIRED_MAX: u32 = 50;
/// What the demo's key is for.
const PURPOSE: &str = "demo";
/// Where whoever runs the demo may have Daybook serve: on this machine, or beside it.
const PRIVATE_NETWORKS: &str = "10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,::1/128";

pub(super) async fn send(opened: &Opened, seed: u64, to: &str) -> Result<(), Fault> {
    let story = Story::new(
        &opened.contexts,
        &opened.book,
        &opened.tail,
        opened.tenant,
        seed,
        &|_| {},
    );
    let way = Way::to(opened.tenant, to)?;
    let source = Sender::Prometheus.source(&story);
    let first = opened.tail.first(Source::TYPE, source).await?;
    let first = first.ok_or_else(|| Fault::Refused("the demo is not loaded; run `daybook demo` first".to_owned()))?;
    // The day before the one on which it was entered, so that it is the same whenever it is sent.
    let midnight = first.at.date_naive().and_time(NaiveTime::MIN).and_utc() - TimeDelta::days(1);
    let bodies = day::bodies(&story, midnight);
    let mut there = there(opened).await?;
    let mut paths = HashMap::new();
    let mut sent = 0;
    for body in &bodies {
        let source = body.sender.source(&story);
        let came = there
            .entry((source, hex::encode(Sha256::digest(&body.bytes))))
            .or_default();
        if *came > 0 {
            *came -= 1;
            continue;
        }
        let path = match paths.get(&body.sender) {
            Some(path) => path,
            None => {
                let path = webhooks::ADDRESS.replace("{token}", &token(opened, source).await?);
                paths.entry(body.sender).or_insert(path)
            }
        };
        way.send(path, &body.bytes).await?;
        sent += 1;
    }
    say(&format!(
        "{sent} of {} bodies of alerts were sent; the others came there before",
        bodies.len()
    ))
}

/// How often each source of the tenant was sent each body, by its digest.
async fn there(opened: &Opened) -> Result<HashMap<(Uuid, String), i64>, Fault> {
    shown::up_to_now(opened).await?;
    let counts: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select source_id, sha256, count(*) from dod.deliveries where tenant_id = $1 group by source_id, sha256",
    )
    .bind(opened.tenant)
    .fetch_all(&opened.pools.projector)
    .await?;
    let of = |(source, sha256, count)| ((source, sha256), count);
    Ok(counts.into_iter().map(of).collect())
}

/// A token that is good for a source. It is drawn from a key of the tenant's, so that nobody guesses it and the next run
/// needs no other.
async fn token(opened: &Opened, source_id: Uuid) -> Result<String, Fault> {
    let book = &opened.book;
    let named = Named {
        id: Uuid::new_v5(&opened.tenant, b"demo/key"),
        owner: Uuid::new_v5(&opened.tenant, b"demo/tokens"),
        purpose: PURPOSE,
    };
    let key = book.vault().own_key_or_new(opened.tenant, named).await?;
    let key = key.ok_or_else(|| Fault::Refused("the demo's key is destroyed; no alert can be sent".to_owned()))?;
    for nth in 0..RETIRED_MAX {
        let mut token = hex::encode(key.digest(PURPOSE, &[source_id.as_bytes(), &nth.to_be_bytes()]));
        token.truncate(TOKEN_CHARS);
        let source = book.now::<Source>(opened.tenant, source_id).await?;
        if source.is_some_and(|source| source.token(&Token::digest(&token)).is_some()) {
            return Ok(token);
        }
        let (Some(stream), Some(steps)) = (Token::stream(&token), tokens::steps(source_id, &token, SYSTEM)) else {
            continue;
        };
        if book.of_whom::<Token>(stream).await?.is_some() {
            // Somebody has retired it.
            continue;
        }
        book.execute(Envelope::once(opened.tenant, SYSTEM, Utc::now()), steps)
            .await?;
        return Ok(token);
    }
    Err(Fault::Refused(
        "all tokens of the demo's source were retired; no alert can be sent".to_owned(),
    ))
}

/// The way to where Daybook serves.
struct Way {
    egress: Egress,
    allowed: Allowed,
    tenant: Uuid,
    base: String,
}

impl Way {
    fn to(tenant: Uuid, address: &str) -> Result<Self, Fault> {
        let unfit = || Fault::Refused(format!("{address} is no address; write it as http://127.0.0.1:8080"));
        let url = Url::parse(address).map_err(|_| unfit())?;
        let host = url.host_str().ok_or_else(unfit)?;
        let port = url.port_or_known_default().ok_or_else(unfit)?;
        // Whoever runs this is the operator, and names the host by the address.
        let texts = Texts {
            private_networks: PRIVATE_NETWORKS,
            ports: &port.to_string(),
            plain_http: host,
            ..Texts::default()
        };
        let refused = |error: egress::BadSetting| Fault::Refused(error.to_string());
        let settings = egress::Settings::from_texts(&texts).map_err(refused)?;
        Ok(Self {
            egress: Egress::new(settings).map_err(refused)?,
            allowed: Allowed::new([host]).map_err(|error| Fault::Refused(error.to_string()))?,
            tenant,
            base: address.trim_end_matches('/').to_owned(),
        })
    }

    async fn send(&self, path: &str, body: &[u8]) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let call = Call {
                method: Method::Post,
                url: format!("{}{path}", self.base),
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: body.to_vec(),
                seconds_max: CALL_SECONDS_MAX,
                answer_bytes_max: ANSWER_BYTES_MAX,
            };
            let answer = self.egress.call(self.tenant, &self.allowed, call).await;
            let answer = answer.map_err(|error| Fault::Refused(format!("{} is not reached: {error}", self.base)))?;
            match answer.status {
                202 => return Ok(()),
                429 | 503 => tokio::time::sleep(PAUSE).await,
                status => {
                    let told = String::from_utf8_lossy(&answer.body).into_owned();
                    return Err(Fault::Refused(format!("{} answered {status}: {told}", self.base)));
                }
            }
        }
        Err(Fault::Refused(format!(
            "{} had no room for an alert for {TRIES_MAX} s; send the rest later",
            self.base
        )))
    }
}
