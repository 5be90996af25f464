//! Where output goes: standard output, or a file that appears whole or grows by whole lines.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::output::destination::packing::Packer;
pub use crate::output::destination::packing::Packing;
use crate::output::destination::place::{Locks, Pending};

mod packing;
mod place;

pub use place::remove_unfinished;

/// Pieces that may wait for a slow reader before the run waits too. A reader that pauses (a pager) must not hold up
/// the clock of a measurement, and one that never reads must not swell us.
const WAITING: usize = 4096;

/// Packed bytes reach the file at the latest after so many plain ones, even where pieces arrive without a pause.
const MOST_UNFLUSHED: usize = 64 << 10;

/// A place for bytes. What is written in one piece stays in one piece.
pub struct Destination {
    writer: Option<Writer>,
    /// The file as the user gave it; `None` is standard output.
    path: Option<PathBuf>,
    packing: Packing,
    /// What appears at its path when all is written.
    pending: Option<Pending>,
    /// A report that is lost with its file is written elsewhere.
    rescued: bool,
    /// They keep another run from writing to the same file.
    locks: Locks,
}

struct Writer {
    pieces: SyncSender<Vec<u8>>,
    thread: JoinHandle<Result<(), Lost>>,
}

/// An error of writing, and what could not be written because of it.
struct Lost {
    error: io::Error,
    pieces: Vec<Vec<u8>>,
}

impl Destination {
    /// Standard output.
    pub fn stdout() -> Self {
        let writer = Writer::of(Box::new(io::stdout()), Packing::Plain, false);
        Self::new(writer, None, Packing::Plain)
    }

    /// Standard output, for what is written in the end: where that fails, the report is written elsewhere.
    pub fn stdout_whole() -> Self {
        let writer = Writer::of(Box::new(io::stdout()), Packing::Plain, true);
        let mut destination = Self::new(writer, None, Packing::Plain);
        destination.rescued = true;
        destination
    }

    /// A file that grows line by line; one that was there is emptied. A new one is readable by its owner alone.
    ///
    /// # Errors
    /// As opening fails; `ResourceBusy` where another run writes to it.
    pub fn lines(path: &Path, packing: Packing) -> io::Result<Self> {
        let (file, locks) = place::open_lines(path)?;
        let writer = Writer::of(Box::new(file), packing, false);
        let mut destination = Self::new(writer, Some(path), packing);
        destination.locks = locks;
        Ok(destination)
    }

    /// A file that appears whole at the end or not at all. A new one is readable by its owner alone. A device or a pipe
    /// is simply written to.
    ///
    /// # Errors
    /// As opening fails, now rather than after the run; `ResourceBusy` where another run writes to it.
    pub fn whole(path: &Path, packing: Packing) -> io::Result<Self> {
        let existing = fs::metadata(path).ok();
        if existing.is_some_and(|found| !found.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(path)?;
            let writer = Writer::of(Box::new(file), packing, true);
            let mut destination = Self::new(writer, Some(path), packing);
            destination.rescued = true;
            return Ok(destination);
        }
        let (pending, locks) = Pending::new(path)?;
        let writer = Writer::of(Box::new(pending.file()?), packing, true);
        let mut destination = Self::new(writer, Some(path), packing);
        destination.rescued = true;
        destination.pending = Some(pending);
        destination.locks = locks;
        Ok(destination)
    }

    fn new(writer: Writer, path: Option<&Path>, packing: Packing) -> Self {
        Self {
            writer: Some(writer),
            path: path.map(Path::to_owned),
            packing,
            pending: None,
            rescued: false,
            locks: Locks::new(),
        }
    }

