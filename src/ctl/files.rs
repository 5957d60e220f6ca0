//! Files that commands read and write; `-` is standard input or output.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use super::client::CtlError;

/// The bytes of a file.
///
/// # Errors
/// One plain sentence.
pub fn read(path: &Path) -> Result<Vec<u8>, CtlError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|e| CtlError::refused(format!("{}: cannot be read: {e}", name(path))))?;
    Ok(bytes)
}

/// A JSON object.
///
/// # Errors
/// One plain sentence, with the place in the file.
pub fn document(path: &Path) -> Result<Value, CtlError> {
    let value: Value = serde_json::from_slice(&read(path)?)
        .map_err(|e| CtlError::refused(format!("{}: is not JSON: {e}", name(path))))?;
    if value.is_object() { Ok(value) } else { Err(CtlError::refused(format!("{}: is no JSON object", name(path)))) }
}

/// A secret: one line.
///
/// # Errors
/// One plain sentence, without the secret.
pub fn secret(path: &Path) -> Result<String, CtlError> {
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || !line.bytes().all(|b| b.is_ascii_graphic()) {
        let wrong = "holds no secret: one line of ASCII letters, digits and signs is expected";
        return Err(CtlError::refused(format!("{}: {wrong}", name(path))));
    }
    Ok(line.to_owned())
}

/// Writes a new file that only its owner may read, or nothing at all.
///
/// # Errors
/// One plain sentence.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CtlError> {
    if path == Path::new("-") {
        let mut out = std::io::stdout().lock();
        return Ok(out.write_all(bytes).and_then(|()| out.flush())?);
    }
    let fails = |e: std::io::Error| CtlError::refused(format!("{}: cannot be written: {e}", path.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fails)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|e| {
        // Half a backup would be taken for a whole one.
        let _ = std::fs::remove_file(path);
        fails(e)
    })
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}
