//! Standard error while drivers are asked or the screen is drawn: they complain on it, and what they write would stand on
//! the screen, or before an answer as if it were an error of ours.

#[cfg(unix)]
mod unix {
    use rustix::stdio::{dup2_stderr, stderr};
    use std::fs::File;
    use std::io::IsTerminal as _;
    use std::os::fd::OwnedFd;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The terminal's own, to be given back.
    static KEPT: OnceLock<OwnedFd> = OnceLock::new();
    static QUIET: AtomicBool = AtomicBool::new(false);

    /// Nothing that is written to it is seen until [`end`]; whether this call made it so, and its caller is to end it. Where
    /// that cannot be had, it stays as it is.
    pub(crate) fn begin() -> bool {
        if !std::io::stderr().is_terminal() || QUIET.swap(true, Ordering::SeqCst) {
            return false;
        }
        if KEPT.get().is_none()
            && let Ok(own) = rustix::io::dup(stderr())
        {
            let _ = KEPT.set(own);
        }
        let nowhere = File::options().write(true).open("/dev/null");
        match (KEPT.get(), nowhere) {
            (Some(_), Ok(nowhere)) => dup2_stderr(&nowhere).is_ok(),
            (_, Ok(_) | Err(_)) => false,
        }
    }

    /// What is written to it is seen again.
    pub(crate) fn end() {
        if QUIET.swap(false, Ordering::SeqCst)
            && let Some(kept) = KEPT.get()
        {
            let _ = dup2_stderr(kept);
        }
    }
}

#[cfg(unix)]
pub(crate) use unix::{begin, end};

#[cfg(not(unix))]
/// Other systems' drivers write nothing there.
pub(crate) const fn begin() -> bool {
    false
}

#[cfg(not(unix))]
/// Nothing to give back.
pub(crate) const fn end() {}
