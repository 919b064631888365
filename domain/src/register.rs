//! Reference data: one mechanism for everything that is entered, amended and struck.
//!
//! Rule of promotion: the day a rule depends on earlier state beyond "entered or struck", the
//! kind leaves the register and becomes an aggregate of its own.

mod change;
mod command;
mod one_per_tenant;
mod refusal;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use change::Change;
pub use command::Command;
pub use one_per_tenant::OnePerTenant;
pub use refusal::Refusal;

use crate::aggregate::Unparsed;
use crate::amendment::Amendment;
use crate::entry::{Key, Number, Plain};
use crate::faults::{Fault, Faults};
use crate::text::Unfit;
use crate::{Asker, Asking, Claim, ClaimChange, Decider, Erase, FactRef, Facts, Refuse as _, Request};

/// An entry as its checks know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId {
    pub tenant: Uuid,
    /// Its stream.
    pub id: Uuid,
}

/// A kind of reference data: a plain struct whose fields are its row's columns.
pub trait Entry: Clone + PartialEq + Debug + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The stored name of the kind, `context.aggregate`.
    const TYPE: &'static str;
    /// The word for one of them, in refusals: "supplier".
    const NOUN: &'static str;
    // Stored for ever. Do not rename.
    const ENTERED: &'static str;
    const AMENDED: &'static str;
    const STRUCK: &'static str;
    /// The event that contacts were forgotten, where the kind has contacts; empty where it has none.
    const FORGOTTEN: &'static str = "";
    /// The event that Daybook had the entry take its unique values anew, where it has more of them than it once had; empty
    /// where that never was so.
    const TAKEN: &'static str = "";
    /// The fields with contacts: they tell who a person is, so that they lie sealed and can be forgotten.
    const CONTACTS: &'static [&'static str] = &[];

    /// Whether a struck entry's row stays (marked as not in use) and keeps holding its unique values.
    /// When the row goes, the values are free again.
    const STRUCK_STAYS: bool = true;

    /// The table of entries where it is not called as URLs call the kind, see [`Decider::SHOWN_IN`].
    const SHOWN_IN: Option<&'static str> = None;

    /// Whether a tenant has exactly one entry of this kind, under [`Decider::only_stream`].
    const ONE_PER_TENANT: bool = false;

    /// Whether entries belong to departments, see [`Entry::home`].
    const SCOPED: bool = false;

    /// How large the body of a command may be, in bytes, see [`Decider::body_bytes_max`].
    const BODY_BYTES_MAX: usize = crate::decider::BODY_BYTES_MAX;

    /// Every kind of unique value that an entry has, see [`Entry::claims`].
    const CLAIMS: &'static [Claim] = &[];

    /// The list of a kind that [`crate::entry!`] has declared.
    const PLAIN: Option<&'static Plain> = None;

    /// The fields that do not fit their columns.
    fn check(&self) -> Faults<Unfit>;

    /// Streams that an entry refers to.
    fn reads(&self, _entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        Vec::new()
    }

    /// The fields that name what does not exist or is not in use.
    fn judge(&self, _entry: EntryId, _facts: &Facts) -> Faults<String> {
        Faults::default()
    }

    /// Whether what was entered as `now` may become this by being amended, or entered again: what refers to it may rest on
    /// what it was.
    ///
    /// # Errors
    /// The field that stays as it was, and what to do instead.
    fn becomes(&self, _now: &Self, _id: Uuid, _facts: &Facts) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// The department that the entry belongs to, also when it is struck. It cannot be amended: what was
    /// done under an entry stays with the department that did it.
    fn home(&self) -> Option<Uuid> {
        None
    }

    /// The entry without its contacts, for kinds that have some.
    fn without_contacts(&self) -> Self {
        self.clone()
    }

    /// Unique values of an entry; the claims are those of [`Entry::CLAIMS`].
    fn claims(&self) -> Vec<(Claim, String)> {
        Vec::new()
    }

    /// The one stream that the entry can be on, where that follows from its key.
    fn keyed_stream(&self, _tenant: Uuid) -> Option<Uuid> {
        None
    }

    /// The number that the entry has, or none yet; `None` where entries of the kind have none.
    fn number(&self) -> Option<Number> {
        None
    }

    /// The entry under this number, of a kind that has numbers.
    #[must_use]
    fn with_number(self, _number: Number) -> Self {
        self
    }
}

