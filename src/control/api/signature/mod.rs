//! Who signed a request. Both signatures are HMACs over a text that client and server make from the request alike.

mod v1;
mod v3;

use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ApiError;
use super::request::{Asked, wrong};
use super::stamp;

/// Bytes of a nonce.
const MAX_NONCE: usize = 128;

/// Bytes of a string to sign that a refusal shows: the answer to a large body shall not be many times as large.
const SHOWN: usize = 16 << 10;

/// What a request claims: who signed it, when, and with what result.
pub(super) struct Claim {
    /// Whose secret it was signed with.
    pub(super) access_key: String,
    /// When, in seconds since 1970.
    pub(super) stamp: i64,
    /// What makes it unlike any other request of this key.
    pub(super) nonce: String,
    scheme: Scheme,
    signature: String,
    string_to_sign: String,
    /// The SHA-256 that the body must have, where the string to sign does not hold the body.
    body_hash: Option<String>,
}

#[derive(Clone, Copy)]
enum Scheme {
    V1,
    V3,
}

impl Claim {
    /// The claim of a request, of the one signature that it carries.
    ///
    /// # Errors
    /// No signature, both, or one with a part missing or malformed.
    pub(super) fn read(asked: &Asked<'_>) -> Result<Self, ApiError> {
        let authorization = asked.header("authorization")?;
        let in_parameters =
            ["Signature", "AccessKeyId", "SignatureMethod"].iter().any(|n| asked.params.get(n).is_some());
        if asked.params.get("SecurityToken").is_some() || asked.header("x-acs-security-token")?.is_some() {
            let text = "Security tokens are not supported: sign with the AccessKey of an account.";
            return Err(ApiError::new(400, "InvalidSecurityToken.NotSupported", text));
        }
        match (authorization, in_parameters) {
            (Some(_), true) => {
                let text = "The request carries two signatures, the header Authorization and signature parameters; \
                            one is allowed.";
                Err(ApiError::new(400, "MultipleSignatures", text))
            }
            (Some(authorization), false) => v3::claim(asked, authorization),
            (None, true) => v1::claim(asked),
            (None, false) => {
                let allowed = "the HMAC of the request; it may also be part of the header Authorization";
                Err(ApiError::missing("Signature", allowed))
            }
        }
    }

    /// Whether this secret made the signature, and for this body. Takes as long for a wrong secret as for the right one.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch`, with the string to sign behind the message's only colon: one SDK splits there.
    pub(super) fn check(&self, secret: &str, body: &Bytes) -> Result<(), ApiError> {
        let body_hash = self.body_hash.as_ref().map(|claimed| (claimed, hex(&Sha256::digest(body))));
        let expected = match self.scheme {
            Scheme::V1 => v1::signature(secret, &self.string_to_sign),
            Scheme::V3 => v3::signature(secret, &self.string_to_sign),
        };
        if !bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            // All of it is ASCII.
            let shown = self.string_to_sign.get(..SHOWN).unwrap_or(&self.string_to_sign);
            let text =
                format!("Specified signature is not matched with our calculation. server string to sign is:{shown}");
            return Err(ApiError::new(400, "SignatureDoesNotMatch", text));
        }
        match body_hash {
            Some((claimed, hash)) if *claimed != hash => {
                let text = "The header x-acs-content-sha256 is not valid; it is the SHA-256 of the body, in lower-case \
                            hexadecimal digits.";
                Err(ApiError::new(400, "ContentSha256Mismatch", text))
            }
            _ => Ok(()),
        }
    }
}

fn read_stamp(name: &str, text: &str) -> Result<i64, ApiError> {
    let allowed = "UTC in the format YYYY-MM-DDThh:mm:ssZ";
    let code = "InvalidTimeStamp.Format".into();
    stamp::parse(text).ok_or_else(|| ApiError { code, ..ApiError::invalid(name, text, allowed) })
}

fn read_nonce(text: &str) -> Result<String, ApiError> {
    if text.len() <= MAX_NONCE {
        return Ok(text.to_owned());
    }
    Err(wrong("SignatureNonce", text, &format!("at most {MAX_NONCE} bytes long")))
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}
