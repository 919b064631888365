//! What is looked at beside a command's decision: before it, and once it is accepted.

use book::{Envelope, Repeat};
use domain::AnyCommand;

use super::sent::Sent;
use crate::app::App;
use crate::auth::Principal;
use crate::context::{Checked, Looked, Seen, Warning};
use crate::problem::Problem;

impl Sent<'_> {
    /// What whoever sent the command should know though it is accepted. The command is in the book by then, so that a failure
    /// to look leaves the answer as it is.
    pub async fn warnings(&self, app: &App, by: &Principal, command: &AnyCommand) -> Vec<String> {
        let mut told = Vec::new();
        let told_to = |warning: &&Warning| by.permits(warning.permission);
        for warning in app.contexts.warnings(self.aggregate, self.command).filter(told_to) {
            match (warning.find)(app, self.looked(by, command)).await {
                Ok(found) => told.extend(found),
                Err(error) => tracing::warn!(%error, "it could not be looked at what to warn of"),
            }
        }
        told
    }

    /// Looks at the command before it is decided. What was accepted before, and is sent again, was looked at then.
    pub(super) async fn check(&self, app: &App, envelope: &Envelope, command: &AnyCommand) -> Result<(), Problem> {
        let checked = Checked {
            contexts: &app.contexts,
            tenant: envelope.tenant,
            addressed: self.addressed,
            command,
        };
        match app.contexts.check(&checked) {
            Err(refusal) if !self.was_accepted(app, envelope).await? => Err(self.refused(refusal)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Looks in the book before the command is decided, once it is known that the sender may reach its stream: what is told may
    /// tell of that. Answers what they should know though it is let pass.
    pub(super) async fn guarded(
        &self,
        app: &App,
        by: &Principal,
        envelope: &Envelope,
        command: &AnyCommand,
    ) -> Result<Vec<String>, Problem> {
        let mut warnings = Vec::new();
        for seen in self.seen(app, by, command).await? {
            match seen.refusal {
                Some(refusal) if !self.was_accepted(app, envelope).await? => return Err(self.refused(refusal)),
                Some(_) | None => warnings.extend(seen.warnings),
            }
        }
        Ok(warnings)
    }

    /// What guards see.
    pub(super) async fn seen(&self, app: &App, by: &Principal, command: &AnyCommand) -> Result<Vec<Seen>, Problem> {
        let mut all = Vec::new();
        for guard in app.contexts.guards(self.aggregate, self.command) {
            all.push((guard.look)(app, self.looked(by, command)).await?);
        }
        Ok(all)
    }

    /// Whether the same was accepted before.
    async fn was_accepted(&self, app: &App, envelope: &Envelope) -> Result<bool, Problem> {
        let may_be = envelope.repeat == Repeat::Asked && !self.headers.is_dry_run;
        Ok(may_be && app.book.has_receipt(envelope.command_id).await?)
    }

    fn looked<'a>(&self, by: &'a Principal, command: &'a AnyCommand) -> Looked<'a> {
        Looked {
            by,
            stream: self.stream,
            command,
        }
    }
}
