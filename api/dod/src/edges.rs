//! Secrets are sealed as they come in, before anything is made of what came.

use dod::configuration::Configuration;
use dod::receiver::Receiver;
use dod::source::Source;
use domain::Decider;
use domain::register::Register;
use http::App;
use http::context::Edge;
use http::problem::{self, Problem};
use serde_json::{Value, json};
use settings::{SettingError, Settings};
use uuid::Uuid;

/// A secret opens in one kind of place alone. What is entered cannot name another: what is sealed already is refused.
pub const CONFIG_VALUE: &str = "dod.configuration/config_value";
pub const BOT_TOKEN: &str = "dod.receiver/bot_token";
pub const WEBHOOK_URL: &str = "dod.receiver/webhook_url";
pub const SIGN_SECRET: &str = "dod.receiver/sign_secret";
pub const SIGNATURE_SECRET: &str = "dod.source/signature.secret";

/// The commands that bring secrets. Whoever amends an entry leaves its secrets out, for they were shown none.
pub const EDGES: &[Edge] = &[
    Edge {
        aggregate_type: Register::<Configuration>::TYPE,
        commands: &["enter", "amend"],
        change: |app, tenant, fields| Box::pin(seal(app, tenant, fields, &[("/config_value", CONFIG_VALUE)])),
        complete: Some(|app, tenant, stream, fields| {
            Box::pin(keep::<Register<Configuration>>(app, tenant, stream, fields, |state| {
                let entry = state.active()?;
                Some(Kept {
                    secrets: vec![("config_value", json!(entry.config_value))],
                    // Its name says what Daybook itself does with it.
                    goes_to: vec![
                        Goes::to("config_value", "config_type", json!(entry.config_type)),
                        Goes::to("config_value", "config_key", json!(entry.config_key)),
                        Goes::to("config_value", "hosts", json!(entry.hosts)),
                    ],
                })
            }))
        }),
    },
    Edge {
        aggregate_type: Register::<Receiver>::TYPE,
        commands: &["enter", "amend"],
        change: |app, tenant, fields| Box::pin(receiver(app, tenant, fields)),
        complete: Some(|app, tenant, stream, fields| {
            Box::pin(keep::<Register<Receiver>>(app, tenant, stream, fields, |state| {
                let entry = state.active()?;
                Some(Kept {
                    secrets: vec![
                        ("bot_token", json!(entry.bot_token)),
                        ("webhook_url", json!(entry.webhook_url)),
                        ("webhook_host", json!(entry.webhook_host)),
                        ("sign_secret", json!(entry.sign_secret)),
                    ],
                    goes_to: vec![
                        Goes::to("bot_token", "im_type", json!(entry.im_type)),
                        Goes::to("bot_token", "api_base", json!(entry.api_base)),
                    ],
                })
            }))
        }),
    },
    Edge {
        aggregate_type: Source::TYPE,
        commands: &["enter", "amend"],
        change: |app, tenant, fields| Box::pin(seal(app, tenant, fields, &[("/signature/secret", SIGNATURE_SECRET)])),
        complete: Some(|app, tenant, stream, fields| {
            Box::pin(keep::<Source>(app, tenant, stream, fields, |state| {
                let signature = state.settings()?.signature.as_ref()?;
                // Without a word of it the requests have to be signed as before.
                Some(Kept {
                    secrets: vec![
                        ("signature/secret", json!(signature.secret)),
                        ("signature", json!(signature)),
                    ],
                    goes_to: Vec::new(),
                })
            }))
        }),
    },
];

