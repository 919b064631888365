//! How the request of a device is received: once, however often it is sent. Every sending gets the answer
//! of the first, byte for byte.
//!
//! The command's id is derived from the request's, so the receipt of the first answers the others. Receipts
//! are swept after a while; then the same answer is read from the first event of the request.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use book::execute::StreamAnswer;
use book::{Answer, BookError, Envelope, ExecuteError, Rehearsed, Repeat, Step};
use chrono::{DateTime, Utc};
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::request::identity::Window;
use cloudwatcher::request::{Command, DeviceRequest, NewRequest, Refusal};
use domain::register::{OnePerTenant, Register};
use domain::{Decider as _, Refuse as _, canonical};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use uuid::Uuid;

use http::app::App;
use http::command::{Received, Receiver, Sent, Would};
use http::problem::{self, Problem};

/// How long a repeat waits for the first sending, which is under way, in seconds.
const UNDER_WAY_SECONDS_MAX: u64 = 2;

/// The version of ids that are derived from names.
const DERIVED_VERSION: usize = 5;

/// How requests are received.
pub const RECEIVER: Receiver = Receiver {
    aggregate_type: DeviceRequest::TYPE,
    command: DeviceRequest::CREATES,
    carry_out: |received| Box::pin(carry_out(received)),
    rehearse: |received| Box::pin(rehearse(received)),
    // Sent as it was sent before, it gets the first answer in every state.
    offers: |_, _, _| Ok(()),
};

/// Receives a request, or answers a repeat of one.
///
/// # Errors
/// [`Problem`]; 409 when its identity was used for a request that says something else, or while the first
/// sending of it is under way.
async fn carry_out(received: Received<'_>) -> Result<Answer, Problem> {
    Receiving::of(received)?.answer().await
}

async fn rehearse(received: Received<'_>) -> Result<Would, Problem> {
    Receiving::of(received)?.rehearsal().await
}

/// One sending of a request.
struct Receiving<'a> {
    app: &'a App,
    sent: &'a Sent<'a>,
    new: NewRequest,
    payload_hash: String,
    envelope: Envelope,
}

impl<'a> Receiving<'a> {
    fn of(received: Received<'a>) -> Result<Self, Problem> {
        let Some(Command::Receive(new)) = received.command.typed::<DeviceRequest>() else {
            return Err(Problem::internal(&"only requests are received"));
        };
        received.by.require_device(&new.device_id)?;
        Ok(Self {
            app: received.app,
            sent: received.sent,
            payload_hash: canonical::hash(new.payload.value()),
            new: new.clone(),
            envelope: received.envelope,
        })
    }

