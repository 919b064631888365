//! Who is told of alerts.

use chrono::{DateTime, Utc};
use dod::receiver::{ImType, Receiver};
use dod_formats::Severity;
use domain::register::{Change, Register};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

use crate::standing::Standing;

row! {
    /// A channel of Slack or a chat of Lark that is told of alerts. A struck receiver's row stays. Its secrets are sealed, and
    /// no permission opens them.
    ReceiverRow = dod.im_receivers
    key {
        /// The receiver's id.
        id: Uuid,
    }
    columns {
        /// What people call it.
        name: String,
        /// The word by which requests name it; unique.
        receiver_im: String,
        /// Where it is: `slack`, `lark`.
        im_type: Word<ImType>,
        /// The token of the bot or the secret of the app, sealed; null when it has none.
        bot_token: Option<String>,
        /// The beginning of the webhook's URL, up to its host; null when it has none.
        webhook_url: Option<String>,
        /// The whole of it, sealed.
        webhook_url_sealed: Option<String>,
        /// The secret by which a custom bot of Lark checks signatures, sealed; null when it has none.
        sign_secret: Option<String>,
        /// Where the API of its platform is that the bot uses; null when it is the usual one.
        api_base: Option<String>,
        /// The id of the Lark app.
        app_id: Option<String>,
        /// The channel or chat that the bot writes to.
        destination_id: Option<String>,
        /// The least severity of which it is told; null when it is told of all.
        min_severity: Option<Word<Severity>>,
        /// Whether it is in use: `active`, `inactive`.
        status: Word<Standing>,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, receiver_im, im_type, status, created_at }
    scope { Scope::Tenant }
    masked { bot_token, webhook_url_sealed, sign_secret }
}

impl Project for ReceiverRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let change = recorded.of::<Register<Receiver>>();
        change.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(change) = recorded.of::<Register<Receiver>>() else {
            return Ok(row);
        };
        let written = |entry: &Receiver, (position, created_at)| Self {
            tenant_id: recorded.tenant_id,
            position,
            id,
            name: entry.name.clone(),
            receiver_im: entry.receiver_im.clone(),
            im_type: Word(entry.im_type),
            bot_token: entry.bot_token.clone(),
            webhook_url: entry.webhook_host.clone(),
            webhook_url_sealed: entry.webhook_url.clone(),
            sign_secret: entry.sign_secret.clone(),
            api_base: entry.api_base.clone(),
            app_id: entry.app_id.clone(),
            destination_id: entry.destination_id.clone(),
            min_severity: entry.min_severity.map(Word),
            status: Word(Standing::Active),
            created_at,
            updated_at: recorded.at,
        };
        let came = |row: Self| (row.position, row.created_at);
        Ok(match change {
            Change::Entered(entry) => Some(written(entry, row.map_or((recorded.position, recorded.at), came))),
            Change::Amended(entry) => Some(written(entry, came(existing(row)?))),
            Change::Struck {} => Some(Self {
                status: Word(Standing::Inactive),
                updated_at: recorded.at,
                ..existing(row)?
            }),
            Change::Forgotten {} | Change::Taken {} => row,
        })
    }
}
