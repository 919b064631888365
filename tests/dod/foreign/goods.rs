//! What a tenant has: at least one thing of every kind, with names that occur nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use book::{Book, Envelope, MasterKey, Pools, Step};
use chrono::Utc;
use dod::correlation::Correlations;
use dod::escalation_policy::EscalationPolicies;
use dod::expectation::Expectations;
use dod::issue::Issue;
use dod::message::Message;
use dod::retention::Retention;
use dod::signal::Signal;
use dod::silence::Silences;
use domain::{Decider, SYSTEM};
use serde_json::{Value, json};
use tests::ledger::MASTER_KEY;
use tests::{Client, Service};
use uuid::Uuid;

/// In the names of whatever the tenant has.
const NAME: &str = "Xyzzy";
/// The word of its receiver.
const RECEIVER_IM: &str = "xyzzy-ops";
/// Of the form of a token, and issued to nobody.
pub const NO_TOKEN: &str = "nobodynobodynobodynobodynobody00";
/// How long alerts may take to their issues.
const BOUND_SECONDS_MAX: u64 = 30;

/// The commands of people to streams of a kind, to alerts and to issues: each is tried on one of its own.
fn commands_to(plural: &str) -> Vec<String> {
    let contexts = tests::contexts();
    let kind = contexts.by_url("dod", plural).unwrap();
    let all = contexts.commands(kind).iter();
    let named = all.filter(|command| !kind.only_daybook.contains(&command.as_str()));
    named.map(|command| format!("{plural} {command}")).collect()
}

/// Every table of the context.
pub fn tables() -> impl Iterator<Item = &'static str> {
    dod_tables::CONTEXT.all_tables().map(|table| table.name)
}

/// The stream of a command, its body, and the status for the owner.
pub type Sent = (Uuid, Value, u16);

/// Ids of tenant A, by the plural word of their kind. What others refer to has a second one, `spare`, that commands may
/// take out of use.
pub struct Goods {
    ids: BTreeMap<String, Uuid>,
    /// The key of one row of every table.
    pub keys: BTreeMap<&'static str, String>,
    owner: Uuid,
    token_id: String,
}

impl Goods {
    pub async fn made(service: &Service) -> Self {
        let owner = &service.admin;
        let kinds = [
            "sources",
            "receivers",
            "configurations",
            "skills",
            "tools",
            "bindings",
            "skill in use",
            "elsewhere",
        ];
        let mut goods = Self {
            ids: kinds.map(|kind| (kind.to_owned(), Uuid::now_v7())).into(),
            keys: BTreeMap::new(),
            owner: owner.user,
            token_id: String::new(),
        };
        for (kind, stream) in [
            ("correlations", Correlations::only_stream(owner.tenant)),
            ("silences", Silences::only_stream(owner.tenant)),
            ("escalation-policies", EscalationPolicies::only_stream(owner.tenant)),
            ("expectations", Expectations::only_stream(owner.tenant)),
            ("retentions", Retention::only_stream(owner.tenant)),
        ] {
            goods.ids.insert(kind.to_owned(), stream);
        }
        for (path, kind, body) in [
            (
                "identity/departments/{}/enter",
                "elsewhere",
                json!({"name": "Elsewhere"}),
            ),
            ("dod/sources/{}/enter", "sources", source(NAME)),
            ("dod/receivers/{}/enter", "receivers", receiver(RECEIVER_IM)),
            ("dod/configurations/{}/enter", "configurations", configuration("xyzzy")),
            ("dod/tools/{}/enter", "tools", tool("xyzzy")),
            ("dod/skills/{}/enter", "skills", skill()),
            ("dod/skills/{}/enter", "skill in use", skill()),
            ("dod/bindings/{}/enter", "bindings", goods.binding()),
            ("dod/correlations/{}/set-rule", "correlations", rule()),
            ("dod/silences/{}/silence", "silences", silence()),
            ("dod/retentions/{}/set", "retentions", json!({"body_days": 60})),
            ("dod/expectations/{}/expect", "expectations", goods.expectation(60)),
            (
                "dod/escalation-policies/{}/set-policy",
                "escalation-policies",
                goods.escalation_policy(),
            ),
        ] {
            let path = path.replace("{}", &goods.id(kind).to_string());
            done(owner, &format!("/v1/{path}"), &body).await;
        }
        let path = format!("/v1/dod/sources/{}/tokens", goods.id("sources"));
        let token = owner.post(&path, &json!({})).await.ok();
        goods.token_id = text(&token["token_id"]);
        goods.send(service, &text(&token["path"])).await;
        goods.investigate(service).await;
        goods.read(owner).await;
        goods
    }

