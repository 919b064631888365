//! What the reactors need to reach others: the way out, and the secrets that are shown there.

use book::{Book, BookError};
use dod::configuration::{self, ConfigType, Configuration};
use domain::register::{Entry, Register};
use domain::{Claim, Decider};
use egress::{Allowed, Answer, Call, Egress, EgressError};
use http::crew::{Crew, Worker};
use reactors::{Known, Performer, Reactor};
use settings::{Secret, SettingError, Settings};
use uuid::Uuid;

use crate::edges::CONFIG_VALUE;
use crate::{embed, fetch, investigate, notify, silences, subscribe};

/// Entries of one kind that are looked through.
pub const ENTRIES_MAX: i64 = 10_000;

/// The way out and the secrets.
#[derive(Debug, Clone)]
pub struct Outward {
    pub book: Book,
    pub egress: Egress,
    pub settings: Settings,
}

/// A configuration, opened.
#[derive(Debug)]
pub struct Configured {
    /// For Daybook alone: what is sent to others is asked of [`Configured::for_host_of`].
    pub value: Secret,
    entry: Configuration,
}

impl Configured {
    /// The value, for whoever is called by this URL.
    ///
    /// # Errors
    /// When it may not be sent there.
    pub fn for_host_of(self, url: &str) -> Result<Secret, OutwardError> {
        let host = host_of(url)?;
        match self.entry.may_go_to(&host) {
            true => Ok(self.value),
            false => Err(OutwardError::Entered(may_not_go(&self.entry, &host))),
        }
    }
}

/// That a configuration is not sent to a host that it does not name, and what to do.
#[must_use]
pub fn may_not_go(configuration: &Configuration, host: &str) -> String {
    let Configuration {
        config_type,
        config_key,
        ..
    } = configuration;
    format!(
        "the configuration {config_type}/{config_key} may not be sent to {host}; whoever has its value amends it with that and with \
         hosts that name {host}"
    )
}

/// The reactors by what each reads, as they say it themselves.
pub const REACTORS: &[Known] = &[
    fetch::KNOWN,
    subscribe::KNOWN,
    investigate::KNOWN,
    notify::KNOWN,
    embed::KNOWN,
    silences::KNOWN,
];

/// Has a reactor perform, or stand by.
pub fn perform(crew: &mut Crew<'_>, worker: &Worker, reactor: impl Reactor) {
    let (pool, book) = (crew.pools.writer.clone(), crew.book.clone());
    let performer = Performer::new(reactor, pool, book, crew.tail.clone(), crew.end.clone());
    crew.lead(worker, performer);
}

/// Why something outside could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum OutwardError {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error("{0}")]
    Entered(String),
}

impl Outward {
    /// As the workers of a process have it; none where the program brings no way out.
    #[must_use]
    pub fn of(crew: &Crew<'_>) -> Option<Self> {
        Some(Self {
            book: crew.book.clone(),
            egress: crew.states.get::<Egress>()?.clone(),
            settings: crew.states.get::<Settings>()?.clone(),
        })
    }

    /// Calls a URL that the tenant has entered: its host alone.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn call(&self, tenant: Uuid, call: Call) -> Result<Answer, OutwardError> {
        call_host_alone(&self.egress, tenant, call).await
    }

    /// The value of a configuration; none when there is none.
    ///
    /// # Errors
    /// When it cannot be opened, or the book fails.
    pub async fn configuration(
        &self,
        tenant: Uuid,
        config_type: ConfigType,
        key: &str,
    ) -> Result<Option<Configured>, OutwardError> {
        let [value] = self.configurations(tenant, config_type, [key]).await?;
        Ok(value)
    }

    /// The values of several configurations, as they are at one moment; none where there is none.
    ///
    /// # Errors
    /// When one cannot be opened, or the book fails.
    pub async fn configurations<const N: usize>(
        &self,
        tenant: Uuid,
        config_type: ConfigType,
        keys: [&str; N],
    ) -> Result<[Option<Configured>; N], OutwardError> {
        let ids = self
            .book
            .holders(tenant, configuration::KEY, None, Uuid::nil(), ENTRIES_MAX);
        let entries = self.book.fresh::<Register<Configuration>>(tenant, &ids.await?).await?;
        let mut values = [const { None }; N];
        for entry in entries.iter().filter_map(|state| state.as_deref()?.active()) {
            let place = keys.iter().position(|key| *key == entry.config_key);
            if let Some(value) = place.and_then(|place| values.get_mut(place))
                && entry.config_type == config_type
            {
                *value = Some(Configured {
                    value: self.settings.open(tenant, CONFIG_VALUE, &entry.config_value).await?,
                    entry: entry.clone(),
                });
            }
        }
        Ok(values)
    }
}

/// Calls a URL; of all hosts its own alone.
///
/// # Errors
/// [`EgressError`].
pub async fn call_host_alone(egress: &Egress, tenant: Uuid, call: Call) -> Result<Answer, OutwardError> {
    let host = host_of(&call.url)?;
    let allowed = Allowed::new([&*host]).map_err(|error| OutwardError::Entered(error.to_string()))?;
    Ok(egress.call(tenant, &allowed, call).await?)
}

/// The host of a URL that was entered.
///
/// # Errors
/// When it is no URL.
pub fn host_of(url: &str) -> Result<String, OutwardError> {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str).map(str::to_owned);
    host.ok_or_else(|| OutwardError::Entered("the address is no URL; enter it anew".to_owned()))
}

/// The entry in use of a tenant that this holds of, with its id.
///
/// # Errors
/// When the book fails.
pub async fn entry<K: Entry + Clone>(
    book: &Book,
    tenant: Uuid,
    claim: Claim,
    is_it: impl Fn(&K) -> bool,
) -> Result<Option<(Uuid, K)>, BookError>
where
    Register<K>: Decider,
{
    let ids = book.holders(tenant, claim, None, Uuid::nil(), ENTRIES_MAX).await?;
    let entries = book.fresh::<Register<K>>(tenant, &ids).await?;
    let found = ids.into_iter().zip(entries).find_map(|(id, state)| {
        let entry = state.as_deref().and_then(Register::active)?;
        is_it(entry).then(|| (id, entry.clone()))
    });
    Ok(found)
}
