//! `vswitch`: the daemon, the configuration check, the offline restore and replay.

use std::process::ExitCode;

use vswitch::cli::{self, DaemonCommand, Vswitch};
use vswitch::control::daemon;
use vswitch::terminal;

fn main() -> ExitCode {
    let outcome = match cli::parse::<Vswitch>(vswitch::VERSION_LINE).command {
        DaemonCommand::Run { config } => daemon::run(&config),
        DaemonCommand::Check { config } => daemon::check(&config),
        DaemonCommand::Restore { config, backup } => daemon::restore(&config, &backup),
        DaemonCommand::Replay(args) => vswitch::replay::main(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            terminal::complain("vswitch", &problems);
            ExitCode::FAILURE
        }
    }
}
