//! Signatures: the captured ones, those of a second implementation, and 100,000 that are wrong.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sha1::Sha1;
use sha2::Sha256;

use super::fuzz;
use super::gate::Gate;
use super::twin::{Draft, FORMS, Form, hex, hmac};

const CAPTURED: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/corpus/request/v3_query"),
    include_bytes!("../../../fuzz/corpus/request/v1_query"),
    include_bytes!("../../../fuzz/corpus/request/v1_form"),
];

/// Only whether the signature is right: a nonce that was used before would hide that.
fn accepted(gate: &Gate, raw: &[u8]) -> Result<(), String> {
    let request = fuzz::request(raw).ok_or("not HTTP")?;
    gate.known(&request, &mut None).map(drop).map_err(|e| e.to_string())
}

#[test]
fn the_official_clients_captured_signatures_are_right() {
    let gate = fuzz::gate().unwrap();
    for raw in CAPTURED {
        assert_eq!(accepted(&gate, raw), Ok(()), "{}", String::from_utf8_lossy(raw));
    }
}

/// RFC 2202 and RFC 4231, case 2.
#[test]
fn the_twin_s_hmac_is_the_standard_s() {
    let (key, text) = (b"Jefe", b"what do ya want for nothing?");
    assert_eq!(hex(&hmac::<Sha1>(key, text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    let long = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex(&hmac::<Sha256>(key, text)), long);
}

proptest! {
    /// Any parameters and any secret: what the twin signs is right, and with another secret it is wrong.
    #[test]
    fn as_the_twin_signs(
        form in proptest::sample::select(FORMS.to_vec()),
        params in proptest::collection::btree_map("P[A-Za-z0-9.]{0,12}", "\\PC{0,20}", 0..12),
        get in any::<bool>(),
    ) {
        let gate = fuzz::gate().unwrap();
        let params: Vec<(&str, &str)> = params.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut draft = Draft::new(form, "ListTrafficMirrorSessions", "n", &params);
        if get && form != Form::C {
            draft.method = "GET".to_owned();
        }
        prop_assert_eq!(accepted(&gate, &draft.raw()), Ok(()));
        let wrong = accepted(&gate, &draft.of_key("testak", "testsk2").raw()).unwrap_err();
        prop_assert!(wrong.starts_with("SignatureDoesNotMatch"), "{}", wrong);
    }
}

/// What a request means, judged without the code under test: two with equal meaning may both be accepted.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    method: String,
    /// Parameters as the `form_urlencoded` crate reads them; how many of each, so that doubled ones differ.
    params: BTreeMap<(String, String), usize>,
    /// v3: signed headers and the three parts of Authorization; the names that a v1 request must not contradict.
    headers: BTreeMap<String, String>,
    body: Option<Vec<u8>>,
}

fn meaning(raw: &[u8]) -> Option<Meaning> {
    let text = String::from_utf8_lossy(raw).into_owned().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let query = target.strip_prefix("/?").or(target.strip_prefix("?"))?.split('#').next()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let v3 = headers.contains_key("authorization");
    let mut params = BTreeMap::new();
    let form = if headers.contains_key("content-type") { body } else { "" };
    for pair in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form.as_bytes())) {
        *params.entry((pair.0.into_owned(), pair.1.into_owned())).or_default() += 1;
    }
    let parts: BTreeMap<&str, &str> = headers
        .get("authorization")
        .and_then(|a| a.split_once(' '))
        .map(|(_, parts)| parts.split(',').filter_map(|p| p.trim().split_once('=')).collect())
        .unwrap_or_default();
    let signed = parts.get("SignedHeaders").copied().unwrap_or_default();
    let mut kept: BTreeMap<String, String> = headers
        .iter()
        .filter(|(n, _)| v3 && signed.split(';').any(|s| s == *n))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    kept.extend(parts.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
    let body = v3.then(|| body.as_bytes().to_vec());
    Some(Meaning { method, params, headers: kept, body })
}

