//! `daybook token [--admin | --user UUID] [--operator] [--tenant UUID] [--hours N]`

use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use uuid::Uuid;

use super::{opened, say};
use crate::config::needed;
use http::auth::token::SECRET_BYTES_MIN;
use http::{Contexts, demo};

use crate::{Config, Fault};

/// How long a token may be good.
const HOURS_MAX: u32 = 24 * 366;

#[derive(Debug, Args)]
pub struct Token {
    /// For the demo administrator, who is made if need be
    #[arg(long, conflicts_with = "user", required_unless_present_any = ["user", "operator"])]
    admin: bool,
    /// For this user
    #[arg(long, value_parser = http::cli::person)]
    user: Option<Uuid>,
    /// For whoever operates the whole installation; without --admin and --user they are nobody of any tenant
    #[arg(long)]
    operator: bool,
    /// How long the token is good
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(HOURS_MAX)))]
    hours: u32,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Uuid,
    tenant: Uuid,
    nbf: i64,
    exp: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    daybook_operator: bool,
}

impl Token {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let secret = needed(config.jwt_secret.as_ref(), "DAYBOOK_JWT_SECRET")?;
        if secret.reveal().len() < SECRET_BYTES_MIN {
            return Err(Fault::setting(format!(
                "DAYBOOK_JWT_SECRET must be at least {SECRET_BYTES_MIN} bytes long"
            )));
        }
        let tenant = config.tenant;
        let user = match self.user {
            Some(user) => user,
            None if !self.admin => Uuid::now_v7(),
            None => {
                let opened = opened(config, contexts).await?;
                demo::administrator(contexts, &opened.book, &opened.tail, tenant).await?
            }
        };
        let now = chrono::Utc::now().timestamp();
        let claims = Claims {
            iss: needed(config.jwt_issuer.as_ref(), "DAYBOOK_JWT_ISSUER")?,
            aud: needed(config.jwt_audience.as_ref(), "DAYBOOK_JWT_AUDIENCE")?,
            sub: user,
            tenant,
            nbf: now,
            exp: now + i64::from(self.hours) * 3_600,
            daybook_operator: self.operator,
        };
        let key = EncodingKey::from_secret(secret.reveal().as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
        say(&token.map_err(|error| Fault::Refused(format!("the token cannot be signed: {error}")))?)
    }
}
