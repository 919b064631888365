//! What happens when a telling meets what is known.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::{Observation, Signal as Said};
use domain::{Asking, Decider, FactRef, Request, Sealed};
use uuid::Uuid;

use super::{
    CLOSED_MINUTES, Closed, Command, Current, Event, FLIPS_MAX, Over, REMEMBERED_MAX, REPEAT_MINUTES, Refusal,
    SIDE_BY_SIDE_MS, Signal, Unseen,
};
use crate::alert::Restated;
use crate::source::{Flapping, Source};

impl Decider for Signal {
    const TYPE: &'static str = "dod.signal";
    const CREATES: &'static str = "observe";
    const ONLY_DAYBOOK: &'static [&'static str] = &["observe", "expire", "release"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let happens = match request.command {
            Command::Observe {
                source_id,
                delivery_id,
                receiver_im,
                observation,
                received_at,
            } => {
                if Self::stream(*source_id, &observation.dedup_key) != request.stream {
                    return Err(Refusal::OtherKey);
                }
                let telling = Telling {
                    source_id: *source_id,
                    source: request.facts.get::<Source>(*source_id).ok_or(Refusal::NoSource)?,
                    delivery_id: *delivery_id,
                    receiver_im: receiver_im.as_ref(),
                    observation,
                    received_at: *received_at,
                };
                return Ok(self.observe(request, &telling));
            }
            Command::Expire { alert_id, source_id } => {
                let source = request.facts.get::<Source>(*source_id);
                let after = source.and_then(Source::auto_resolve);
                self.current
                    .as_ref()
                    .filter(|current| current.alert_id == *alert_id)
                    .filter(|current| after.is_some_and(|after| current.last_seen_at + after <= request.at))
                    .map(|current| Event::SignalCleared {
                        alert_id: current.alert_id,
                        event_id: None,
                        starts_at: current.starts_at,
                        cleared_at: request.at,
                        expired: true,
                        received_at: None,
                        said_at: None,
                    })
            }
            Command::Release { alert_id, closed_at } => self
                .current
                .as_ref()
                .filter(|current| current.alert_id == *alert_id)
                .map(|_| Event::SignalReleased {
                    alert_id: *alert_id,
                    closed_at: *closed_at,
                }),
        };
        Ok(happens.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SignalFired {
                alert_id,
                episode,
                observation,
                received_at,
                ..
            } => {
                self.remember(&observation.event_id);
                self.said_at = self.said_at.max(observation.said_at);
                self.episodes = *episode;
                if !self.is_closed(observation.starts_at) {
                    self.fired_at.push_back(*received_at);
                }
                if self.fired_at.len() > FLIPS_MAX {
                    self.fired_at.pop_front();
                }
                self.closed = None;
                self.unseen = None;
                self.current = Some(Current {
                    alert_id: *alert_id,
                    starts_at: observation.starts_at,
                    last_seen_at: *received_at,
                    severity: observation.severity,
                });
            }
            Event::SignalRepeated {
                event_id,
                starts_at,
                received_at,
                said_at,
                restated,
                ..
            } => {
                self.remember(event_id);
                self.said_at = self.said_at.max(*said_at);
                if let Some(current) = &mut self.current {
                    current.starts_at = current.starts_at.max(*starts_at);
                    current.last_seen_at = current.last_seen_at.max(*received_at);
                    current.severity = restated.as_ref().map_or(current.severity, |now| now.severity);
                }
            }
            Event::SignalCleared {
                event_id,
                starts_at,
                cleared_at,
                expired,
                received_at,
                said_at,
                ..
            } => {
                if let Some(event_id) = event_id {
                    self.remember(event_id);
                }
                self.said_at = self.said_at.max(*said_at);
                self.current = None;
                match expired {
                    true => {
                        self.closed = Some(Closed {
                            starts_at: *starts_at,
                            at: *cleared_at,
                            is_expired: true,
                        });
                    }
                    false => self.is_over(*starts_at, *received_at),
                }
            }
            Event::SignalClearedUnseen {
                event_id,
                starts_at,
                ends_at,
                received_at,
                said_at,
            } => {
                self.remember(event_id);
                let before = self.unseen.take();
                // What is or was an alert has been told of.
                self.unseen = (self.current.is_none() && self.closed.is_none()).then(|| Unseen {
                    event_id: event_id.clone(),
                    starts_at: *starts_at,
                    ends_at: *ends_at,
                    received_at: *received_at,
                    said_at: *said_at,
                    over_before: before.map_or_else(|| self.all_over(), |before| before.over_before),
                });
                self.said_at = self.said_at.max(*said_at);
                self.is_over(*starts_at, Some(*received_at));
                // What was before that says nothing of it.
                let is_earlier = |closed: &Closed| starts_at.is_some() && *starts_at < closed.starts_at;
                self.closed = self.closed.take().filter(is_earlier);
            }
            // What it tells of is not over; only the alert is.
            Event::SignalReleased { closed_at, .. } => {
                self.closed = self.current.take().map(|current| Closed {
                    starts_at: current.starts_at,
                    at: *closed_at,
                    is_expired: false,
                });
            }
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Observe { source_id, .. } | Command::Expire { source_id, .. } => {
                vec![FactRef::of::<Source>(*source_id)]
            }
            _ => Vec::new(),
        }
    }
}

