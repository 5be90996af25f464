//! The house keeps its floors: imports run downward only, and siblings never import each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room may enter, itself aside.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    const GROUND: &[&str] = &["model", "wire"];
    BTreeMap::from([
        ("model", &[] as &[&str]),
        ("wire", &["model"]),
        ("catalog", GROUND),
        ("plan", GROUND),
        ("measure", GROUND),
        ("analysis", GROUND),
        ("output", GROUND),
        ("lab", GROUND),
        (
            "session",
            &[
                "catalog", "plan", "measure", "analysis", "output", "lab", "model", "wire",
            ],
        ),
        (
            "cli",
            &[
                "session", "catalog", "plan", "measure", "analysis", "output", "lab", "model",
                "wire",
            ],
        ),
    ])
}

#[test]
fn imports_run_downward_and_siblings_do_not_meet() {
    let mut wrong = Vec::new();
    for (file, room) in sources() {
        let allowed = allowed();
        let may = allowed
            .get(room.as_str())
            .unwrap_or_else(|| panic!("{room} is not on the map of the house (tests/floors.rs)"));
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for entered in rooms_named(line) {
                if entered != room && !may.contains(&entered.as_str()) {
                    wrong.push(format!(
                        "{}:{}: {room} enters {entered}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sockets_and_runtime_live_where_they_should() {
    let mut wrong = Vec::new();
    for (file, room) in sources() {
        if ["measure", "lab", "session", "cli"].contains(&room.as_str()) {
            continue;
        }
        for (number, line) in code_lines(&file) {
            for word in [
                "tokio::",
                "std::net::TcpStream",
                "std::net::UdpSocket",
                "Instant::now",
                "SystemTime::now",
                "Timestamp::now",
            ] {
                if line.contains(word) {
                    wrong.push(format!("{}:{number}: {room} uses {word}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_output_and_cli_print() {
    let mut wrong = Vec::new();
    for (file, room) in sources() {
        if ["output", "cli"].contains(&room.as_str()) {
            continue;
        }
        for (number, line) in code_lines(&file) {
            for word in ["println!", "eprintln!", "print!(", "dbg!"] {
                if line.contains(word) {
                    wrong.push(format!("{}:{number}: {room} prints", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines outside comments and outside the tests at the end of a file.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

/// Rooms that a line names as `crate::room`.
fn rooms_named(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|character| character.is_alphanumeric() || *character == '_')
                .collect()
        })
        .filter(|room: &String| allowed().contains_key(room.as_str()))
        .collect()
}

/// Every source file with its room; `lib.rs` and `main.rs` are the walls.
fn sources() -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&source).unwrap();
                let first = inside
                    .components()
                    .next()
                    .unwrap()
                    .as_os_str()
                    .to_string_lossy();
                let room = first.trim_end_matches(".rs").to_owned();
                if room != "lib" && room != "main" {
                    found.push((path.clone(), room));
                }
            }
        }
    }
    assert!(found.len() > 10, "the house has more files than that");
    found
}