/// What a stream has and an amendment may leave out.
struct Kept {
    /// Sealed secrets and what belongs to them, each by the path of its field.
    secrets: Vec<(&'static str, Value)>,
    goes_to: Vec<Goes>,
}

/// A field that says where a secret is sent.
struct Goes {
    secret: &'static str,
    field: &'static str,
    /// What it says, also when it is left out.
    before: Value,
}

impl Goes {
    fn to(secret: &'static str, field: &'static str, before: Value) -> Self {
        Self { secret, field, before }
    }
}

/// Puts the secrets that the stream has in the place of those that were left out. One that is null is given up. A secret that
/// is left out goes nowhere else than before: whoever amends the entry need not know it.
async fn keep<D: Decider>(
    app: &App,
    tenant: Uuid,
    stream: Uuid,
    fields: &mut Value,
    secrets: fn(&D) -> Option<Kept>,
) -> Result<(), Problem> {
    let state = app.book.now::<D>(tenant, stream).await?;
    let Some(kept) = state.as_deref().and_then(secrets) else {
        return Ok(());
    };
    let has = |secret: &str| {
        kept.secrets
            .iter()
            .any(|(path, value)| *path == secret && !value.is_null())
    };
    for goes in kept.goes_to {
        let Value::Object(object) = &mut *fields else { break };
        let Goes {
            secret, field, before, ..
        } = goes;
        match object.get(field) {
            // What the secret was kept for stays beside it, whatever becomes of the entry meanwhile.
            None if !before.is_null() => _ = object.insert(field.to_owned(), before),
            Some(asked) if *asked != before && has(secret) && !object.contains_key(secret) => {
                let detail = format!("{field} says where {secret} is sent, and changes along with it alone; send both");
                return Err(Problem::bad_value(field, detail));
            }
            Some(_) | None => {}
        }
    }
    for (path, secret) in kept.secrets {
        let (within, name) = path
            .rsplit_once('/')
            .map_or(("", path), |(within, name)| (within, name));
        let pointer = if within.is_empty() {
            String::new()
        } else {
            format!("/{within}")
        };
        if let Some(Value::Object(object)) = fields.pointer_mut(&pointer)
            && !secret.is_null()
        {
            object.entry(name).or_insert(secret);
        }
    }
    Ok(())
}

async fn receiver(app: &App, tenant: Uuid, fields: &mut Value) -> Result<(), Problem> {
    // What people are shown of the URL is taken from it, and never sent along.
    if fields.get("webhook_host").is_some_and(|host| !host.is_null()) {
        let detail = "webhook_host is taken from webhook_url; leave it out";
        return Err(Problem::bad_value("webhook_host", detail));
    }
    if let Value::Object(fields) = &mut *fields
        && fields.get("webhook_url").is_some_and(Value::is_null)
    {
        fields.insert("webhook_host".to_owned(), Value::Null);
    }
    if let Some(url) = fields.get("webhook_url").and_then(Value::as_str) {
        dod_messages::check_webhook(url).map_err(|bad| Problem::bad_value("webhook_url", bad.to_string()))?;
        let shown = dod_messages::shown_host(url);
        if let (Value::Object(fields), Some(shown)) = (&mut *fields, shown) {
            fields.insert("webhook_host".to_owned(), json!(shown));
        }
    }
    let secrets = [
        ("/bot_token", BOT_TOKEN),
        ("/webhook_url", WEBHOOK_URL),
        ("/sign_secret", SIGN_SECRET),
    ];
    seal(app, tenant, fields, &secrets).await
}

async fn seal(
    app: &App,
    tenant: Uuid,
    fields: &mut Value,
    secrets: &[(&'static str, &'static str)],
) -> Result<(), Problem> {
    let settings = app.of::<Settings>()?;
    for &(pointer, place) in secrets {
        // What is no text is told of where the fields are read.
        if !fields.pointer(pointer).is_some_and(Value::is_string) {
            continue;
        }
        let sealed = settings.seal_at(tenant, place, fields, pointer).await;
        sealed.map_err(|error| refused(pointer, &error))?;
    }
    Ok(())
}

fn refused(pointer: &str, error: &SettingError) -> Problem {
    if error.is_transient() {
        return Problem::new(
            problem::UNAVAILABLE,
            "the secret could not be sealed now; send it again in a moment",
        );
    }
    let field = pointer.trim_start_matches('/').replace('/', ".");
    Problem::bad_value(&field, format!("{field}: {error}"))
}
