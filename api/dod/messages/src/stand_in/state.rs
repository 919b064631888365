//! What the stand-in knows: scripts, tokens, messages, and all that came in.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use serde_json::Value;
use uuid::Uuid;

use super::judge::{self, Fault};
use super::{Behaviour, Door, Received};

pub struct State {
    started: Instant,
    scripts: HashMap<Door, VecDeque<Behaviour>>,
    always: HashMap<Door, Behaviour>,
    bots: HashMap<String, Option<String>>,
    tokens: HashSet<String>,
    /// By its id: where a message is and what it says.
    messages: HashMap<String, (String, Value)>,
    /// By chat and uuid: the message that was sent for it.
    uuids: HashMap<(String, String), String>,
    received: Vec<Received>,
    faults: Vec<Fault>,
    counted: u64,
}

/// What a request asks to be done.
pub struct Arrival {
    pub door: Door,
    pub channel: String,
    pub about: Option<String>,
    pub uuid: Option<String>,
    pub body: Value,
    /// What the message itself is: the body, or the card within it.
    pub content: Value,
    pub faults: Vec<Fault>,
}

impl State {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            scripts: HashMap::new(),
            always: HashMap::new(),
            bots: HashMap::new(),
            tokens: HashSet::new(),
            messages: HashMap::new(),
            uuids: HashMap::new(),
            received: Vec::new(),
            faults: Vec::new(),
            counted: 0,
        }
    }

    pub fn script(&mut self, door: Door, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.scripts.entry(door).or_default().extend(behaviours);
    }

    pub fn always(&mut self, door: Door, behaviour: Behaviour) {
        self.always.insert(door, behaviour);
    }

    pub fn bot(&mut self, name: &str, secret: Option<&str>) {
        self.bots.insert(name.to_owned(), secret.map(str::to_owned));
    }

    /// The secret of a bot; `None` when there is no such bot.
    pub fn secret(&self, name: &str) -> Option<Option<String>> {
        self.bots.get(name).cloned()
    }

    pub fn new_token(&mut self) -> String {
        self.counted += 1;
        let token = format!("t-standin{:032}", self.counted);
        self.tokens.insert(token.clone());
        token
    }

    pub fn knows_token(&self, token: &str) -> bool {
        self.tokens.contains(token)
    }

    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    pub fn channel_of(&self, id: &str) -> Option<String> {
        self.messages.get(id).map(|(channel, _)| channel.clone())
    }

    pub fn next(&mut self, door: Door) -> Behaviour {
        let scripted = self.scripts.get_mut(&door).and_then(VecDeque::pop_front);
        scripted
            .or_else(|| self.always.get(&door).cloned())
            .unwrap_or(Behaviour::Ok)
    }

    /// Keeps what came in, and shows the message when `arrives`. The id it got, or the one that its `uuid` got before.
    pub fn take(&mut self, arrival: Arrival, arrives: bool, answered: Behaviour) -> Option<String> {
        let Arrival {
            door,
            channel,
            about,
            uuid,
            body,
            content,
            faults,
        } = arrival;
        self.faults.extend(faults);
        let known = uuid
            .as_ref()
            .and_then(|uuid| self.uuids.get(&(channel.clone(), uuid.clone())).cloned());
        let is_update = matches!(door, Door::SlackUpdate | Door::LarkUpdate);
        let is_shown = arrives && known.is_none() && door != Door::LarkToken;
        let id = match (&known, is_shown) {
            (Some(id), _) => arrives.then(|| id.clone()),
            (None, false) => None,
            (None, true) if is_update => about.clone(),
            (None, true) => Some(self.new_id(door)),
        };
        if let (true, Some(id)) = (is_shown, &id) {
            self.messages.insert(id.clone(), (channel.clone(), body.clone()));
            self.uuids
                .extend(uuid.iter().map(|uuid| ((channel.clone(), uuid.clone()), id.clone())));
        }
        let told = judge::told(&content);
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (issue_id, revision, state) = told.map_or((None, None, None), |(issue_id, revision, state)| {
            (Uuid::parse_str(&issue_id).ok(), revision.parse().ok(), Some(state))
        });
        let arrived = is_shown;
        let id_shown = id.clone();
        self.received.push(Received {
            at_ms,
            door,
            channel,
            id,
            about,
            uuid,
            issue_id,
            revision,
            state,
            arrived,
            answered,
            body,
        });
        id_shown
    }

    fn new_id(&mut self, door: Door) -> String {
        self.counted += 1;
        match door {
            Door::SlackWebhook | Door::SlackPost | Door::SlackUpdate => format!("1700000000.{:06}", self.counted),
            Door::LarkBot | Door::LarkToken | Door::LarkSend | Door::LarkReply | Door::LarkUpdate => {
                format!("om_{:032x}", self.counted)
            }
        }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.clone()
    }

    pub fn now_says(&self, id: &str) -> Option<Value> {
        self.messages.get(id).map(|(_, body)| body.clone())
    }

    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        faults.extend(judge::rates(&self.received));
        faults.extend(judge::duplicates(&self.received));
        faults
    }
}