/// What was told, by whom and in what.
struct Telling<'a> {
    source_id: Uuid,
    source: &'a Source,
    delivery_id: Uuid,
    receiver_im: Option<&'a String>,
    observation: &'a Observation,
    received_at: DateTime<Utc>,
}

impl Signal {
    fn observe(&self, request: &Request<'_, Command>, telling: &Telling<'_>) -> Vec<Event> {
        let observation = telling.observation;
        let is_repeat = self.told.contains(&observation.event_id);
        // The end was faster than its beginning: bodies are read side by side, and senders send anew what was not taken.
        let unseen = self.unseen.as_ref().filter(|unseen| unseen.ends(telling));
        if let Some(unseen) = unseen.filter(|_| observation.signal.fires() && !is_repeat) {
            let alert_id = Self::alert_id(request.stream, self.episodes + 1);
            return vec![
                self.fires(request.stream, telling),
                unseen.clears(alert_id, observation.starts_at, request.at),
            ];
        }
        self.observe_in_order(request, telling, is_repeat).into_iter().collect()
    }

    fn observe_in_order(
        &self,
        request: &Request<'_, Command>,
        telling: &Telling<'_>,
        is_repeat: bool,
    ) -> Option<Event> {
        let observation = telling.observation;
        match (observation.signal, &self.current) {
            // It came late: what it tells of is known to be over.
            (said, _) if said != Said::Resolved && self.is_known_over(telling) => None,
            // Whoever looks at what was not told of yet says that it is so, if it is known to be no late word.
            (said, None) if said.fires() || (said == Said::Acknowledged && observation.said_at.is_some()) => {
                let opens = match &self.closed {
                    None => !is_repeat,
                    Some(closed) => closed.opens_by(telling, is_repeat),
                };
                opens.then(|| self.fires(request.stream, telling))
            }
            _ if is_repeat => self.goes_on(telling),
            // Something else was said since.
            (Said::Resolved | Said::Acknowledged | Said::Unacknowledged | Said::Suppressed, _)
                if self.order(telling) == Some(Ordering::Less) =>
            {
                None
            }
            (Said::Resolved, _) => self.clears(request, telling),
            (_, Some(current)) => Some(self.repeated(current, telling)),
            (_, None) => None,
        }
    }

    /// A repeat of what was told says only that it goes on, which is noted now and then.
    fn goes_on(&self, telling: &Telling<'_>) -> Option<Event> {
        let usually = TimeDelta::minutes(REPEAT_MINUTES);
        let after = telling
            .source
            .auto_resolve()
            .map_or(usually, |after| usually.min(after / 4));
        let observation = telling.observation;
        let fires = observation.signal.fires();
        let current = self.current.as_ref()?;
        let is_of_it = observation.starts_at >= current.starts_at;
        let is_later = telling.received_at - current.last_seen_at >= after;
        (fires && is_of_it && is_later).then(|| self.repeated(current, telling))
    }

    fn fires(&self, stream: Uuid, telling: &Telling<'_>) -> Event {
        let episode = self.episodes + 1;
        let mut observation = telling.observation.clone();
        let raw = Sealed::Open(observation.raw.take());
        Event::SignalFired {
            alert_id: Self::alert_id(stream, episode),
            episode,
            source_id: telling.source_id,
            source: telling.source.name().to_owned(),
            delivery_id: telling.delivery_id,
            receiver_im: telling.receiver_im.cloned(),
            is_flapping: self.is_flapping(telling),
            observation: Box::new(observation),
            raw,
            received_at: telling.received_at,
            expires_at: telling.expires_at(),
        }
    }

