//! Whatever is asked of a handful of stock keys: their levels are what a model says that knows nothing of
//! events, their sums are right after each of 100,000 steps, and carrying forward loses nothing.

mod books;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::tests::{LOCATION, PART, VARIANT, everything};
use super::{Command, Consumption, Event, Inventory, Levels, Source, SourceKind, StockKey};
use books::{Books, Step};
use domain::{AnyCommand, Asker, Decider as _, Facts, Ids, Request, SYSTEM, Together};
use rehearsal::given::TENANT;
use rehearsal::offering;

/// Stock keys; the even ones are of one part, the odd ones of a variant of it.
const KEYS: usize = 6;
const STEPS: usize = 100_000;
/// Reservations and orders of a key that are spoken of at about the same time.
const AT_A_TIME: u64 = 12;

/// Numbers that look random and are the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// One stock key as it stands, as it is without ever carrying forward, and as it is loaded.
#[derive(Default)]
struct Kept {
    now: Inventory,
    never_carried: Inventory,
    loaded: Inventory,
    carried: u32,
    /// What was on hand after each event.
    on_hand: Vec<i32>,
    /// The sequence of the last count.
    counted: usize,
    /// Whether a suggestion was dismissed since the projection was above the point last.
    is_dismissed: bool,
}

struct World {
    dice: Dice,
    facts: Facts,
    kept: Vec<Kept>,
    books: Books,
    commands: u128,
    /// Numbers of reservations, which go up, so that those that have ended are met again for a while only.
    reservations: u64,
    met: BTreeMap<&'static str, u32>,
}

fn key(at: usize) -> StockKey {
    StockKey {
        part_id: PART,
        variant_id: (at % 2 == 1).then_some(VARIANT),
        location_id: Uuid::from_u128(LOCATION.as_u128() + at as u128),
    }
}

fn numbered(number: u64) -> Uuid {
    Uuid::new_v5(&TENANT, &number.to_be_bytes())
}

