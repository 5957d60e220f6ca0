//! The tables of error codes in the README: that of the actions is the code's own, that of the wire is held against it.
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

/// Codes of the wire's table: of each row the first cell, without names that stand for others (`Missing<Name>`).
fn codes_of_the_wire(readme: &str) -> Vec<&str> {
    let section = readme.split_once("## Tenant API: on the wire").unwrap().1.split_once(BEGIN).unwrap().0;
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row[1..].split('|').next().unwrap());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|code| !code.contains('<')).collect()
}

#[test]
fn every_code_of_the_wire_is_in_the_readme_and_brought_about_by_a_test() {
    let readme = std::fs::read_to_string(README).unwrap();
    let listed = codes_of_the_wire(&readme);
    assert!(listed.len() > 30, "{listed:?}");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/control/api");
    let folders = [folder.join("signature"), folder];
    let files = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap().map(|e| e.unwrap().path()));
    let (tests, code): (Vec<_>, Vec<_>) = files
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .partition(|path| path.to_string_lossy().ends_with("_tests.rs"));
    let text = |paths: &[std::path::PathBuf]| -> String {
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap() + "\n").collect()
    };
    // Code ends where its file's tests begin.
    let (code, inner): (String, String) = code
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let (code, tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
            (code.to_owned(), tests.to_owned())
        })
        .unzip();
    let tests = text(&tests) + &inner;
    for known in &listed {
        // `Missing` and the name of a part, where a test goes through all parts.
        let part = known.strip_prefix("Missing").unwrap_or(known);
        let told = [*known, part].iter().any(|word| tests.contains(&format!("\"{word}\"")));
        assert!(told, "no test brings {known} about");
    }
    // What is made with a literal code must be listed.
    let made = code.split("ApiError::new(").skip(1).filter_map(|rest| {
        let (arguments, _) = rest.split_once(')')?;
        arguments.split('"').nth(1).filter(|_| arguments.trim_start().starts_with(|c: char| c.is_ascii_digit()))
    });
    for made in made {
        assert!(listed.contains(&made) || made.contains('{'), "{made} is not in the README's table");
    }
}