    async fn answer(&self) -> Result<Answer, Problem> {
        self.check_chosen().await?;
        let minutes = self.window_minutes().await?;
        let stream = self.stream(minutes);
        let error = match self.execute(stream, self.identified(stream)).await? {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if let Some(first) = self.first_of(&error, stream, minutes).await? {
            return self.first_answer(first).await;
        }
        match error {
            // The receipt knows that the body is another one, and the decision knows how to say so.
            ExecuteError::KeyReused if self.envelope.repeat == Repeat::Never => {
                let decided_anew = self.execute(stream, self.envelope.clone()).await?;
                decided_anew.map_err(|error| self.sent.problem(error))
            }
            error => Err(self.sent.problem(error)),
        }
    }

    async fn rehearsal(&self) -> Result<Would, Problem> {
        self.check_chosen().await?;
        let minutes = self.window_minutes().await?;
        let stream = self.stream(minutes);
        let error = match self.decided(self.step(stream)).await {
            Ok(rehearsed) => return Ok(Would::Happen(rehearsed)),
            Err(error) => error,
        };
        let first = match &error {
            // A repeat that has no key is recognised before its If-Match is looked at.
            ExecuteError::Moved { .. } if self.envelope.repeat == Repeat::Never => {
                let anywhere = Step {
                    if_match: None,
                    ..self.step(stream)
                };
                match self.decided(anywhere).await {
                    Ok(_) => None,
                    Err(refused) => self.first_of(&refused, stream, minutes).await?,
                }
            }
            error => self.first_of(error, stream, minutes).await?,
        };
        match first {
            Some(first) => self.first_answer(first).await.map(Would::Repeat),
            None => Err(self.sent.problem(error)),
        }
    }

    async fn decided(&self, step: Step) -> Result<Rehearsed, ExecuteError> {
        self.app.book.rehearse(self.envelope.clone(), vec![step]).await
    }

    /// The request that was received before and that this one repeats, when it is refused for that.
    async fn first_of(&self, error: &ExecuteError, stream: Uuid, minutes: i32) -> Result<Option<Uuid>, Problem> {
        match error {
            ExecuteError::Refused(refusal) if refusal.rule == Refusal::AlreadyReceived.rule() => Ok(Some(stream)),
            ExecuteError::Refused(refusal) if refusal.rule == REPEATS => self.repeated(minutes).await,
            _ => Ok(None),
        }
    }

    fn step(&self, stream: Uuid) -> Step {
        Step::of::<DeviceRequest>(stream, self.sent.headers.if_match, Command::Receive(self.new.clone()))
    }

    /// Refuses an id that is derived, but not from this request: another tenant, who can derive it as well, could take
    /// the id of what a device has yet to send. What is there already is there.
    ///
    /// # Errors
    /// 422 `derived-id`.
    async fn check_chosen(&self) -> Result<(), Problem> {
        // A key says itself where the request belongs, and the decision looks.
        let derived = |id: &Uuid| id.get_version_num() == DERIVED_VERSION && self.new.request_key.is_none();
        let Some(id) = self.sent.addressed.filter(derived) else {
            return Ok(());
        };
        let window = self.window(self.policy_minutes().await?);
        let own = window
            .neighbours(self.at())
            .into_iter()
            .chain([window.stream(self.at())]);
        if own.into_iter().any(|own| own == id) {
            return Ok(());
        }
        let there = self.app.book.now::<DeviceRequest>(self.envelope.tenant, id).await?;
        if there.is_some() {
            return Ok(());
        }
        let refusal = book::Refusal::of::<DeviceRequest>(&Refusal::DerivedId);
        Err(self.sent.problem(ExecuteError::Refused(refusal)))
    }

    async fn window_minutes(&self) -> Result<i32, Problem> {
        if self.sent.addressed.is_some() || self.new.request_key.is_some() {
            return Ok(DevicePolicy::default().dedup_window_minutes);
        }
        self.policy_minutes().await
    }

    /// Asked of the book each time: what another process made of the policy must hold here at once.
    async fn policy_minutes(&self) -> Result<i32, Problem> {
        let tenant = self.envelope.tenant;
        let policy = DevicePolicy::stream(tenant);
        let policy = self.app.book.now::<Register<DevicePolicy>>(tenant, policy).await?;
        Ok(DevicePolicy::of(policy.as_deref()).dedup_window_minutes)
    }

    /// The stream of the request: what the sender chose, or what the request says.
    fn stream(&self, minutes: i32) -> Uuid {
        match (self.sent.addressed, &self.new.request_key) {
            (Some(id), _) => id,
            (None, Some(key)) => DeviceRequest::keyed(self.envelope.tenant, &self.new.device_id, key),
            (None, None) => self.window(minutes).stream(self.at()),
        }
    }

    fn window(&self, minutes: i32) -> Window<'_> {
        Window {
            tenant: self.envelope.tenant,
            device_id: &self.new.device_id,
            request_type: &self.new.request_type,
            payload_hash: &self.payload_hash,
            minutes,
        }
    }

    fn body_hash(&self) -> String {
        DeviceRequest::body_hash(
            &self.new.device_id,
            &self.new.request_type,
            &self.payload_hash,
            self.new.request_key.as_deref(),
            &self.new.metadata,
        )
    }

    fn at(&self) -> DateTime<Utc> {
        self.envelope.at
    }

    /// The envelope of a sending that is recognised by the request's identity, unless the sender gave an
    /// Idempotency-Key, which is their own way of recognising it.
    fn identified(&self, stream: Uuid) -> Envelope {
        if self.envelope.repeat != Repeat::Never {
            return self.envelope.clone();
        }
        let name = [stream.as_bytes(), DeviceRequest::TYPE.as_bytes()].concat();
        let command_id = Uuid::new_v5(&self.envelope.tenant, &name);
        Envelope {
            command_id,
            correlation_id: command_id,
            repeat: Repeat::Asked,
            body_hash: Sha256::digest(self.body_hash()).into(),
            ..self.envelope.clone()
        }
    }