fn source(order: u64) -> Source {
    Source {
        kind: SourceKind::Order,
        id: numbered(order),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            facts: everything((0..KEYS).map(|at| key(at).location_id)),
            kept: (0..KEYS).map(|_| Kept::default()).collect(),
            books: Books::default(),
            commands: 0,
            reservations: AT_A_TIME,
            met: BTreeMap::new(),
        };
        for at in 0..KEYS {
            let StockKey {
                part_id,
                variant_id,
                location_id,
            } = key(at);
            let open = Command::Open {
                part_id,
                variant_id,
                location_id,
                // With, without, and with a quantity to round up to.
                reorder_point: (at % 3 != 0).then_some(200),
                reorder_quantity: (at % 3 == 2).then_some(50),
            };
            assert!(world.ask(at, &open, now(), &Together::default()).is_some());
        }
        world
    }

    /// Whether it was accepted, and what happened.
    fn ask(&mut self, at: usize, command: &Command, asked: DateTime<Utc>, together: &Together) -> Option<Vec<Event>> {
        let events = self.decided(at, command, asked, together)?;
        self.append(at, &events);
        Some(events)
    }

    fn decided(
        &mut self,
        at: usize,
        command: &Command,
        asked: DateTime<Utc>,
        together: &Together,
    ) -> Option<Vec<Event>> {
        self.commands += 1;
        let request = Request {
            tenant: TENANT,
            stream: key(at).stream(TENANT),
            sequence: self.kept[at].on_hand.len().try_into().unwrap(),
            // Of orders Daybook alone speaks.
            by: command.source().map_or(Uuid::from_u128(0xb), |_| SYSTEM),
            at: asked,
            ids: Ids::new(Uuid::from_u128(self.commands)),
            reason: None,
            facts: &self.facts,
            together,
            command,
        };
        let now = &self.kept[at].now;
        let decided = now.decide(&request);
        let asker = Asker {
            tenant: request.tenant,
            by: request.by,
            at: request.at,
        };
        offering::check_typed(now, command, request.stream, &asker, decided.is_ok());
        decided.ok()
    }

    fn append(&mut self, at: usize, events: &[Event]) {
        let kept = &mut self.kept[at];
        for event in events {
            let before = kept.now.levels();
            kept.now.evolve(event);
            assert_told(event, before, kept.now.levels());
            if matches!(event, Event::StockCarriedForward { .. }) {
                kept.carried += 1;
                // What loading begins with: nothing but this event.
                kept.loaded = Inventory::default();
            } else {
                kept.never_carried.evolve(event);
            }
            kept.loaded.evolve(event);
            kept.on_hand.push(kept.now.on_hand());
            if matches!(event, Event::StockCounted { .. }) {
                kept.counted = kept.on_hand.len();
            }
            *self.met.entry(event.into()).or_default() += 1;
        }
    }

    fn step(&mut self) {
        let at = self.dice.roll(KEYS as u64) as usize;
        let step = self.wish(at);
        let commands = self.commands;
        let available = self.kept[at].now.available();
        let is_accepted = self.carry_out(at, step);
        assert_eq!(
            self.books.step(at, step),
            is_accepted,
            "{step:?} at {at} after {commands}"
        );
        if !matches!(step, Step::Count { .. }) {
            assert!(self.kept[at].now.available() >= available.min(0), "{step:?} at {at}");
        }
        if self.dice.roll(20) == 0 {
            self.answer_suggestion(at);
        }
        self.check(at);
        if let Step::Transfer { to, .. } = step {
            self.check(to);
        }
    }

    fn wish(&mut self, at: usize) -> Step {
        let quantity = self.dice.roll(30) as i64 + 1;
        let latest = self.reservations - self.dice.roll(AT_A_TIME);
        // Old ones too, or they would become more and more.
        let recent = match self.books.kept.range((at, 0)..).next() {
            Some(((key, oldest), _)) if *key == at && self.dice.roll(2) == 0 => *oldest,
            Some(_) | None => latest,
        };
        let kept = (self.dice.roll(2) == 0).then_some(recent);
        let order = self.dice.roll(AT_A_TIME);
        match self.dice.roll(21) {
            0..2 => Step::Receive {
                quantity,
                order: (self.dice.roll(2) == 0).then_some(order),
                still: (self.dice.roll(2) == 0).then_some(quantity / 2),
            },
            2..7 => Step::Take { quantity, kept },
            7..10 => {
                self.reservations += self.dice.roll(2);
                Step::Reserve { quantity, kept: latest }
            }
            10 => Step::Shorten {
                left: quantity,
                kept: recent,
            },
            11..14 => Step::Release { kept: recent },
            14 => Step::Expire { kept: recent },
            15 => {
                // What the counter's list said may be out of date, and is misread now and then.
                let levels = &self.kept[at].on_hand;
                let back = (self.dice.roll(9) as usize).min(levels.len() - 1);
                let was = i64::from(levels[levels.len() - 1 - back]);
                let seen = was + i64::from(self.dice.roll(9) == 0);
                let counted = (seen + self.dice.roll(60) as i64 - 32).max(0);
                let is_settled = back > 0 && self.kept[at].counted + back > self.kept[at].on_hand.len();
                Step::Count {
                    back,
                    is_settled,
                    was,
                    seen,
                    counted,
                }
            }
            16..19 => Step::Transfer {
                quantity,
                kept,
                to: self.dice.roll(KEYS as u64) as usize,
            },
            _ => Step::Expect {
                order,
                quantity: quantity - 1,
            },
        }
    }

    fn carry_out(&mut self, at: usize, step: Step) -> bool {
        let units = |quantity: i64| i32::try_from(quantity).unwrap();
        let id = |kept: u64| Uuid::new_v5(&key(at).stream(TENANT), &kept.to_be_bytes());
        let mut asked = now();
        let command = match step {
            Step::Receive { quantity, order, still } => Command::Receive {
                quantity: units(quantity),
                source: order.map(source),
                stock: None,
                still_to_come: order.and(still).map(units),
            },
            Step::Take { quantity, kept } if quantity % 2 == 0 => Command::Issue {
                quantity: units(quantity),
                reservation_id: kept.map(id),
                source: None,
                still_to_come: None,
            },
            Step::Take { quantity, kept } => Command::Consume(Consumption {
                quantity: units(quantity),
                reservation_id: kept.map(id),
                consumption_date: None,
                consumed_by: None,
                notes: None,
            }),
            Step::Reserve { quantity, kept } => Command::Reserve {
                quantity: units(quantity),
                reservation_id: Some(id(kept)),
                source: None,
                expires_at: (kept % 2 == 1).then(|| now() + TimeDelta::hours(1)),
            },
            Step::Shorten { left, kept } => Command::Shorten {
                reservation_id: id(kept),
                quantity: units(left),
            },
            Step::Release { kept } => Command::Release {
                reservation_id: id(kept),
            },
            Step::Expire { kept } => {
                asked += TimeDelta::hours(2);
                Command::Expire {
                    reservation_id: id(kept),
                }
            }
            Step::Count {
                back, seen, counted, ..
            } => Command::Count {
                seen: units(seen),
                counted: units(counted),
                seen_sequence: (back > 0).then(|| (self.kept[at].on_hand.len() - back).try_into().unwrap()),
            },
            Step::Transfer { quantity, kept, to } => return self.transfer(at, to, units(quantity), kept.map(id)),
            Step::Expect { order, quantity } => Command::Expect {
                order_id: numbered(order),
                quantity: units(quantity),
                stock: None,
            },
        };
        self.ask(at, &command, asked, &Together::default()).is_some()
    }

    /// Both halves or none, as the book appends them.
    fn transfer(&mut self, at: usize, to: usize, quantity: i32, reservation_id: Option<Uuid>) -> bool {
        let transfer_id = Uuid::from_u128(self.commands);
        let out = Command::TransferOut {
            transfer_id,
            to: key(to),
            quantity,
            reservation_id,
            source: None,
            still_to_come: None,
        };
        let into = Command::TransferIn {
            transfer_id,
            from: key(at),
            to: key(to),
            quantity,
            source: None,
            still_to_come: None,
        };
        let together = |at: usize, command: &Command| {
            let mut together = Together::default();
            let command = AnyCommand::of::<Inventory>(command.clone());
            together.push(key(at).stream(TENANT), command);
            together
        };
        let Some(gone) = self.decided(at, &out, now(), &together(to, &into)) else {
            return false;
        };
        let Some(come) = self.decided(to, &into, now(), &together(at, &out)) else {
            return false;
        };
        let sum = self.on_hand();
        self.append(at, &gone);
        self.append(to, &come);
        assert_eq!(self.on_hand(), sum);
        true
    }

    fn answer_suggestion(&mut self, at: usize) {
        if let Some(open) = self.kept[at].now.open_suggestion() {
            let dismiss = Command::DismissReorder {
                suggestion_id: open.suggestion_id,
            };
            assert!(self.ask(at, &dismiss, now(), &Together::default()).is_some());
            self.kept[at].is_dismissed = true;
        }
    }

    fn check(&mut self, at: usize) {
        let kept = &mut self.kept[at];
        let levels = kept.now.levels();
        let expected = Levels {
            on_hand: self.books.on_hand.get(&at).copied().unwrap_or(0).try_into().unwrap(),
            reserved: self.books.kept_at(at).try_into().unwrap(),
            on_order: self.books.coming_to(at).try_into().unwrap(),
        };
        assert_eq!(levels, expected);
        let Inventory::Open(record) = &kept.now else {
            panic!("{at} is open")
        };
        assert_eq!(
            record.reservations.iter().map(|of| of.quantity).sum::<i32>(),
            levels.reserved
        );

        let is_low = record.reorder_point.is_some_and(|point| levels.projected() <= point);
        kept.is_dismissed &= is_low;
        assert_eq!(kept.now.open_suggestion().is_some(), is_low && !kept.is_dismissed);

        assert_eq!(uncounted(&kept.never_carried), uncounted(&kept.now));
        assert_eq!(kept.loaded, kept.now);
    }

    fn on_hand(&self) -> i64 {
        self.kept.iter().map(|kept| i64::from(kept.now.on_hand())).sum()
    }
}

