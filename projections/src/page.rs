//! Pages: contiguous events on their way into the tables, and what could not be read of them.

use std::borrow::Cow;
use std::collections::HashSet;

use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use crate::context::Context;
use crate::error::caught;

/// Bytes of rows that one page may load because of what it deletes.
const LOADED_BYTES_MAX: usize = 32 << 20;

/// A stream: its type and its id.
pub type Stream = (String, Uuid);

/// The streams that a generation does not post, each from its first failing event on.
pub type Parked = HashSet<Stream>;

/// A stream that is to be parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parking {
    pub stream: Stream,
    pub tenant_id: Uuid,
    /// The first event that is not posted.
    pub position: i64,
    pub error: String,
}

impl Parking {
    fn of<E>(recorded: &Recorded<E>, error: String) -> Self {
        Self {
            stream: (recorded.aggregate_type.clone(), recorded.stream),
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            error,
        }
    }
}

/// Events up to a position, decoded; those that the context does not read are left out.
#[derive(Debug)]
pub struct Page {
    /// The checkpoint after the page.
    pub to: i64,
    pub events: Vec<Recorded<AnyEvent>>,
    pub parks: Vec<Parking>,
}

impl Page {
    /// Decodes events that follow each other up to `to`. What cannot be decoded is to be parked.
    #[must_use]
    pub fn decode(context: &Context, to: i64, recorded: Vec<Recorded<String>>) -> Self {
        let mut page = Self {
            to,
            events: Vec::with_capacity(recorded.len()),
            parks: Vec::new(),
        };
        for recorded in recorded {
            match caught(|| context.decode(&recorded)) {
                Ok(Ok(Some(event))) => page.events.push(recorded.map(|_| event)),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => page.parks.push(Parking::of(&recorded, error.to_string())),
                Err(panicked) => page.parks.push(Parking::of(&recorded, panicked.to_string())),
            }
        }
        page
    }

    /// The events that are to be posted: those of no parked stream.
    #[must_use]
    pub fn posted(&self, parked: &Parked) -> Cow<'_, [Recorded<AnyEvent>]> {
        if parked.is_empty() && self.parks.is_empty() {
            return Cow::Borrowed(&self.events);
        }
        let is_posted = |recorded: &&Recorded<AnyEvent>| {
            let stream = (recorded.aggregate_type.clone(), recorded.stream);
            let parks_before = self
                .parks
                .iter()
                .any(|parking| parking.stream == stream && parking.position < recorded.position);
            !parked.contains(&stream) && !parks_before
        };
        Cow::Owned(self.events.iter().filter(is_posted).cloned().collect())
    }

    /// The page, or what it is cut into so that what its events load from the tables stays within bounds.
    #[must_use]
    pub fn portions(self, context: &Context) -> Vec<Self> {
        // What cannot say how much it loads is posted by itself.
        let loads = |event: &AnyEvent| caught(|| (context.loads)(event)).unwrap_or(LOADED_BYTES_MAX + 1);
        let loaded = |page: &Self| -> usize { page.events.iter().map(|recorded| loads(&recorded.event)).sum() };
        let (mut portions, mut rest) = (Vec::new(), vec![self]);
        while let Some(page) = rest.pop() {
            if page.events.len() > 1 && loaded(&page) > LOADED_BYTES_MAX {
                let (earlier, later) = page.halves();
                rest.extend([later, earlier]);
            } else {
                portions.push(page);
            }
        }
        portions
    }

    /// The two halves of a page of at least two events.
    #[must_use]
    pub fn halves(mut self) -> (Self, Self) {
        let later = self.events.split_off(self.events.len() / 2);
        let to = later.first().map_or(self.to, |recorded| recorded.position - 1);
        let (parks, later_parks) = self.parks.into_iter().partition(|parking| parking.position <= to);
        (
            Self {
                to,
                events: self.events,
                parks,
            },
            Self {
                to: self.to,
                events: later,
                parks: later_parks,
            },
        )
    }

    /// The page with its streams parked instead of its events posted.
    #[must_use]
    pub fn parked(mut self, error: &str) -> Self {
        let parks = self
            .events
            .drain(..)
            .map(|recorded| Parking::of(&recorded, error.to_owned()));
        self.parks.extend(parks);
        // Of a stream that is here twice the first event counts: from there on nothing is posted.
        self.parks.sort_by_key(|parking| parking.position);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parking(position: i64) -> Parking {
        Parking {
            stream: ("sample.folder".to_owned(), Uuid::nil()),
            tenant_id: Uuid::nil(),
            position,
            error: "it does not fit".to_owned(),
        }
    }

    #[test]
    fn a_page_that_would_load_too_much_is_cut_and_keeps_every_event_in_order() {
        let context = &crate::sample::CONTEXT;
        let history = crate::golden::history(context).unwrap();
        let archived = history
            .iter()
            .find(|recorded| (context.loads)(&recorded.event) > 0)
            .unwrap();
        let events: Vec<_> = (1..=1_000)
            .map(|position| Recorded {
                position,
                ..archived.clone()
            })
            .collect();
        let page = Page {
            to: 1_000,
            events,
            parks: Vec::new(),
        };
        let portions = page.portions(context);
        assert!(portions.len() >= 16, "{}", portions.len());
        let positions: Vec<i64> = portions
            .iter()
            .flat_map(|page| &page.events)
            .map(|recorded| recorded.position)
            .collect();
        assert_eq!(positions, (1..=1_000).collect::<Vec<_>>());
        let ends: Vec<i64> = portions.iter().map(|page| page.to).collect();
        assert!(ends.is_sorted() && ends.last() == Some(&1_000), "{ends:?}");
    }

    #[test]
    fn a_stream_is_parked_from_its_first_failing_event_on() {
        let history = crate::golden::history(&crate::sample::CONTEXT).unwrap();
        let first = Recorded {
            position: 10,
            stream: Uuid::nil(),
            ..history[0].clone()
        };
        let page = Page {
            to: 20,
            events: vec![first],
            parks: vec![parking(20)],
        };
        let positions: Vec<i64> = page.parked("no").parks.iter().map(|parking| parking.position).collect();
        assert_eq!(positions, [10, 20]);
    }
}
