//! Ctrl-C and its kin: the first ends the run and keeps what was measured, the second ends everything.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::destination;

/// Exit status of a run that a signal ended: 128 and the signal's number, as shells have it.
const BY_SIGNAL: u8 = 128;

/// SIGINT, SIGTERM and SIGHUP.
const INTERRUPT: u8 = 2;
const TERMINATE: u8 = 15;
const HANG_UP: u8 = 1;

/// The first signal that came, if any.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<AtomicU8>);

impl Seen {
    /// The exit status that says so.
    pub fn status(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(BY_SIGNAL + number),
        }
    }
}

/// Watches for SIGINT, SIGTERM and SIGHUP from now on.
///
/// A thread of its own, so that a second Ctrl-C is heard even while the run waits for a reader that does not read.
///
/// # Errors
/// Where the system lets us watch no signal.
pub fn watch(cancel: CancellationToken) -> io::Result<Seen> {
    let seen = Seen::default();
    let first = seen.clone();
    let (ready, watching) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return ready.send(Err(error)).unwrap_or_default(),
        };
        runtime.block_on(async {
            match Signals::new() {
                Ok(signals) => {
                    let _ = ready.send(Ok(()));
                    obey(signals, &first, &cancel).await;
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
    });
    watching
        .recv()
        .map_err(|_| io::Error::other("the watch for signals ended"))??;
    Ok(seen)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`: then a hangup is to change nothing.
    hang_up: Option<Signal>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let hang_up = if is_hangup_ignored() {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    async fn next(&mut self) -> u8 {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
            _ = hang_up => HANG_UP,
        }
    }
}

/// What `nohup` did before this program began. Elsewhere than on Linux it cannot be asked without `unsafe`.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

async fn obey(mut signals: Signals, seen: &Seen, cancel: &CancellationToken) {
    seen.0.store(signals.next().await, Ordering::Relaxed);
    cancel.cancel();
    // A line of progress may stand there.
    let clear = if io::stderr().is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    // After a hangup the terminal is gone, and that changes nothing.
    let _ = writeln!(
        anstream::stderr(),
        "{clear}interrupted: keeping what was measured; once more to quit at once"
    );
    signals.next().await;
    destination::remove_unfinished();
    std::process::exit(i32::from(seen.status().unwrap_or(BY_SIGNAL + INTERRUPT)));
}
