//! What people wrote lies sealed everywhere, is read by who may, and is gone everywhere once it is struck or its author
//! is erased.

use std::time::Duration;

use book::vault::PERSONAL_SECONDS_MAX;
use book::worker::Work as _;
use book::{Book, Envelope, MasterKey, Step};
use cloudwatcher::order::Order;
use identity::redaction::Text;
use projections::erasures::{Erasures, Swept};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::ledger::MASTER_KEY;
use tests::{Client, Ledger, Service};
use uuid::Uuid;

use crate::policies::command;

/// Words that nothing else says.
const NOTE: &str = "Xylographie";
const NEXT_NOTE: &str = "Quittenmus";
const REASON: &str = "Zwetschgenkern";

/// A tenant with one order, by a buyer who wrote its note.
pub struct Shop {
    pub service: Service,
    pub pool: PgPool,
    pub buyer: Client,
    pub order: Uuid,
    pub supplier: Uuid,
}

impl Shop {
    pub async fn open() -> Self {
        Self::of(Service::start().await, NOTE).await
    }

    async fn of(service: Service, note: &str) -> Self {
        let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
        let buyer = service.person(&["*"], &[]).await;
        let (order, supplier) = ordered(&service.admin, &buyer, note).await;
        Self {
            service,
            pool,
            buyer,
            order,
            supplier,
        }
    }
    /// Where a person reads of the order.
    pub fn places(&self, at: i64) -> Vec<String> {
        let order = self.order;
        let row = format!("/v1/cloudwatcher/orders/{order}");
        vec![
            row.clone(),
            format!("{row}/history"),
            format!("{row}?at={at}"),
            "/v1/cloudwatcher/orders?limit=200".to_owned(),
            format!("/v1/cloudwatcher/order_history?order_id={order}&limit=200"),
            format!("/v1/cloudwatcher/audit_logs?record_id={order}&limit=200"),
            format!("/v1/events/{at}"),
            format!("/v1/events?stream={order}"),
            format!("/v1/streams/cloudwatcher/order/{order}"),
            format!("/v1/streams/cloudwatcher/order/{order}/state"),
        ]
    }

    pub fn text(&self, sequence: i64, field: &str) -> Text {
        Text {
            aggregate_type: "cloudwatcher.order".to_owned(),
            stream: self.order,
            sequence,
            field: field.to_owned(),
        }
    }

    pub async fn end(self) {
        self.pool.close().await;
        self.service.end().await;
    }
}

/// An order with this note that the buyer drafts, and its supplier.
pub async fn ordered(owner: &Client, buyer: &Client, note: &str) -> (Uuid, Uuid) {
    let [department, supplier, part, order] = [(); 4].map(|()| Uuid::now_v7());
    let contacts = json!({"name": "Acme", "contact_email": "holler@acme.example", "contact_phone": "030 42424242"});
    let part_body = json!({"part_code": "B-1", "name": "bolt"});
    let enter = format!("/v1/identity/departments/{department}/enter");
    done(owner, &enter, &json!({"name": "Store"})).await;
    done(
        owner,
        &format!("/v1/cloudwatcher/suppliers/{supplier}/enter"),
        &contacts,
    )
    .await;
    done(owner, &format!("/v1/cloudwatcher/parts/{part}/enter"), &part_body).await;
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 3, "unit_price": "1.25"});
    let draft = json!({"department_id": department, "currency": "EUR", "note": note, "items": [item]});
    let row = format!("/v1/cloudwatcher/orders/{order}");
    let at = done(buyer, &format!("{row}/draft"), &draft).await;
    // Whoever reads rows next finds all of it.
    buyer.get_after(&row, at).await.ok();
    (order, supplier)
}

pub async fn done(client: &Client, path: &str, body: &Value) -> i64 {
    let reply = client.post(path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.position()
}

pub async fn because(client: &Client, path: &str, reason: &str, body: &Value) -> tests::service::Reply {
    let request = client.request(Method::POST, path).header("Daybook-Reason", reason);
    client.send(request.json(body)).await
}

/// Waits until what was erased is swept.
pub async fn swept(pool: &PgPool) {
    let left = "select count(*) from book.keys where destroyed_at is not null and swept_at is null";
    let look = || async {
        let left: i64 = sqlx::query_scalar(left).fetch_one(pool).await.unwrap();
        (left == 0).then_some(())
    };
    tests::until("the sweep", Duration::from_secs(60), look).await;
}

/// Every row of every table of the database that says a word, as `schema.table`.
pub async fn rows_with(pool: &PgPool, word: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
           and n.nspname not like 'pg_temp%'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let says: bool = sqlx::query_scalar(&format!(
            "select exists (select from {table} t where strpos(lower(t::text), lower($1)) > 0)"
        ))
        .bind(word)
        .fetch_one(pool)
        .await
        .unwrap_or_else(|error| panic!("{table}: {error}"));
        if says {
            found.push(table);
        }
    }
    found
}

