//! `cargo xtask serve`: the bundle over HTTP as a host should send it: compressed twins, correct types, the content
//! policy, and "keep for ever" on everything that is named after its content.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower_http::services::ServeDir;

use super::{DIST, POLICY, build, watch};

/// How the bundle is served.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// The port; 0 takes any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Serve what was built before
    #[arg(long)]
    no_build: bool,
    /// Build again whenever a source changes
    #[arg(long, conflicts_with = "no_build")]
    watch: bool,
}

/// Builds, then serves to this machine until interrupted.
pub(crate) fn serve(args: &ServeArgs) -> Result<()> {
    if !args.no_build {
        build()?;
    }
    let server = Server::bind(args.port, Path::new(DIST))?;
    println!("{}", server.address());
    if args.watch {
        thread::spawn(|| watch::rebuild_on_change(build));
    }
    server.run()
}

/// A server that has its port.
pub(crate) struct Server {
    runtime: Runtime,
    listener: TcpListener,
    local: SocketAddr,
    app: Router,
}

impl Server {
    /// Takes a port of this machine, for this machine only.
    pub(crate) fn bind(port: u16, folder: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = runtime
            .block_on(TcpListener::bind(wanted))
            .with_context(|| format!("cannot listen on {wanted}"))?;
        let local = listener.local_addr()?;
        Ok(Self { runtime, listener, local, app: app(folder) })
    }

    pub(crate) fn address(&self) -> String {
        format!("http://localhost:{}/", self.local.port())
    }

    /// Serves until the process ends.
    pub(crate) fn run(self) -> Result<()> {
        let Self { runtime, listener, app, .. } = self;
        Ok(runtime.block_on(async { axum::serve(listener, app).await })?)
    }
}

fn app(folder: &Path) -> Router {
    let files = ServeDir::new(folder).precompressed_br().precompressed_gzip();
    Router::new().fallback_service(files).layer(middleware::from_fn(with_headers))
}

async fn with_headers(request: Request, next: Next) -> Response {
    let hashed = is_hashed(request.uri().path());
    let mut response = next.run(request).await;
    let found = response.status().is_success();
    let keep = if hashed && found { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, keep);
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    // The policy in the page itself cannot say who may frame it.
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}

/// Whether the name ends in a hash of the content, as `page` gives it.
fn is_hashed(path: &str) -> bool {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let hash = stem.rsplit_once('-').map(|(_, hash)| hash);
    hash.is_some_and(|hash| hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    /// The whole answer to a GET, from a server on `folder`.
    fn get(folder: &Path, path: &str, headers: &str) -> String {
        let server = Server::bind(0, folder).unwrap();
        let local = server.local;
        thread::spawn(|| server.run());
        let mut stream = TcpStream::connect(local).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_module_comes_with_its_type_and_is_kept_for_ever() {
        let folder = folder(&[("a-0123456789ab.wasm", "plain"), ("a-0123456789ab.wasm.br", "small")]);
        let answer = get(folder.path(), "/a-0123456789ab.wasm", "accept-encoding: gzip, br\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: application/wasm\r\n"), "{answer}");
        assert!(answer.contains("content-encoding: br\r\n"), "{answer}");
        assert!(answer.contains("immutable\r\n") && answer.ends_with("small"), "{answer}");
    }

    #[test]
    fn a_client_that_takes_no_brotli_gets_the_plain_file() {
        let folder = folder(&[("a.js", "plain"), ("a.js.br", "small")]);
        let answer = get(folder.path(), "/a.js", "");
        assert!(answer.contains("content-type: text/javascript\r\n"), "{answer}");
        assert!(!answer.contains("content-encoding") && answer.ends_with("plain"), "{answer}");
    }

    #[test]
    fn the_page_is_asked_for_anew_and_brings_its_policy() {
        let folder = folder(&[("index.html", "<p>")]);
        let answer = get(folder.path(), "/", "");
        assert!(answer.contains("content-type: text/html\r\n"), "{answer}");
        assert!(answer.contains("cache-control: no-cache\r\n"), "{answer}");
        assert!(
            answer.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{answer}"
        );
    }

    #[test]
    fn what_is_not_there_is_not_found_and_nothing_outside_is_served() {
        let folder = folder(&[("index.html", "<p>")]);
        assert!(get(folder.path(), "/x-0123456789ab.js", "").contains("404"));
        assert!(!get(folder.path(), "/../../../../../etc/passwd", "").contains("root:"));
    }

    #[test]
    fn only_names_that_end_in_a_hash_are_kept_for_ever() {
        assert!(is_hashed("/worker-0123456789ab.js"));
        assert!(!is_hashed("/index.html") && !is_hashed("/proof-worker.js"));
        assert!(!is_hashed("/a-0123456789.js"));
    }
}
