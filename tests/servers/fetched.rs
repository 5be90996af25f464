//! A control report on a web server, fetched on a network whose resolver denies that server's name.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use blockprobe::catalog::embedded;
use blockprobe::cli::fetch::{Means, fetch};
use blockprobe::model::catalog::{Catalog, Transport};
use blockprobe::model::line::Line;

use crate::certificates;
use crate::needs;
use crate::program::{PortTaken, Program};
use crate::unbound::Resolver;

/// RFC 6761: no resolver outside of this test knows a name below `.test`, so the system's own denies it.
const HOST: &str = "control-of-blockprobe.test";
/// What the server sends, a redirect before it.
const BODY: &str = "what another vantage saw";

/// unbound answers over TLS and HTTPS, nginx serves the file; both show certificates of the test's own authority.
struct Scene {
    _servers: [Program; 2],
    _directory: tempfile::TempDir,
    web: SocketAddr,
    means: Means,
}

impl Scene {
    fn open(transport: Transport) -> Self {
        (0..5)
            .find_map(|_| Self::try_open(transport).ok())
            .expect("free ports")
    }

    fn try_open(transport: Transport) -> Result<Self, PortTaken> {
        let directory = tempfile::tempdir().unwrap();
        let mut catalog = embedded();
        catalog.resolvers.retain(|it| it.transport == transport);
        catalog.resolvers.truncate(1);
        let name = catalog.resolvers[0].server_name.clone().unwrap();
        let names = [HOST.to_owned(), name];
        let root = certificates::issue(directory.path(), "public", &names);
        let [dns, web] = ["127.0.0.21", "127.0.0.22"].map(free);
        catalog.resolvers[0].address = dns;
        let over = |wanted: Transport| -> BTreeSet<SocketAddr> {
            [dns].into_iter().filter(|_| transport == wanted).collect()
        };
        let resolver = Resolver {
            label: "protected",
            plain: BTreeSet::new(),
            dot: over(Transport::Dot),
            doh: over(Transport::Doh),
            hosts: &[(HOST.to_owned(), web.ip())],
            lies: Vec::new(),
        };
        Ok(Self {
            _servers: [
                resolver.start(directory.path())?,
                nginx(directory.path(), web)?,
            ],
            _directory: directory,
            web,
            means: means(&catalog, root),
        })
    }

    fn address(&self, path: &str) -> String {
        format!("https://user:SECRET@{HOST}:{}/{path}", self.web.port())
    }
}

fn means(catalog: &Catalog, root: Vec<u8>) -> Means {
    let line = Line {
        ipv4: true,
        added_roots: vec![root],
        ..Line::default()
    };
    Means::of(catalog, &line)
}

fn free(address: &str) -> SocketAddr {
    let address: IpAddr = address.parse().unwrap();
    TcpListener::bind((address, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

fn nginx(directory: &Path, place: SocketAddr) -> Result<Program, PortTaken> {
    let clear = format!("http://{HOST}:{}/free.json", place.port());
    let text = format!(
        "daemon off;\nmaster_process off;\npid web.pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\naccess_log off;\n\
         server {{ listen {place} ssl; server_name {HOST};\n\
         ssl_certificate public.pem; ssl_certificate_key public.key;\n\
         location = /free.json {{ return 200 \"{BODY}\"; }}\n\
         location = /moved {{ return 302 /free.json; }}\n\
         location = /loop {{ return 302 /loop; }}\n\
         location = /clear {{ return 302 {clear}; }}\n\
         }}\n}}\n"
    );
    std::fs::write(directory.join("web.conf"), text).unwrap();
    let prefix = directory.display().to_string();
    let path = directory.join("web.conf").display().to_string();
    let arguments = ["-p", &prefix, "-c", &path, "-e", "stderr"];
    Program::start("nginx", directory, "web", &arguments, &[place])
}

#[tokio::test]
async fn a_control_is_fetched_past_a_resolver_that_denies_its_host() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    for transport in [Transport::Dot, Transport::Doh] {
        let scene = Scene::open(transport);
        for path in ["free.json", "moved"] {
            let fetched = fetch(&scene.address(path), 1 << 20, &scene.means).await;
            let fetched = fetched.unwrap_or_else(|trouble| panic!("{path}: {trouble}"));
            assert_eq!(fetched.bytes, BODY.as_bytes());
            let note = fetched.note.expect("it says which way was taken");
            assert!(
                note.contains(HOST) && note.contains(transport.word()),
                "{note}"
            );
            assert!(note.contains("system's resolver"), "{note}");
            assert!(!note.contains("SECRET"), "{note}");
        }
    }
}

#[tokio::test]
async fn no_redirect_leads_from_tls_to_clear_text_or_in_circles() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let scene = Scene::open(Transport::Dot);
    for (path, reason) in [
        ("clear", "redirects from https to http"),
        ("loop", "more than 5 redirects"),
        ("nothing", "404"),
    ] {
        let refused = fetch(&scene.address(path), 1 << 20, &scene.means).await;
        let told = refused.expect_err(path).to_string();
        assert!(told.contains(reason), "{told}");
        assert!(!told.contains("SECRET"), "{told}");
    }
}

#[tokio::test]
async fn without_a_protected_resolver_the_request_fails_with_its_reason() {
    let told = fetch(
        &format!("https://{HOST}/free.json"),
        1 << 20,
        &Means::default(),
    )
    .await;
    let told = told.expect_err("nobody knows the host").to_string();
    assert!(
        told.contains(&format!("cannot fetch https://{HOST}/free.json")),
        "{told}"
    );
}