/// Asserts that each of these reads says the word, or that none does; no read shows how a text lies sealed.
async fn tell(client: &Client, places: &[String], posted: i64, word: &str, expected: bool) {
    for place in places {
        let reply = client.get_after(place, posted).await;
        assert_eq!(reply.status, 200, "{place}: {}", reply.text);
        assert_eq!(reply.text.contains(word), expected, "{place}: {}", reply.text);
        assert!(!reply.text.contains("⟦text:"), "{place}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_read_by_who_may_until_it_is_struck_and_lies_sealed_all_the_while() {
    let shop = Shop::open().await;
    let (owner, order) = (&shop.service.admin, shop.order);
    let head = owner.get(&format!("/v1/streams/cloudwatcher/order/{order}")).await.ok();
    let drafted = head["events"][0]["position"].as_i64().unwrap();
    let places = shop.places(drafted);
    // The history in words has no note of a draft.
    let with_note: Vec<String> = places
        .iter()
        .filter(|place| !place.contains("order_history"))
        .cloned()
        .collect();
    tell(owner, &with_note, drafted, NOTE, true).await;
    assert_eq!(
        rows_with(&shop.pool, NOTE).await,
        [""; 0],
        "rows and events have it sealed"
    );

    let redact = "/v1/identity/redactions";
    let body = json!(shop.text(1, "note"));
    let position = because(owner, redact, REASON, &body).await.position();
    tell(owner, &places, position, NOTE, false).await;
    let row = owner.get(&format!("/v1/cloudwatcher/orders/{order}")).await.ok();
    assert_eq!(row["note"], Value::Null);
    let again = because(owner, redact, "once more", &body).await;
    assert_eq!(again.json()["events"], json!([]), "{}", again.text);

    // The order goes on, and the next note is another text.
    let path = format!("/v1/cloudwatcher/orders/{order}");
    let annotated = because(
        &shop.buyer,
        &format!("{path}/annotate"),
        REASON,
        &json!({"note": NEXT_NOTE}),
    )
    .await;
    let annotated = annotated.position();
    let row = owner.get_after(&path, annotated).await.ok();
    assert_eq!(row["note"], NEXT_NOTE);
    let history = format!("/v1/cloudwatcher/order_history?order_id={order}&event_type=note-changed");
    let told = owner.get_after(&history, annotated).await.ok();
    let told = &told["rows"][0]["metadata"];
    assert_eq!(
        (&told["changed"]["note"], &told["reason"]),
        (&json!({"new": NEXT_NOTE}), &json!(REASON)),
        "{told}"
    );

    // A reason is struck as any text is.
    let event = owner.get(&format!("/v1/events/{annotated}")).await.ok();
    assert_eq!(event["reason"], REASON);
    let reason = shop.text(event["sequence"].as_i64().unwrap(), "@reason");
    let position = because(owner, redact, "so", &json!(reason)).await.position();
    tell(owner, &shop.places(annotated), position, REASON, false).await;
    for word in [NOTE, NEXT_NOTE, REASON] {
        assert_eq!(rows_with(&shop.pool, word).await, [""; 0], "{word}");
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_sealed_text_of_ones_own_is_not_struck() {
    let shop = Shop::open().await;
    let owner = &shop.service.admin;
    let redact =
        async |client: &Client, text: Text| because(client, "/v1/identity/redactions", "so", &json!(text)).await;
    let none = redact(owner, shop.text(9, "note")).await;
    none.problem(404);
    let currency = redact(owner, shop.text(1, "currency")).await.problem(400);
    assert!(currency["detail"].as_str().unwrap().contains("no text"), "{currency}");
    for unfit in [shop.text(0, "note"), shop.text(1, ""), shop.text(1, "a\0b")] {
        assert_eq!(redact(owner, unfit).await.problem(422)["rule"], "unfit");
    }
    let person = Text {
        aggregate_type: "identity.user".to_owned(),
        stream: owner.user,
        sequence: 1,
        field: "email".to_owned(),
    };
    let person = redact(owner, person).await.problem(400);
    assert!(person["detail"].as_str().unwrap().contains("erased"), "{person}");
    redact(owner, shop.text(1, "@reason")).await.problem(400);
    let reply = owner
        .post("/v1/identity/redactions", &json!(shop.text(1, "note")))
        .await;
    reply.problem(422);
    // Under another id than the text's.
    let of_order = format!("/v1/identity/redactions/{}/redact", shop.order);
    because(owner, &of_order, "so", &json!(shop.text(1, "note")))
        .await
        .problem(422);
    let other = Service::start_tenant(&shop.service).await;
    redact(&other, shop.text(1, "note")).await.problem(404);
    let elsewhere = Uuid::now_v7();
    let enter = format!("/v1/identity/departments/{elsewhere}/enter");
    done(owner, &enter, &json!({"name": "Elsewhere"})).await;
    let outsider = shop.service.person(&["identity.redaction.redact"], &[elsewhere]).await;
    redact(&outsider, shop.text(1, "note")).await.problem(404);
    let nobody = shop.service.person(&["audit.read"], &[]).await;
    redact(&nobody, shop.text(1, "note")).await.problem(403);
    // That somebody's else is struck, and why, is told to those alone who see what it was in.
    let auditor = shop.service.person(&["audit.read"], &[elsewhere]).await;
    let change = json!({"note": "to be struck"});
    let annotate = format!("/v1/cloudwatcher/orders/{}/annotate", shop.order);
    let annotated = because(&shop.buyer, &annotate, REASON, &change).await;
    let sequence = annotated.json()["sequence"].as_i64().unwrap();
    let struck = redact(owner, shop.text(sequence, "@reason")).await.position();
    owner.get(&format!("/v1/events/{struck}")).await.ok();
    auditor.get(&format!("/v1/events/{struck}")).await.problem(404);
    let seen = auditor.get("/v1/events?type=TextRedacted").await.ok();
    assert_eq!(seen["events"], json!([]), "{seen}");
    let row = owner.get(&format!("/v1/cloudwatcher/orders/{}", shop.order)).await.ok();
    assert_eq!(row["note"], "to be struck");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_strikes_all_that_the_person_wrote_and_nothing_that_others_did() {
    let shop = Shop::open().await;
    let (owner, order) = (&shop.service.admin, shop.order);
    let path = format!("/v1/cloudwatcher/orders/{order}");
    let annotated = because(owner, &format!("{path}/annotate"), REASON, &json!({"note": NEXT_NOTE})).await;
    let annotated = annotated.position();
    let erase = format!("/v1/identity/users/{}/erase", shop.buyer.user);
    let position = because(owner, &erase, "they asked for it", &json!({})).await.position();
    tell(owner, &shop.places(annotated), position, NOTE, false).await;
    let row = owner.get(&path).await.ok();
    assert_eq!(row["note"], NEXT_NOTE);
    let event = owner.get(&format!("/v1/events/{annotated}")).await.ok();
    assert_eq!(
        (&event["reason"], &event["payload"]["note"]),
        (&json!(REASON), &json!(NEXT_NOTE))
    );
    let erased = owner.get(&format!("/v1/events/{position}")).await.ok();
    assert_eq!(erased["reason"], "they asked for it");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_erased_person_has_on_its_way_cannot_be_read_from_the_outset() {
    let ledger = Ledger::open().await;
    let user = ledger.approver().await;
    ledger
        .does::<identity::user::User>(user, command(json!({"erase": {}})))
        .await;
    // Another process may take them for somebody who may act, for a moment.
    let envelope = Envelope {
        actor: user,
        reason: Some(REASON.to_owned()),
        ..ledger.envelope()
    };
    let department = Uuid::now_v7();
    let enter = command(json!({"enter": {"name": "Store"}}));
    let step = Step::of::<domain::register::Register<identity::department::Department>>(department, None, enter);
    let answer = ledger.book.execute(envelope, vec![step]).await.unwrap();
    let recorded = ledger.tail.at(&[answer.position]).await.unwrap();
    assert!(recorded[0].metadata.reason.is_some());
    let shown = ledger.tail.with_texts(recorded).await.unwrap();
    assert_eq!(shown[0].metadata.reason, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_decides_on_a_struck_text_for_five_seconds_at_most() {
    let shop = Shop::open().await;
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let beside = Book::new(shop.pool.clone(), master, tests::decisions());
    let says = async || {
        let order = beside
            .state::<Order>(shop.service.tenant, shop.order)
            .await
            .unwrap()
            .unwrap();
        serde_json::to_string(&*order).unwrap().contains(NOTE)
    };
    assert!(says().await);
    let body = json!(shop.text(1, "note"));
    because(&shop.service.admin, "/v1/identity/redactions", "so", &body)
        .await
        .position();
    let limit = Duration::from_secs(PERSONAL_SECONDS_MAX + 2);
    tests::until("forgetting", limit, async || (!says().await).then_some(())).await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_of_a_supplier_lie_sealed_and_are_forgotten_everywhere() {
    let shop = Shop::open().await;
    let owner = &shop.service.admin;
    let path = format!("/v1/cloudwatcher/suppliers/{}", shop.supplier);
    let row = owner.get(&path).await.ok();
    assert_eq!(
        (&row["contact_email"], &row["contact_phone"]),
        (&json!("holler@acme.example"), &json!("030 42424242"))
    );
    assert_eq!(rows_with(&shop.pool, "holler").await, ["cloudwatcher.suppliers"]);
    let position = done(owner, &format!("{path}/forget-contacts"), &json!({})).await;
    let row = owner.get_after(&path, position).await.ok();
    assert_eq!(
        (&row["contact_email"], &row["contact_phone"]),
        (&Value::Null, &Value::Null)
    );
    for place in [
        format!("{path}/history"),
        format!("/v1/streams/cloudwatcher/supplier/{}", shop.supplier),
    ] {
        let told = owner.get(&place).await;
        assert!(told.status == 200 && !told.text.contains("holler"), "{}", told.text);
    }
    assert_eq!(rows_with(&shop.pool, "holler").await, [""; 0]);
    // They may have others from then on.
    let amend = json!({"name": "Acme", "contact_email": "neu@acme.example"});
    let position = done(owner, &format!("{path}/amend"), &amend).await;
    assert_eq!(
        owner.get_after(&path, position).await.ok()["contact_email"],
        "neu@acme.example"
    );
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_tables_and_rebuilds_that_are_not_so_far() {
    let ledger = Ledger::open().await;
    let erasures = Erasures {
        contexts: tests::tables(),
        pools: ledger.pools.clone(),
        tail: ledger.tail.clone(),
    };
    assert!(erasures.turn_limit() > Duration::from_secs(60));
    assert_eq!(erasures.sweep().await.unwrap(), Swept::Nothing);
    let user = ledger.approver().await;
    let mut looking = ledger.pools.owner.begin().await.unwrap();
    for look in [
        "set transaction isolation level repeatable read",
        "select from book.keys limit 1",
    ] {
        sqlx::query(look).execute(&mut *looking).await.unwrap();
    }
    ledger
        .does::<identity::user::User>(user, command(json!({"erase": {}})))
        .await;
    // Nobody posts the tables of this database.
    assert_eq!(erasures.sweep().await.unwrap(), Swept::NotYet);
    for context in tests::tables() {
        projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
            .await
            .unwrap();
    }
    // A vacuum would leave what somebody looks at.
    assert_eq!(erasures.sweep().await.unwrap(), Swept::NotYet);
    looking.rollback().await.unwrap();
    assert_eq!(erasures.sweep().await.unwrap(), Swept::All);
    let aside: i64 = sqlx::query_scalar("select count(*) from book.generations where state <> 'live'")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(aside, 0);
    assert_eq!(erasures.sweep().await.unwrap(), Swept::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_a_deleted_tenant_are_gone_from_rows_although_no_event_says_so() {
    let ledger = Ledger::open().await;
    let erasures = Erasures {
        contexts: tests::tables(),
        pools: ledger.pools.clone(),
        tail: ledger.tail.clone(),
    };
    ledger.approver().await;
    for context in tests::tables() {
        projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
            .await
            .unwrap();
    }
    let pool = &ledger.pools.owner;
    assert!(rows_with(pool, "Mona").await.contains(&"cloudwatcher.users".to_owned()));
    sqlx::query("insert into book.tenants values ($1, 'deleted', clock_timestamp())")
        .bind(ledger.tenant)
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(
        erasures.sweep().await.unwrap(),
        Swept::NotYet,
        "keys are remembered for a while"
    );
    let sweep = || async { (erasures.sweep().await.unwrap() == Swept::All).then_some(()) };
    tests::until("the sweep", Duration::from_secs(30), sweep).await;
    assert_eq!(rows_with(pool, "Mona").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_to_former_tables_brings_no_deleted_tenant_back() {
    let ledger = Ledger::open().await;
    let context = &cloudwatcher_tables::CONTEXT;
    ledger.approver().await;
    for _ in 0..2 {
        projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
            .await
            .unwrap();
    }
    let pool = &ledger.pools.owner;
    sqlx::query("insert into book.tenants values ($1, 'deleted', clock_timestamp())")
        .bind(ledger.tenant)
        .execute(pool)
        .await
        .unwrap();
    projections::forget::tenant(&ledger.pools.projector, context, ledger.tenant)
        .await
        .unwrap();
    projections::rebuild::rollback(&ledger.pools, &ledger.tail, context)
        .await
        .unwrap();
    let people: i64 = sqlx::query_scalar("select count(*) from cloudwatcher.users")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(people, 0);
}
