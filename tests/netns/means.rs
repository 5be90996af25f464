//! What the suite needs of this machine: programs of Debian, and root or a user namespace of its own.

use std::any::type_name;
use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::needs;

/// Says, to the suite inside a user namespace, that it is there.
const INSIDE: &str = "BLOCKPROBE_NETNS_INSIDE";

/// Scenarios at once: they mostly wait, but two processors have to do for a client and its whole internet each.
const AT_ONCE: usize = 3;

/// Where the suite can play.
#[derive(Clone, Debug)]
enum Stage {
    /// In this very process.
    Here,
    /// In a user namespace: the test runs itself again inside.
    UserNamespace,
    /// Nowhere, for this reason.
    Nowhere(String),
}

/// Plays a story here, or in a user namespace, or says loudly that it cannot.
pub fn play<Story: FnOnce()>(story: Story) {
    match stage() {
        Stage::Here => story(),
        Stage::UserNamespace => play_inside(test_name::<Story>()),
        Stage::Nowhere(reason) => needs::skip(&reason),
    }
}

/// One of the places at the table; given back when dropped.
#[derive(Debug)]
pub struct Seat;

static TAKEN: Mutex<usize> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();

impl Seat {
    /// Waits until one is free.
    pub fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = LEFT
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        LEFT.notify_one();
    }
}

/// Runs a shell script; what it says where it fails.
pub fn shell(script: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("sh");
    command.args(["-ec", script, "sh"]).args(arguments);
    // Debian keeps these programs where an ordinary user's PATH does not lead.
    command.env("PATH", path());
    let output = command.stdin(Stdio::null()).output();
    let output: Output = output.map_err(|error| format!("no shell: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    (output.status.success())
        .then_some(())
        .ok_or_else(|| format!("{} ({})", told.trim(), output.status))
}

/// The search path with the system's own programs.
pub fn path() -> String {
    let usual = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    env::var("PATH").map_or_else(|_| usual.to_owned(), |path| format!("{path}:{usual}"))
}

fn stage() -> Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(find_stage).clone()
}

fn find_stage() -> Stage {
    let programs = ["ip", "nft", "iptables", "unshare", "mount", "python3"];
    for program in &programs {
        if shell("command -v \"$1\" >/dev/null", &[program]).is_err() {
            return Stage::Nowhere((*program).to_owned());
        }
    }
    let name = format!("blockprobe{}-try", std::process::id());
    let here = shell("ip netns add \"$1\"; ip netns del \"$1\"", &[&name]);
    let Err(here) = here else {
        return Stage::Here;
    };
    if env::var_os(INSIDE).is_some() {
        return Stage::Nowhere(format!("no network namespace in a user namespace: {here}"));
    }
    match shell("unshare -Urnm mount -t tmpfs tmpfs /run", &[]) {
        Ok(()) => Stage::UserNamespace,
        Err(inside) => Stage::Nowhere(format!(
            "network namespaces (as root: {here}; as a user: {inside})"
        )),
    }
}

/// The test again, alone, where it is root.
fn play_inside(test: &str) {
    let myself = env::current_exe().expect("this test is a program");
    let mut command = Command::new("unshare");
    command
        .args(["-Urnm", "sh", "-ec"])
        .arg("mount -t tmpfs tmpfs /run; mkdir /run/netns; exec \"$@\"")
        .arg("sh")
        .arg(myself)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .env("PATH", path());
    let _seat = Seat::take();
    let output = command.output().expect("unshare was there a moment ago");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{test} in a user namespace:\n{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{told}");
}

/// The name that the test program knows a story by: `positives::nxdomain`, from the path of its closure.
fn test_name<Story>() -> &'static str {
    let path = type_name::<Story>();
    let path = path.strip_suffix("::{{closure}}").unwrap_or(path);
    path.split_once("::").map_or(path, |(_, test)| test)
}
