//! How a jar is cleared: as any command is carried out, and the shelf counts it.

use book::{Answer, Step};
use domain::Decider as _;
use http::command::{Received, Receiver, Would};
use http::problem::Problem;
use sample::jar::{AGGREGATE, Jar};

use crate::shelf::Shelf;

/// Who receives the command.
pub const RECEIVER: Receiver = Receiver {
    aggregate_type: Jar::TYPE,
    command: CLEAR,
    carry_out: |received| Box::pin(carry_out(received)),
    rehearse: |received| Box::pin(rehearse(received)),
    offers: |state, jar, asker| AGGREGATE.offers(state, CLEAR, jar, asker),
};

const CLEAR: &str = "clear";

async fn carry_out(received: Received<'_>) -> Result<Answer, Problem> {
    let step = step(&received);
    let Received {
        app, sent, envelope, ..
    } = received;
    let executed = app.book.execute(envelope, vec![step]).await;
    let answer = executed.map_err(|error| sent.problem(error))?;
    app.of::<Shelf>()?.clear();
    Ok(answer)
}

async fn rehearse(received: Received<'_>) -> Result<Would, Problem> {
    let step = step(&received);
    let Received {
        app, sent, envelope, ..
    } = received;
    let rehearsed = app.book.rehearse(envelope, vec![step]).await;
    rehearsed.map(Would::Happen).map_err(|error| sent.problem(error))
}

fn step(received: &Received<'_>) -> Step {
    let Received { sent, command, .. } = received;
    Step::new(sent.stream, sent.headers.if_match, command.clone())
}
