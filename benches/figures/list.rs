//! Wall time of `blockprobe list`, beside that of a command that does nothing.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::table::{self, Figures};

/// How often each is started.
const TIMES: usize = 20;

/// Prints the table.
pub fn print() {
    table::title("list: start to end");
    let nothing = started(&["--version"]);
    let human = started(&["list"]);
    let json = started(&["list", "--format", "json"]);
    table::row("blockprobe --version", &nothing, "ms", "");
    table::row("blockprobe list", &human, "ms", "budget 10 ms");
    table::row("blockprobe list --format json", &json, "ms", "budget 10 ms");
    let ratio = human.median / nothing.median;
    table::note(&format!("list takes {ratio:.1} times as long as --version"));
}

fn started(arguments: &[&str]) -> Figures {
    let times = (0..TIMES).map(|_| {
        let begun = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_blockprobe"))
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .expect("the program starts");
        assert!(status.success(), "{arguments:?}: {status}");
        begun.elapsed().as_secs_f64() * 1e3
    });
    Figures::of(times.collect())
}
