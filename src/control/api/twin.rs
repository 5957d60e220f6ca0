//! A client of our own for tests: the signatures a second time, plainly, from api.md section 2.3 alone. It shares nothing
//! with the code under test but the hash functions, for which the standards' own vectors stand in `signature_tests`.

use base64::Engine;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The three wire forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// v3: parameters in the query, signature in headers.
    A,
    /// v1: all in the query.
    B,
    /// v1: the action's parameters in a form body.
    C,
}

pub(super) const FORMS: [Form; 3] = [Form::A, Form::B, Form::C];
pub(super) const STAMP: &str = "2026-11-23T15:30:06Z";

type Pairs = Vec<(String, String)>;

/// A request that can still be changed; `raw` signs it as it is then.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) form: Form,
    pub(super) method: String,
    pub(super) query: Pairs,
    pub(super) body: Pairs,
    pub(super) headers: Pairs,
    pub(super) secret: String,
    /// Left out of SignedHeaders.
    pub(super) unsigned: Vec<String>,
}

fn owned(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

impl Draft {
    /// A request that is right in every way, of the key `testak`.
    pub(super) fn new(form: Form, action: &str, nonce: &str, params: &[(&str, &str)]) -> Self {
        let mut draft = Draft {
            form,
            method: "POST".to_owned(),
            query: owned(&[("RegionId", "cn-hangzhou")]),
            body: Vec::new(),
            headers: owned(&[("Host", "127.0.0.1:18099")]),
            secret: "testsk".to_owned(),
            unsigned: Vec::new(),
        };
        let params = owned(params);
        match form {
            Form::A => draft.headers.extend(owned(&[
                ("x-acs-action", action),
                ("x-acs-version", "2016-04-28"),
                ("x-acs-date", STAMP),
                ("x-acs-signature-nonce", nonce),
                ("x-acs-content-sha256", &hex(&Sha256::digest(b""))),
                ("x-acs-credential", "testak"),
            ])),
            Form::B | Form::C => draft.query.extend(owned(&[
                ("Action", action),
                ("Version", "2016-04-28"),
                ("Format", "JSON"),
                ("Timestamp", STAMP),
                ("SignatureMethod", "HMAC-SHA1"),
                ("SignatureVersion", "1.0"),
                ("SignatureType", ""),
                ("SignatureNonce", nonce),
                ("AccessKeyId", "testak"),
            ])),
        }
        match form {
            Form::C => draft.body.extend(params),
            _ => draft.query.extend(params),
        }
        draft
    }

    /// Sets a parameter of the query, or a header where the name is in lower case.
    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.place(name).push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds it even if there is one.
    pub(super) fn add(mut self, name: &str, value: &str) -> Self {
        self.place(name).push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.place(name).retain(|(n, _)| n != name);
        self
    }

    fn place(&mut self, name: &str) -> &mut Pairs {
        let header = name.starts_with(|c: char| c.is_ascii_lowercase());
        if header { &mut self.headers } else { &mut self.query }
    }

    /// The time stamp, wherever the form has it.
    pub(super) fn stamped(self, stamp: &str) -> Self {
        let name = if self.form == Form::A { "x-acs-date" } else { "Timestamp" };
        self.set(name, stamp)
    }

    /// The key, wherever the form has it.
    pub(super) fn of_key(self, id: &str, secret: &str) -> Self {
        let name = if self.form == Form::A { "x-acs-credential" } else { "AccessKeyId" };
        Draft { secret: secret.to_owned(), ..self.set(name, id) }
    }

    /// Signed, as bytes of HTTP.
    pub(super) fn raw(&self) -> Vec<u8> {
        let mut headers = self.headers.clone();
        let mut query = self.query.clone();
        let body = join(&self.body);
        if self.form == Form::A {
            let credential = headers.iter().position(|(n, _)| n == "x-acs-credential");
            let credential = credential.map(|at| headers.remove(at).1).unwrap_or_default();
            headers.push(("Authorization".to_owned(), self.authorization(&credential, &headers)));
        } else {
            let all: Pairs = self.query.iter().chain(&self.body).cloned().collect();
            query.push(("Signature".to_owned(), v1(&self.method, &all, &self.secret)));
        }
        if !self.body.is_empty() {
            headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
        let mut text = format!("{} /?{} HTTP/1.1\r\n", self.method, join(&query));
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        [text.as_bytes(), b"\r\n", body.as_bytes()].concat()
    }

    fn authorization(&self, credential: &str, headers: &Pairs) -> String {
        let mut signed: Vec<(String, String)> = headers.iter().map(|(n, v)| (n.to_lowercase(), v.clone())).collect();
        signed.retain(|(name, _)| !self.unsigned.contains(name));
        signed.sort();
        signed.dedup_by(|a, b| a.0 == b.0);
        let names: Vec<&str> = signed.iter().map(|(n, _)| n.as_str()).collect();
        let names = names.join(";");
        let lines: String = signed.iter().map(|(n, v)| format!("{n}:{}\n", v.trim())).collect();
        let hash = headers.iter().find(|(n, _)| n == "x-acs-content-sha256").map(|(_, v)| v.as_str()).unwrap_or("");
        let mut query = self.query.clone();
        query.sort();
        let request = format!("{}\n/\n{}\n{lines}\n{names}\n{hash}", self.method, join(&query));
        let to_sign = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(request)));
        let signature = hex(&hmac::<Sha256>(self.secret.as_bytes(), to_sign.as_bytes()));
        format!("ACS3-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}")
    }
}

fn v1(method: &str, pairs: &Pairs, secret: &str) -> String {
    let mut pairs = pairs.clone();
    pairs.sort();
    let to_sign = format!("{method}&%2F&{}", percent(&join(&pairs)));
    base64::engine::general_purpose::STANDARD.encode(hmac::<Sha1>(format!("{secret}&").as_bytes(), to_sign.as_bytes()))
}

/// `name=value&...`, encoded.
pub(super) fn join(pairs: &Pairs) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{}={}", percent(n), percent(v))).collect();
    pairs.join("&")
}

fn percent(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// RFC 2104, word for word; both hashes have blocks of 64 bytes.
pub(super) fn hmac<D: Digest>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    let key = if key.len() > 64 { D::digest(key).to_vec() } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let pad = |with: u8| block.map(|b| b ^ with).to_vec();
    let inner = D::digest([pad(0x36), text.to_vec()].concat());
    D::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}
