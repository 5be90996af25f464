//! What measures every hour: the script, the crontab line that calls it, and the units of systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::needs;
use crate::place::{Place, files};
use crate::text::{blocks_of, read, root};

/// Most that `systemd-analyze security` may say, in tenths.
const EXPOSURE: &str = "25";

#[test]
fn the_crontab_line_keeps_a_labelled_report_that_others_can_read() {
    if !needs::programs(&["bash"]) {
        return;
    }
    let [readme, install] = ["README.md", "docs/install.md"].map(|it| blocks_of(it, "cron"));
    assert_eq!(readme[0].text, install[0].text);
    let line = readme[0].text.trim_end();
    let fields: Vec<&str> = line.splitn(6, ' ').collect();
    let command = fields[5].trim_start();
    assert!(
        command.starts_with("sleep $(shuf -i 0-1800 -n 1); /"),
        "{command}"
    );
    assert!(!command.contains('%'), "cron would end the line there");

    let place = Place::new();
    let directory = place.path("kept").display().to_string();
    let bin = place.path("bin").display().to_string();
    let command = command
        .replace("/usr/local/bin", &bin)
        .replace("/var/lib/blockprobe", &directory);
    let output = place.shell(&command, &[("BLOCKPROBE_LABEL", "moscow-1")]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "cron would send a mail: {output:?}"
    );
    let kept = files(&place.path("kept"));
    assert_eq!(kept.len(), 1);
    let name = kept[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with("Z.ndjson.zst"), "{name}");
    let mode = fs::metadata(&kept[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let told = place.succeed(&format!(
        "blockprobe analyze -f json '{}'",
        kept[0].display()
    ));
    let reports: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(reports[0]["vantage"]["label"], "moscow-1");
    assert_eq!(reports[0]["verdicts"].as_array().unwrap().len(), 4);
}

#[test]
fn the_archive_keeps_the_exit_status_and_deletes_what_is_old() {
    if !needs::programs(&["bash"]) {
        return;
    }
    let place = Place::new();
    place.succeed("mkdir -p kept; touch -d '100 days ago' kept/old.ndjson.zst kept/other.txt; touch kept/new.ndjson.zst");
    let output = place.shell("blockprobe-archive kept max --fail-on accessible", &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let kept = files(&place.work().join("kept"));
    let has = |name: &str| kept.iter().any(|it| it.ends_with(name));
    assert!(
        !has("old.ndjson.zst") && has("new.ndjson.zst") && has("other.txt"),
        "{kept:?}"
    );
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[test]
fn the_service_runs_the_archive_and_is_hardened() {
    let unit = read("contrib/systemd/blockprobe.service");
    for line in [
        "ExecStart=/usr/local/bin/blockprobe-archive ${STATE_DIRECTORY}",
        "Environment=BLOCKPROBE_LABEL=%H KEEP_DAYS=90",
        "SuccessExitStatus=3 129 130 143",
        "StateDirectoryMode=0755",
    ] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
    let timer = read("contrib/systemd/blockprobe.timer");
    assert!(timer.contains("RandomizedDelaySec="));
    if !needs::programs(&["systemd-analyze"]) {
        return;
    }
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE}"))
        .arg(root().join("contrib/systemd/blockprobe.service"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("exposure level"), "{output:?}");
    assert!(output.status.success(), "{told}");
}
