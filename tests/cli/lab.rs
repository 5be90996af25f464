//! The lab as its users meet it: the same ports in every run, definitions of one's own, and what it cannot do.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{code, output, stderr, stdout};

/// Runs a script of the shell in a network of its own: other labs of this machine have no part in it. `$B` is the command.
fn in_a_network_of_its_own(script: &str) -> Option<Output> {
    let script = format!("ip link set lo up && cd \"$0\" && {script}");
    let folder = tempfile::tempdir().unwrap();
    for flags in ["-n", "-rn"] {
        let tried = Command::new("unshare").args([flags, "ip", "link"]).output();
        if tried.is_ok_and(|tried| tried.status.success()) {
            let run = Command::new("unshare")
                .args([flags, "sh", "-c", &script])
                .arg(folder.path())
                .env("B", env!("CARGO_BIN_EXE_blockprobe"))
                .stdin(Stdio::null())
                .output();
            return Some(run.unwrap());
        }
    }
    let trouble =
        "no network of its own can be made here: it needs iproute2, and root or a user namespace";
    assert!(std::env::var_os("CI").is_none(), "{trouble}");
    eprintln!("SKIPPED: {trouble}");
    None
}

/// Every address and port that a report's checks lead to, but for contrasts.
fn addresses(report: &Value) -> BTreeSet<String> {
    let observations = report["observations"].as_array().unwrap();
    // Contrasts may go to other ports, which only a run with failures tries.
    let plain = observations
        .iter()
        .filter(|it| it["check"]["contrast"].is_null());
    let climbs = plain.map(|it| &it["check"]["address"]);
    climbs
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}

#[test]
fn another_scenario_of_the_lab_is_a_control_for_this_one() {
    let script = "$B --lab open -f json -o free.json --label free \
        && $B telegram --lab data_centres_dropped -f json --control free.json -o here.json; \
        cat free.json; echo; cat here.json";
    let Some(run) = in_a_network_of_its_own(script) else {
        return;
    };
    let text = stdout(&run);
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .map(|it| it.unwrap_or_else(|error| panic!("{error} {}", stderr(&run))))
        .collect();
    let (free, here) = (addresses(&documents[0]), addresses(&documents[1]));
    assert!(
        here.len() > 20 && here.is_subset(&free),
        "{:?}",
        here.difference(&free).collect::<Vec<_>>()
    );
    let notes = documents[1]["vantage"]["notes"].to_string();
    let compared = notes
        .split_once("(measured within a minute of this run): ")
        .unwrap()
        .1;
    let words: Vec<&str> = compared.split(' ').collect();
    assert_eq!(words[0], words[2], "{notes}");
    assert!(
        notes.contains("Compared with the report of vantage `free`"),
        "{notes}"
    );
}

const OWN: &str = r#"
[[target]]
id = "own"
name = "Own"

[[target.service]]
id = "chat"
essential = true

[[target.service.endpoint]]
protocol = "https"
hosts = ["own.example.org"]
expect = { title = "Signal" }

[[target.service.endpoint]]
protocol = "custom"
over = "tls"
hosts = ["mail.example.org"]
ports = [993]
expect = { regex = '^\* (OK|PREAUTH) ' }
"#;

#[test]
fn definitions_of_ones_own_are_played_in_the_lab() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.toml");
    let path = own.to_str().unwrap();
    fs::write(&own, OWN).unwrap();
    let open = output(&[
        "-d",
        path,
        "--lab",
        "nxdomain_by_isp_resolver",
        "-f",
        "json",
    ]);
    assert_eq!(code(&open), 0, "{}", stderr(&open));
    let report: Value = serde_json::from_str(&stdout(&open)).unwrap();
    assert_eq!(
        report["verdicts"][0]["status"], "accessible",
        "{}",
        report["verdicts"]
    );
    let notes = report["vantage"]["notes"].to_string();
    assert!(
        notes.contains("censors nothing that these definitions measure"),
        "{notes}"
    );

    // A target that the scenario is aimed at, by its id.
    fs::write(&own, OWN.replace("\"own\"", "\"whatsapp\"")).unwrap();
    let hit = output(&[
        "-d",
        path,
        "--lab",
        "nxdomain_by_isp_resolver",
        "-f",
        "json",
    ]);
    let report: Value = serde_json::from_str(&stdout(&hit)).unwrap();
    let verdict = &report["verdicts"][0];
    assert_eq!(verdict["status"], "blocked", "{verdict}");
    assert_eq!(verdict["techniques"][0]["id"], "domain_name/nxdomain");

    let unserved = "[[target.service.endpoint]]\nprotocol = \"custom\"\nover = \"tcp\"\nports = [6379]\n\
        hosts = [\"redis.example.org\"]\nsend = \"PING\"\nexpect = { prefix = \"+PONG\", regex = '^OK' }\n";
    fs::write(&own, OWN.to_owned() + unserved).unwrap();
    let run = output(&["-d", path, "--lab", "open", "-f", "json"]);
    let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let notes = report["vantage"]["notes"].to_string();
    assert!(
        notes.contains("cannot serve custom_tcp://redis.example.org:6379"),
        "{notes}"
    );
}
