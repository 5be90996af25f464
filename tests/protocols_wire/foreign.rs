//! What others wrote: found, started and spoken to, or loudly missed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use blockprobe::wire::text::hex;

use crate::needs;

/// A Python script that is spoken to in lines of hexadecimal digits.
pub struct Script {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Script {
    /// Starts it, if Python and these modules are here.
    pub fn start(modules: &[&str], text: &str, arguments: &[&str]) -> Option<Self> {
        for module in modules {
            // Looked for and not imported: that takes a second.
            let look = format!("import importlib.util as u; exit(not u.find_spec('{module}'))");
            let tried = python().args(["-c", &look]).stderr(Stdio::null()).status();
            if !tried.is_ok_and(|status| status.success()) {
                needs::skip(&format!("Python's {module}"));
                return None;
            }
        }
        let mut child = python()
            .args(["-c", text])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python was there a moment ago");
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, to, from })
    }

    /// Gives it bytes.
    pub fn give(&mut self, bytes: &[u8]) {
        writeln!(self.to, "{}", hex(bytes)).unwrap();
        self.to.flush().unwrap();
    }

    /// Takes a line of text.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the script ended: its complaint is above");
        line.trim_end().to_owned()
    }

    /// Takes bytes.
    pub fn bytes(&mut self) -> Vec<u8> {
        let line = self.line();
        assert_eq!(line.len() % 2, 0, "{line}");
        let pairs = (0..line.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
            .collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", needs::packages());
    command
}
