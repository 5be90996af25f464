//! Where output goes: standard output, or a file that appears whole or grows by whole lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

/// Pieces that may wait for a slow reader before the run waits too. A reader that pauses (a pager) must not hold up
/// the clock of a measurement, and one that never reads must not swell us.
const WAITING: usize = 4096;

/// A place for bytes. What is written in one piece stays in one piece.
pub struct Destination {
    writer: Option<Writer>,
    /// Where the file is to appear, and under which name it waits until then.
    rename: Option<(PathBuf, PathBuf)>,
}

struct Writer {
    pieces: SyncSender<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Destination {
    /// Standard output.
    pub fn stdout() -> Self {
        Self::on_thread(Box::new(io::stdout()), None)
    }

    /// A file that grows line by line; one that was there is emptied. Readable by its owner alone.
    ///
    /// # Errors
    /// As opening fails.
    pub fn lines(path: &Path) -> io::Result<Self> {
        let file = open(
            path,
            OpenOptions::new().write(true).create(true).truncate(true),
        )?;
        Ok(Self::on_thread(Box::new(file), None))
    }

    /// A file that appears whole at the end or not at all; readable by its owner alone. A device or a pipe is simply
    /// written to.
    ///
    /// # Errors
    /// As opening fails, now rather than after the run.
    pub fn whole(path: &Path) -> io::Result<Self> {
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|found| !found.is_file()) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self::on_thread(Box::new(file), None));
        }
        if existing.is_some() {
            OpenOptions::new().append(true).open(path)?;
        }
        // A link stays one: the file behind it is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let mut temporary_name = std::ffi::OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary_name);
        let file = open(
            &temporary,
            OpenOptions::new().write(true).create(true).truncate(true),
        )?;
        Ok(Self::on_thread(Box::new(file), Some((temporary, path))))
    }

    /// Writes one piece. Its failure may be told by a later call, at the latest by `finish`.
    ///
    /// # Errors
    /// As writing fails; `BrokenPipe` when the reader went away.
    pub fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let accepted = self
            .writer
            .as_ref()
            .is_some_and(|writer| writer.pieces.send(bytes).is_ok());
        if accepted {
            return Ok(());
        }
        // The thread ends early only on an error, which is what `finish` tells.
        self.join()?;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    /// Waits until everything is written, and lets the file appear.
    ///
    /// # Errors
    /// As writing or renaming fails.
    pub fn finish(&mut self) -> io::Result<()> {
        self.join()?;
        match self.rename.take() {
            Some((temporary, path)) => fs::rename(&temporary, path).inspect_err(|_| {
                let _ = fs::remove_file(&temporary);
            }),
            None => Ok(()),
        }
    }

    fn on_thread(mut inner: Box<dyn Write + Send>, rename: Option<(PathBuf, PathBuf)>) -> Self {
        let (pieces, arriving) = mpsc::sync_channel::<Vec<u8>>(WAITING);
        let thread = thread::spawn(move || {
            for piece in arriving {
                inner.write_all(&piece)?;
                inner.flush()?;
            }
            Ok(())
        });
        Self {
            writer: Some(Writer { pieces, thread }),
            rename,
        }
    }

    fn join(&mut self) -> io::Result<()> {
        let Some(Writer { pieces, thread }) = self.writer.take() else {
            return Ok(());
        };
        drop(pieces);
        thread.join().expect("writing does not panic")
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // What was told already is still written: a run that fails leaves whole lines too.
        let _ = self.join();
        if let Some((temporary, _)) = self.rename.take() {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Reports tell where somebody stands and what is blocked there: nobody else's to read.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
        let mut destination = Destination::whole(&path).unwrap();
        destination.write(b"new".to_vec()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        destination.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(directory.path()), ["report.json"]);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut destination = Destination::whole(&directory.path().join("report.json")).unwrap();
        destination.write(b"half".to_vec()).unwrap();
        drop(destination);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_file_of_lines_is_emptied_and_closed_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.ndjson");
        fs::write(&path, "old and long").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut destination = Destination::lines(&path).unwrap();
        destination.write(b"one\n".to_vec()).unwrap();
        destination.write(b"two\n".to_vec()).unwrap();
        destination.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_told_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("no/such/report.json"),
        ] {
            assert!(Destination::whole(&path).is_err(), "{path:?}");
            assert!(Destination::lines(&path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut destination = Destination::whole(Path::new("/dev/null")).unwrap();
        destination.write(b"gone".to_vec()).unwrap();
        destination.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_full_device_is_an_error_at_the_latest_in_the_end() {
        let mut destination = Destination::lines(Path::new("/dev/full")).unwrap();
        let told = destination
            .write(b"lost".to_vec())
            .and_then(|()| destination.finish());
        assert!(told.is_err());
    }
}
