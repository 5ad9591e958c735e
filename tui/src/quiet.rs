//! Standard error while drivers are asked or the screen is drawn: they complain on it, and what they write would stand on
//! the screen, or before an answer as if it were an error of ours.

#[cfg(unix)]
mod unix {
    use rustix::stdio::{dup2_stderr, stderr};
    use std::fs::File;
    use std::io::IsTerminal as _;
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Once, OnceLock};

    /// The process's own, to be given back.
    static KEPT: OnceLock<OwnedFd> = OnceLock::new();
    static QUIET: AtomicBool = AtomicBool::new(false);

    /// Nothing that is written to a terminal is seen until [`end`]: a screen is drawn on it. What goes to a file goes on.
    pub(crate) fn begin() {
        if std::io::stderr().is_terminal() {
            hush();
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

    /// Asks drivers, whatever they say meanwhile; a panic of ours is heard.
    pub(crate) fn ask<T>(drivers: impl FnOnce() -> T) -> T {
        struct Ends;
        impl Drop for Ends {
            fn drop(&mut self) {
                end();
            }
        }
        static HEARD: Once = Once::new();
        // Where the screen is drawn, it is quiet already, and stays so.
        let _ends = hush().then(|| {
            HEARD.call_once(|| {
                let hook = std::panic::take_hook();
                std::panic::set_hook(Box::new(move |info| {
                    end();
                    hook(info);
                }));
            });
            Ends
        });
        drivers()
    }

    /// Sends it nowhere; whether this call did, and its caller is to end it. Where that cannot be had, it stays as it is.
    fn hush() -> bool {
        if QUIET.swap(true, Ordering::SeqCst) {
            return false;
        }
        if KEPT.get().is_none()
            && let Ok(own) = rustix::io::dup(stderr())
        {
            let _ = KEPT.set(own);
        }
        let nowhere = File::options().write(true).open("/dev/null");
        let hushed = KEPT.get().is_some() && nowhere.is_ok_and(|nowhere| dup2_stderr(&nowhere).is_ok());
        QUIET.store(hushed, Ordering::SeqCst);
        hushed
    }
}

#[cfg(unix)]
pub(crate) use unix::{ask, begin, end};

#[cfg(not(unix))]
/// Other systems' drivers write nothing there.
pub(crate) const fn begin() {}

#[cfg(not(unix))]
/// Nothing to give back.
pub(crate) const fn end() {}

#[cfg(not(unix))]
/// Asks drivers.
pub(crate) fn ask<T>(drivers: impl FnOnce() -> T) -> T {
    drivers()
}