    /// Alerts for each command, every one with an issue of its own.
    async fn send(&mut self, service: &Service, path: &str) {
        let names = [commands_to("alerts"), commands_to("issues")].concat();
        let body: Vec<Value> = names
            .iter()
            .map(|name| json!({"title": format!("{NAME} {name}"), "alert_type": name, "dedup_key": name, "severity": "high"}))
            .collect();
        let request = service
            .admin
            .request(reqwest::Method::POST, &format!("{path}?receiver_im={RECEIVER_IM}"));
        let sent = service.admin.send(request.json(&body)).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        self.ids
            .insert("deliveries".to_owned(), id(&sent.json()["delivery_id"]));
        for name in &names {
            let alert = Signal::alert_id(Signal::stream(self.id("sources"), name), 1);
            let path = format!("/v1/dod/alerts/{alert}");
            let limit = Duration::from_secs(BOUND_SECONDS_MAX);
            let (row, _) = tests::until("an alert's issue", limit, async || {
                let reply = service.admin.get(&path).await;
                let row = (reply.status == 200).then(|| reply.json())?;
                row["issue_id"].is_string().then_some(row)
            })
            .await;
            self.ids.insert(name.clone(), alert);
            self.ids.insert(format!("{name}'s issue"), id(&row["issue_id"]));
        }
        let open = format!("/v1/dod/alerts/{}/ignore", self.id("alerts reopen"));
        done(&service.admin, &open, &json!({})).await;
        let seen_to = format!("/v1/dod/alerts/{}/acknowledge", self.id("alerts unacknowledge"));
        done(&service.admin, &seen_to, &json!({})).await;
        let ended = format!("/v1/dod/issues/{}/resolve", self.issue("reopen"));
        done(&service.admin, &ended, &json!({})).await;
    }

    /// What investigations and places for messages would say.
    async fn investigate(&mut self, service: &Service) {
        let pools = Pools::connect(&service.database.options).await.unwrap();
        let decisions = service.database.contexts.decisions().clone();
        let master = MasterKey::from_hex(MASTER_KEY).unwrap();
        let book = Book::new(pools.writer.clone(), master, decisions);
        let tenant = service.tenant;
        let evidence = json!({"as_of": Utc::now(), "title": NAME, "description": null, "source": NAME, "alert_type": "a",
            "severity": "high", "labels": {}, "starts_at": null, "raw": null, "fired_at": [], "fired_since": null,
            "is_flapping": false, "others": [], "others_count": 0, "corrections": []});
        let matched = json!({"note-match": {"round": 1, "skill_id": null, "by": "nothing", "why": "No skill was found.",
            "evidence": evidence, "sop": null, "metadata": {}}});
        let concluded = json!({"conclude": {"round": 1, "conclusion": {"text": "It is not known.", "is_real_issue": null,
            "evidence": [], "unknown": []}}});
        for command in ["correct", "investigate"] {
            let issue = self.issue(command);
            let steps = [&matched, &concluded].map(|command| step::<Issue>(issue, command));
            let envelope = Envelope::once(tenant, SYSTEM, Utc::now());
            book.execute(envelope, steps.into()).await.unwrap();
        }
        let message = Message::stream(self.issue("assign"), RECEIVER_IM);
        self.ids.insert("messages".to_owned(), message);
        let refused = json!({"note-refused": {"revision": 1, "because": "There is no such channel."}});
        let envelope = Envelope::once(tenant, SYSTEM, Utc::now());
        let steps = vec![step::<Message>(message, &refused)];
        book.execute(envelope, steps).await.unwrap();
        pools.close().await;
    }

