//! Who makes a tenant's vectors: an endpoint that speaks as OpenAI's does, where the tenant has configured one, and
//! otherwise the words alone.

use std::time::Duration;

use book::BookError;
use dod::configuration::ConfigType;
use dod::embedding::MODEL_CHARS_MAX;
use dod_skills::lexical;
use dod_skills::model::{self, BadAnswer};
use egress::{Call, Egress, EgressError, Method};
use reactors::Done;
use settings::Secret;
use uuid::Uuid;

use crate::outward::{Outward, OutwardError, call_host_alone};

/// The configurations, of type `general`, that name an endpoint and its model; without both of them no model is asked.
pub const API_BASE: &str = "embeddings-api-base";
pub const MODEL: &str = "embeddings-model";
/// The configuration that has the endpoint's key, for one that wants a key.
pub const API_KEY: &str = "embeddings-api-key";

/// Who makes the vectors of a tenant.
#[derive(Debug)]
pub enum Maker {
    /// The words themselves.
    Words,
    /// A model.
    Model(Endpoint),
    /// A model is meant, and cannot be asked as it is configured.
    Nobody { because: String },
}

/// A model, and where it is asked.
pub struct Endpoint {
    url: String,
    key: Option<Secret>,
    model: String,
    /// The model's name and the host: what vectors are known by. Those of two hosts are never compared, for a name alone
    /// does not make two models one.
    name: String,
}

/// Without the key, and without the path, which may hold one.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.name).finish()
    }
}

/// Why an endpoint gave no vectors. It says nothing of the endpoint but its host and port, and a word of its answer.
#[derive(Debug, thiserror::Error)]
pub enum NoVectors {
    #[error(transparent)]
    Outward(#[from] OutwardError),
    #[error("{bad}")]
    Answer {
        bad: BadAnswer,
        /// How long it asks us to wait.
        after: Option<Duration>,
    },
}

impl Maker {
    /// As the tenant has configured it by now.
    ///
    /// # Errors
    /// When the book fails.
    pub async fn of(outward: &Outward, tenant: Uuid) -> Result<Self, BookError> {
        let keys = [API_BASE, MODEL, API_KEY];
        let (base, model, key) = match outward.configurations(tenant, ConfigType::General, keys).await {
            Ok([None, None, _]) => return Ok(Self::Words),
            Ok([Some(base), Some(model), key]) => {
                match key.map(|key| key.for_host_of(base.value.expose())).transpose() {
                    Ok(key) => (base.value, model.value, key),
                    Err(error) => return Ok(nobody(error.to_string())),
                }
            }
            Ok(_) => {
                return Ok(nobody(format!(
                    "only one of {API_BASE} and {MODEL} is configured; enter both"
                )));
            }
            Err(OutwardError::Book(error)) => return Err(error),
            Err(OutwardError::Setting(settings::SettingError::Book(error))) => return Err(error),
            Err(error) => return Ok(nobody(format!("a configuration of it does not open ({error})"))),
        };
        Ok(match Endpoint::new(base.expose(), model.expose(), key) {
            Ok(endpoint) => Self::Model(endpoint),
            Err(because) => nobody(because.to_owned()),
        })
    }

    /// What vectors of this maker are known by; none where there is nobody to make any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Words => Some(lexical::MODEL),
            Self::Model(endpoint) => Some(&endpoint.name),
            Self::Nobody { .. } => None,
        }
    }
}

fn nobody(because: String) -> Maker {
    Maker::Nobody { because }
}

impl Endpoint {
    /// # Errors
    /// What is wrong with the configurations.
    pub fn new(base: &str, model: &str, key: Option<Secret>) -> Result<Self, &'static str> {
        let url = url::Url::parse(base).ok().filter(url::Url::has_host);
        let url = url.ok_or("embeddings-api-base is no URL; write it as https://api.example.com/v1")?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("embeddings-api-base has something behind its path; leave it out");
        }
        let host = url.host_str().unwrap_or_default();
        let name = match url.port() {
            Some(port) => format!("{model} at {host}:{port}"),
            None => format!("{model} at {host}"),
        };
        if name.chars().count() > MODEL_CHARS_MAX || model.chars().any(char::is_control) {
            return Err("embeddings-model is no name of a model");
        }
        Ok(Self {
            url: format!("{}{}", base.trim_end_matches('/'), model::PATH),
            key,
            model: model.to_owned(),
            name,
        })
    }

    /// What vectors of this model are known by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The vectors of these texts, at most [`model::TEXTS_MAX`], each of length one.
    ///
    /// # Errors
    /// [`NoVectors`], within so many seconds.
    pub async fn vectors(
        &self,
        egress: &Egress,
        tenant: Uuid,
        texts: &[String],
        seconds_max: u64,
    ) -> Result<Vec<Vec<f32>>, NoVectors> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(key) = &self.key {
            headers.push(("authorization".to_owned(), format!("Bearer {}", key.expose())));
        }
        let call = Call {
            method: Method::Post,
            url: self.url.clone(),
            headers,
            body: model::question(&self.model, texts).into_bytes(),
            seconds_max,
            answer_bytes_max: model::ANSWER_BYTES_MAX,
        };
        let answer = call_host_alone(egress, tenant, call).await?;
        let vectors = model::vectors(answer.status, &answer.body, answer.is_cut, texts.len());
        vectors.map_err(|bad| NoVectors::Answer {
            bad,
            after: dod_messages::retry_after(&answer.headers),
        })
    }
}

impl NoVectors {
    /// Whether it may be one of the texts that is refused, and not all that were asked together.
    #[must_use]
    pub fn may_be_one_text(&self) -> bool {
        matches!(self, Self::Answer { bad, .. } if bad.may_be_one_text())
    }

    /// What this means for the task that wanted them.
    ///
    /// # Errors
    /// When it was the book that failed.
    pub fn done(self) -> Result<Done, BookError> {
        let because = self.to_string();
        match self {
            Self::Answer { bad, after } => Ok(match after {
                Some(after) if bad.may_pass() => Done::throttled(after, because),
                _ if bad.may_pass() => Done::again(because),
                _ => Done::dead(because),
            }),
            Self::Outward(OutwardError::Book(error)) => Err(error),
            Self::Outward(OutwardError::Entered(_) | OutwardError::Egress(EgressError::Refused(_))) => {
                Ok(Done::dead(because))
            }
            Self::Outward(OutwardError::Egress(_) | OutwardError::Setting(_)) => Ok(Done::again(because)),
        }
    }
}
