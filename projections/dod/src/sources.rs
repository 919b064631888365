//! Where alerts come from, and the tokens by which their requests are let in.

use chrono::{DateTime, Utc};
use dod::source::{Event, Overload, Settings, SignatureScheme, Source};
use dod_formats::{Format, Severity};
use domain::{AnyEvent, Recorded, SYSTEM};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

use crate::standing::Standing;

row! {
    /// A sender of alerts. A struck source's row stays. The secret by which it signs is in no table.
    SourceRow = dod.webhook_sources
    key {
        /// The source's id.
        id: Uuid,
    }
    columns {
        /// What alerts name as their source; unique without regard to case.
        name: String,
        /// Whose words its requests are in; null when that is found out request by request.
        format: Option<Word<Format>>,
        /// The receiver that is told of its alerts where the request names none.
        receiver_im: Option<String>,
        /// Whose way of signing its requests have: `grafana`, `sentry`, `pagerduty`, `hmac_sha256`, `shared_secret`; null when
        /// they are not signed.
        signature_scheme: Option<Word<SignatureScheme>>,
        /// The header with the signature, where it is not the usual one.
        signature_header: Option<String>,
        /// The header with the time that is signed along.
        signature_timestamp_header: Option<String>,
        /// The ARNs of the SNS topics whose messages are taken.
        sns_topics: Value,
        /// The sender's own words for severities, each with what is meant by it.
        severities: Value,
        /// The severity of an alert that says none, or a word that is not known.
        default_severity: Option<Word<Severity>>,
        /// How JSON that nobody knows is read.
        mappings: Value,
        /// Minutes after which an alert is resolved of which nothing more was heard; null for never.
        auto_resolve_minutes: Option<i32>,
        /// Minutes without a heartbeat after which the source itself is an alert; null when none is expected.
        heartbeat_minutes: Option<i32>,
        /// Changes between firing and resolved, within `flap_minutes`, that make an alert one that flaps.
        flap_count: i32,
        /// Minutes within which changes count as flapping.
        flap_minutes: i32,
        /// What its requests are answered when there are more than Daybook takes: `retry_5xx`, `retry_429`, `always_take`; null
        /// for what its format needs.
        overload: Option<Word<Overload>>,
        /// Whether it is in use: `active`, `inactive`.
        status: Word<Standing>,
        /// The user who first entered it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed; tokens do not count.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, name, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for SourceRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Source>() {
            Some(Event::SourceEntered(_) | Event::SourceAmended(_) | Event::SourceStruck {}) => vec![recorded.stream],
            Some(Event::SourceTokenIssued { .. } | Event::SourceTokenRetired { .. }) | None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Source>() else {
            return Ok(row);
        };
        let came = |row: Self| (row.position, row.created_at, row.created_by);
        let first = || (recorded.position, recorded.at, actor(recorded));
        Ok(match event {
            Event::SourceEntered(settings) => Some(Self::written(id, settings, row.map_or_else(first, came), recorded)),
            Event::SourceAmended(settings) => Some(Self::written(id, settings, came(existing(row)?), recorded)),
            Event::SourceStruck {} => Some(Self {
                status: Word(Standing::Inactive),
                updated_at: recorded.at,
                ..existing(row)?
            }),
            Event::SourceTokenIssued { .. } | Event::SourceTokenRetired { .. } => row,
        })
    }
}

impl SourceRow {
    fn written(
        id: Uuid,
        settings: &Settings,
        (position, created_at, created_by): (i64, DateTime<Utc>, Option<Uuid>),
        recorded: &Recorded<AnyEvent>,
    ) -> Self {
        let signature = settings.signature.as_ref();
        Self {
            tenant_id: recorded.tenant_id,
            position,
            id,
            name: settings.name.clone(),
            format: settings.format.map(Word),
            receiver_im: settings.receiver_im.clone(),
            signature_scheme: signature.map(|signature| Word(signature.scheme)),
            signature_header: signature.and_then(|signature| signature.header.clone()),
            signature_timestamp_header: signature.and_then(|signature| signature.timestamp_header.clone()),
            sns_topics: json!(settings.sns_topics),
            severities: json!(settings.severities),
            default_severity: settings.default_severity.map(Word),
            mappings: json!(settings.mappings),
            auto_resolve_minutes: settings.auto_resolve_minutes,
            heartbeat_minutes: settings.heartbeat_minutes,
            flap_count: settings.flap_count,
            flap_minutes: settings.flap_minutes,
            overload: settings.overload.map(Word),
            status: Word(Standing::Active),
            created_by,
            created_at,
            updated_at: recorded.at,
        }
    }
}

row! {
    /// A token by which requests of a source are let in. The token itself is shown once, and is in no table. A token that was
    /// retired is gone.
    TokenRow = dod.webhook_tokens
    key {
        /// The token's id.
        id: Uuid,
    }
    columns {
        /// The source whose requests it lets in.
        source_id: Uuid,
        /// The user who asked for it; null when Daybook itself did.
        issued_by: Option<Uuid>,
        /// When it was issued.
        issued_at: DateTime<Utc>,
    }
    generated {}
    find { id, source_id, issued_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for TokenRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Source>() {
            Some(Event::SourceTokenIssued { token_id, .. } | Event::SourceTokenRetired { token_id }) => vec![*token_id],
            Some(Event::SourceEntered(_) | Event::SourceAmended(_) | Event::SourceStruck {}) | None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        match recorded.of::<Source>() {
            Some(Event::SourceTokenIssued {
                token_id: _,
                digest: _,
                issued_by,
                issued_at,
            }) => Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                source_id: recorded.stream,
                issued_by: Some(*issued_by).filter(|user| *user != SYSTEM),
                issued_at: *issued_at,
            })),
            Some(Event::SourceTokenRetired { .. }) => existing(row).map(|_| None),
            Some(Event::SourceEntered(_) | Event::SourceAmended(_) | Event::SourceStruck {}) | None => Ok(row),
        }
    }
}
