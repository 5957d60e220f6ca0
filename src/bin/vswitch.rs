//! `vswitch`: the daemon, the configuration check and the offline replay.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vswitch::control::daemon;

/// The virtual switch process of a hypervisor host: forwards and mirrors VPC traffic.
#[derive(Parser)]
#[command(name = "vswitch", version = vswitch::VERSION)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the switch until SIGTERM or SIGINT; SIGHUP reads the object files again.
    Run {
        /// The configuration file.
        #[arg(long, default_value = "conf/vswitch.toml")]
        config: PathBuf,
    },
    /// Print the effective configuration, or every error in it and in the files it names.
    Check {
        /// The configuration file.
        #[arg(long, default_value = "conf/vswitch.toml")]
        config: PathBuf,
    },
    /// Run recorded packets through the datapath, without root or hugepages.
    Replay(vswitch::replay::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run { config } => daemon::run(&config),
        Command::Check { config } => daemon::check(&config),
        Command::Replay(args) => vswitch::replay::main(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("vswitch: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}
