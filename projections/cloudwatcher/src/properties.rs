//! Whatever people do, the rows satisfy what the tables demand.

mod demands;
mod orders;
mod past;
mod places;
mod stock;
mod wish;

use domain::{AnyEvent, Recorded, Sealed};
use identity::user::{Event, User};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::CONTEXT;
use demands::Demands;
use past::Past;
use wish::Wish;

proptest! {
    #[test]
    fn any_valid_history_folds_to_rows_that_the_tables_accept(wishes in prop::collection::vec(any::<Wish>(), 0..120)) {
        let past = Past::of(wishes);
        let demands = Demands::of(&CONTEXT.whole_ddl());
        // Between events too, because a page may end anywhere.
        for end in (1..past.events.len()).step_by(7).chain([past.events.len()]) {
            let tables = tables(&past.events[..end]);
            prop_assert_eq!(demands.broken(&tables), Vec::<String>::new());
            prop_assert_eq!(stock::broken(&tables), Vec::<String>::new());
            prop_assert_eq!(orders::broken(&tables), Vec::<String>::new());
        }
    }

    #[test]
    fn a_rebuild_after_erasures_gives_the_rows_that_were_posted_live(wishes in prop::collection::vec(any::<Wish>(), 0..120)) {
        let past = Past::of(wishes);
        let rebuilt: Vec<_> = past.events.iter().cloned().map(|recorded| erased(recorded, &past)).collect();
        prop_assert_eq!(tables(&past.events), tables(&rebuilt));
    }
}

/// The rows of every table.
fn tables(events: &[Recorded<AnyEvent>]) -> Vec<(&'static str, Vec<Map<String, Value>>)> {
    CONTEXT.folded(events).unwrap()
}

/// The event as it reads once the keys of erased people are destroyed.
fn erased(mut recorded: Recorded<AnyEvent>, past: &Past) -> Recorded<AnyEvent> {
    if let Some(event) = recorded.of::<User>()
        && past.is_erased(recorded.stream)
    {
        let mut event = event.clone();
        match &mut event {
            Event::UserRegistered {
                email, name, oauth_id, ..
            } => {
                (*email, *name) = (Sealed::Erased, Sealed::Erased);
                *oauth_id = oauth_id.as_ref().map(|_| Sealed::Erased);
            }
            Event::UserRenamed { name } => *name = Sealed::Erased,
            Event::UserEmailChanged { email } => *email = Sealed::Erased,
            _ => {}
        }
        recorded.event = AnyEvent::new::<User>(event);
    }
    recorded
}
