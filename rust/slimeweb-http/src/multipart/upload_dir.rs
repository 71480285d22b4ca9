//! Where uploads are stored that are too big for memory.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{NamedTempFile, TempDir};

use crate::error::is_exhausted;

/// How the names of these directories begin, and those of the files in them.
const DIRECTORY: &str = "slimeweb-uploads-";
const FILE: &str = "upload-";
/// How often a new directory may be taken away before it is locked.
const ATTEMPTS: usize = 10;

/// A directory of the server's own (mode 0700), made when it is first needed, and removed with its last owner.
///
/// The process holds a lock on it (flock), which ends with the process, however that ends: a directory whose lock is
/// free has been left behind.
#[derive(Debug)]
pub struct UploadDir {
    base: Option<PathBuf>,
    token: Box<str>,
    made: Mutex<Option<Made>>,
}

#[derive(Debug)]
struct Made {
    // Removed before its lock ends.
    directory: TempDir,
    /// None where the file system has no locks; then no server takes the directory for one that was left behind,
    /// either.
    _lock: Option<fs::File>,
}

impl UploadDir {
    /// Below `base`, which is made if need be; else below the system's directory for temporary files.
    #[must_use]
    pub fn new(base: Option<PathBuf>) -> Self {
        let token = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self { base, token: token.into(), made: Mutex::new(None) }
    }

    /// A token that other servers' names are not likely to hold, the same for the directory's lifetime.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Removes what servers have left that were killed, where this one's uploads go to. Blocks.
    pub fn clear_abandoned(&self) {
        // No directory there yet, or none that may be looked into: nothing to clear.
        let Ok(entries) = fs::read_dir(self.base()) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(DIRECTORY) {
                // Left for the next start when it cannot be removed.
                let _ = remove_abandoned(&entry.path());
            }
        }
    }

    fn base(&self) -> PathBuf {
        self.base.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// A new file in it (mode 0600) of a unique name, removed when it is dropped. Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self) -> io::Result<NamedTempFile> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made {
            match Self::file_in(made.directory.path()) {
                // Another process has deleted it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        let fresh = self.make()?;
        let file = Self::file_in(fresh.directory.path());
        *made = Some(fresh);
        file
    }

    fn make(&self) -> io::Result<Made> {
        let base = self.base();
        fs::create_dir_all(&base)?;
        for _ in 0..ATTEMPTS {
            let directory = Self::directory_in(&base)?;
            match lock(directory.path()) {
                Ok(Some(lock)) => return Ok(Made { directory, _lock: Some(lock) }),
                // A server that starts just now has found it before it was locked.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => return Ok(Made { directory, _lock: None }),
            }
        }
        Err(io::Error::other("every new directory for uploads has been taken away"))
    }

    fn directory_in(base: &Path) -> io::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(DIRECTORY);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        builder.tempdir_in(base)
    }

    fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut exhausted = None;
        let file = tempfile::Builder::new().prefix(FILE).make_in(directory, |path| {
            options.open(path).inspect_err(|error| exhausted = error.raw_os_error().filter(|_| is_exhausted(error)))
        });
        // tempfile names the path, which is not what such an error is about, and keeps its number back.
        file.map_err(|error| exhausted.map_or(error, io::Error::from_raw_os_error))
    }
}

/// Locks a directory. None when another process holds it, or when it is not there any more.
#[cfg(unix)]
fn lock(path: &Path) -> io::Result<Option<fs::File>> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::File::from(open(path, flags, Mode::empty())?);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let (held, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    Ok((held.dev() == named.dev() && held.ino() == named.ino()).then_some(file))
}

#[cfg(not(unix))]
fn lock(_: &Path) -> io::Result<Option<fs::File>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes a directory that is this user's and that no process holds, with the uploads in it. Whatever else is in it
/// stays.
#[cfg(unix)]
fn remove_abandoned(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    // Others could swap a directory of theirs for a link while it is being cleared.
    if fs::symlink_metadata(path)?.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let Some(_lock) = lock(path)? else { return Ok(()) };
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(FILE) {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(path)
}

#[cfg(not(unix))]
fn remove_abandoned(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look_into_it_and_nothing_is_left() {
        use std::os::unix::fs::PermissionsExt;

        let base = tempfile::tempdir().unwrap();
        let uploads = UploadDir::new(Some(base.path().join("deep/er")));
        let file = uploads.create().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(file.path().parent().unwrap())), (0o600, 0o700));
        drop(uploads);
        assert_eq!(fs::read_dir(base.path().join("deep/er")).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn only_what_nobody_holds_is_cleared() {
        let base = tempfile::tempdir().unwrap();
        let uploads = || UploadDir::new(Some(base.path().to_owned()));
        let living = uploads();
        let held = living.create().unwrap();
        let left = base.path().join("slimeweb-uploads-1");
        let foreign = base.path().join("slimeweb-uploads-2");
        for (directory, file) in [(&left, "upload-1"), (&foreign, "upload-1"), (&foreign, "precious")] {
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join(file), "x").unwrap();
        }
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("upload-1"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join("slimeweb-uploads-3")).unwrap();
        fs::create_dir(base.path().join("slimeweb-other")).unwrap();
        uploads().clear_abandoned();
        assert!(held.path().exists());
        assert!(!left.exists());
        assert!(foreign.join("precious").exists());
        assert!(elsewhere.path().join("upload-1").exists());
        assert!(base.path().join("slimeweb-other").exists());
        UploadDir::new(Some(base.path().join("none"))).clear_abandoned();
    }

    #[test]
    fn a_directory_that_was_tidied_away_is_made_again() {
        let uploads = UploadDir::new(None);
        let first = uploads.create().unwrap();
        fs::remove_dir_all(first.path().parent().unwrap()).unwrap();
        uploads.create().unwrap();
    }
}
