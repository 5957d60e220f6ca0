//! Every code of the README's table of the wire is brought about, with a status that stands beside it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gate_tests::{ask, gate, list};
use super::nonces::WINDOW;
use super::server::Patience;
use super::server_tests::{self, Api, patient};
use super::stamp;
use super::twin::{Draft, Form, STAMP};

/// The rows of the table: codes and statuses, without names that stand for others (`Missing<Name>`).
fn rows(readme: &str) -> Vec<(Vec<&str>, Vec<u16>)> {
    let section = readme.split_once("## Tenant API: on the wire").unwrap().1.split_once("\n## ").unwrap().0;
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let codes = cells[1].split('`').skip(1).step_by(2).filter(|code| !code.contains('<'));
        (codes.collect(), cells[2].split(", ").map(|status| status.parse().unwrap()).collect())
    })
    .collect()
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// A request that is answered with a code, where one is enough.
fn wrong(code: &str) -> Vec<u8> {
    let (a, b) = (list(Form::A, "n"), list(Form::B, "n"));
    let text = |form| String::from_utf8(list(form, "n").raw()).unwrap();
    let draft = match code {
        "InvalidApi.NotFound" => b.set("Action", "Nope"),
        "UnsupportedHTTPMethod" => Draft { method: "PUT".to_owned(), ..b },
        "InvalidAction" => b.set("x-acs-action", "TagResources"),
        "InvalidVersion" => b.set("Version", "2014-05-26"),
        "InvalidFormat" => b.set("Format", "XML"),
        "InvalidRegionId.NotFound" => b.set("RegionId", "nowhere"),
        "InvalidParameter" => return text(Form::B).replacen("RegionId=", "%f=1&RegionId=", 1).into_bytes(),
        "MissingSignature" => {
            return b"POST /?Action=TagResources&Version=2016-04-28&RegionId=cn-hangzhou HTTP/1.1\n\n".to_vec();
        }
        "MissingContentSha256" => a.without("x-acs-content-sha256"),
        "InvalidSignatureMethod" => b.set("SignatureMethod", "HMAC-SHA256"),
        "InvalidSignatureVersion" => b.set("SignatureVersion", "2.0"),
        "InvalidSignatureType" => b.set("SignatureType", "BEARERTOKEN"),
        "InvalidSignatureNonce" => list(Form::B, &"n".repeat(129)),
        "InvalidAuthorization" => return text(Form::A).replacen("Credential=testak,", "", 1).into_bytes(),
        "MultipleSignatures" => a.set("Signature", "x").set("AccessKeyId", "testak"),
        "InvalidSecurityToken.NotSupported" => b.set("SecurityToken", "t"),
        "InvalidAccessKeyId.NotFound" => b.of_key("nobody", "x"),
        "SignatureDoesNotMatch" => b.of_key("testak", "wrong"),
        "ContentSha256Mismatch" => a.set("x-acs-content-sha256", "00"),
        "InvalidTimeStamp.Format" => b.stamped("yesterday"),
        "InvalidTimeStamp.Expired" => b.stamped(&stamp::text(stamp::parse(STAMP).unwrap() + WINDOW + 1)),
        "InvalidHeader" => a.add("x-acs-action", "TagResources"),
        "UnsupportedContentType" => {
            return text(Form::C).replace("application/x-www-form-urlencoded", "application/json").into_bytes();
        }
        "RequestHeaderTooLarge" => return format!("GET /?A=1 HTTP/1.1\nX: {}\n\n", "x".repeat(65 << 10)).into_bytes(),
        "InternalError" => a.set("Do", "panic"),
        missing => match missing.strip_prefix("Missing") {
            Some(name) => b.without(name),
            None => panic!("{missing} is in the table, and nothing here brings it about"),
        },
    };
    draft.raw()
}

/// What the last of some requests is answered.
fn last_of(per_minute: u32, requests: impl IntoIterator<Item = Vec<u8>>) -> (u16, String) {
    let (gate, _) = gate(per_minute);
    let (answer, body) = requests.into_iter().map(|raw| ask(&gate, &raw)).last().unwrap();
    (answer.status, body["Code"].as_str().unwrap_or_default().to_owned())
}

/// What a server on a socket answers to bytes.
async fn served(raw: &str) -> (u16, String) {
    let api = Api::start(4, Patience { body: Duration::from_millis(200), ..patient() }, None).await;
    let (status, _, body) = server_tests::ask(&mut api.connect().await, raw.as_bytes()).await.unwrap();
    api.stop().await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    (status, body["Code"].as_str().unwrap_or_default().to_owned())
}

async fn provoked(code: &str) -> (u16, String) {
    let head = "POST /?Action=TagResources HTTP/1.1\r\nHost: h\r\n";
    match code {
        "RequestBodyTooLarge" => served(&format!("{head}Content-Length: 1048577\r\n\r\n")).await,
        "RequestTimeout" => served(&format!("{head}Content-Length: 9\r\n\r\nx")).await,
        "IncompleteBody" => served(&format!("{head}Transfer-Encoding: chunked\r\n\r\nnone\r\n")).await,
        "SignatureNonceUsed" => last_of(600, [list(Form::B, "n").raw(), list(Form::B, "n").raw()]),
        "Throttling.User" => last_of(1, [list(Form::B, "1").raw(), list(Form::B, "2").raw()]),
        "Throttling" => last_of(600, (0..6001).map(|_| wrong("InvalidAccessKeyId.NotFound"))),
        one => last_of(600, [wrong(one)]),
    }
}

#[tokio::test]
async fn each_code_of_the_wire_is_brought_about() {
    let readme = readme();
    let rows = rows(&readme);
    assert!(rows.iter().map(|(codes, _)| codes.len()).sum::<usize>() > 30, "{rows:?}");
    for (codes, statuses) in rows {
        for wanted in codes {
            let (status, code) = provoked(wanted).await;
            assert_eq!(code, wanted);
            assert!(statuses.contains(&status), "{code}: {status} is not among {statuses:?}");
        }
    }
}

/// What the code makes with a literal code must be listed.
#[test]
fn no_code_of_the_wire_is_missing_in_the_readme() {
    let readme = readme();
    let listed: Vec<&str> = rows(&readme).into_iter().flat_map(|(codes, _)| codes).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/control/api");
    let entries = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let files = entries(&folder).into_iter().chain(entries(&folder.join("signature")));
    for file in files.filter(|f| f.is_file() && !f.to_string_lossy().ends_with("_tests.rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        // Code ends where its file's tests begin.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for made in code.split("ApiError::new(").skip(1) {
            let arguments = made.split(')').next().unwrap();
            let literal = arguments.split('"').nth(1).filter(|_| arguments.starts_with(|c: char| c.is_ascii_digit()));
            let is_code = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
            literal
                .filter(is_code)
                .iter()
                .for_each(|made| assert!(listed.contains(made), "{made} of {}", file.display()));
        }
    }
}
