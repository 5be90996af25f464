//! Where code of others is installed, and what to do where it is not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Baileys, as `npm` installs it.
pub fn baileys() -> Option<PathBuf> {
    find(
        "npm",
        "node_modules/baileys",
        "node",
        "npm install --prefix target/foreign/npm --ignore-scripts baileys@7.0.0-rc14",
    )
}

/// Python's websockets, as `pip` installs it.
pub fn websockets() -> Option<PathBuf> {
    find(
        "pip",
        "websockets",
        "python3",
        "python3 -m pip install --target target/foreign/pip websockets==15.0.1",
    )
}

/// aioquic, as `pip` installs it.
pub fn aioquic() -> Option<PathBuf> {
    find(
        "pip",
        "aioquic",
        "python3",
        "python3 -m pip install --target target/foreign/pip aioquic==1.7.2",
    )
}

/// The folder, if the package is there and its interpreter runs. Without it a test is skipped aloud, and fails in CI.
fn find(folder: &str, package: &str, interpreter: &str, install: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/foreign").join(folder);
    let runs = Command::new(interpreter)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if folder.join(package).is_dir() && runs.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    let trouble = format!("{package} or {interpreter} is not installed\nhint: {install}");
    assert!(std::env::var_os("CI").is_none(), "{trouble}");
    eprintln!("SKIPPED: {trouble}");
    None
}
