//! A file that has been opened to be sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;

use super::cached::Miss;
use crate::body::{Body, FileSection, PIECE, read_at_once};

/// A file that is open, small ones with what is in them.
pub(super) struct Opened {
    file: File,
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    content: Option<Bytes>,
}

impl Opened {
    /// Opens a plain file. Blocks. `NotFound` for anything else: opening a pipe could block for ever.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let content = if size <= PIECE as u64 {
            let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(PIECE));
            (&mut file).take(size).read_to_end(&mut content)?;
            Some(Bytes::from(content))
        } else {
            None
        };
        // It may have been cut since.
        let size = content.as_ref().map_or(size, |content| content.len() as u64);
        Ok(Self { file, size, modified: metadata.modified().ok(), content })
    }

    /// Looks at a file that was opened without waiting. `Unknown` when its content is not in memory, or it is no plain file.
    pub(super) fn at_once(file: File) -> Result<Self, Miss> {
        let metadata = file.metadata().map_err(|_| Miss::Unknown)?;
        if !metadata.is_file() {
            return Err(Miss::Unknown);
        }
        let size = metadata.len();
        let content = match usize::try_from(size) {
            Ok(0) => Some(Bytes::new()),
            Ok(wanted) if wanted <= PIECE => {
                let content = read_at_once(&file, wanted).filter(|content| content.len() == wanted);
                Some(content.ok_or(Miss::Unknown)?)
            }
            _ => None,
        };
        Ok(Self { file, size, modified: metadata.modified().ok(), content })
    }

    /// Strong enough: a file changed twice within the file system's clock tick at the same size would be missed.
    pub(super) fn etag(&self) -> String {
        let since = self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        format!("\"{:x}-{:x}\"", since.unwrap_or_default().as_nanos(), self.size)
    }

    /// `length` bytes of it from `start` on, as a body.
    pub(super) fn section(self, start: u64, length: u64) -> io::Result<Body> {
        if let Some(content) = self.content {
            let bounds = usize::try_from(start).ok().zip(usize::try_from(start + length).ok());
            let within = bounds.filter(|(_, end)| *end <= content.len());
            return Ok(within.map_or_else(Body::empty, |(start, end)| Body::full(content.slice(start..end))));
        }
        let mut file = self.file;
        if start > 0 {
            // A seek touches no disk.
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Body::file(FileSection::new(file, length)))
    }
}

/// Runs what blocks where it may.
pub(super) async fn off_thread<T: Send + 'static>(
    run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
