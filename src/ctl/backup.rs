//! The store as a file, and back.

use std::path::Path;

use hyper::Method;
use serde_json::json;

use super::client::{CtlError, Daemon};
use super::files;
use super::outcome::Outcome;

/// Writes a backup.
pub(super) fn backup(daemon: Daemon<'_>, file: &Path) -> Result<Outcome, CtlError> {
    let bytes = daemon.bytes(Method::GET, "/v1/backup", Vec::new().into())?;
    files::write_new(file, &bytes)?;
    if file == Path::new("-") {
        // The bytes are all that may be there.
        return Ok(Outcome::told());
    }
    let text = format!("{} bytes written to {}\n", bytes.len(), file.display());
    Ok(Outcome::new(text, json!({ "file": file.display().to_string(), "bytes": bytes.len() })))
}

/// Replaces what is stored.
pub(super) fn restore(daemon: Daemon<'_>, file: &Path) -> Result<Outcome, CtlError> {
    let bytes = files::read(file)?;
    let answer = daemon.bytes(Method::POST, "/v1/restore", bytes.into())?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
    Ok(Outcome::new(format!("restored as revision {}\n", answer["revision"]), answer))
}
