//! Tells the program its commit, target and compiler. Without git (a crate's tarball) the commit is `unknown`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = commit().or_else(packaged);
    set("BLOCKPROBE_COMMIT", commit.as_ref().map(|(hash, _)| hash));
    set(
        "BLOCKPROBE_COMMIT_DATE",
        commit.as_ref().map(|(_, date)| date),
    );
    set("BLOCKPROBE_TARGET", env::var("TARGET").ok().as_ref());
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = output(Command::new(rustc).arg("--version"));
    let version = version.map(|said| said.trim_start_matches("rustc ").to_owned());
    set("BLOCKPROBE_RUSTC", version.as_ref());
}

fn set(name: &str, value: Option<&String>) {
    let value = value.map_or("unknown", String::as_str);
    println!("cargo::rustc-env={name}={value}");
}

/// Short hash and day of the commit that is checked out, if this directory is the root of a repository.
fn commit() -> Option<(String, String)> {
    let root = env::var("CARGO_MANIFEST_DIR").ok()?;
    // A tarball that is unpacked inside another repository is not part of it.
    if !Path::new(&root).join(".git").exists() {
        return None;
    }
    watch();
    let said = git(&[
        "-c",
        "log.showSignature=false",
        "log",
        "-1",
        "--format=%h %cs",
    ])?;
    let (hash, date) = said.split_once(' ')?;
    Some((hash.to_owned(), date.to_owned()))
}

/// What `cargo package` wrote beside a crate of a clean checkout.
fn packaged() -> Option<(String, String)> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    let hash = rest.get(..7)?;
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| (hash.to_owned(), "unknown".to_owned()))
}

/// Runs this script again when another commit is checked out, and not for commits on other branches.
fn watch() {
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    // A branch has a file of its own, or a line in `packed-refs`.
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    output(Command::new("git").args(arguments))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
