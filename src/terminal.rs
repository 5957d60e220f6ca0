//! Words for standard output. A reader that went away (`… | head -1`) is no error, and never a panic.

use std::io::{ErrorKind, Write};

/// Prints a text; whether anybody still reads.
///
/// # Errors
/// What kept the text from being written, such as a full disk.
pub fn write(text: &str) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(e),
    }
}

/// Prints a command's last words.
///
/// # Errors
/// One plain sentence.
pub fn print(text: &str) -> Result<(), Vec<String>> {
    write(text).map(drop).map_err(|e| vec![cannot(&e)])
}

/// Why output failed, as a sentence.
#[must_use]
pub fn cannot(error: &std::io::Error) -> String {
    format!("standard output cannot be written: {error}")
}

/// Prints complaints to standard error, each behind the program's name; nobody may be reading those either.
pub fn complain(program: &str, problems: &[String]) {
    let mut out = std::io::stderr().lock();
    for problem in problems {
        let _ = writeln!(out, "{program}: {problem}");
    }
}
