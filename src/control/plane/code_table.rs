//! The table of the actions' error codes in the README is the code's own.
#![allow(clippy::unwrap_used)]

use super::codes;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- codes: made by the command below, checked by a test -->\n";
const END: &str = "<!-- end of codes -->\n";
/// What makes the table.
const COMMAND: &str = "VSWITCH_WRITE_README=1 cargo test --no-default-features --lib code_table";

fn table() -> String {
    let mut text = String::from("\n| code | status | whose | when |\n|---|---|---|---|\n");
    for code in codes::ALL {
        let whose = if code.ours { "ours" } else { "the cloud's" };
        text.push_str(&format!("| `{}` | {} | {whose} | {} |\n", code.code, code.status, code.meaning));
    }
    text + "\n"
}

#[test]
fn the_readme_lists_every_code_of_the_actions() {
    let readme = std::fs::read_to_string(README).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if found != table() && std::env::var_os("VSWITCH_WRITE_README").is_some() {
        std::fs::write(README, [before, BEGIN, &table(), END, after].concat()).unwrap();
        return;
    }
    assert!(found == table(), "README.md is behind the code; run: {COMMAND}");
}
