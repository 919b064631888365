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
