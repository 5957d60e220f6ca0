//! Percent-encoding: how queries and form bodies are read, and how signatures write them again.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ApiError;

/// RFC 3986: all but letters, digits, `-`, `_`, `.` and `~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as signatures spell it.
pub(super) fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// Names and values of a query or a form body, where `+` is a space.
///
/// # Errors
/// A percent sign without two hexadecimal digits behind it, or bytes that are not UTF-8.
pub(super) fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn pair(text: &[u8]) -> Result<(String, String), ApiError> {
    let equals = text.iter().position(|b| *b == b'=').unwrap_or(text.len());
    let (name, value) = (&text[..equals], text.get(equals + 1..).unwrap_or_default());
    let name = decoded(name).map_err(|allowed| {
        let shown: String = String::from_utf8_lossy(name).chars().take(40).collect();
        ApiError::new(400, "InvalidParameter", format!("The parameter name \"{shown}\" is not valid; it is {allowed}."))
    })?;
    match decoded(value) {
        Ok(value) => Ok((name, value)),
        Err(allowed) => Err(ApiError::invalid(&name, &String::from_utf8_lossy(value), allowed)),
    }
}

fn decoded(text: &[u8]) -> Result<String, &'static str> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("percent-encoded, with two hexadecimal digits behind each %"),
            },
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "percent-encoded UTF-8")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_are_read() {
        let read = |text: &str| pairs(text.as_bytes()).unwrap();
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(read(""), []);
        assert_eq!(
            read("a=b+c%2B%2a~&&d=&e&f=g=h&"),
            [pair("a", "b c+*~"), pair("d", ""), pair("e", ""), pair("f", "g=h"),]
        );
        assert_eq!(read("%C3%A9=%E2%82%AC"), [pair("é", "€")]);
    }

    #[test]
    fn bad_encodings_are_refused_by_name() {
        for text in ["Name=%", "Name=%4", "Name=%zz", "Name=a%4", "Name=%+1", "Name=%C3", "Name=%ff%fe", "Name=%c0%80"]
        {
            let error = pairs(text.as_bytes()).unwrap_err();
            assert_eq!((&*error.code, error.status), ("InvalidParameter.Name", 400), "{text}");
            assert!(error.message.contains("percent-encoded"), "{error}");
        }
        assert_eq!(pairs(b"%zz=1").unwrap_err().code, "InvalidParameter");
        assert_eq!(pairs(b"a=\xff").unwrap_err().code, "InvalidParameter.a");
    }

    #[test]
    fn signatures_keep_four_signs() {
        assert_eq!(encoded("aZ09-_.~"), "aZ09-_.~");
        assert_eq!(encoded(" +*/=&%é"), "%20%2B%2A%2F%3D%26%25%C3%A9");
    }

    proptest! {
        /// What is encoded is read again, and valid text is read as by the crate that browsers' engines use.
        #[test]
        fn there_and_back(name in "\\PC{1,8}", value in "\\PC{0,8}") {
            let text = format!("{}={}", encoded(&name), encoded(&value));
            prop_assert_eq!(pairs(text.as_bytes()).unwrap(), [(name, value)]);
        }

        #[test]
        fn as_form_urlencoded_reads_it(text in "([a-c=&+.]|%[2-7][0-9a-fA-F]){0,20}") {
            let theirs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            prop_assert_eq!(pairs(text.as_bytes()).unwrap(), theirs);
        }
    }
}
