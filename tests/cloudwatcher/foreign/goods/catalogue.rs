//! Suppliers, and the parts that they offer.

use serde_json::{Value, json};

use super::{Goods, Sent};

impl Goods {
    /// What a supplier sells.
    pub(super) fn offer(&self, supplier: &str) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id(supplier)})
    }

    /// What one does with them.
    pub(super) fn catalogue_command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("suppliers", "enter") => (json!({"name": "again"}), 422),
            ("suppliers", "amend") => (json!({"name": "amended"}), 200),
            ("parts", "enter") => (json!({"part_code": "again", "name": "nut"}), 422),
            ("parts", "amend") => (json!({"part_code": "amended", "name": "nut"}), 200),
            ("part-variants", "enter") => (json!({"part_id": self.id("bolt"), "variant_code": "again"}), 422),
            ("part-variants", "amend") => (json!({"part_id": self.id("bolt"), "variant_code": "amended"}), 200),
            ("part-suppliers", "enter") => (self.offer("suppliers"), 422),
            ("part-suppliers", "amend") => {
                let mut offer = self.offer("suppliers");
                offer["sku"] = json!("amended");
                (offer, 200)
            }
            ("suppliers", "forget-contacts") => (none(), 200),
            ("suppliers" | "parts" | "part-variants" | "part-suppliers", "strike") => (none(), 200),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}