    /// Carries the command out while no other sending of the request is under way in this process; between
    /// processes the book sees to it.
    async fn execute(&self, stream: Uuid, envelope: Envelope) -> Result<Result<Answer, ExecuteError>, Problem> {
        let tenant = envelope.tenant;
        let turn = loop {
            match self.app.of::<UnderWay>()?.begin((tenant, stream)) {
                Turn::Ours(turn) => break turn,
                Turn::After(first) => settled(first).await?,
            }
        };
        let step = self.step(stream);
        let book = self.app.book.clone();
        // A task of its own: the turn lasts as long as the command, not as long as the client listens.
        let executing = tokio::spawn(async move {
            let _turn = turn;
            book.execute(envelope, vec![step]).await
        });
        executing.await.map_err(|error| Problem::internal(&error))
    }

    /// The request in a neighbouring span of time that this one repeats.
    async fn repeated(&self, minutes: i32) -> Result<Option<Uuid>, Problem> {
        let window = self.window(minutes);
        let neighbours = window.neighbours(self.at());
        let states = self
            .app
            .book
            .fresh::<DeviceRequest>(self.envelope.tenant, &neighbours)
            .await?;
        let mut known = neighbours.into_iter().zip(states);
        let repeats =
            |state: &Option<Arc<DeviceRequest>>| state.as_ref().is_some_and(|state| window.repeats(state, self.at()));
        Ok(known.find(|(_, state)| repeats(state)).map(|(id, _)| id))
    }

    /// The answer to the first sending, from the event that it made.
    async fn first_answer(&self, stream: Uuid) -> Result<Answer, Problem> {
        let first = self.app.tail.first(DeviceRequest::TYPE, stream).await?;
        let first = first.ok_or_else(|| BookError::Broken(format!("request {stream} has no first event")))?;
        Ok(Answer {
            command_id: first.metadata.command_id,
            is_repeat: true,
            position: first.position,
            recorded_at: first.recorded_at,
            streams: vec![StreamAnswer {
                aggregate_type: first.aggregate_type,
                stream,
                sequence: first.sequence,
                events: vec![first.event_type],
                ids: BTreeMap::new(),
            }],
        })
    }
}

/// The rule of a request that repeats one of a neighbouring span.
const REPEATS: &str = "repeats";

async fn settled(mut first: watch::Receiver<()>) -> Result<(), Problem> {
    let ended = tokio::time::timeout(Duration::from_secs(UNDER_WAY_SECONDS_MAX), first.changed()).await;
    // Nothing is ever sent: what ends the wait is that the turn is over.
    ended.map(drop).map_err(|_| {
        let detail = "this request is being received at this moment; send it again and you get the answer";
        Problem::new(problem::IN_PROGRESS, detail).retry_after(1)
    })
}

/// The requests that this process is receiving at this moment. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<HashMap<Name, watch::Receiver<()>>>>);

/// A tenant and a stream.
type Name = (Uuid, Uuid);

enum Turn {
    Ours(Ours),
    /// Somebody else's; it is over when the sender is gone.
    After(watch::Receiver<()>),
}

/// The right to receive a request, given back when dropped.
struct Ours {
    name: Name,
    all: UnderWay,
    _over: watch::Sender<()>,
}

impl UnderWay {
    fn begin(&self, name: Name) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry(name) {
            Entry::Occupied(first) => Turn::After(first.get().clone()),
            Entry::Vacant(place) => {
                let (over, first) = watch::channel(());
                place.insert(first);
                Turn::Ours(Ours {
                    name,
                    all: self.clone(),
                    _over: over,
                })
            }
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_sending_at_a_time_receives_a_request() {
        let (all, name) = (UnderWay::default(), (Uuid::nil(), Uuid::max()));
        let Turn::Ours(ours) = all.begin(name) else {
            panic!("nobody else receives it")
        };
        let Turn::After(first) = all.begin(name) else {
            panic!("somebody receives it")
        };
        assert!(matches!(all.begin((Uuid::max(), Uuid::max())), Turn::Ours(_)));
        drop(ours);
        settled(first).await.unwrap();
        assert!(matches!(all.begin(name), Turn::Ours(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_too_long_for_the_first_sending_is_told_to_come_back() {
        let (all, name) = (UnderWay::default(), (Uuid::nil(), Uuid::max()));
        let Turn::Ours(_ours) = all.begin(name) else {
            panic!("nobody else receives it")
        };
        let Turn::After(first) = all.begin(name) else {
            panic!("somebody receives it")
        };
        let problem = settled(first).await.unwrap_err();
        assert_eq!(problem.status, axum::http::StatusCode::CONFLICT);
    }

    #[test]
    fn the_rule_of_repeats_is_the_domains() {
        assert_eq!(Refusal::Repeats { id: Uuid::nil() }.rule(), REPEATS);
    }
}
