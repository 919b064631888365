//! What a command says beside its quantities is known wherever it is asked for.

use serde_json::json;

use super::Inventory;
use crate::golden::history::story;

/// Whoever moved stock for an order could do so beside it, if a command's source or reservation went unseen.
#[test]
fn a_command_is_known_to_say_whatever_it_says_of_its_source_reservation_and_order() {
    let mut met = 0;
    for step in story().steps {
        let Some(command) = step.command.typed::<Inventory>() else {
            continue;
        };
        let written = step.command.to_value().unwrap();
        let fields = written.as_object().and_then(|named| named.values().next()).unwrap();
        assert_eq!(json!(command.source()), fields["source"], "{command:?}");
        assert_eq!(json!(command.reservation_id()), fields["reservation_id"], "{command:?}");
        assert_eq!(json!(command.transfer_id()), fields["transfer_id"], "{command:?}");
        assert_eq!(json!(command.still_to_come()), fields["still_to_come"], "{command:?}");
        met += 1;
    }
    assert!(met > 10, "the story has {met} commands to stock");
}