/// The life of one entry of kind `K`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Register<K> {
    #[default]
    Unborn,
    Entered(K),
    Struck(K),
}

impl<K> Register<K> {
    /// The entry if it is in use: entered and not struck.
    pub fn active(&self) -> Option<&K> {
        match self {
            Self::Entered(entry) => Some(entry),
            Self::Unborn | Self::Struck(_) => None,
        }
    }
}

impl<K: Entry> Register<K> {
    /// The entry of this id if it is in use, as far as the facts tell.
    #[must_use]
    pub fn active_in(id: Uuid, facts: &Facts) -> Option<&K> {
        facts.get::<Self>(id)?.active()
    }

    /// Whether a field names an entry in use.
    ///
    /// # Errors
    /// What is said of the field when it does not.
    pub fn is_in_use(field: &str, id: Uuid, facts: &Facts) -> Result<(), String> {
        match Self::active_in(id, facts) {
            Some(_) => Ok(()),
            None => Err(format!(
                "{field} names no {} in use; enter it or choose another",
                K::NOUN
            )),
        }
    }
}

impl<K: Entry> Decider for Register<K> {
    const TYPE: &'static str = K::TYPE;
    const CREATES: &'static str = "enter";
    const ONE_PER_TENANT: bool = K::ONE_PER_TENANT;
    const SHOWN_IN: Option<&'static str> = K::SHOWN_IN;
    const SCOPED: bool = K::SCOPED;
    const CLAIMS: &'static [Claim] = K::CLAIMS;
    const PLAIN: Option<&'static Plain> = K::PLAIN;
    const ONLY_DAYBOOK: &'static [&'static str] = if K::TAKEN.is_empty() { &[] } else { &["take-anew"] };
    type Command = Command<K>;
    type Event = Change<K>;
    type Refusal = Refusal;

    fn rules() -> Vec<&'static str> {
        let key = K::PLAIN.map(|plain| plain.key);
        let unmet = [
            // Only kinds that have some are asked to forget them.
            ("no-contacts", true),
            ("one-per-tenant", !K::ONE_PER_TENANT),
            ("moves", !K::SCOPED),
            ("elsewhere", !matches!(key, Some(Key::Fields(_) | Key::Number(_)))),
            ("numbered", !matches!(key, Some(Key::Number(_)))),
        ];
        let mut rules = Refusal::rules();
        rules.retain(|rule| !unmet.contains(&(*rule, true)));
        rules
    }

    fn read(command: &Value) -> Result<Command<K>, Unparsed> {
        Amendment::<K>::read(command)
    }

    fn decide(&self, request: &Request<'_, Command<K>>) -> Result<Vec<Change<K>>, Refusal> {
        let noun = K::NOUN;
        Self::in_place(request.tenant, request.stream).map_err(elsewhere::<K>)?;
        self.stays(request.command)?;
        self.becomes(request)?;
        self.keyed(request)?;
        let entry = EntryId {
            tenant: request.tenant,
            id: request.stream,
        };
        let judge = |of: &K| of.judge(entry, request.facts);
        Ok(match (self, request.command) {
            (Self::Unborn | Self::Struck(_), Command::Enter(entry)) => {
                Refusal::of_all(entry.check(), judge(entry))?;
                vec![Change::Entered(self.numbered(entry))]
            }
            (Self::Entered(_), Command::Enter(_)) => return Err(Refusal::AlreadyEntered { noun }),

            (_, Command::ForgetContacts {}) if K::CONTACTS.is_empty() => return Err(Refusal::NoContacts { noun }),
            (_, Command::TakeAnew {}) if K::TAKEN.is_empty() => Vec::new(),
            (Self::Entered(_) | Self::Struck(_), Command::TakeAnew {}) => vec![Change::Taken {}],
            (
                Self::Unborn,
                Command::Amend(_) | Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {},
            ) => {
                return Err(Refusal::NotEntered { noun });
            }
            (Self::Struck(_), Command::Amend(_)) => return Err(Refusal::Struck { noun }),
            (Self::Entered(now), Command::Amend(amendment)) => match amendment.onto(now)? {
                amended if amended == *now => Vec::new(),
                amended => {
                    let check = Faults::of_amending(now, &amended, K::check);
                    Refusal::of_all(check, Faults::of_amending(now, &amended, judge))?;
                    vec![Change::Amended(amended)]
                }
            },

            (Self::Entered(_), Command::Strike {}) => vec![Change::Struck {}],
            (Self::Struck(_), Command::Strike {}) => Vec::new(),

            // Also without any now: those of before lie in the book, and are to be forgotten, too.
            (Self::Entered(_) | Self::Struck(_), Command::ForgetContacts {}) => vec![Change::Forgotten {}],
        })
    }

    fn evolve(&mut self, event: &Change<K>) {
        *self = match (std::mem::take(self), event) {
            (_, Change::Entered(entry) | Change::Amended(entry)) => Self::Entered(entry.clone()),
            (Self::Entered(entry) | Self::Struck(entry), Change::Struck {}) => Self::Struck(entry),
            (Self::Entered(entry), Change::Forgotten {}) => Self::Entered(entry.without_contacts()),
            (Self::Struck(entry), Change::Forgotten {}) => Self::Struck(entry.without_contacts()),
            (register, Change::Taken {}) => register,
            (Self::Unborn, Change::Struck {} | Change::Forgotten {}) => Self::Unborn,
        };
    }

    fn reads(&self, asking: &Asking<'_, Command<K>>) -> Vec<FactRef> {
        match asking.command {
            Command::Enter(_) | Command::Amend(_) => {
                let next = self.next(asking.command);
                let entry = EntryId {
                    tenant: asking.tenant,
                    id: asking.stream,
                };
                next.map_or_else(Vec::new, |next| next.reads(entry, asking.facts))
            }
            Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {} => Vec::new(),
        }
    }

    fn claims(&self, _stream: Uuid, event: &Change<K>) -> Vec<ClaimChange> {
        let before = match self {
            Self::Entered(entry) => entry.claims(),
            Self::Struck(entry) if K::STRUCK_STAYS => entry.claims(),
            Self::Unborn | Self::Struck(_) => Vec::new(),
        };
        match event {
            Change::Entered(entry) | Change::Amended(entry) => ClaimChange::between(before, entry.claims()),
            // All that it has: what it holds already is held.
            Change::Taken {} => ClaimChange::between(Vec::new(), before),
            Change::Struck {} if K::STRUCK_STAYS => Vec::new(),
            Change::Struck {} => ClaimChange::between(before, Vec::new()),
            // Contacts are no unique values.
            Change::Forgotten {} => Vec::new(),
        }
    }

    fn erases(stream: Uuid, event: &Change<K>) -> Vec<Erase> {
        match event {
            Change::Forgotten {} => vec![Erase::Person(contacts(stream))],
            Change::Entered(_) | Change::Amended(_) | Change::Struck {} | Change::Taken {} => Vec::new(),
        }
    }

    fn body_bytes_max(_command: &str) -> usize {
        K::BODY_BYTES_MAX
    }

    fn stream_of(tenant: Uuid, command: &Command<K>) -> Option<Uuid> {
        match command {
            _ if K::ONE_PER_TENANT => Some(Self::only_stream(tenant)),
            Command::Enter(entry) => entry.keyed_stream(tenant),
            Command::Amend(_) | Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {} => None,
        }
    }

    fn home(&self) -> Option<Uuid> {
        match self {
            Self::Unborn => None,
            Self::Entered(entry) | Self::Struck(entry) => entry.home(),
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        let noun = K::NOUN;
        Self::in_place(asker.tenant, stream).map_err(elsewhere::<K>)?;
        match (self, command) {
            (_, "forget-contacts") if K::CONTACTS.is_empty() => Err(Refusal::NoContacts { noun }),
            (Self::Unborn, "amend" | "strike" | "forget-contacts") => Err(Refusal::NotEntered { noun }),
            (Self::Entered(_), "enter") => Err(Refusal::AlreadyEntered { noun }),
            (Self::Struck(_), "amend") => Err(Refusal::Struck { noun }),
            _ => Ok(()),
        }
    }

    fn department(&self, command: &Command<K>) -> Option<Uuid> {
        match command {
            // What belongs somewhere else is seen to by the decision.
            Command::Enter(entry) => entry.home(),
            Command::Amend(_) => self
                .next(command)
                .and_then(|entry| entry.home())
                .or_else(|| self.home()),
            Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {} => self.home(),
        }
    }
}

