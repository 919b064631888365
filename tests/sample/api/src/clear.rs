//! How a jar is cleared: as any command is carried out, and the shelf counts it.

use book::{Answer, Step};
use domain::Decider as _;
use http::command::{Received, Receiver};
use http::problem::Problem;
use sample::jar::Jar;

use crate::shelf::Shelf;

/// Who receives the command.
pub const RECEIVER: Receiver = Receiver {
    aggregate_type: Jar::TYPE,
    command: "clear",
    carry_out: |received| Box::pin(carry_out(received)),
    stream: |received| Box::pin(std::future::ready(Ok(received.sent.stream))),
};

async fn carry_out(received: Received<'_>) -> Result<Answer, Problem> {
    let Received {
        app,
        sent,
        envelope,
        command,
        ..
    } = received;
    let step = Step::new(sent.stream, sent.headers.if_match, command);
    let executed = app.book.execute(envelope, vec![step]).await;
    let answer = executed.map_err(|error| sent.problem(error))?;
    app.of::<Shelf>()?.clear();
    Ok(answer)
}
