//! What a test needs of this machine. What is missing is kept for the last lines of `cargo test`: see `zz_skipped.rs`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::thread;

/// Whether all these programs are here. Where one is missing the test is skipped; with `CI=true` it fails.
pub fn programs(names: &[&str]) -> bool {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|it| find(it).is_none())
        .collect();
    if !missing.is_empty() {
        skip(&missing.join(" and "));
    }
    missing.is_empty()
}

/// Whether a Python package is here, and Python itself.
pub fn python(package: &str) -> bool {
    let has_package = packages().join(package).is_dir();
    if !has_package {
        skip(&format!("Python's {package}"));
    }
    has_package && programs(&["python3"])
}

/// Where `tests/run` puts Python packages.
pub fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign/python")
}

/// Says that this test is skipped for want of something.
///
/// # Panics
/// With `CI=true`: there a skip is a failure.
pub fn skip(want: &str) {
    let words = format!("SKIPPED for want of {want} (tests/run installs it)");
    assert!(!is_ci(), "{words}");
    eprintln!("{words}");
    let this = thread::current();
    let test = this.name().unwrap_or("a test");
    let line = format!("{}\t{test}\t{want}\n", env!("CARGO_CRATE_NAME"));
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(skipped(parent_id()));
    // A folder that cannot be written loses the summary and no test.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// Where a program is; servers are often outside the search path of ordinary users.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(usual)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// What the tests of one `cargo test` skipped, a line each: suite, test, what is missing. Cargo is the parent of them all.
pub fn skipped(cargo: u32) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("skipped-{cargo}"))
}

/// Removes what runs left behind that ended before their summary.
pub fn forget_dead_runs() {
    let files = fs::read_dir(env!("CARGO_TARGET_TMPDIR"));
    for file in files.into_iter().flatten().flatten() {
        let name = file.file_name().into_string().unwrap_or_default();
        let cargo = name.strip_prefix("skipped-");
        if cargo.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Whether a skip is a failure.
pub fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}
