//! Unique values in commands of several steps: what the steps do together is what counts.

use book::{Answer, ExecuteError, Step};
use cloudwatcher::part::{PART_CODE, Part};
use domain::register::{Command, Register};
use serde_json::json;
use tests::Ledger;
use uuid::Uuid;

type Parts = Register<Part>;

fn part(code: &str) -> Part {
    serde_json::from_value(json!({"part_code": code, "name": "bolt"})).unwrap()
}

fn enter(stream: Uuid, code: &str) -> Step {
    Step::of::<Parts>(stream, None, Command::Enter(part(code)))
}

fn amend(stream: Uuid, code: &str) -> Step {
    Step::of::<Parts>(stream, None, Command::Amend(part(code).into()))
}

async fn does(ledger: &Ledger, steps: Vec<Step>) -> Result<Answer, ExecuteError> {
    ledger.book.execute(ledger.envelope(), steps).await
}

fn is_taken(answer: &Result<Answer, ExecuteError>) -> bool {
    matches!(answer, Err(ExecuteError::Claimed { claim }) if *claim == PART_CODE)
}

#[tokio::test]
async fn two_steps_of_one_command_cannot_take_the_same_value() {
    let ledger = Ledger::open().await;
    let answer = does(
        &ledger,
        vec![enter(Uuid::now_v7(), "ONE"), enter(Uuid::now_v7(), "ONE")],
    )
    .await;
    assert!(is_taken(&answer), "{answer:?}");
    assert_eq!(ledger.tail.end().await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_asks_who_holds_values_is_told_of_their_own_however_many_ask_at_one_time() {
    let mut ledger = Ledger::open().await;
    let tenants = [ledger.tenant, Uuid::now_v7()];
    let codes: Vec<String> = (0..20).map(|n| format!("CODE-{n}")).collect();
    let mut held = Vec::new();
    for tenant in tenants {
        ledger.tenant = tenant;
        for code in codes.iter().step_by(2) {
            let stream = Uuid::now_v7();
            ledger.does::<Parts>(stream, Command::Enter(part(code))).await;
            held.push((tenant, code.clone(), stream));
        }
    }
    let holder = |tenant, code: &str| {
        let mut held = held.iter().filter(|held| held.0 == tenant && held.1 == code);
        held.next().map(|held| held.2)
    };
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..200 {
        let tenant = tenants[n % 2];
        let asked: Vec<String> = codes.iter().cycle().skip(n).take(n % 4).cloned().collect();
        let expected: Vec<_> = asked.iter().map(|code| holder(tenant, code)).collect();
        let book = ledger.book.clone();
        asking.spawn(async move { (book.each_holder(tenant, PART_CODE, &asked).await.unwrap(), expected) });
    }
    // Some leave before they are told, one of them maybe while it asks for the others.
    for n in 0..200 {
        let (book, asked) = (ledger.book.clone(), [codes[n % 20].clone()]);
        let asking = tokio::spawn(async move { book.each_holder(tenants[0], PART_CODE, &asked).await });
        tokio::task::yield_now().await;
        asking.abort();
    }
    while let Some(told) = asking.join_next().await {
        let (told, expected) = told.unwrap();
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn one_command_moves_a_value_from_one_stream_to_another() {
    let ledger = Ledger::open().await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    ledger.does::<Parts>(first, Command::Enter(part("ONE"))).await;
    does(&ledger, vec![amend(first, "TWO"), enter(second, "ONE")])
        .await
        .unwrap();
    for code in ["ONE", "TWO"] {
        assert!(
            is_taken(&does(&ledger, vec![enter(Uuid::now_v7(), code)]).await),
            "{code}"
        );
    }
    // And swaps them, which no two commands could do.
    does(&ledger, vec![amend(first, "ONE"), amend(second, "TWO")])
        .await
        .unwrap();
    ledger.does::<Parts>(first, Command::Amend(part("THREE").into())).await;
    assert!(is_taken(&does(&ledger, vec![enter(Uuid::now_v7(), "TWO")]).await));
    ledger.does::<Parts>(Uuid::now_v7(), Command::Enter(part("ONE"))).await;
}

#[tokio::test]
async fn a_value_that_one_command_takes_and_gives_back_is_free_afterwards() {
    let ledger = Ledger::open().await;
    let stream = Uuid::now_v7();
    does(&ledger, vec![enter(stream, "ONE"), amend(stream, "TWO")])
        .await
        .unwrap();
    ledger.does::<Parts>(Uuid::now_v7(), Command::Enter(part("ONE"))).await;
    // There and back again is no change: the value stays taken by whom it was.
    does(&ledger, vec![amend(stream, "THREE"), amend(stream, "TWO")])
        .await
        .unwrap();
    assert!(is_taken(&does(&ledger, vec![enter(Uuid::now_v7(), "TWO")]).await));
    ledger
        .does::<Parts>(Uuid::now_v7(), Command::Enter(part("THREE")))
        .await;
}

#[tokio::test]
async fn a_command_of_several_steps_that_meets_a_taken_value_writes_nothing_and_takes_nothing() {
    let ledger = Ledger::open().await;
    ledger
        .does::<Parts>(Uuid::now_v7(), Command::Enter(part("TAKEN")))
        .await;
    let answer = does(
        &ledger,
        vec![enter(Uuid::now_v7(), "FREE"), enter(Uuid::now_v7(), "TAKEN")],
    )
    .await;
    assert!(is_taken(&answer), "{answer:?}");
    assert_eq!(ledger.tail.end().await.unwrap(), 1);
    ledger.does::<Parts>(Uuid::now_v7(), Command::Enter(part("FREE"))).await;
}