/// The state without how long ago it was carried forward.
fn uncounted(state: &Inventory) -> Inventory {
    let mut state = state.clone();
    if let Inventory::Open(record) = &mut state {
        record.events = 0;
        record.recent = Default::default();
        record.since_count = None;
    }
    state
}

/// An event says the levels that it leads to, and by how much they differ from those before.
fn assert_told(event: &Event, before: Levels, now: Levels) {
    let Some((after, on_hand, reserved)) = told(event) else {
        assert_eq!(before, now, "{event:?} says nothing of levels");
        return;
    };
    assert_eq!(after, now, "{event:?}");
    assert_eq!(i64::from(now.on_hand) - i64::from(before.on_hand), on_hand, "{event:?}");
    assert_eq!(
        i64::from(now.reserved) - i64::from(before.reserved),
        reserved,
        "{event:?}"
    );
    if let Event::StockCounted { short, newest, .. } = event {
        assert_eq!(*short, (-now.available()).max(0));
        assert_eq!(newest.iter().map(|of| of.quantity).sum::<i32>(), *short);
    }
}

/// What an event says of the levels after it, and by how much it changed on hand and reserved.
fn told(event: &Event) -> Option<(Levels, i64, i64)> {
    let plus = |quantity: &i32| i64::from(*quantity);
    Some(match event {
        Event::StockReceived { quantity, after, .. } | Event::StockTransferredIn { quantity, after, .. } => {
            (*after, plus(quantity), 0)
        }
        Event::StockIssued {
            quantity,
            reservation_id,
            after,
            ..
        }
        | Event::StockConsumed {
            quantity,
            reservation_id,
            after,
            ..
        }
        | Event::StockTransferredOut {
            quantity,
            reservation_id,
            after,
            ..
        } => {
            let reserved = if reservation_id.is_some() { plus(quantity) } else { 0 };
            (*after, -plus(quantity), -reserved)
        }
        Event::StockReserved { quantity, after, .. } => (*after, 0, plus(quantity)),
        Event::ReservationShortened { quantity, after, .. }
        | Event::ReservationReleased { quantity, after, .. }
        | Event::ReservationExpired { quantity, after, .. } => (*after, 0, -plus(quantity)),
        Event::StockCounted { delta, after, .. } => (*after, plus(delta), 0),
        Event::StockExpected { after, .. } | Event::ReorderAccepted { after, .. } => (*after, 0, 0),
        _ => return None,
    })
}

#[test]
fn a_hundred_thousand_steps_agree_with_the_model() {
    let mut world = World::new(1);
    for _ in 0..STEPS {
        world.step();
    }
    println!("{:?}", world.met);
    for what in [
        "StockReceived",
        "StockIssued",
        "StockConsumed",
        "StockReserved",
        "ReservationShortened",
        "ReservationReleased",
        "ReservationExpired",
        "StockCounted",
        "StockTransferredOut",
        "StockTransferredIn",
        "StockExpected",
        "ReorderSuggested",
        "ReorderLapsed",
        "ReorderDismissed",
        "StockCarriedForward",
    ] {
        assert!(
            world.met.get(what).copied().unwrap_or(0) > 50,
            "{what}: {:?}",
            world.met
        );
    }
    assert!(world.kept.iter().all(|kept| kept.carried > 5));
}
