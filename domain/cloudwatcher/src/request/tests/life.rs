//! From pending to completed or failed, and delivered.

use super::*;

fn deliver() -> Command {
    Command::Deliver {}
}

#[test]
fn nothing_happens_to_a_request_that_was_not_received() {
    for command in [
        Command::Begin {},
        Command::Release {},
        Command::TakeOver {},
        respond(),
        fail(),
        deliver(),
    ] {
        given::<DeviceRequest>([]).when(command).refused(Refusal::NotReceived);
    }
}

#[test]
fn a_response_completes_a_request_whether_it_was_begun_or_not() {
    given::<DeviceRequest>([received()]).when(respond()).then([completed()]);
    given::<DeviceRequest>([received(), begun()])
        .when(respond())
        .then([completed()]);
}

#[test]
fn an_error_is_the_response_of_a_request_that_fails() {
    given::<DeviceRequest>([received(), begun()])
        .when(fail())
        .then([failed()]);
}

#[test]
fn a_request_is_answered_once() {
    let closed = [
        (completed(), RequestStatus::Completed),
        (failed(), RequestStatus::Failed),
    ];
    for (end, status) in closed {
        for command in [
            Command::Begin {},
            Command::Release {},
            Command::TakeOver {},
            respond(),
            fail(),
        ] {
            given::<DeviceRequest>([received(), end.clone()])
                .when(command)
                .refused(Refusal::Closed { status });
        }
        assert_eq!(state::<DeviceRequest>([received(), end]).status(), Some(status));
    }
}

#[test]
fn a_response_is_delivered_once_and_only_when_it_is_ready() {
    given::<DeviceRequest>([received(), completed()])
        .at(NOON)
        .when(deliver())
        .then([delivered()]);
    given::<DeviceRequest>([received(), completed(), delivered()])
        .when(deliver())
        .then([]);
    for events in [vec![received()], vec![received(), begun()], vec![received(), failed()]] {
        given::<DeviceRequest>(events)
            .when(deliver())
            .refused(Refusal::NotReady);
    }
}

#[test]
fn a_response_fits_its_column() {
    let respond = |content, metadata| {
        given::<DeviceRequest>([received()]).when(Command::Respond {
            content: Value::into(content),
            ai_processed: false,
            metadata,
        })
    };
    respond(json!("\0"), Metadata::new()).refused(unfit("content", Unfit::Nul));
    respond(json!(1), metadata([(" ", "")])).refused(unfit("metadata", Unfit::Empty));
    given::<DeviceRequest>([received()])
        .when(Command::Fail {
            error: long(4_001),
            ai_processed: false,
            metadata: Metadata::new(),
        })
        .refused(unfit(
            "error",
            Unfit::TooLong {
                chars: 4_001,
                max: 4_000,
            },
        ));
}
