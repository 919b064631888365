//! What one number of a sequence means: mostly the next sensible step of an order, else anything by
//! anybody, or a change of the world around.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::world::{DEPARTMENTS, ORDERS, PARTS, SUPPLIERS, USERS, World};
use crate::approval::{Approval, Command as Ask, Pending};
use crate::order::{Command, ItemChange, NewItem, NewOrder, Order};
use crate::{OrderStatus, OrderType, delegation};

/// The digits of a number, drawn one after another.
struct Draw(u32);

impl Draw {
    fn below(&mut self, bound: u32) -> u32 {
        let digit = self.0 % bound;
        self.0 /= bound;
        digit
    }

    fn of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u32) as usize]
    }
}

impl World {
    pub(super) fn step(&mut self, number: u32) -> Result<(), String> {
        let mut draw = Draw(number);
        let kind = draw.below(100);
        let order = draw.of(&ORDERS);
        match kind {
            0..45 => self.next_step_of(order, &mut draw),
            45..53 => self.edit(order, &mut draw),
            53..60 => self.anybody_decides(order, &mut draw),
            60..67 => self.policy_catches_up(&mut draw),
            67..71 => self.policy_repeats(&mut draw),
            71..75 => self.order_step(order, &mut draw),
            75..80 => self.delegate(&mut draw),
            80..84 => self.people_change(&mut draw),
            84..88 => self.departments_change(&mut draw),
            88..90 => {
                self.policy_is(draw.below(3) as usize);
                Ok(())
            }
            90..94 => {
                self.time_passes(TimeDelta::hours(draw.of(&[1, 25, 50])));
                Ok(())
            }
            94..98 => self.timer_fires(&mut draw),
            _ => {
                let by = draw.of(&USERS);
                let command = draw.of(&[0, 1, 2]);
                let command = match command {
                    0 => Ask::Reassign {},
                    1 => Ask::Void {
                        by: None,
                        cancelled_at: None,
                    },
                    _ => Ask::Ask {
                        revision: draw.of(&[1, 2, 3]),
                        submitted_at: None,
                    },
                };
                self.approval(by, order, &command).map(drop)
            }
        }
    }

    /// What those concerned would do next, if nothing else happened.
    fn next_step_of(&mut self, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        let order = self.state::<Order>(id);
        let drafted_by = order.and_then(Order::content).map(|content| content.drafted_by);
        let buyer = draw.of(&[USERS[0], USERS[0], USERS[1], USERS[2]]);
        let by = drafted_by.unwrap_or(buyer);
        match order.and_then(Order::status) {
            None => self.draft(buyer, id, draw),
            Some(OrderStatus::Draft) => self.order(by, id, &Command::Submit {}).map(drop),
            Some(OrderStatus::PendingApproval) => self.named_approves(id, draw),
            Some(OrderStatus::Approved) => self.order(by, id, &Command::Place {}).map(drop),
            Some(
                OrderStatus::Ordered
                | OrderStatus::PartiallyReceived
                | OrderStatus::Received
                | OrderStatus::ClosedShort
                | OrderStatus::Cancelled,
            ) => Ok(()),
        }
    }

    fn draft(&mut self, by: Uuid, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        if draw.below(4) == 0 {
            let of = draw.of(&ORDERS);
            return self.order(by, id, &Command::Duplicate { of, note: None }).map(drop);
        }
        let department_id = draw.of(&[DEPARTMENTS[0], DEPARTMENTS[0], DEPARTMENTS[1]]);
        let currency = draw.of(&["EUR", "EUR", "USD"]).to_owned();
        let order = NewOrder {
            order_type: OrderType::Purchase,
            department_id,
            currency,
            tolerance_percent: 0,
            request_id: None,
            location_id: None,
            from_location_id: None,
            note: None,
            items: vec![item(draw), item(draw)],
        };
        self.order(by, id, &Command::Draft(order)).map(drop)
    }

    /// The policy catches up with the order, then whoever is asked approves, or their delegate.
    fn named_approves(&mut self, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        while !self.waiting.is_empty() {
            self.send_waiting(0)?;
        }
        let Some(Approval::Pending(Pending {
            asked,
            open: Some(open),
            ..
        })) = self.state::<Approval>(id)
        else {
            return Ok(());
        };
        let (revision, approver) = (asked.revision, open.approver_id);
        let stands_in = self.oracle.delegated.values().find(|of| of.from == approver);
        let by = match (draw.below(3), stands_in) {
            (0, Some(delegated)) => delegated.to,
            _ => approver,
        };
        self.approval(by, id, &Ask::Approve { revision, notes: None })?;
        // Half of the time the decision is told to the order at once.
        if draw.below(2) == 0 {
            self.order(by, id, &Command::SettleApproval {})?;
        }
        Ok(())
    }

    fn anybody_decides(&mut self, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        let by = draw.of(&USERS);
        let latest = self
            .state::<Order>(id)
            .and_then(Order::submitted)
            .map_or(1, |of| of.revision);
        let revision = latest - draw.of(&[0, 0, 0, 1]);
        let command = match draw.below(5) {
            0 => Ask::Reject {
                revision,
                notes: "no".to_owned(),
            },
            _ => Ask::Approve { revision, notes: None },
        };
        self.approval(by, id, &command).map(drop)
    }