/// Refuses any stream but the only one, where a tenant has only one.
fn elsewhere<K: Entry>(id: Uuid) -> Refusal {
    Refusal::OnePerTenant { noun: K::NOUN, id }
}

impl<K: Entry> Register<K> {
    /// The entry as the command would have it; `None` when it says nothing of that.
    fn next<'a>(&self, command: &'a Command<K>) -> Option<Cow<'a, K>> {
        match (self, command) {
            (_, Command::Enter(entry)) => Some(Cow::Borrowed(entry)),
            (Self::Entered(now) | Self::Struck(now), Command::Amend(amendment)) => {
                amendment.onto(now).ok().map(Cow::Owned)
            }
            (Self::Unborn, Command::Amend(_))
            | (_, Command::Strike {} | Command::ForgetContacts {} | Command::TakeAnew {}) => None,
        }
    }

    /// The entry under the number that it had before.
    fn numbered(&self, entry: &K) -> K {
        match (entry.number(), self) {
            (Some(said), Self::Struck(before)) if said.is_none() => {
                entry.clone().with_number(before.number().unwrap_or_default())
            }
            _ => entry.clone(),
        }
    }

    /// Refuses an entry whose key is that of another stream, and a number that Daybook has not given.
    fn keyed(&self, request: &Request<'_, Command<K>>) -> Result<(), Refusal> {
        let Command::Enter(entry) = request.command else {
            return Ok(());
        };
        match entry.keyed_stream(request.tenant) {
            Some(stream) if stream != request.stream => Err(Refusal::Elsewhere {
                noun: K::NOUN,
                id: stream,
            }),
            None if matches!(self, Self::Unborn) && entry.number().is_some() => {
                Err(Refusal::Numbered { noun: K::NOUN })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what would move the entry to another department.
    fn stays(&self, command: &Command<K>) -> Result<(), Refusal> {
        let (Self::Entered(now) | Self::Struck(now), Some(next)) = (self, self.next(command)) else {
            return Ok(());
        };
        match now.home() {
            Some(department) if next.home() != Some(department) => Err(Refusal::Moves {
                noun: K::NOUN,
                department,
                field: K::PLAIN.and_then(Plain::home_field),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

impl<K: Entry> Register<K> {
    /// Refuses what would take away what others rest on.
    fn becomes(&self, request: &Request<'_, Command<K>>) -> Result<(), Refusal> {
        let (Self::Entered(now) | Self::Struck(now), Some(next)) = (self, self.next(request.command)) else {
            return Ok(());
        };
        next.becomes(now, request.stream, request.facts)
            .map_err(|(field, detail)| Refusal::Reference { field, detail })
    }
}

impl Refusal {
    /// All that is wrong with an entry, if anything is.
    fn of_all(check: Faults<Unfit>, judge: Faults<String>) -> Result<(), Self> {
        let unfit = |Fault { field, why: unfit, .. }: Fault<Unfit>| Self::Unfit { field, unfit };
        let reference = |Fault { field, why: detail, .. }: Fault<String>| Self::Reference { field, detail };
        let all = check
            .all()
            .into_iter()
            .map(unfit)
            .chain(judge.all().into_iter().map(reference));
        // One thing of each field: what is said first of it.
        let mut told = BTreeSet::new();
        match all.filter(|one| told.insert(one.field())).collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            mut several => {
                let first = several.remove(0);
                Err(match several.is_empty() {
                    true => first,
                    false => Self::Several {
                        first: Box::new(first),
                        others: several,
                    },
                })
            }
        }
    }
}

/// In whose name the contacts of an entry are sealed: nobody's who has a key or writes texts.
fn contacts(stream: Uuid) -> Uuid {
    Uuid::new_v5(&stream, b"contacts")
}
