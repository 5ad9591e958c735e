//! Noticing that a source changed: a look at every file's time, each second. No library for it, since a second is soon
//! enough and a few hundred files are quickly looked at.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the bundle is made of.
const SOURCES: [&str; 6] = ["web", "core", "kernels", "model-specs", "Cargo.toml", "Cargo.lock"];
/// Folders in there that are made, not written.
const MADE: [&str; 4] = ["dist", "dist.new", "node_modules", "target"];

/// Rebuilds whenever a source has changed; what does not build is reported, and the old bundle stays.
pub(super) fn rebuild_on_change(build: impl Fn() -> anyhow::Result<()>) {
    let mut known = newest();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = newest();
        if now == known {
            continue;
        }
        known = now;
        match build() {
            Ok(()) => println!("rebuilt: reload the page"),
            Err(error) => eprintln!("error: {error:#}"),
        }
    }
}

/// The latest change, and how many files there are (a deleted one has no time).
fn newest() -> (usize, Option<SystemTime>) {
    SOURCES.iter().map(|path| newest_in(Path::new(path))).fold((0, None), merged)
}

fn newest_in(path: &Path) -> (usize, Option<SystemTime>) {
    let Ok(entries) = fs::read_dir(path) else {
        return (1, fs::metadata(path).and_then(|it| it.modified()).ok());
    };
    let made = |path: &Path| path.file_name().is_some_and(|name| MADE.iter().any(|it| name == *it));
    let paths = entries.flatten().map(|entry| entry.path()).filter(|path| !made(path));
    paths.map(|path| newest_in(&path)).fold((0, None), merged)
}

fn merged(a: (usize, Option<SystemTime>), b: (usize, Option<SystemTime>)) -> (usize, Option<SystemTime>) {
    (a.0.saturating_add(b.0), a.1.max(b.1))
}
