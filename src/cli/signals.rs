//! Ctrl-C and its kin: the first ends the run and keeps what was measured, the second ends everything.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status of a run that was interrupted: 128 and SIGINT, as shells tell it; for SIGTERM too.
pub const INTERRUPTED: u8 = 130;

/// Watches for SIGINT and SIGTERM from now on. The flag becomes true with the first of them.
///
/// A thread of its own, so that a second Ctrl-C is heard even while the run waits for a reader that does not read.
///
/// # Errors
/// Where the system lets us watch no signal.
pub fn watch(cancel: CancellationToken) -> io::Result<Arc<AtomicBool>> {
    let seen = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&seen);
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
            let signals = signal(SignalKind::interrupt())
                .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
            match signals {
                Ok(signals) => {
                    let _ = ready.send(Ok(()));
                    obey(signals, &flag, &cancel).await;
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

async fn obey(
    (mut interrupt, mut terminate): (Signal, Signal),
    seen: &AtomicBool,
    cancel: &CancellationToken,
) {
    either(&mut interrupt, &mut terminate).await;
    seen.store(true, Ordering::Relaxed);
    cancel.cancel();
    // A line of progress may stand there.
    let clear = if io::stderr().is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    anstream::eprintln!("{clear}interrupted: keeping what was measured; once more to quit at once");
    either(&mut interrupt, &mut terminate).await;
    std::process::exit(i32::from(INTERRUPTED));
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
