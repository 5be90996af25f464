//! A server of somebody else's as a child of the test: found or asked for, awaited, and killed when it is let go.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::needs;

/// Longest wait for a server to open its ports, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(5);

/// A port that was free when it was looked for is somebody else's by now: the caller looks for others.
#[derive(Debug)]
pub struct PortTaken;

/// A running server.
pub struct Program {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Program {
    /// Starts it and waits until it accepts connections at all these places.
    ///
    /// # Errors
    /// Another socket of this machine has one of its ports.
    pub fn start(
        name: &'static str,
        directory: &Path,
        label: &str,
        arguments: &[&str],
        places: &[SocketAddr],
    ) -> Result<Self, PortTaken> {
        let log = directory.join(format!("{label}.log"));
        let file = File::create(&log).unwrap();
        let child = Command::new(needs::find(name).expect("the test asked for it before"))
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let mut program = Self { child, name, log };
        program.wait_for(places)?;
        Ok(program)
    }

    /// Kills it: from now on its ports are closed.
    pub fn stop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }

    /// Halts it: its ports stay open and nothing answers there.
    pub fn halt(&mut self) {
        let halted = Command::new("sh")
            .args(["-c", "kill -s STOP \"$0\"", &self.child.id().to_string()])
            .status()
            .expect("every system has a shell");
        assert!(halted.success(), "{} cannot be halted", self.name);
    }

    fn wait_for(&mut self, places: &[SocketAddr]) -> Result<(), PortTaken> {
        let begun = Instant::now();
        for place in places {
            while TcpStream::connect(place).is_err() {
                if let Some(status) = self.child.try_wait().unwrap() {
                    let said = self.said();
                    if said.contains("Address already in use") {
                        return Err(PortTaken);
                    }
                    panic!("{} ended with {status}:\n{said}", self.name);
                }
                let waited = begun.elapsed();
                assert!(
                    waited < PATIENCE,
                    "{} has not opened {place} in {waited:?}:\n{}",
                    self.name,
                    self.said()
                );
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}
