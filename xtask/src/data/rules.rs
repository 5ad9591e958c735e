//! The rules themselves: each takes a file and returns what is wrong with it, in words that say what to do.

use super::file::Carried;

/// A file of Rust longer than this is two files.
const MAX_RUST_LINES: usize = 700;

/// Every clone pays for every large file, so each has a reason here.
const MAX_SIZE: u64 = 1 << 20;
const LARGE_FILES: [(&str, &str); 0] = [];

/// Folders of the machines this is built on. Split, so that this file keeps its own rule.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Hosts packages are fetched from: which one is used is the machine's affair, set up outside the repository.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("files.python", "hosted.org"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
];

/// Lock files name a registry; only the public ones, or the lock works on one machine only.
const LOCK_FILES: [LockFile; 2] = [
    LockFile {
        name: "Cargo.lock",
        key: "source = \"",
        registry: concat!("registry+https://github.com/rust-lang/crates", ".io-index"),
    },
    LockFile {
        name: "package-lock.json",
        key: "\"resolved\": \"",
        registry: concat!("https://registry.npm", "js.org/"),
    },
];

struct LockFile {
    name: &'static str,
    key: &'static str,
    registry: &'static str,
}

/// Everything that is wrong with `file`, each as "path[:line]: what".
pub(super) fn broken_by(file: &Carried) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(too_large(file));
    if let Some(text) = &file.text {
        found.extend(too_long(&file.path, text));
        match LOCK_FILES.iter().find(|lock| lock.name == base_name(&file.path)) {
            Some(lock) => found.extend(lock.foreign_sources(&file.path, text)),
            None => found.extend(names_a_machine(&file.path, text)),
        }
    }
    found
}

fn too_large(file: &Carried) -> Option<String> {
    let listed = LARGE_FILES.iter().any(|(path, _reason)| *path == file.path);
    (file.size > MAX_SIZE && !listed).then(|| {
        format!(
            "{}: {} bytes is over {MAX_SIZE}; shrink it, or list it with a reason in LARGE_FILES",
            file.path, file.size
        )
    })
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (path.ends_with(".rs") && lines > MAX_RUST_LINES)
        .then(|| format!("{path}: {lines} lines is over {MAX_RUST_LINES}; split it"))
}

fn names_a_machine(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        // A publisher's config is kept word for word, and this field often holds the folder it was trained in.
        if path.ends_with(".json") && line.contains("\"_name_or_path\"") {
            continue;
        }
        let folders = MACHINE_FOLDERS.iter().filter(|folder| starts_a_path(line, folder));
        found.extend(
            folders
                .map(|it| format!("{path}:{number}: {it} is a folder of one machine; use a relative path")),
        );
        let hosts = REGISTRY_HOSTS.iter().filter(|host| line.contains(*host));
        found.extend(
            hosts.map(|it| {
                format!("{path}:{number}: {it} is a registry's host; the machine's set-up names it")
            }),
        );
    }
    found
}

/// Whether `folder` occurs in `line` as the start of a path, not inside a longer one or an address.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}$*".contains(c))
    })
}

impl LockFile {
    fn foreign_sources(&self, path: &str, text: &str) -> Vec<String> {
        let sources = (1_usize..).zip(text.lines()).filter_map(|(number, line)| {
            let (_, source) = line.trim_start().split_once(self.key)?;
            (!source.starts_with(self.registry))
                .then(|| format!("{path}:{number}: not from {}", self.registry))
        });
        sources.collect()
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        broken_by(&Carried { path: path.to_owned(), size: 1, text: Some(text.to_owned()) })
    }

    #[test]
    fn an_ordinary_file_breaks_nothing() {
        assert_eq!(broken("core/src/lib.rs", "//! Bytes.\n"), Vec::<String>::new());
    }

    #[test]
    fn a_machine_folder_is_found_with_its_line() {
        for folder in MACHINE_FOLDERS {
            let found = broken("docs/a.md", &format!("first\nsee `{folder}notes`\n"));
            assert_eq!(found.len(), 1, "{folder}");
            assert!(found[0].starts_with("docs/a.md:2: "), "{found:?}");
        }
    }

    #[test]
    fn the_same_name_inside_another_path_or_an_address_is_no_machine_folder() {
        for folder in MACHINE_FOLDERS {
            let text = format!("https://example.org{folder}x and target{folder}y");
            assert_eq!(broken("docs/a.md", &text), Vec::<String>::new());
        }
    }

    #[test]
    fn a_publishers_own_folder_stays_in_its_config() {
        let line = format!("{{\"_name_or_path\": \"{}models/x\"}}", MACHINE_FOLDERS[1]);
        assert_eq!(broken("data/config.json", &line), Vec::<String>::new());
        assert_eq!(broken("docs/a.md", &line).len(), 1);
    }

    #[test]
    fn a_registry_host_is_found_outside_lock_files() {
        for host in REGISTRY_HOSTS {
            assert_eq!(broken("README.md", &format!("from https://{host}/x")).len(), 1, "{host}");
        }
    }

    #[test]
    fn a_lock_file_may_name_the_public_registry_only() {
        let good = concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\"\n");
        let bad = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(broken("Cargo.lock", good), Vec::<String>::new());
        assert_eq!(broken("fuzz/Cargo.lock", &format!("{good}{bad}")).len(), 1);

        let resolved = |host: &str| format!("      \"resolved\": \"https://{host}/a.tgz\",\n");
        assert_eq!(broken("web/package-lock.json", &resolved(REGISTRY_HOSTS[2])), Vec::<String>::new());
        assert_eq!(broken("web/package-lock.json", &resolved("mirror.example")).len(), 1);
    }

    #[test]
    fn rust_may_have_as_many_lines_as_the_limit_and_no_more() {
        let lines = |count: usize| "//\n".repeat(count);
        assert_eq!(broken("a.rs", &lines(700)), Vec::<String>::new());
        assert_eq!(broken("a.rs", &lines(701)).len(), 1);
        assert_eq!(broken("a.json", &lines(701)), Vec::<String>::new());
    }

    #[test]
    fn a_file_over_one_mebibyte_needs_a_listing() {
        let sized = |size| broken_by(&Carried { path: "a.bin".to_owned(), size, text: None });
        assert_eq!(sized(1_048_576), Vec::<String>::new());
        assert_eq!(sized(1_048_577).len(), 1);
    }
}
