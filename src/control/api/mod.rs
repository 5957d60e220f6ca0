//! The tenant API: from bytes on a connection to an action of a known account, and back.

mod action;
mod answer;
#[cfg(test)]
mod code_tests;
pub(super) mod connections;
mod error;
mod form;
pub mod fuzz;
mod gate;
#[cfg(test)]
mod gate_tests;
mod listener;
#[cfg(test)]
mod listener_tests;
mod lists;
mod metrics;
mod nonces;
mod params;
#[cfg(test)]
mod params_tests;
mod request;
mod server;
#[cfg(test)]
mod server_tests;
mod signature;
#[cfg(test)]
mod signature_tests;
mod stamp;
mod throttle;
mod tls;
#[cfg(test)]
mod twin;

use std::sync::Arc;

use serde_json::Value;

pub use action::Action;
pub use error::ApiError;
pub use listener::{ApiListener, bind, check_certificate};
pub use metrics::ApiMetrics;
pub use params::{Fields, MAX_NAME, MAX_PARAMETERS, MAX_VALUE, ObjectParams, Params};
pub use request::VERSION;
pub use server::serve;

/// Who an AccessKey belongs to. It has no `Debug`: secrets are in no log.
#[derive(Clone)]
pub struct Credential {
    /// The account.
    pub account: Arc<str>,
    /// The AccessKey's secret.
    pub secret: Arc<str>,
}

/// A request whose signature is right.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id that its answer carries.
    pub request_id: String,
    /// Whose request it is.
    pub account: Arc<str>,
    /// What it asks for.
    pub action: Action,
    /// With which parameters, those of the protocol left out.
    pub params: Params,
}

/// What stands behind the API.
pub trait Actions: Send + Sync {
    /// Who has this AccessKey, if anybody.
    fn credential(&self, access_key_id: &str) -> Option<Credential>;

    /// Does what is asked; the answer is an object, to which `RequestId` is added.
    ///
    /// # Errors
    /// What the tenant is told.
    fn perform(&self, call: &Call) -> Result<Value, ApiError>;
}