/// xorshift64*, with a seed that a failure prints.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

/// One or a few changes: of bits and bytes, and of whole parameters and lines, as someone in the middle would try.
fn mutated(random: &mut Random, raw: &[u8]) -> Vec<u8> {
    let mut data = raw.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(data.len());
        match random.below(9) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = b"0123456789abcdefABCDEF%&=+/.;,: \r\n"[random.below(34)],
            2 => drop(data.remove(at)),
            3 => data.insert(at, b"0aA%&=+/.;,: "[random.below(13)]),
            4 => {
                let other = (at + 1) % data.len();
                data.swap(at, other);
            }
            5 => data.truncate(at + 1),
            // A parameter twice, or moved to the end of the body.
            6 | 7 => {
                let cut = |b: &u8| b"&\r\n ?".contains(b);
                let starts: Vec<usize> = (0..data.len() - 1).filter(|i| cut(&data[*i])).collect();
                let from = starts.get(random.below(starts.len())).copied().unwrap_or(0);
                let length = data[from + 1..].iter().position(cut).unwrap_or(0);
                let piece: Vec<u8> = data[from..=from + length].to_vec();
                if random.below(2) == 0 {
                    data.drain(from..=from + length);
                }
                let to = if random.below(2) == 0 { data.len() } else { random.below(data.len()) };
                data.splice(to..to, piece);
            }
            // A line more.
            _ => {
                let ends: Vec<usize> = (1..data.len()).filter(|i| data[i - 1] == b'\n').collect();
                let to = ends.get(random.below(ends.len())).copied().unwrap_or(0);
                let lines: [&[u8]; 6] = [
                    b"x-acs-action: DeleteTrafficMirrorSession\r\n",
                    b"x-acs-version: 2014-05-26\r\n",
                    b"x-acs-signature-nonce: 2\r\n",
                    b"x-acs-date: 2026-11-23T15:30:07Z\r\n",
                    b"Content-Type: application/x-www-form-urlencoded\r\n",
                    b"X-Forwarded-For: 192.0.2.1\r\n",
                ];
                data.splice(to..to, lines[random.below(6)].iter().copied());
            }
        }
        if data.is_empty() {
            data.push(b'x');
        }
    }
    data
}

/// The issue: at least 100,000 mutations of valid signed requests, none accepted. A mutation that changes nothing that is
/// signed or acted on (the case of a header's name, an unsigned header, `%2f` for `%2F`) is no other request.
#[test]
fn no_mutation_is_accepted() {
    let gate = fuzz::gate().unwrap();
    let params = [("TrafficMirrorSessionIds.1", "tms-1"), ("TrafficMirrorSessionName", "a b+c/ü"), ("MaxResults", "5")];
    let drafts = FORMS.map(|form| Draft::new(form, "ListTrafficMirrorSessions", "n", &params).raw());
    let seeds: Vec<Vec<u8>> = CAPTURED.iter().map(|raw| raw.to_vec()).chain(drafts).collect();
    let meanings: Vec<Option<Meaning>> = seeds.iter().map(|raw| meaning(raw)).collect();
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let mut random = Random(seed);
    let (mut refused, mut same) = (0, 0);
    let wanted = std::env::var("VSWITCH_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    while refused < wanted {
        let from = random.below(seeds.len());
        let raw = mutated(&mut random, &seeds[from]);
        match accepted(&gate, &raw) {
            Err(_) => refused += 1,
            Ok(()) => {
                same += 1;
                let (found, before) = (meaning(&raw), &meanings[from]);
                assert!(before.is_some() && found == *before, "seed {seed}: {:?}", String::from_utf8_lossy(&raw));
            }
        }
    }
    println!("seed {seed}: {refused} refused, {same} that mean the same");
    assert!(same < refused / 4, "the mutations change too little: {same}");
}
