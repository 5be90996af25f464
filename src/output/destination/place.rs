//! Files on disk: opened without following a trap, locked, replaced at once, and never lost.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::{Flock, FlockArg};
use tempfile::{Builder, NamedTempFile};

use crate::output::destination::packing::{Packer, Packing};

/// Reports say where a person stands and what is blocked there: not for others to read.
const PRIVATE: u32 = 0o600;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Random letters in the name of an unfinished file.
const RANDOM: usize = 12;

/// A file with this ending holds what is not finished yet.
const ENDING: &str = ".tmp";

/// Files that are not finished yet, for a process that ends without unwinding.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what is not finished. For a process that ends at once.
pub fn remove_unfinished() {
    if let Ok(paths) = UNFINISHED.lock() {
        for path in paths.iter() {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file that takes its place when it is finished.
pub struct Pending {
    file: NamedTempFile,
    /// Where it appears, links followed.
    place: PathBuf,
    /// As the user gave it.
    given: PathBuf,
    _noted: Noted,
}

/// Locks that end with the process at the latest.
pub type Locks = Vec<Flock<File>>;

impl Pending {
    /// A file beside `path`, under a name that cannot be guessed, and the locks on it and on what it replaces.
    ///
    /// # Errors
    /// As opening fails; `ResourceBusy` where another run writes to `path`.
    pub fn new(path: &Path) -> io::Result<(Self, Locks)> {
        let place = followed(path)?;
        let name = place
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let directory = directory_of(&place);
        let existing = match OpenOptions::new().append(true).open(&place) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        // Runs that begin at the same moment look around one after the other.
        let turn = File::open(directory).ok();
        let _turn = turn.map(|file| Flock::lock(file, FlockArg::LockExclusive).ok());
        refuse_others(directory, &prefix)?;
        let kept = existing.as_ref().map(File::metadata).transpose()?;
        let mut locks = Locks::new();
        if let Some(existing) = existing {
            locks.extend(lock(existing)?);
        }
        let file = Builder::new()
            .prefix(&prefix)
            .suffix(ENDING)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(PRIVATE))
            .tempfile_in(directory)?;
        if let Some(kept) = kept {
            // The owner stays where the system lets us: a report that root replaces stays its reader's.
            let _ = fchown(file.as_file(), Some(kept.uid()), Some(kept.gid()));
            let mode = Permissions::from_mode(kept.mode() & 0o777);
            file.as_file().set_permissions(mode)?;
        }
        // A lock on the unfinished file shows other processes that this one works on it.
        locks.extend(lock(file.as_file().try_clone()?)?);
        let pending = Self {
            _noted: Noted::new(file.path()),
            file,
            place,
            given: path.to_owned(),
        };
        Ok((pending, locks))
    }

    /// The file, to be written to.
    ///
    /// # Errors
    /// Where the system has no descriptor left.
    pub fn file(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Lets it appear in its place. Where it cannot, it is written into the file that is there, or stays beside it.
    ///
    /// # Errors
    /// Where it is not in its place in the end; the error says where it is.
    pub fn appear(self) -> io::Result<()> {
        let name = self.given.display().to_string();
        let place = self.place.clone();
        let error = match self.file.persist(&place) {
            Ok(_) => return Ok(()),
            Err(tempfile::PersistError { error, file }) => {
                if !place.is_dir() && in_place(file.as_file(), &place).is_ok() {
                    return Ok(());
                }
                match beside(file, &place) {
                    Ok(kept) => format!("{name}: {error}; the report is in {}", kept.display()),
                    Err(lost) => {
                        format!("{name}: {error}, and nothing else can be written: {lost}")
                    }
                }
            }
        };
        Err(io::Error::other(error))
    }
}

/// An entry in `UNFINISHED`, as long as it lives.
struct Noted(PathBuf);

impl Noted {
    fn new(path: &Path) -> Self {
        if let Ok(mut paths) = UNFINISHED.lock() {
            paths.push(path.to_owned());
        }
        Self(path.to_owned())
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Ok(mut paths) = UNFINISHED.lock() {
            paths.retain(|path| *path != self.0);
        }
    }
}

/// A file that lines are added to, emptied, and the lock on it. A device or a pipe is neither emptied nor locked.
///
/// # Errors
/// As opening fails; `ResourceBusy` where another run writes to it.
pub fn open_lines(path: &Path) -> io::Result<(File, Locks)> {
    let mut options = OpenOptions::new();
    // Two writers that are not locked out (a network file system) still write whole lines.
    options.append(true).create(true).mode(PRIVATE);
    loop {
        let file = options.open(path)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Ok((file, Locks::new()));
        }
        let locks = lock(file.try_clone()?)?.into_iter().collect();
        // Another run may have replaced the file between the two: then this one holds a file without a name.
        if fs::metadata(path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (opened.dev(), opened.ino()))
        {
            file.set_len(0)?;
            return Ok((file, locks));
        }
    }
}

/// `None` where the file system has no locks.
fn lock(file: File) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another run writes to it",
        )),
        Err(_) => Ok(None),
    }
}

/// Looks for unfinished files of the same name: what a running process holds is a refusal, what a killed one left is removed.
fn refuse_others(directory: &Path, prefix: &OsString) -> io::Result<()> {
    let prefix = prefix.as_encoded_bytes();
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let random = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(ENDING.as_bytes()));
        let is_ours = random.is_some_and(|random| {
            random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
        });
        if !is_ours || !entry.file_type()?.is_file() {
            continue;
        }
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(entry.path());
        let Ok(file) = opened else { continue };
        if lock(file)?.is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// What the path leads to, also where nothing is there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Into the file that is there: a mount point cannot be replaced, but written to.
fn in_place(mut from: &File, place: &Path) -> io::Result<()> {
    from.rewind()?;
    let mut to = OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(place)?;
    io::copy(&mut from, &mut to)?;
    to.flush()
}

/// Under a name of its own in the same directory: `report.json` becomes `report.AbC123.json`.
fn beside(file: NamedTempFile, place: &Path) -> io::Result<PathBuf> {
    let (_, temporary) = file.keep().map_err(|kept| kept.error)?;
    let named = || {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let (stem, endings) = name.split_once('.').unwrap_or((&name, "saved"));
        let free = Builder::new()
            .prefix(&format!("{stem}."))
            .suffix(&format!(".{endings}"))
            .permissions(Permissions::from_mode(PRIVATE))
            .tempfile_in(directory_of(place))?;
        fs::rename(&temporary, free.path())?;
        free.into_temp_path().keep().map_err(|kept| kept.error)
    };
    // Where no better name is to be had it stays under the one it has.
    Ok(named().unwrap_or(temporary.clone()))
}

/// Writes a report where there is room, as its own place has none: says where.
pub fn rescue(path: &Path, report: &[u8], packing: Packing) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let here = std::env::current_dir().ok();
    for directory in here.into_iter().chain([std::env::temp_dir()]) {
        let kept = Builder::new()
            .prefix("blockprobe.")
            .suffix(&format!(".{name}"))
            .permissions(Permissions::from_mode(PRIVATE))
            .tempfile_in(directory)
            .and_then(|file| {
                let mut packer = Packer::new(Box::new(file.as_file().try_clone()?), packing)?;
                packer.write_all(report)?;
                packer.finish()?;
                file.into_temp_path().keep().map_err(|kept| kept.error)
            });
        if let Ok(kept) = kept {
            return format!("; the report is in {}", kept.display());
        }
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(report).and_then(|()| stdout.flush()) {
        Ok(()) => "; the report is on standard output".to_owned(),
        Err(error) => format!(", and nothing else can be written: {error}"),
    }
}
