//! Where uploads are stored that are too big for memory.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{NamedTempFile, TempDir};

/// A directory of the server's own (mode 0700), made when it is first needed, and removed with its last owner.
#[derive(Debug)]
pub struct UploadDir {
    base: Option<PathBuf>,
    token: Box<str>,
    made: Mutex<Option<TempDir>>,
}

impl UploadDir {
    /// Below `base`, which is made if need be; else below the system's directory for temporary files.
    #[must_use]
    pub fn new(base: Option<PathBuf>) -> Self {
        let token = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self { base, token: token.into(), made: Mutex::new(None) }
    }

    /// A word that other servers' names are not likely to hold, the same for the directory's life.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A new file in it (mode 0600) of a unique name, removed when it is dropped. Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self) -> io::Result<NamedTempFile> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &*made {
            match Self::file_in(directory.path()) {
                // Somebody has tidied up.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        let directory = self.make()?;
        let file = Self::file_in(directory.path());
        *made = Some(directory);
        file
    }

    fn make(&self) -> io::Result<TempDir> {
        let base = self.base.clone().unwrap_or_else(std::env::temp_dir);
        fs::create_dir_all(&base)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("slimeweb-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        builder.tempdir_in(base)
    }

    fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
        // 0600 is what tempfile makes anyway.
        tempfile::Builder::new().prefix("upload-").tempfile_in(directory)
    }
}

impl Default for UploadDir {
    fn default() -> Self {
        Self::new(None)
    }
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

    #[test]
    fn a_directory_that_was_tidied_away_is_made_again() {
        let uploads = UploadDir::default();
        let first = uploads.create().unwrap();
        fs::remove_dir_all(first.path().parent().unwrap()).unwrap();
        uploads.create().unwrap();
    }
}