    fn clears(&self, request: &Request<'_, Command>, telling: &Telling<'_>) -> Option<Event> {
        let observation = telling.observation;
        // The end of what was before comes late: it ends nothing that is now, and is remembered. Of a pair of senders one may
        // know an earlier beginning; what ended later than what is now began is the same.
        let is_earlier = |current: &Current| {
            let began_before = observation
                .starts_at
                .is_some_and(|starts_at| Some(starts_at) < current.starts_at);
            let ended_since = observation
                .ends_at
                .is_some_and(|ends_at| Some(ends_at) > current.starts_at);
            began_before && !(ended_since && telling.received_at > current.last_seen_at)
        };
        let is_in_order = self.order(telling).is_some();
        let ends = |current: &&Current| is_in_order || !is_earlier(current);
        match (self.current.as_ref().filter(ends), observation.starts_at) {
            // It says no beginning, and came before what is now was heard of: its body is parsed again.
            (Some(current), None) if !is_in_order && telling.came_before(current.last_seen_at) => None,
            (Some(current), _) => Some(Event::SignalCleared {
                alert_id: current.alert_id,
                event_id: Some(observation.event_id.clone()),
                starts_at: current.starts_at.max(observation.starts_at),
                cleared_at: observation.ends_at.unwrap_or(request.at).min(request.at),
                expired: false,
                received_at: Some(telling.received_at),
                said_at: observation.said_at,
            }),
            (None, starts_at) if self.is_new_end(telling) => Some(Event::SignalClearedUnseen {
                event_id: observation.event_id.clone(),
                starts_at,
                ends_at: observation.ends_at,
                received_at: telling.received_at,
                said_at: observation.said_at,
            }),
            (None, _) => None,
        }
    }

    /// When it was said against the latest that was; `None` where its sender does not say that.
    fn order(&self, telling: &Telling<'_>) -> Option<Ordering> {
        Some(telling.observation.said_at?.cmp(&self.said_at?))
    }

    /// Whether it is known that what it tells of is over: by when it was said, by its beginning or, where it says neither,
    /// by when it came in.
    fn is_known_over(&self, telling: &Telling<'_>) -> bool {
        match (self.order(telling), telling.observation.starts_at) {
            (Some(order), _) => self.current.is_none() && order.is_lt(),
            (None, Some(starts_at)) => Some(starts_at) <= self.over,
            (None, None) => Some(telling.received_at) <= self.over_by,
        }
    }

    /// Whether it is worth noting though nothing is to be ended: its beginning may come late, or it ends what a person has
    /// closed.
    fn is_new_end(&self, telling: &Telling<'_>) -> bool {
        match (self.order(telling), telling.observation.starts_at, &self.closed) {
            (Some(order), _, _) => order.is_gt(),
            (None, None, Some(closed)) => telling.received_at >= closed.at,
            (None, _, _) => !self.is_known_over(telling),
        }
    }

    fn all_over(&self) -> Over {
        Over {
            began_by: self.over,
            received_by: self.over_by,
            said_by: self.said_at,
        }
    }

    /// What began then is over, or all that came in before that.
    fn is_over(&mut self, starts_at: Option<DateTime<Utc>>, received_at: Option<DateTime<Utc>>) {
        match starts_at {
            Some(_) => self.over = self.over.max(starts_at),
            None => self.over_by = self.over_by.max(received_at),
        }
    }

    /// Whether it has fired so often of late, this time included, that its ups and downs are one thing.
    fn is_flapping(&self, telling: &Telling<'_>) -> bool {
        let Flapping { flips, minutes } = telling.source.flapping();
        let since = telling.received_at - TimeDelta::minutes(minutes.into());
        let before = self.fired_at.iter().filter(|&&fired_at| fired_at > since).count();
        // What goes on though a person closed it is no up and down.
        let lately = before + usize::from(!self.is_closed(telling.observation.starts_at));
        u32::try_from(lately).is_ok_and(|lately| lately >= flips)
    }