    /// Writes one piece. A later call may report its failure, at the latest `finish`.
    ///
    /// # Errors
    /// As writing fails; `BrokenPipe` when the reader went away.
    pub fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let Some(writer) = &self.writer else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match writer.pieces.send(bytes) {
            Ok(()) => Ok(()),
            // The thread ends early only on an error. What it could not write is kept with this piece.
            Err(mpsc::SendError(piece)) => {
                let lost = self.join().err();
                let mut lost = lost.unwrap_or_else(|| Lost {
                    error: io::ErrorKind::BrokenPipe.into(),
                    pieces: Vec::new(),
                });
                lost.pieces.push(piece);
                Err(self.explain(lost))
            }
        }
    }

    /// Waits until everything is written, and lets the file appear.
    ///
    /// # Errors
    /// As writing or renaming fails. The error says which file it was and where the report is instead.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Err(lost) = self.join() {
            return Err(self.explain(lost));
        }
        let appeared = self.pending.take().map_or(Ok(()), Pending::appear);
        self.locks.clear();
        appeared
    }

    fn join(&mut self) -> Result<(), Lost> {
        let Some(Writer { pieces, thread }) = self.writer.take() else {
            return Ok(());
        };
        drop(pieces);
        thread.join().expect("writing does not panic")
    }

    /// Names the file. Where a whole report was lost with it, the report is written elsewhere.
    fn explain(&mut self, lost: Lost) -> io::Error {
        let Lost { error, pieces } = lost;
        // A terminal that hung up is a reader that left.
        let hung_up = self.path.is_none() && error.raw_os_error() == Some(libc::EIO);
        if hung_up || error.kind() == io::ErrorKind::BrokenPipe {
            return io::ErrorKind::BrokenPipe.into();
        }
        self.pending = None;
        let name = self.path.as_ref().map_or_else(
            || "standard output".to_owned(),
            |path| path.display().to_string(),
        );
        let path = self.path.as_deref().unwrap_or(Path::new("report"));
        let report = pieces.concat();
        let elsewhere = if report.is_empty() || !self.rescued {
            String::new()
        } else {
            place::rescue(path, &report, self.packing)
        };
        io::Error::new(error.kind(), format!("{name}: {error}{elsewhere}"))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // What was told already is still written: a run that fails leaves whole lines too.
        let _ = self.join();
    }
}

impl Writer {
    /// `keeps` holds every piece until all are written, so that an error loses none of them.
    fn of(inner: Box<dyn Write + Send>, packing: Packing, keeps: bool) -> Self {
        let (pieces, arriving) = mpsc::sync_channel::<Vec<u8>>(WAITING);
        let thread = thread::spawn(move || {
            let mut kept = Vec::new();
            match copy(&arriving, inner, packing, keeps.then_some(&mut kept)) {
                Ok(()) => Ok(()),
                Err(error) => {
                    if keeps {
                        kept.extend(arriving.try_iter());
                    }
                    Err(Lost {
                        error,
                        pieces: kept,
                    })
                }
            }
        });
        Self { pieces, thread }
    }
}

