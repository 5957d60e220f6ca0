//! `vswitchctl`: asks a running vswitch. Exit codes: 0 ok, 1 refused, 2 usage, 3 daemon not reached.

use std::process::ExitCode;

use vswitch::cli::{self, Vswitchctl};

fn main() -> ExitCode {
    vswitch::ctl::main(&cli::parse::<Vswitchctl>(vswitch::VERSION_LINE))
}
