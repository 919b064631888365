//! The contexts that this program serves. A new one is a line here, and nowhere else in the engines.

use http::{Context, Contexts};

use crate::Fault;

/// Every context, in the order of the documents after the prelude.
pub static CONTEXTS: &[&Context] = &[&identity_http::CONTEXT, &cloudwatcher_http::CONTEXT, &dod_http::CONTEXT];

/// The contexts as one value.
///
/// # Errors
/// When two of them bring one name of something, which is a defect of this program.
pub fn all() -> Result<Contexts, Fault> {
    Contexts::new(CONTEXTS).map_err(|clash| Fault::Refused(clash.to_string()))
}
