//! The table of reasons in the README is the code's own.
#![allow(clippy::unwrap_used)]

use super::Reason;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- reasons: made by the command below, checked by a test -->\n";
const END: &str = "<!-- end of reasons -->\n";
/// What makes the table.
const COMMAND: &str = "VSWITCH_WRITE_README=1 cargo test --no-default-features --lib reason_table";

fn table() -> String {
    let mut text = String::from("\n| reason | role | meaning | advice |\n|---|---|---|---|\n");
    for reason in Reason::ALL {
        let roles: Vec<String> = reason.classes().iter().map(ToString::to_string).collect();
        let cells = [format!("`{reason}`"), roles.join("; "), reason.help().to_owned(), reason.advice().to_owned()];
        text.push_str(&format!("| {} |\n", cells.map(|c| c.replace('|', "\\|")).join(" | ")));
    }
    text + "\n"
}

#[test]
fn the_readme_lists_every_reason_with_its_advice() {
    let readme = std::fs::read_to_string(README).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if found == table() {
        return;
    }
    if std::env::var_os("VSWITCH_WRITE_README").is_some() {
        std::fs::write(README, [before, BEGIN, &table(), END, after].concat()).unwrap();
        return;
    }
    let missing: Vec<_> = table().lines().filter(|l| !found.lines().any(|f| f == *l)).map(str::to_owned).collect();
    assert!(found == table(), "README.md is behind the code; run: {COMMAND}\n{}", missing.join("\n"));
}

#[test]
fn every_reason_says_what_it_means_and_what_to_do() {
    for reason in Reason::ALL {
        for sentence in [reason.help(), reason.advice()] {
            assert!(sentence.len() > 10 && sentence.ends_with('.'), "{reason}: {sentence}");
        }
    }
}
