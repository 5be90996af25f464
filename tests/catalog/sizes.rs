//! Files, lists and floods of mistakes larger than anybody needs are refused before they cost anything.

use std::path::Path;

use blockprobe::catalog::files::{LoadError, load_file};
use blockprobe::catalog::{EMBEDDED, MAX_BYTES, embedded, load};

use crate::TARGET;
use crate::mistakes::{complaint, refused};

#[test]
fn absurd_sizes_are_refused() {
    let large = vec![b'#'; MAX_BYTES + 1];
    assert!(
        load("my.toml", &large)
            .expect_err("too large")
            .to_string()
            .contains("larger than 4 MiB")
    );
    let hosts: Vec<String> = (0..30_000).map(|n| format!("\"h{n}.example\"")).collect();
    let complaint = complaint(&format!(
        "{TARGET}protocol = \"tls\"\nhosts = [{}]\n",
        hosts.join(",")
    ));
    assert!(
        complaint.contains("more than 20000 endpoints"),
        "{complaint}"
    );
    let ports: Vec<String> = (1..=65_535).map(|port| port.to_string()).collect();
    refused(
        &format!(
            "protocol = \"tls\"\nhosts = [\"a.example\"]\nports = [{}]\n",
            ports.join(",")
        ),
        &["20000 endpoints"],
    );
}

#[test]
fn lists_that_are_copied_for_every_host_are_short() {
    let address = |n: usize| format!("\"10.0.{}.{}\"", n / 250, n % 250 + 1);
    let addresses = (0..257).map(address).collect::<Vec<_>>().join(",");
    refused(
        &format!("protocol = \"tls\"\nhosts = [\"a.example\"]\naddresses = [{addresses}]\n"),
        &[
            "error: 257 addresses here, and at most 256 are allowed",
            "--> my.toml:10:13\n",
        ],
    );
    let alpn = ["\"h2\""; 17].join(",");
    refused(
        &format!("protocol = \"tls\"\nhosts = [\"a.example\"]\nalpn = [{alpn}]\n"),
        &["17 ALPN identifiers here, and at most 16"],
    );
}

#[test]
fn a_flood_of_mistakes_is_counted() {
    let lines: String = (0..60).fold(String::new(), |text, n| text + &format!("k{n} = {n}\n"));
    let errors = load("my.toml", lines.as_bytes()).expect_err("60 unknown keys");
    assert_eq!(errors.problems.len(), 50);
    assert!(errors.to_string().contains("... and 11 more"), "{errors}");
}

#[test]
fn a_file_is_read_from_disk_no_further_than_it_may_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.toml");
    std::fs::write(&path, EMBEDDED).expect("written");
    let loaded = load_file(&path).expect("our own file is right");
    assert_eq!(loaded.definitions.sha256, embedded().definitions.sha256);
    assert_eq!(loaded.definitions.source, "own.toml");
    let missing = load_file(Path::new("no/such.toml")).expect_err("it is not there");
    assert!(matches!(missing, LoadError::Read { .. }), "{missing}");
    let endless = load_file(Path::new("/dev/zero")).expect_err("it has no end");
    assert!(
        endless.to_string().contains("larger than 4 MiB"),
        "{endless}"
    );
}
