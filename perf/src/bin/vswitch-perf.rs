//! `vswitch-perf`: measures the switch beside its peers, and checks what it measures.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(vswitch_perf::cli::main())
}
