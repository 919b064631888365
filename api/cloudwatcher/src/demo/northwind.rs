//! Microsoft's Northwind sample as a tenant: its employees, suppliers, products and 830 orders of
//! 1996 to 1998, read from its CSV files and written by commands.

use std::collections::BTreeMap;
use std::path::Path;

use book::{Answer, Book, Tail};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use http::demo::{AT_ONCE, Act, OnProgress, Person, Story, enter};
use http::{Contexts, Fault};

/// The permissions of an employee; a manager has others besides.
const EMPLOYEE: &[&str] = &[
    "cloudwatcher.order.*",
    "cloudwatcher.orders.read",
    "cloudwatcher.order_items.read",
    "cloudwatcher.order_history.read",
    "cloudwatcher.suppliers.read",
    "cloudwatcher.parts.read",
];
const MANAGER: &[&str] = &[
    "orders.approve",
    "cloudwatcher.approval.*",
    "cloudwatcher.order_approvals.read",
];
/// How these files write a missing value.
const MISSING: &str = "NULL";

/// The tenant that Northwind is loaded into, beside the demo's own.
#[must_use]
pub fn tenant(beside: Uuid) -> Uuid {
    Uuid::new_v5(&beside, b"northwind")
}

/// The files that are read, as they are.
#[derive(Debug)]
pub struct Files {
    categories: Vec<Category>,
    suppliers: Vec<Supplier>,
    products: Vec<Product>,
    employees: Vec<Employee>,
    orders: Vec<Order>,
    details: BTreeMap<u32, Vec<Detail>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    #[serde(rename = "categoryID")]
    id: u32,
    category_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Supplier {
    #[serde(rename = "supplierID")]
    id: u32,
    company_name: String,
    phone: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    #[serde(rename = "productID")]
    id: u32,
    product_name: String,
    #[serde(rename = "supplierID")]
    supplier_id: u32,
    #[serde(rename = "categoryID")]
    category_id: u32,
    quantity_per_unit: String,
    unit_price: Decimal,
    discontinued: u8,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Employee {
    #[serde(rename = "employeeID")]
    id: u32,
    last_name: String,
    first_name: String,
    /// Another employee's id, or `NULL`.
    reports_to: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    #[serde(rename = "orderID")]
    id: u32,
    #[serde(rename = "employeeID")]
    employee_id: u32,
    order_date: String,
    required_date: String,
    /// When it was shipped, or `NULL`.
    shipped_date: String,
    ship_name: String,
    ship_city: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(rename = "orderID")]
    order_id: u32,
    #[serde(rename = "productID")]
    product_id: u32,
    unit_price: Decimal,
    quantity: i32,
    discount: Decimal,
}

impl Files {
    /// Reads the folder.
    ///
    /// # Errors
    /// When a file is missing or has other columns; names the file and the line.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let mut details: BTreeMap<u32, Vec<Detail>> = BTreeMap::new();
        for detail in rows::<Detail>(folder, "order_details.csv")? {
            details.entry(detail.order_id).or_default().push(detail);
        }
        Ok(Self {
            categories: rows(folder, "categories.csv")?,
            suppliers: rows(folder, "suppliers.csv")?,
            products: rows(folder, "products.csv")?,
            employees: rows(folder, "employees.csv")?,
            orders: rows(folder, "orders.csv")?,
            details,
        })
    }

    /// How many commands it will be, about.
    #[must_use]
    pub fn commands(&self) -> u64 {
        (self.orders.len() * 5 + self.products.len() * 2 + self.suppliers.len() + self.employees.len() * 4 + 10) as u64
    }
}

fn rows<R: DeserializeOwned>(folder: &Path, file: &str) -> Result<Vec<R>, Fault> {
    let path = folder.join(file);
    let refused = |error: csv::Error| Fault::Refused(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_path(&path).map_err(refused)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(refused)
}

/// Loads Northwind into a tenant.
///
/// # Errors
/// The failure of the book, or a command that is refused though its effect is not there.
pub async fn load(
    contexts: &Contexts,
    book: &Book,
    tail: &Tail,
    tenant: Uuid,
    files: &Files,
    on_progress: OnProgress<'_>,
) -> Result<(), Fault> {
    let story = Story::new(contexts, book, tail, tenant, 0, on_progress);
    let began = files
        .orders
        .iter()
        .filter_map(|order| time(&order.order_date))
        .min()
        .unwrap_or_else(Utc::now)
        - TimeDelta::days(1);
    let northwind = Northwind {
        admin: story.administrator().await?,
        story: &story,
        files,
        began,
    };
    northwind.people().await?;
    northwind.catalogue().await?;
    let orders: Vec<_> = files.orders.iter().map(|order| northwind.order(order)).collect();
    futures::stream::iter(orders)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    northwind.discontinue().await
}

struct Northwind<'a> {
    story: &'a Story<'a>,
    files: &'a Files,
    admin: Uuid,
    began: DateTime<Utc>,
}

