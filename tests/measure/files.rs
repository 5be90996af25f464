//! A machine that runs out of open files: checks wait for them, and what they lack is no fact about the network.
//!
//! The limit is of the whole process, so each test plays its part in a process of its own.

use std::env;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use blockprobe::measure::Event;
use blockprobe::model::catalog::{Protocol, Transport};
use blockprobe::model::check::Ask;
use blockprobe::model::observation::{OUT_OF_FILES, Observation};
use tokio::sync::mpsc;

use crate::site::{Site, check, climb, query, serve};

/// Says to this program that it is the process with few files.
const APART: &str = "BLOCKPROBE_TEST_FEW_FILES";

/// Plays the test of this name in a process that may have 48 open files; whether this is that process.
fn is_apart(test: &str) -> bool {
    if env::var_os(APART).is_some() {
        return true;
    }
    let script = r#"ulimit -n 48 && exec "$0" --exact "$1" --nocapture"#;
    let program = env::current_exe().unwrap();
    let played = Command::new("sh")
        .args(["-c", script])
        .args([program.as_os_str(), test.as_ref()])
        .env(APART, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&played.stdout).into_owned()
        + &String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
    false
}

/// Everything that may still be opened.
fn all_files() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// One check of each kind of socket, and a lookup.
async fn asks() -> (Vec<Ask>, Site) {
    let address = serve(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut site = Site::new(&[]).with_resolver(Transport::Udp, address);
    site.limits.dns_resend.clear();
    site.limits.dns_give_up = Duration::from_millis(200);
    let asks = vec![
        Ask::Climb(climb(Protocol::Tcp, address)),
        query(),
        Ask::Lookup {
            name: "localhost".to_owned(),
        },
    ];
    (asks, site)
}

/// What becomes of the checks; the files that others hold are given back, or not.
async fn observed(wait: Duration, back: bool) -> Vec<Observation> {
    let (asks, mut site) = asks().await;
    site.limits.descriptors_wait = wait;
    site.limits.descriptors_pause = Duration::from_millis(5);
    let engine = site.engine();
    let mut held = all_files();
    let (events, mut received) = mpsc::unbounded_channel();
    let count = asks.len();
    for (at, ask) in asks.into_iter().enumerate() {
        engine.start(format!("o{at}"), check(ask), &events);
    }
    if back {
        // Long enough for every check to have met the limit.
        tokio::time::timeout(Duration::from_millis(60), received.recv())
            .await
            .unwrap_err();
        held.clear();
    }
    let mut seen = Vec::new();
    while seen.len() < count {
        if let Some(Event::Complete(observation)) = received.recv().await {
            seen.push(*observation);
        }
    }
    seen
}

#[tokio::test]
async fn checks_wait_for_open_files() {
    if !is_apart("files::checks_wait_for_open_files") {
        return;
    }
    for seen in observed(Duration::from_secs(60), true).await {
        assert_eq!(seen.not_run, None, "{seen:?}");
        assert!(!seen.steps.is_empty(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_check_without_open_files_is_not_run_and_blames_nothing() {
    if !is_apart("files::a_check_without_open_files_is_not_run_and_blames_nothing") {
        return;
    }
    for seen in observed(Duration::ZERO, false).await {
        assert_eq!(seen.not_run.as_deref(), Some(OUT_OF_FILES), "{seen:?}");
        assert!(seen.is_not_run() && seen.failure().is_none(), "{seen:?}");
    }
}
