//! How many files this process may have open: a limit of this machine, and never a fact about the network.

use std::fmt;
use std::fs::{self, File};
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::model::failure::Failure;
use crate::model::observation::OUT_OF_FILES;

/// Where the process sees its own open files.
const OPEN: &str = "/proc/self/fd";
/// What a process has at least where the system does not say its limit (POSIX asks for 20, every Unix gives more).
const UNKNOWN: u64 = 256;

/// The limit is lower than what is needed, and cannot be raised from within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// Open files that are needed.
    pub needed: u64,
    /// The limit.
    pub limit: u64,
    /// The hard limit itself is that low.
    pub is_hard: bool,
}

impl std::error::Error for TooFew {}

impl fmt::Display for TooFew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, limit, .. } = self;
        let kind = if self.is_hard { " (hard)" } else { "" };
        write!(
            formatter,
            "needs {needed} open files, the limit is {limit}{kind}"
        )
    }
}

impl TooFew {
    /// What the user can do.
    pub fn hint(&self) -> String {
        format!("raise it: ulimit -n {}", self.needed)
    }
}

/// Raises the soft limit to what is needed, where it is lower.
///
/// # Errors
/// Where the limit stays below it.
pub fn need(needed: u64) -> Result<(), TooFew> {
    let limit = raise(needed);
    if limit >= needed {
        return Ok(());
    }
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    Err(TooFew {
        needed,
        limit,
        is_hard: hard < needed,
    })
}

/// Raises the soft limit towards the hard one, `cap` at most, and says what it is then (`cap` where it is higher).
pub fn raise(cap: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return UNKNOWN.min(cap);
    };
    let wanted = hard.min(cap);
    if soft >= wanted {
        return soft.min(cap);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

/// Files that are open now; 0 where the system does not say.
pub fn open() -> u64 {
    fs::read_dir(OPEN).map_or(0, |files| {
        // The directory itself is open too while it is read.
        u64::try_from(files.count()).map_or(0, |count| count.saturating_sub(1))
    })
}

/// Whether not one more file can be opened. Libraries keep this to themselves: the C library's resolver then says that a
/// name cannot be resolved.
pub fn are_used_up() -> bool {
    File::open("/dev/null").is_err_and(|error| is_out_of_files(&error))
}

/// Whether an error says so.
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// The failure that stands for it until the check is over; no report holds it.
pub fn failure() -> Failure {
    Failure::Unknown(OUT_OF_FILES.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_says_what_to_do() {
        let trouble = TooFew {
            needed: 4096,
            limit: 1024,
            is_hard: true,
        };
        assert_eq!(
            trouble.to_string(),
            "needs 4096 open files, the limit is 1024 (hard)"
        );
        assert_eq!(trouble.hint(), "raise it: ulimit -n 4096");
        assert_eq!(need(u64::MAX).unwrap_err().needed, u64::MAX);
        assert_eq!(need(8), Ok(()));
    }

    #[test]
    fn open_files_are_counted() {
        let before = open();
        let more: Vec<File> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests open and close files at the same time.
        assert!(before >= 3 && open() > 200, "{before} {}", open());
        drop(more);
        assert!(!are_used_up());
    }
}
