//! Files whose path is in the system's cache, opened without waiting for a disk: on the thread that asks, so that
//! nothing has to cross to another one and back.
//!
//! Linux says when it would have to wait (`RESOLVE_CACHED` of openat2(2), since 5.12), and keeps a path below its
//! directory (`RESOLVE_BENEATH`). Whatever it cannot say at once, for links that leave the directory too, is left to
//! the thorough way.

use std::fs::File;
use std::path::Path;

/// Why a file was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// There is none.
    Absent,
    /// It would take waiting to find out.
    Unknown,
}

/// Opens a file.
pub(super) fn open(path: &Path) -> Result<File, Miss> {
    system::open(path)
}

/// A directory that paths do not lead out of.
pub(super) struct Directory(system::Directory);

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Miss> {
        system::open_directory(path).map(Self)
    }

    /// Opens what lies at a relative path, a directory perhaps.
    pub(super) fn open_inside(&self, relative: &Path) -> Result<File, Miss> {
        // The directory itself has no name.
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        system::open_inside(&self.0, relative)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};
    use std::path::Path;

    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;

    use super::Miss;

    pub(super) type Directory = OwnedFd;

    pub(super) fn open(path: &Path) -> Result<File, Miss> {
        look_up(CWD, path, FILE, ResolveFlags::empty()).map(File::from)
    }

    pub(super) fn open_directory(path: &Path) -> Result<Directory, Miss> {
        look_up(CWD, path, OFlags::PATH.union(OFlags::DIRECTORY), ResolveFlags::empty())
    }

    pub(super) fn open_inside(directory: &Directory, relative: &Path) -> Result<File, Miss> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        look_up(directory, relative, FILE, inside).map(File::from)
    }

    /// A pipe is not waited for.
    const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

    fn look_up(from: impl AsFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Miss> {
        openat2(from, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve | ResolveFlags::CACHED).map_err(|error| {
            match error {
                Errno::NOENT | Errno::NOTDIR => Miss::Absent,
                // EAGAIN, what links have to do with, systems without openat2: the thorough way returns a better error.
                _ => Miss::Unknown,
            }
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::path::Path;

    use super::Miss;

    pub(super) struct Directory;

    pub(super) fn open(_: &Path) -> Result<File, Miss> {
        Err(Miss::Unknown)
    }

    pub(super) fn open_directory(_: &Path) -> Result<Directory, Miss> {
        Err(Miss::Unknown)
    }

    pub(super) fn open_inside(_: &Directory, _: &Path) -> Result<File, Miss> {
        Err(Miss::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A file that was just written is in memory, where the system has these calls at all.
    fn known(outcome: Result<File, Miss>) -> Option<bool> {
        match outcome {
            Ok(_) => Some(true),
            Err(Miss::Absent) => Some(false),
            Err(Miss::Unknown) => None,
        }
    }

    #[test]
    fn what_is_outside_is_never_opened() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("deep")).unwrap();
        fs::write(root.join("deep/file"), "x").unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink("deep/file", root.join("inner")).unwrap();
        symlink("../secret", root.join("outer")).unwrap();
        symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
        let Ok(directory) = Directory::open(&root) else { return };
        for inside in ["", "deep", "deep/file", "inner", "deep/../inner"] {
            assert_ne!(known(directory.open_inside(Path::new(inside))), Some(false), "{inside}");
        }
        for outside in ["outer", "absolute", "../secret", "deep/../../secret", "/etc/passwd"] {
            assert_eq!(known(directory.open_inside(Path::new(outside))), None, "{outside}");
        }
        for absent in ["missing", "deep/missing", "deep/file/below"] {
            assert_ne!(known(directory.open_inside(Path::new(absent))), Some(true), "{absent}");
        }
    }
}