    /// The key of a row of every table.
    async fn read(&mut self, owner: &Client) {
        for table in tables() {
            let limit = Duration::from_secs(BOUND_SECONDS_MAX);
            let path = format!("/v1/dod/{table}?limit=200");
            let (key, _) = tests::until("a row of every table", limit, async || {
                let rows = owner.get(&path).await.ok();
                let row = rows["rows"].as_array()?.first()?;
                Some(text(&row["id"]))
            })
            .await;
            self.keys.insert(table, key);
        }
        let heartbeats = owner.get("/v1/dod/heartbeats?limit=1").await.ok();
        self.keys
            .insert("expectation_id", text(&heartbeats["rows"][0]["expectation_id"]));
    }

    /// What nobody outside the tenant may see.
    pub fn of_tenant(&self) -> Vec<String> {
        let ids = self.ids.values().map(Uuid::to_string);
        let words = [NAME, RECEIVER_IM, &self.token_id].map(str::to_owned);
        ids.chain(self.keys.values().cloned()).chain(words).collect()
    }

    pub fn id(&self, kind: &str) -> Uuid {
        self.ids[kind]
    }

    fn issue(&self, command: &str) -> Uuid {
        self.id(&format!("issues {command}'s issue"))
    }

    fn binding(&self) -> Value {
        json!({"alert_pattern": NAME, "pattern_kind": "keyword", "field": "title", "skill_id": self.id("skill in use")})
    }

    /// For every issue, long after the test.
    fn escalation_policy(&self) -> Value {
        let step = json!({"after_minutes": 10_080, "receiver_im": RECEIVER_IM, "assign_to": self.owner});
        json!({"name": NAME, "steps": [step]})
    }

    fn expectation(&self, every_minutes: i32) -> Value {
        let expectation = json!({"name": NAME, "source_id": self.id("sources"), "every_minutes": every_minutes});
        json!({"expectation": expectation})
    }

    /// The body that makes a new one, and what another tenant gets for it: what refers to things of this tenant is refused
    /// in the other.
    pub fn one_more(&self, plural: &str) -> Option<(Value, u16)> {
        Some(match plural {
            "sources" => (source("another"), 200),
            "receivers" => (receiver("another"), 200),
            "configurations" => (configuration("another"), 200),
            "skills" => (skill(), 200),
            "tools" => (tool("another"), 200),
            "bindings" => (self.binding(), 422),
            "correlations" => (json!({"name": "another", "by": ["severity"], "window_minutes": 5}), 200),
            "silences" => (silence(), 200),
            "retentions" => (json!({"body_days": 7}), 200),
            "expectations" => (self.expectation(60), 422),
            "escalation-policies" => {
                let step = json!({"after_minutes": 5, "receiver_im": "another"});
                (json!({"name": "another", "steps": [step]}), 200)
            }
            _ => return None,
        })
    }

