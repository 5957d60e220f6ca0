//! Stamps version and commit into the binaries, and makes completions and man pages from their command lines.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use clap_complete::Shell;

// These files belong to the library; here only the shape of the command line is needed.
#[allow(dead_code, missing_docs, unused_imports)]
#[path = "src/cli/mod.rs"]
mod cli;
#[allow(dead_code)]
#[path = "src/control/id.rs"]
mod id;

#[allow(dead_code)]
#[path = "src/control/packet_text.rs"]
mod packet_text;

/// Where the command line looks for what an id is, and a packet.
mod control {
    pub(crate) use super::{id, packet_text};
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in ["build.rs", "src/cli", "src/control/id.rs", "src/control/packet_text.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=VSWITCH_ASSETS_DIR");
    // A file that is not there would make cargo run this again and again. In a worktree, HEAD is elsewhere.
    for file in ["HEAD", "logs/HEAD"].into_iter().filter_map(|f| git(&["rev-parse", "--git-path", f])) {
        if Path::new(&file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=VSWITCH_COMMIT={commit}");
    let version: &str = format!("{} ({commit})", std::env::var("CARGO_PKG_VERSION")?).leak();
    let folders = asset_folders(Path::new(&std::env::var("OUT_DIR")?));
    for folder in &folders {
        std::fs::create_dir_all(folder)?;
        for command in [cli::Vswitch::command(), cli::Vswitchctl::command()] {
            assets(command.version(version), folder)?;
        }
    }
    Ok(())
}

/// Cargo's own folder for this build; and for people, `VSWITCH_ASSETS_DIR` or `assets` beside the binaries.
fn asset_folders(out: &Path) -> Vec<PathBuf> {
    let beside = out.ancestors().nth(2).filter(|build| build.ends_with("build")).and_then(Path::parent);
    let named = std::env::var_os("VSWITCH_ASSETS_DIR").map(PathBuf::from);
    let people = named.or_else(|| beside.map(|profile| profile.join("assets")));
    std::iter::once(out.join("assets")).chain(people).collect()
}

fn assets(mut command: clap::Command, folder: &Path) -> std::io::Result<()> {
    let name = command.get_name().to_owned();
    clap_mangen::generate_to(without_help(command.clone()), folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, &name, folder)?;
    }
    Ok(())
}

/// No page says what `help` says: only options and subcommands that do something have one.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn git(arguments: &[&str]) -> Option<String> {
    // The tree may be another user's, in a container for instance.
    let output = Command::new("git").args(["-c", "safe.directory=*"]).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
