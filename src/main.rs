//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    blockprobe::cli::main()
}
