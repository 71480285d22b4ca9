//! The files that an `asyncio` loop watches, behind one descriptor: its selector's.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Files that are ready, and how: descriptors and epoll's events. `None` where only the selector itself can tell.
pub(super) type Ready = Option<Vec<(RawFd, u32)>>;

#[cfg(target_os = "linux")]
mod system {
    use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};

    use super::*;

    /// Files that are taken at a time; the others are still there at the next look.
    const MOST: usize = 64;

    /// An epoll instance, which `select.epoll` is.
    pub(in super::super) struct Files(Epoll);

    impl Files {
        pub(in super::super) fn new(selector: OwnedFd) -> Self {
            Self(Epoll(selector))
        }

        /// Which files are ready now. `WouldBlock` when none is.
        pub(in super::super) fn ready(&self) -> io::Result<Ready> {
            let mut events = [EpollEvent::empty(); MOST];
            let count = self.0.wait(&mut events, EpollTimeout::ZERO)?;
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let ready = events.iter().take(count).filter_map(|event| {
                // `select.epoll` has the descriptor in the data.
                Some((RawFd::try_from(event.data() & u64::from(u32::MAX)).ok()?, event.events().bits().cast_unsigned()))
            });
            Ok(Some(ready.collect()))
        }
    }

    impl AsRawFd for Files {
        fn as_raw_fd(&self) -> RawFd {
            self.0.0.as_raw_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::os::fd::AsFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    /// A kqueue, or whatever the selector waits on.
    pub(in super::super) struct Files(OwnedFd);

    impl Files {
        pub(in super::super) fn new(selector: OwnedFd) -> Self {
            Self(selector)
        }

        /// Whether files are ready now. `WouldBlock` when none is.
        pub(in super::super) fn ready(&self) -> io::Result<Ready> {
            match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) {
                Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
                Ok(_) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
    }

    impl AsRawFd for Files {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }
    }
}

pub(super) use system::Files;
