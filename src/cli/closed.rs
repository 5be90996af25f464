//! Whether standard output was closed when the program began (`>&-`). Writing to it would lose the result in silence.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before `main`: the standard library opens `/dev/null` in place of what is closed, and nothing shows it after that.
#[ctor::ctor(unsafe)]
fn look() {
    let found = fcntl(std::io::stdout(), FcntlArg::F_GETFD);
    CLOSED.store(found == Err(Errno::EBADF), Ordering::Relaxed);
}

/// Whether it was.
pub fn stdout() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
