//! The model: what any shopkeeper would write down. It shares nothing with what it is compared to.

use std::collections::{BTreeMap, BTreeSet};

/// One thing that is asked of stock key number `at`. Reservations and orders go by number, too; those
/// with an odd number expire, at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Receive {
        quantity: i64,
        order: Option<u64>,
        /// What the order is said to bring afterwards.
        still: Option<i64>,
    },
    Take {
        quantity: i64,
        kept: Option<u64>,
    },
    Reserve {
        quantity: i64,
        kept: u64,
    },
    Shorten {
        left: i64,
        kept: u64,
    },
    Release {
        kept: u64,
    },
    Expire {
        kept: u64,
    },
    Count {
        /// How many events ago the list was made, and what was on hand then.
        back: usize,
        /// Whether another count came since.
        is_settled: bool,
        was: i64,
        seen: i64,
        counted: i64,
    },
    Transfer {
        quantity: i64,
        kept: Option<u64>,
        to: usize,
    },
    Expect {
        order: u64,
        quantity: i64,
    },
}

#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    pub on_hand: BTreeMap<usize, i64>,
    pub kept: BTreeMap<(usize, u64), i64>,
    pub ended: BTreeSet<(usize, u64)>,
    pub coming: BTreeMap<(usize, u64), i64>,
}

impl Books {
    pub fn kept_at(&self, at: usize) -> i64 {
        let of_key = self.kept.iter().filter(|((key, _), _)| *key == at);
        of_key.map(|(_, quantity)| quantity).sum()
    }

    pub fn coming_to(&self, at: usize) -> i64 {
        let of_key = self.coming.iter().filter(|((key, _), _)| *key == at);
        of_key.map(|(_, quantity)| quantity).sum()
    }

    /// Writes the step down, if it may happen.
    pub fn step(&mut self, at: usize, step: Step) -> bool {
        let on_hand = self.on_hand.get(&at).copied().unwrap_or(0);
        let free = on_hand - self.kept_at(at);
        match step {
            Step::Receive { quantity, order, still } => {
                self.on_hand.insert(at, on_hand + quantity);
                if let Some(order) = order {
                    let coming = self.coming.entry((at, order)).or_default();
                    *coming = still.unwrap_or(0.max(*coming - quantity));
                }
            }
            Step::Take { quantity, kept } => return self.take(at, quantity, kept, free),
            Step::Reserve { quantity, kept } => match self.kept.get(&(at, kept)) {
                Some(same) => return *same == quantity,
                None if quantity > free || self.ended.contains(&(at, kept)) => return false,
                None => _ = self.kept.insert((at, kept), quantity),
            },
            Step::Shorten { left, kept } => match self.kept.get_mut(&(at, kept)) {
                Some(quantity) if left > *quantity => return false,
                Some(quantity) => *quantity = left,
                None => {}
            },
            Step::Expire { kept } if kept % 2 == 0 && self.kept.contains_key(&(at, kept)) => return false,
            Step::Release { kept } | Step::Expire { kept } => {
                if self.kept.remove(&(at, kept)).is_some() {
                    self.ended.insert((at, kept));
                }
            }
            Step::Count {
                is_settled,
                was,
                seen,
                counted,
                ..
            } => {
                if is_settled || was != seen || on_hand + counted - seen < 0 {
                    return false;
                }
                self.on_hand.insert(at, on_hand + counted - seen);
            }
            Step::Transfer { quantity, kept, to } => {
                let is_taken = at != to && at % 2 == to % 2 && self.take(at, quantity, kept, free);
                if is_taken {
                    *self.on_hand.entry(to).or_default() += quantity;
                }
                return is_taken;
            }
            Step::Expect { order, quantity } => _ = self.coming.insert((at, order), quantity),
        }
        true
    }

    fn take(&mut self, at: usize, quantity: i64, kept: Option<u64>, free: i64) -> bool {
        let of = kept.map_or(free, |kept| self.kept.get(&(at, kept)).copied().unwrap_or(0));
        let on_hand = self.on_hand.entry(at).or_default();
        if quantity > of || quantity > *on_hand {
            return false;
        }
        *on_hand -= quantity;
        if let Some(kept) = kept {
            self.kept.insert((at, kept), of - quantity);
            if of == quantity {
                self.kept.remove(&(at, kept));
                self.ended.insert((at, kept));
            }
        }
        true
    }
}
