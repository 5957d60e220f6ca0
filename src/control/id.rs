//! What an id looks like. It stands alone, so that the build script can read it for the command line's sake.

/// What is allowed.
pub const ALLOWED: &str = "1 to 64 letters, digits, '.', '_' or '-', and no '.' at the beginning";

/// An id can be a file's name, a metric's label and a part of a URL.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fine) && !text.starts_with('.')
}
