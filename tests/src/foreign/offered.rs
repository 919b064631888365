//! Whether what a stream does not offer is refused, over every kind of a share.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::{Call, Trial};

impl Trial<'_> {
    /// Sends every command of the share to every stream of its kind that does not offer it, as the owner of the goods.
    /// How many there were.
    ///
    /// # Panics
    /// When one is accepted, by its name.
    pub async fn refuses_what_is_not_offered(&self) -> usize {
        let owner = &self.service.admin;
        let mut kinds: BTreeMap<&str, Vec<(Uuid, &str, &Value)>> = BTreeMap::new();
        for (kind, command) in self.calls.iter().filter_map(addressed) {
            kinds.entry(kind).or_default().push(command);
        }
        let (mut sent, mut accepted) = (0, Vec::new());
        for (kind, commands) in kinds {
            let Some(offers) = self.offers_of(kind).await else {
                continue;
            };
            for (stream, offered) in offers {
                for (_, command, body) in &commands {
                    if offered.contains(&(*command).to_owned()) {
                        continue;
                    }
                    let path = format!("/v1/{kind}/{stream}/{command}");
                    let reply = owner.post(&path, body).await;
                    sent += 1;
                    if !reply.status.is_client_error() {
                        accepted.push(format!("{path}: {} {}", reply.status, reply.text));
                    }
                }
            }
        }
        assert!(accepted.is_empty(), "accepted, and not offered: {accepted:#?}");
        sent
    }

    /// The streams of a kind that the goods name and that are there, with what each offers; none when it is no kind.
    async fn offers_of(&self, kind: &str) -> Option<BTreeMap<Uuid, Vec<String>>> {
        let (context, plural) = kind.split_once('/')?;
        let aggregate = self.contexts.by_url(context, plural)?;
        let mut offers = BTreeMap::new();
        for (of, (stream, ..)) in self.calls.iter().filter_map(addressed) {
            if of != kind || offers.contains_key(&stream) {
                continue;
            }
            let path = format!("/v1/streams/{context}/{}/{stream}/commands", aggregate.name());
            let reply = self.service.admin.get(&path).await;
            if reply.status == 404 {
                continue;
            }
            let told = reply.ok();
            let offered = told["commands"].as_array().unwrap().iter();
            let offered = offered.filter(|offer| offer["offered"] == true);
            let offered = offered.map(|offer| offer["command"].as_str().unwrap().to_owned());
            offers.insert(stream, offered.collect());
        }
        Some(offers)
    }
}

/// The kind, `context/plural`, and the stream, the command and the body of a call that commands a stream by its id.
fn addressed(call: &Call) -> Option<(&str, (Uuid, &str, &Value))> {
    let kind_and_rest = call.path.strip_prefix("/v1/").filter(|_| call.method == Method::POST)?;
    let (rest, command) = kind_and_rest.rsplit_once('/')?;
    let (kind, id) = rest.rsplit_once('/')?;
    Some((kind, (id.parse().ok()?, command, call.body.as_ref()?)))
}
