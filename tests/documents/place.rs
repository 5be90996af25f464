//! A folder in which the commands of the documents run: there `blockprobe` measures the lab and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::text::root;

/// Adds `--lab open` to every run that plays no scenario of its own, so that nothing leaves this machine.
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in *" --lab "*) exec "$REAL" "$@" ;; esac
case "${1:-}" in
list | check | analyze | selftest | explain | schema | completions | man | help | -h | --help | -V | --version)
    exec "$REAL" "$@"
    ;;
esac
exec "$REAL" "$@" --lab "${SCENARIO:-open}"
"#;

/// The folder. Everything in it is gone in the end.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for folder in ["bin", "home", "work"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        place.program("blockprobe", WRAPPER);
        place.program("sleep", "#!/bin/sh\n");
        let archive = fs::read_to_string(root().join("contrib/blockprobe-archive")).unwrap();
        place.program("blockprobe-archive", &archive);
        place
    }

    /// A file or folder beside the working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The folder in which commands run.
    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Puts a program before those of the system.
    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a script in the working folder, as a shell would with an environment that is nearly empty.
    pub fn shell(&self, script: &str, environment: &[(&str, &str)]) -> Output {
        let bin = self.path("bin").display().to_string();
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("HOME", self.path("home"))
            .env("REAL", env!("CARGO_BIN_EXE_blockprobe"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("bash runs")
    }

    /// Runs it, and what it wrote on standard output. It must end well.
    pub fn succeed(&self, script: &str) -> String {
        let output = self.shell(script, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}\n{script}\n{said}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The files of a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}