    /// The stream and body of a command, and what the owner gets: what is there cannot be made again.
    pub fn command(&self, plural: &str, command: &str) -> Option<Sent> {
        let sent = |kind: &str, body: Value, owner| Some((self.id(kind), body, owner));
        let none = json!({});
        match (plural, command) {
            ("sources", "enter") => sent("sources", source(NAME), 422),
            ("sources", "amend") => sent("sources", source("Xyzzy anew"), 200),
            ("sources", "retire-token") => sent("sources", json!({"token_id": self.token_id}), 200),
            ("receivers", "enter") => sent("receivers", receiver(RECEIVER_IM), 422),
            ("receivers", "amend") => sent("receivers", receiver("xyzzy-anew"), 200),
            ("configurations", "enter") => sent("configurations", configuration("xyzzy"), 422),
            ("configurations", "amend") => sent("configurations", configuration("xyzzy-anew"), 200),
            ("tools", "enter") => sent("tools", tool("xyzzy"), 422),
            ("tools", "amend") => sent("tools", tool("xyzzy-anew"), 200),
            ("skills", "enter") => sent("skills", skill(), 422),
            ("skills", "amend") => {
                let mut anew = skill();
                anew["name"] = json!("Xyzzy anew");
                sent("skills", anew, 200)
            }
            ("bindings", "enter") => sent("bindings", self.binding(), 422),
            ("bindings", "amend") => {
                let mut anew = self.binding();
                anew["priority"] = json!(7);
                sent("bindings", anew, 200)
            }
            ("sources" | "receivers" | "configurations" | "tools" | "skills" | "bindings", "strike") => {
                sent(plural, none, 200)
            }
            ("correlations", "set-rule") => {
                let mut anew = rule();
                anew["rule_id"] = json!(self.keys["correlation_rules"]);
                anew["priority"] = json!(7);
                sent(plural, anew, 200)
            }
            ("correlations", "drop-rule") => sent(plural, json!({"rule_id": self.keys["correlation_rules"]}), 200),
            ("silences", "silence") => {
                let mut anew = silence();
                anew["silence_id"] = json!(self.keys["silences"]);
                sent(plural, anew, 200)
            }
            ("silences", "end") => sent(plural, json!({"silence_id": self.keys["silences"]}), 200),
            ("retentions", "set") => sent(plural, json!({"body_days": 30}), 200),
            ("expectations", "expect") => {
                let mut anew = self.expectation(30);
                anew["expectation_id"] = json!(self.keys["expectation_id"]);
                sent(plural, anew, 200)
            }
            ("expectations", "drop") => sent(plural, json!({"expectation_id": self.keys["expectation_id"]}), 200),
            ("escalation-policies", "set-policy") => {
                let mut anew = self.escalation_policy();
                anew["policy_id"] = json!(self.keys["escalation_policies"]);
                anew["priority"] = json!(7);
                sent(plural, anew, 200)
            }
            ("escalation-policies", "drop-policy") => {
                sent(plural, json!({"policy_id": self.keys["escalation_policies"]}), 200)
            }
            ("deliveries", "parse-again") | ("messages", "send-again") => sent(plural, none, 200),
            ("alerts", "assign") => sent("alerts assign", json!({"user_id": self.owner}), 200),
            ("alerts", _) => sent(&format!("alerts {command}"), none, 200),
            ("issues", _) => {
                let body = match command {
                    "assign" => json!({"user_id": self.owner}),
                    "correct" => json!({"is_real_issue": true, "conclusion": "It was the disk."}),
                    _ => none,
                };
                Some((self.issue(command), body, 200))
            }
            _ => None,
        }
    }
}

fn rule() -> Value {
    let types = json!([{"field": "labels.xyzzy", "op": "equal", "value": "xyzzy"}]);
    json!({"name": NAME, "when": types, "by": ["alert_type"], "window_minutes": 5})
}

fn silence() -> Value {
    let types = json!([{"field": "labels.xyzzy", "op": "equal", "value": "xyzzy"}]);
    let ends_at = Utc::now() + chrono::TimeDelta::days(1);
    json!({"name": NAME, "comment": "Because.", "when": types, "ends_at": ends_at})
}

fn source(name: &str) -> Value {
    json!({"name": name})
}

fn receiver(receiver_im: &str) -> Value {
    json!({"name": NAME, "receiver_im": receiver_im, "im_type": "slack", "bot_token": "xoxb-plugh", "destination_id": "C1"})
}

fn configuration(config_key: &str) -> Value {
    json!({"config_type": "general", "config_key": config_key, "config_value": "plugh"})
}

fn tool(name: &str) -> Value {
    let config = json!({"kind": "http", "base_url": "https://metrics.example.com", "read_only": true});
    json!({"name": name, "type": "mcp", "config": config})
}

fn skill() -> Value {
    json!({"name": NAME, "problem_description": "The disk is full.", "sop": "Look at the disk."})
}

fn step<D: Decider>(stream: Uuid, command: &Value) -> Step {
    Step::of::<D>(stream, None, serde_json::from_value(command.clone()).unwrap())
}

/// Does what must succeed.
async fn done(client: &Client, path: &str, body: &Value) {
    let reply = client.post(path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
}

fn id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