fn copy(
    arriving: &Receiver<Vec<u8>>,
    inner: Box<dyn Write + Send>,
    packing: Packing,
    mut kept: Option<&mut Vec<Vec<u8>>>,
) -> io::Result<()> {
    let mut packer = Packer::new(inner, packing)?;
    let mut unflushed = 0;
    while let Ok(piece) = arriving.recv() {
        let mut next = Some(piece);
        // What waits already is packed together: a flush after every line packs badly.
        while let Some(piece) = next.take() {
            let length = piece.len();
            let piece = match &mut kept {
                Some(kept) => {
                    kept.push(piece);
                    kept.last().expect("it was just kept")
                }
                None => &piece,
            };
            packer.write_all(piece)?;
            unflushed += length;
            if unflushed < MOST_UNFLUSHED {
                next = arriving.try_recv().ok();
            }
        }
        packer.flush()?;
        unflushed = 0;
    }
    packer.finish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_whole_file_appears_only_when_it_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, "old").unwrap();
        let mut destination = Destination::whole(&path, Packing::Plain).unwrap();
        destination.write(b"new".to_vec()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        destination.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["report.json"]);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut destination =
            Destination::whole(&directory.path().join("report.json"), Packing::Plain).unwrap();
        destination.write(b"half".to_vec()).unwrap();
        drop(destination);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_file_of_lines_is_emptied_and_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.ndjson");
        fs::write(&path, "old and long").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut destination = Destination::lines(&path, Packing::Plain).unwrap();
        destination.write(b"one\n".to_vec()).unwrap();
        destination.write(b"two\n".to_vec()).unwrap();
        destination.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(mode(&path), 0o644);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_told_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("no/such/report.json"),
        ] {
            assert!(
                Destination::whole(&path, Packing::Plain).is_err(),
                "{path:?}"
            );
            assert!(
                Destination::lines(&path, Packing::Plain).is_err(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut destination = Destination::whole(Path::new("/dev/null"), Packing::Plain).unwrap();
        destination.write(b"gone".to_vec()).unwrap();
        destination.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_full_device_is_an_error_at_the_latest_in_the_end() {
        let mut destination = Destination::lines(Path::new("/dev/full"), Packing::Plain).unwrap();
        let told = destination
            .write(b"lost".to_vec())
            .and_then(|()| destination.finish());
        assert!(told.is_err());
    }

    fn written(destination: io::Result<Destination>, text: &str) {
        let mut destination = destination.unwrap();
        destination.write(text.as_bytes().to_vec()).unwrap();
        destination.finish().unwrap();
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        for (name, before, after) in [
            ("new.json", None, 0o600),
            ("old.json", Some(0o644), 0o644),
            ("shared.json", Some(0o660), 0o660),
        ] {
            let path = directory.path().join(name);
            if let Some(before) = before {
                fs::write(&path, "old").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
            }
            written(Destination::whole(&path, Packing::Plain), "new");
            assert_eq!(mode(&path), after, "{name}");
        }
        let path = directory.path().join("new.ndjson");
        written(Destination::lines(&path, Packing::Plain), "new");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_link_stays_a_link_also_where_it_leads_nowhere_yet() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let link = directory.path().join("latest.json");
        symlink("inner/report.json", &link).unwrap();
        for text in ["one", "two"] {
            written(Destination::whole(&link, Packing::Plain), text);
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(inner.join("report.json")).unwrap(), text);
        }
        assert_eq!(names(&inner), ["report.json"]);
        let circle = directory.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert!(Destination::whole(&circle, Packing::Plain).is_err());
    }

    #[test]
    fn two_writers_of_one_file_are_kept_apart() {
        let directory = tempfile::tempdir().unwrap();
        for existing in [false, true] {
            for name in ["one.json", "one.ndjson"] {
                let path = directory.path().join(format!("{existing}{name}"));
                if existing {
                    fs::write(&path, "old").unwrap();
                }
                let open = |path: &Path| match name {
                    "one.json" => Destination::whole(path, Packing::Plain),
                    _ => Destination::lines(path, Packing::Plain),
                };
                let mut first = open(&path).unwrap();
                let second = open(&path).err().expect("it is refused");
                assert_eq!(second.kind(), io::ErrorKind::ResourceBusy, "{name}");
                first.write(b"whole".to_vec()).unwrap();
                first.finish().unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"whole");
                written(open(&path), "again");
                assert_eq!(fs::read(&path).unwrap(), b"again");
            }
        }
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        let kept = [
            ".x.json.AbCdEfGhIjK.tmp",
            ".x.json.notes.tmp",
            ".y.json.AbCdEfGhIjKl.tmp",
        ];
        for name in kept.iter().chain(&[".x.json.AbCdEfGhIjKl.tmp"]) {
            fs::write(directory.path().join(name), "").unwrap();
        }
        written(Destination::whole(&path, Packing::Plain), "new");
        let mut expected = kept.to_vec();
        expected.push("x.json");
        assert_eq!(names(directory.path()), expected);
    }

    #[test]
    fn a_directory_that_takes_the_place_loses_no_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json.gz");
        let mut destination = Destination::whole(&path, Packing::Plain).unwrap();
        destination.write(b"measured".to_vec()).unwrap();
        fs::create_dir(&path).unwrap();
        let told = destination.finish().unwrap_err().to_string();
        let names = names(directory.path());
        let kept = names.iter().find(|name| *name != "x.json.gz").unwrap();
        assert!(kept.ends_with(".json.gz") && names.len() == 2, "{names:?}");
        assert!(told.contains(kept), "{told}");
        let text = fs::read(directory.path().join(kept)).unwrap();
        assert_eq!(text, b"measured");
    }

    #[test]
    fn packed_lines_can_be_read_while_the_file_grows() {
        use std::io::Read;
        let directory = tempfile::tempdir().unwrap();
        for packing in [Packing::Gzip, Packing::Zstd] {
            let path = directory.path().join(format!("{packing:?}"));
            let mut destination = Destination::lines(&path, packing).unwrap();
            destination.write(b"first\n".to_vec()).unwrap();
            let readable = || {
                let bytes = fs::read(&path).unwrap();
                let mut text = String::new();
                // The end is missing, which is an error after all that is there.
                let _ = match packing {
                    Packing::Zstd => zstd::Decoder::new(&bytes[..])
                        .and_then(|mut decoder| decoder.read_to_string(&mut text)),
                    _ => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
                };
                text
            };
            let began = std::time::Instant::now();
            while readable() != "first\n" {
                assert!(began.elapsed().as_secs() < 20, "{packing:?}");
                thread::yield_now();
            }
            destination.finish().unwrap();
            assert_eq!(readable(), "first\n", "{packing:?}");
        }
    }
}