    /// Whether what began then is what a person has closed, or was before it.
    fn is_closed(&self, starts_at: Option<DateTime<Utc>>) -> bool {
        self.closed.as_ref().is_some_and(|closed| starts_at <= closed.starts_at)
    }

    fn repeated(&self, current: &Current, telling: &Telling<'_>) -> Event {
        let observation = telling.observation;
        Event::SignalRepeated {
            alert_id: current.alert_id,
            source_id: telling.source_id,
            event_id: observation.event_id.clone(),
            delivery_id: telling.delivery_id,
            said: observation.signal,
            severity: observation.severity,
            starts_at: observation.starts_at,
            received_at: telling.received_at,
            expires_at: telling.expires_at(),
            said_at: observation.said_at,
            restated: self.restated(current, telling),
        }
    }

    /// What is said now if it is not over and that is another severity, said and not presumed. What was said before, or came in
    /// before, says nothing of now; what is heard of later may have come in earlier, for bodies are read side by side.
    fn restated(&self, current: &Current, telling: &Telling<'_>) -> Option<Box<Restated>> {
        let observation = telling.observation;
        let is_latest = match self.order(telling) {
            Some(order) => order.is_ge(),
            None => telling.received_at >= current.last_seen_at && observation.starts_at >= current.starts_at,
        };
        let is_other = !observation.is_severity_presumed && observation.severity != current.severity;
        (observation.signal != Said::Resolved && is_latest && is_other).then(|| {
            Box::new(Restated {
                severity: observation.severity,
                original_severity: observation.original_severity.clone(),
                title: observation.title.clone(),
                description: observation.description.clone(),
            })
        })
    }

    fn remember(&mut self, event_id: &str) {
        self.told.retain(|told| told != event_id);
        self.told.push_back(event_id.to_owned());
        if self.told.len() > REMEMBERED_MAX {
            self.told.pop_front();
        }
    }
}

impl Unseen {
    /// Whether it is the end of what is told: by when both were said, by the beginning or, where one of them does not say that,
    /// by when they came in. What was over before has ended by another one.
    fn ends(&self, telling: &Telling<'_>) -> bool {
        let before = &self.over_before;
        let observation = telling.observation;
        match (observation.said_at, self.said_at, observation.starts_at, self.starts_at) {
            (Some(said_at), Some(end), _, _) => said_at < end && Some(said_at) > before.said_by,
            (_, _, Some(starts_at), Some(latest)) => starts_at <= latest && Some(starts_at) > before.began_by,
            // One of them says no beginning: what came in later is another one.
            (_, _, _, _) => !telling.came_after(self.received_at) && Some(telling.received_at) > before.received_by,
        }
    }

    fn clears(&self, alert_id: Uuid, starts_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Event {
        Event::SignalCleared {
            alert_id,
            event_id: Some(self.event_id.clone()),
            starts_at: self.starts_at.max(starts_at),
            cleared_at: self.ends_at.unwrap_or(self.received_at).min(now),
            expired: false,
            received_at: Some(self.received_at),
            said_at: self.said_at,
        }
    }
}

impl Closed {
    /// Whether another alert opens when it is told that it fires: what came before a person closed it was meant by that, and
    /// a repeat, or what began earlier, counts once it cannot be one of a pair's, nor of a sender that has not noticed yet.
    fn opens_by(&self, telling: &Telling<'_>, is_repeat: bool) -> bool {
        let after = telling.received_at - self.at;
        let is_earlier = telling
            .observation
            .starts_at
            .is_some_and(|starts_at| Some(starts_at) < self.starts_at);
        match !self.is_expired && (is_repeat || is_earlier) {
            true => after >= TimeDelta::minutes(CLOSED_MINUTES),
            false => after >= TimeDelta::zero(),
        }
    }
}

impl Telling<'_> {
    /// Whether it came in earlier than what came in then, and not side by side with it.
    fn came_before(&self, then: DateTime<Utc>) -> bool {
        self.received_at + TimeDelta::milliseconds(SIDE_BY_SIDE_MS) < then
    }

    /// As [`Telling::came_before`], the other way round.
    fn came_after(&self, then: DateTime<Utc>) -> bool {
        self.received_at > then + TimeDelta::milliseconds(SIDE_BY_SIDE_MS)
    }

    fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.source.auto_resolve().map(|after| self.received_at + after)
    }
}
