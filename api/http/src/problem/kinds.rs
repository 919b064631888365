//! Every general problem, in one table.

use axum::http::StatusCode;

/// One kind of general problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// When it is met, and what to do about it.
    pub meaning: &'static str,
}

macro_rules! problems {
    ($($constant:ident $name:literal $status:ident $title:literal $meaning:literal;)+) => {
        $(pub const $constant: &Kind =
            &Kind { name: $name, status: StatusCode::$status, title: $title, meaning: $meaning };)+
        /// Every general problem.
        pub const TABLE: &[&Kind] = &[$($constant),+];
    };
}

problems! {
    MALFORMED "malformed" BAD_REQUEST "The request cannot be read"
        "The address, a header or the body cannot be read, or is there twice. `detail` says what and where; \
         send it in the right form.";
    UNKNOWN_PARAMETER "unknown-parameter" BAD_REQUEST "There is no such parameter"
        "The address has a parameter that this operation does not take. `field` names it, `allowed` lists \
         those that there are.";
    BAD_VALUE "bad-value" BAD_REQUEST "A value is not of the form it must have"
        "A field, parameter or header has a value of the wrong form or size. `field` names it, `detail` says \
         what would be right.";
    UNAUTHENTICATED "unauthenticated" UNAUTHORIZED "A valid token is needed"
        "The request has no bearer token, or one that is not valid here. Get a new one from the identity \
         provider and send the request again.";
    FORBIDDEN "forbidden" FORBIDDEN "A permission is missing"
        "None of your roles grants what the operation needs. `permission` names it; an administrator can \
         grant it.";
    OPERATOR_ONLY "operator-only" FORBIDDEN "Only whoever operates Daybook may"
        "The request concerns the whole installation, so that no role of a tenant grants it. The token must say \
         `daybook_operator: true`, which its issuer alone can; or use the command line.";
    NOT_REGISTERED "not-registered" FORBIDDEN "The token names no registered user"
        "The token is valid, but its user is not registered with its tenant. An administrator can register \
         them.";
    INACTIVE "inactive" FORBIDDEN "The user is not active"
        "The user of the token is deactivated or erased. An administrator can reactivate them, or register \
         them anew.";
    FOREIGN_DEPARTMENT "foreign-department" FORBIDDEN "The department is not one of yours"
        "The command is about a department that is neither one of yours nor below one. Choose another, or \
         have an administrator add you to it.";
    FOREIGN_DEVICE "foreign-device" FORBIDDEN "The key is another device's"
        "The key is bound to one device, and the request is about another one. Use a key of that device, or one that is \
         bound to none.";
    SUSPENDED "suspended" FORBIDDEN "The tenant is suspended"
        "Your tenant is suspended. What is there can be read; commands are refused until whoever runs Daybook has it \
         resumed.";
    TENANT_DELETED "tenant-deleted" FORBIDDEN "The tenant is deleted"
        "The tenant that the token names was deleted, and nothing of it can be read or changed. Get a token for another \
         one.";
    NOT_FOUND "not-found" NOT_FOUND "There is no such thing"
        "There is no such thing, or none that you may know of. `detail` says what was looked for, `allowed` \
         what there is instead.";
    UNKNOWN_COMMAND "unknown-command" NOT_FOUND "There is no such command"
        "Streams of this kind take no such command. `allowed` lists those that they take.";
    METHOD "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
        "There is such an address, but not for this method. The header `Allow` lists the methods that there \
         are.";
    ID_TAKEN "id-taken" CONFLICT "The id is taken"
        "The id that you chose for something new is in use, where you cannot see it: in another department or another \
         tenant. Ids are one space for all. Choose another, or leave it to the server.";
    FORMER_HISTORY "former-history" CONFLICT "It belongs to a former history of the book"
        "A cursor or an event's id was given out before the book was restored or moved, or before the tables were posted \
         by other rules, and what it names may be something else now. Begin anew without it.";
    CLAIMED "claimed" CONFLICT "A value is taken"
        "A value that must be unique in the tenant is held by another entry, which may be out of use. `claim` \
         names the kind of value and `field` the field, if the command has one. Choose another value.";
    KEY_REUSED "key-reused" CONFLICT "The Idempotency-Key was used for something else"
        "The same user sent another command, body or If-Match under this Idempotency-Key. Use a new key for \
         what is new; send a repeat exactly as it was.";
    IN_PROGRESS "in-progress" CONFLICT "The first sending of it is under way"
        "The same request is being carried out at this moment. Send it again after `Retry-After`, and get its \
         answer.";
    BUSY "busy" CONFLICT "It is under way already"
        "What was asked for is under way already. Look how far it is, and ask again once it is done.";
    MOVED "moved" PRECONDITION_FAILED "The stream has moved"
        "The stream is not at the sequence that If-Match names. `sequence` says where it is: look at it \
         again, and send the command with that if it still holds.";
    TOO_LARGE "too-large" PAYLOAD_TOO_LARGE "The request is too large"
        "The request or the event that would come of it is larger than the limit in `detail`. Send less at \
         once.";
    BEYOND_END "beyond-end" UNPROCESSABLE_ENTITY "The book does not reach that far"
        "The position is beyond the last one of the book. `end` says where that is; ask for one that was answered.";
    MEDIA_TYPE "media-type" UNSUPPORTED_MEDIA_TYPE "The body is not JSON"
        "Bodies are JSON in UTF-8. Send `Content-Type: application/json`.";
    TOO_MANY "too-many-requests" TOO_MANY_REQUESTS "Too many requests"
        "You have sent more requests than your share. Wait for `Retry-After` seconds.";
    INTERNAL "internal" INTERNAL_SERVER_ERROR "Daybook failed"
        "Something went wrong inside Daybook. Tell its operators the `request_id`, under which the log says \
         more.";
    UNAVAILABLE "unavailable" SERVICE_UNAVAILABLE "Daybook cannot answer now"
        "A server that Daybook needs does not answer, or the request took too long. Send it again after \
         `Retry-After`, a command with the same Idempotency-Key.";
    OVERLOADED "overloaded" SERVICE_UNAVAILABLE "Too much is under way"
        "Too much is under way. Send the request again after `Retry-After`, a command with the same \
         Idempotency-Key.";
    NOT_YET_POSTED "not-yet-posted" SERVICE_UNAVAILABLE "The tables have not reached the position"
        "The tables do not show the position that was asked for yet. Read again after `Retry-After`.";
}
