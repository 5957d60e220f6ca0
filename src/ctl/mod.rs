//! `vswitchctl`: asks a running switch, and shows what it says.

mod accounts;
mod actions;
mod backup;
mod changes;
pub mod client;
pub mod doctor;
mod enis;
pub mod explained;
mod files;
mod inventory;
mod mirror;
mod outcome;
pub mod render;
mod rules;
mod status;
mod top;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{CtlCommand as Command, Vswitchctl};
use crate::terminal;
use client::{CtlError, Daemon, PATIENCE};

/// Does what the command line says.
#[must_use]
pub fn main(cli: &Vswitchctl) -> ExitCode {
    match run(cli) {
        Ok(code) => code,
        Err(e) => {
            complain(&e, cli.json);
            ExitCode::from(e.exit_code())
        }
    }
}

fn complain(error: &CtlError, json: bool) {
    if json {
        // Nobody may be reading.
        let _ = writeln!(std::io::stderr(), "{:#}", error.json());
        return;
    }
    let lines: Vec<String> = error.to_string().lines().map(|line| render::clean(line).into_owned()).collect();
    terminal::complain("vswitchctl", &lines);
}

fn run(cli: &Vswitchctl) -> Result<ExitCode, CtlError> {
    let daemon = Daemon { socket: &cli.socket, patience: PATIENCE };
    let outcome = match &cli.command {
        Command::Status => status::status(daemon)?,
        Command::Reload => status::reload(daemon)?,
        Command::Stats(args) => status::stats(daemon, args.check)?,
        Command::Quota { account } => status::quota(daemon, account)?,
        Command::Explain(packet) => explained::run(daemon, packet)?,
        Command::Inventory(command) => inventory::run(daemon, command)?,
        Command::Account(command) => accounts::run(daemon, command)?,
        Command::Eni(args) => enis::run(daemon, args)?,
        Command::Filter(args) => mirror::filter(daemon, args)?,
        Command::Rule(command) => rules::rule(daemon, command)?,
        Command::Session(args) => mirror::session(daemon, args)?,
        Command::Service(command) => mirror::service(daemon, command)?,
        Command::Tag(command) => mirror::tag(daemon, command)?,
        Command::Top(args) => top::run(daemon, args, cli.json)?,
        Command::Watch(args) => watch::run(daemon, args, cli.json)?,
        Command::Backup { file } => backup::backup(daemon, file)?,
        Command::Restore { file } => backup::restore(daemon, file)?,
        Command::Doctor { config } => doctor::run(daemon, config.as_deref()),
    };
    terminal::write(&outcome.shown(cli.json))?;
    Ok(if outcome.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
