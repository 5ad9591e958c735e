//! Standard error while the screen is drawn: graphics drivers complain on it, and what they write would stand on the screen.

#[cfg(unix)]
mod unix {
    use rustix::stdio::{dup2_stderr, stderr};
    use std::fs::File;
    use std::io::IsTerminal as _;
    use std::os::fd::OwnedFd;
    use std::sync::OnceLock;

    /// The terminal's own, to be given back.
    static KEPT: OnceLock<OwnedFd> = OnceLock::new();

    /// Nothing that is written to it is seen until [`end`]. Where that cannot be had, it stays as it is.
    pub(crate) fn begin() {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let (Ok(kept), Ok(nowhere)) =
            (rustix::io::dup(stderr()), File::options().write(true).open("/dev/null"))
        else {
            return;
        };
        if KEPT.set(kept).is_ok() {
            let _ = dup2_stderr(&nowhere);
        }
    }

    /// What is written to it is seen again.
    pub(crate) fn end() {
        if let Some(kept) = KEPT.get() {
            let _ = dup2_stderr(kept);
        }
    }
}

#[cfg(unix)]
pub(crate) use unix::{begin, end};

#[cfg(not(unix))]
/// Other systems' drivers write nothing there.
pub(crate) const fn begin() {}

#[cfg(not(unix))]
/// Nothing to give back.
pub(crate) const fn end() {}