    fn edit(&mut self, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        let by = draw.of(&[USERS[0], USERS[1], USERS[2], USERS[3]]);
        let items = self
            .state::<Order>(id)
            .and_then(Order::content)
            .map(|content| &content.items);
        let Some(line) = items.map(|items| items[draw.below(items.len() as u32) as usize].clone()) else {
            return Ok(());
        };
        let change = ItemChange {
            item_id: line.item_id,
            part_id: None,
            variant_id: None,
            without_variant: false,
            supplier_id: None,
            quantity: None,
            unit_price: None,
            expected_delivery_date: None,
        };
        let command = match draw.below(8) {
            0 => Command::AddItem(item(draw)),
            1 => Command::RemoveItem { item_id: line.item_id },
            2 => Command::ChangeCurrency {
                currency: draw.of(&["EUR", "USD"]).to_owned(),
            },
            3 => Command::ChangeItem(ItemChange {
                supplier_id: Some(draw.of(&SUPPLIERS)),
                ..change
            }),
            4 => Command::ChangeItem(ItemChange {
                unit_price: Some(price(draw)),
                ..change
            }),
            5 => Command::ChangeItem(ItemChange {
                part_id: Some(draw.of(&PARTS)),
                ..change
            }),
            // Less of it, or more.
            _ => Command::ChangeItem(ItemChange {
                quantity: Some((line.quantity + draw.of(&[-1, -1, 1])).max(1)),
                ..change
            }),
        };
        self.order(by, id, &command).map(drop)
    }

    fn order_step(&mut self, id: Uuid, draw: &mut Draw) -> Result<(), String> {
        let by = draw.of(&USERS);
        let command = match draw.below(8) {
            0 => Command::Cancel {},
            1..=3 => Command::SettleApproval {},
            4..=6 => Command::Place {},
            _ => Command::Submit {},
        };
        self.order(by, id, &command).map(drop)
    }

    fn policy_catches_up(&mut self, draw: &mut Draw) -> Result<(), String> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        // Out of order at times: several workers may carry out what the policy wants.
        let place = draw.below(self.waiting.len().min(3) as u32) as usize;
        self.send_waiting(place)
    }

    fn send_waiting(&mut self, place: usize) -> Result<(), String> {
        let reaction = self.waiting.remove(place);
        self.send(&reaction)?;
        self.sent.push(reaction);
        Ok(())
    }

    fn policy_repeats(&mut self, draw: &mut Draw) -> Result<(), String> {
        if self.sent.is_empty() {
            return Ok(());
        }
        self.meet("a stale repeat");
        let reaction = self.sent[draw.below(self.sent.len() as u32) as usize].clone();
        self.send(&reaction)
    }

    fn delegate(&mut self, draw: &mut Draw) -> Result<(), String> {
        let by = draw.of(&USERS);
        if draw.below(5) == 0 {
            let own = self.oracle.delegated.iter().find(|(_, of)| of.from == by);
            return match own.map(|(&delegation_id, _)| delegation_id) {
                Some(delegation_id) => self.delegation(by, &delegation::Command::Revoke { delegation_id }),
                None => Ok(()),
            };
        }
        let (starts_in, lasts) = draw.of(&[(0, 24), (0, 240), (0, 240), (30, 100)]);
        let starts_at = self.now + TimeDelta::hours(starts_in);
        let total_max = draw.of(&[None, None, Some(Decimal::from(150))]);
        let command = delegation::Command::Grant {
            to: draw.of(&USERS),
            starts_at: Some(starts_at),
            ends_at: starts_at + TimeDelta::hours(lasts),
            department_ids: draw
                .of(&[None, None, Some(DEPARTMENTS[0]), Some(DEPARTMENTS[1])])
                .into_iter()
                .collect(),
            total_max,
            currency: total_max.map(|_| draw.of(&["EUR", "EUR", "USD"]).to_owned()),
        };
        self.delegation(by, &command)
    }

    fn people_change(&mut self, draw: &mut Draw) -> Result<(), String> {
        let place = draw.below(USERS.len() as u32) as usize;
        // More often well than not, so that orders are approved.
        let (is_active, is_permitted) = draw.of(&[(true, true), (true, true), (false, true), (true, false)]);
        self.user_becomes(place, is_active, is_permitted);
        Ok(())
    }

    fn departments_change(&mut self, draw: &mut Draw) -> Result<(), String> {
        let place = draw.below(DEPARTMENTS.len() as u32) as usize;
        if draw.below(4) == 0 {
            self.oracle.parent[0] = Some(draw.of(&[1, 2]));
            self.department_is_as_the_oracle_has_it(0);
        } else {
            self.oracle.manager[place] = draw
                .of(&[None, Some(1), Some(2), Some(3), Some(4)])
                .map(|user: usize| USERS[user]);
            self.department_is_as_the_oracle_has_it(place);
        }
        Ok(())
    }

    /// The timer that is due first: on time, after waiting for it, or too early.
    fn timer_fires(&mut self, draw: &mut Draw) -> Result<(), String> {
        let first = self.timers.values().min_by_key(|(due_at, ..)| *due_at).cloned();
        let Some((due_at, command, stream)) = first else {
            return Ok(());
        };
        if draw.below(4) > 0 && due_at > self.now {
            self.time_passes(due_at - self.now);
        }
        self.approval(domain::SYSTEM, stream, &command).map(drop)
    }
}

fn item(draw: &mut Draw) -> NewItem {
    NewItem {
        part_id: draw.of(&PARTS),
        variant_id: None,
        supplier_id: draw.of(&SUPPLIERS),
        quantity: draw.of(&[1, 2, 4]),
        unit_price: price(draw),
        expected_delivery_date: None,
    }
}

fn price(draw: &mut Draw) -> Decimal {
    Decimal::new(draw.of(&[100, 4_000, 9_000, 40_000]), 2)
}