impl Northwind<'_> {
    fn id(&self, kind: &str, n: u32) -> Uuid {
        self.story.id(&format!("{kind}/{n}"))
    }

    /// One department per manager, below that of the manager's own manager.
    async fn people(&self) -> Result<(), Fault> {
        let (story, admin, at) = (self.story, self.admin, self.began);
        for (name, permissions) in [
            ("employee", EMPLOYEE.to_vec()),
            ("manager", [EMPLOYEE, MANAGER].concat()),
        ] {
            let body = json!({ "name": name, "permissions": permissions });
            self.give(
                admin,
                at,
                "identity/roles",
                story.id(&format!("role/{name}")),
                "define",
                body,
            )
            .await?;
        }
        let managers: Vec<u32> = self.files.employees.iter().filter_map(Employee::manager).collect();
        for employee in &self.files.employees {
            let (first, last) = (&employee.first_name, &employee.last_name);
            let role = if managers.contains(&employee.id) {
                "manager"
            } else {
                "employee"
            };
            let person = Person {
                id: self.id("employee", employee.id),
                email: format!("{first}.{last}@northwind.example").to_lowercase(),
                name: &format!("{first} {last}"),
                role: story.id(&format!("role/{role}")),
                department: None,
            };
            story.hire(&person, at).await?;
        }
        let board = json!({ "name": "Northwind Traders", "manager_id": admin });
        story
            .give(enter(admin, at, "identity/departments", self.department(None), board))
            .await?;
        // Whoever reports to nobody comes first, so that a department's parent is there before it.
        let mut above = vec![None];
        while let Some(over) = above.pop() {
            for manager in self
                .files
                .employees
                .iter()
                .filter(|employee| employee.manager() == over)
            {
                if !managers.contains(&manager.id) {
                    continue;
                }
                let department = json!({
                    "name": format!("{}'s team", manager.first_name), "parent_id": self.department(over),
                    "manager_id": self.id("employee", manager.id),
                });
                let stream = self.department(Some(manager.id));
                story
                    .give(enter(admin, at, "identity/departments", stream, department))
                    .await?;
                above.push(Some(manager.id));
            }
        }
        for employee in &self.files.employees {
            let body = json!({ "department_id": self.department(employee.manager()) });
            let stream = self.id("employee", employee.id);
            self.give(admin, at, "identity/users", stream, "join-department", body)
                .await?;
        }
        // Two managers are too few for more than one level.
        let policy = json!({ "currencies": [{ "currency": "USD", "thresholds": ["0"] }] });
        use domain::Decider as _;
        let stream =
            domain::register::Register::<cloudwatcher::approval_policy::ApprovalPolicy>::only_stream(story.tenant);
        story
            .give(enter(admin, at, "cloudwatcher/approval-policies", stream, policy))
            .await?;
        Ok(())
    }

    /// The department of those who report to this employee; the board's for those who report to nobody.
    fn department(&self, manager: Option<u32>) -> Uuid {
        self.id("department", manager.unwrap_or_default())
    }

    async fn catalogue(&self) -> Result<(), Fault> {
        let (story, admin, at) = (self.story, self.admin, self.began);
        for supplier in &self.files.suppliers {
            let entry = json!({ "name": supplier.company_name, "contact_phone": present(&supplier.phone) });
            let stream = self.id("supplier", supplier.id);
            story
                .give(enter(admin, at, "cloudwatcher/suppliers", stream, entry))
                .await?;
        }
        for product in &self.files.products {
            let category = self
                .files
                .categories
                .iter()
                .find(|category| category.id == product.category_id);
            let entry = json!({
                "part_code": format!("NW-{:03}", product.id), "name": product.product_name,
                "category": category.map(|category| &category.category_name),
                "description": present(&product.quantity_per_unit),
            });
            let part = self.id("part", product.id);
            story.give(enter(admin, at, "cloudwatcher/parts", part, entry)).await?;
            let offer = json!({
                "part_id": part, "supplier_id": self.id("supplier", product.supplier_id),
                "supplier_cost": product.unit_price.round_dp(2), "currency": "USD",
            });
            let stream = self.id("offer", product.id);
            story
                .give(enter(admin, at, "cloudwatcher/part-suppliers", stream, offer))
                .await?;
        }
        Ok(())
    }

    async fn order(&self, order: &Order) -> Result<(), Fault> {
        let Some(drafted_at) = time(&order.order_date) else {
            return Err(Fault::Refused(format!("order {} has no date", order.id)));
        };
        let details = self.files.details.get(&order.id).map(Vec::as_slice).unwrap_or_default();
        let items: Vec<Value> = details.iter().map(|detail| self.item(detail)).collect();
        let employee = self
            .files
            .employees
            .iter()
            .find(|employee| employee.id == order.employee_id);
        let department = self.department(employee.and_then(Employee::manager));
        let (by, stream) = (self.id("employee", order.employee_id), self.id("order", order.id));
        let note = format!(
            "Northwind order {} for {}, {}; required by {}",
            order.id,
            order.ship_name,
            order.ship_city,
            order.required_date.split(' ').next().unwrap_or_default()
        );
        let body = json!({ "department_id": department, "currency": "USD", "note": note, "items": items });
        let orders = "cloudwatcher/orders";
        let hours = |hours| drafted_at + TimeDelta::hours(hours);
        if self.give(by, hours(9), orders, stream, "draft", body).await?.is_none() {
            return Ok(());
        }
        self.give(by, hours(10), orders, stream, "submit", json!({})).await?;
        let approver = employee
            .and_then(Employee::manager)
            .map_or(self.admin, |manager| self.id("employee", manager));
        let approve = json!({ "revision": 1 });
        self.give(
            approver,
            hours(12),
            "cloudwatcher/approvals",
            stream,
            "approve",
            approve,
        )
        .await?;
        self.give(by, hours(14), orders, stream, "place", json!({})).await?;
        let Some(shipped_at) = time(&order.shipped_date) else {
            return Ok(());
        };
        let lines = self.received(stream).await?;
        let at = (shipped_at + TimeDelta::hours(16)).max(hours(15));
        self.give(by, at, orders, stream, "receive", json!({ "lines": lines }))
            .await?;
        Ok(())
    }

    fn item(&self, detail: &Detail) -> Value {
        let product = self
            .files
            .products
            .iter()
            .find(|product| product.id == detail.product_id);
        let price = detail.unit_price * (Decimal::ONE - detail.discount);
        json!({
            "part_id": self.id("part", detail.product_id),
            "supplier_id": self.id("supplier", product.map_or(0, |product| product.supplier_id)),
            "quantity": detail.quantity, "unit_price": price.round_dp(2),
        })
    }

    /// Every line of the order, in full.
    async fn received(&self, stream: Uuid) -> Result<Vec<Value>, Fault> {
        use cloudwatcher::order::Order;
        let order = self.story.book.state::<Order>(self.story.tenant, stream).await?;
        let content = order.as_deref().and_then(Order::content);
        let items = content.map(|content| content.items.as_slice()).unwrap_or_default();
        let line = |item: &cloudwatcher::order::Item| json!({ "item_id": item.item_id, "quantity": item.quantity });
        Ok(items.iter().map(line).collect())
    }

    /// Takes out of use what is not sold any more, once its orders are told.
    async fn discontinue(&self) -> Result<(), Fault> {
        let last = self
            .files
            .orders
            .iter()
            .filter_map(|order| time(&order.order_date))
            .max();
        let at = last.unwrap_or_else(Utc::now) + TimeDelta::days(1);
        for product in self.files.products.iter().filter(|product| product.discontinued == 1) {
            let stream = self.id("part", product.id);
            self.give(self.admin, at, "cloudwatcher/parts", stream, "strike", json!({}))
                .await?;
        }
        Ok(())
    }

    async fn give(
        &self,
        by: Uuid,
        at: DateTime<Utc>,
        url: &str,
        stream: Uuid,
        command: &str,
        body: Value,
    ) -> Result<Option<Answer>, Fault> {
        let given = Act {
            by,
            at,
            url,
            stream,
            command,
            body,
            nth: 0,
            reason: None,
        };
        self.story.give(given).await
    }
}

impl Employee {
    fn manager(&self) -> Option<u32> {
        self.reports_to.parse().ok()
    }
}

/// A time as these files write it, UTC; `None` for `NULL`.
fn time(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
        .ok()
        .map(|time| time.and_utc())
}

fn present(text: &str) -> Option<&str> {
    (text != MISSING && !text.is_empty()).then_some(text)
}
