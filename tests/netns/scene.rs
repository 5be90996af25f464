//! One scenario: what lies on the road, who lies, and the run of the command in the middle of it.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blockprobe::catalog;
use blockprobe::lab::authority::{Signer, root_pem};
use blockprobe::lab::censor::{Aimed, Censor};
use blockprobe::lab::fault::Aim;
use blockprobe::lab::zone::Zone;

use crate::forger::Forger;
use crate::internet::{PORTAL_TLS, PORTAL_WEB, Servers, World};
use crate::means::{self, Seat};
use crate::names::{self, PROVIDER, address_6_of};
use crate::played::Played;
use crate::road::{Road, run_in};

/// How long a run may take before it is ended from outside.
const BOUND: &str = "60";

/// What lies on the road.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are circumstances of a scene, each by itself"
)]
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The name under which reports are kept.
    pub name: &'static str,
    /// Who lies at the provider's resolver.
    pub censor: Option<Censor>,
    /// What the provider's resolver keeps from the household.
    pub household: Option<Aim>,
    /// The provider's resolver does not answer.
    pub is_resolver_dead: bool,
    /// Shell script on the router: the path's own censor.
    pub router: String,
    /// Four routers lie on the road, and the censor's is the second.
    pub is_long: bool,
    /// Shell script on the router beside the server.
    pub last_router: String,
    /// Shell script at the server.
    pub server: String,
    /// Shell script at the client, before the run.
    pub client: &'static str,
    /// A portal on the router takes the web.
    pub has_portal: bool,
    /// A forger beside the router answers A queries for these names, with this address.
    pub forger: Option<(&'static [&'static str], Ipv4Addr)>,
    /// Definitions of somebody's own, measured in place of the built-in ones.
    pub definitions: &'static str,
    /// Python program that serves beside the world's servers, and prints a line when it does.
    pub own_server: &'static str,
    /// The client has an IPv6 address and a route, and every name has an IPv6 address.
    pub has_ipv6: bool,
}

impl Scene {
    /// Plays it once.
    pub fn play(&self) -> Played {
        let _seat = Seat::take();
        let road = Road::build(self.is_long, self.has_ipv6);
        let _world = Servers::of_the_world(&road.server, self.world());
        let _own_server =
            (!self.own_server.is_empty()).then(|| Neighbour::start(&road.server, self.own_server));
        let _portal = self.has_portal.then(|| {
            run_in(&road.router, &portal_rules());
            Servers::of_a_portal(&road.router)
        });
        let _forger = self
            .forger
            .map(|(names, lie)| Forger::listen(&road.router, names, lie));
        run_in(&road.router, &self.router);
        run_in(&road.last_router, &self.last_router);
        run_in(&road.server, &self.server);
        run_in(&road.client, self.client);
        run(&road, self)
    }

    /// Plays it several times, each on a road of its own.
    pub fn play_times(&self, times: usize) -> Vec<Played> {
        std::thread::scope(|scope| {
            let plays: Vec<_> = (0..times).map(|_| scope.spawn(|| self.play())).collect();
            plays
                .into_iter()
                .map(|play| {
                    play.join()
                        .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
                })
                .collect()
        })
    }

    fn world(&self) -> World {
        let catalog = catalog::embedded();
        let zone = Zone {
            censors: self
                .censor
                .iter()
                .map(|censor| Aimed::new(*censor, &catalog))
                .collect(),
            household: self.household.map(|aim| aim.hosts(&catalog)),
            is_system_dead: self.is_resolver_dead,
            ipv6: self.has_ipv6.then_some(address_6_of as fn(&str) -> _),
            ..names::zone(&catalog)
        };
        World {
            catalog,
            zone,
            // Whoever forges answers sits nearer than the resolver does, also on a machine that is busy.
            resolver_delay: Duration::from_millis(if self.forger.is_some() { 200 } else { 0 }),
        }
    }
}

/// A program in a namespace; it ends with the scene.
#[derive(Debug)]
struct Neighbour(Child);

impl Neighbour {
    fn start(namespace: &str, program: &str) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace, "python3", "-c", program])
            .env("PATH", means::path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("iproute2 was there a moment ago");
        let told = child.stdout.take().expect("it was asked for");
        let mut line = String::new();
        let read = BufReader::new(told).read_line(&mut line);
        assert!(read.is_ok_and(|it| it > 0), "the server does not serve");
        Self(child)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// As hotels do it: the web goes to the portal, names are resolved, all else is shut.
fn portal_rules() -> String {
    format!(
        "nft -f - <<'END'
table ip portal {{
    chain redirection {{
        type nat hook prerouting priority dstnat;
        iifname \"downlink\" tcp dport 80 redirect to :{PORTAL_WEB}
        iifname \"downlink\" tcp dport 443 redirect to :{PORTAL_TLS}
    }}
    chain forwarding {{
        type filter hook forward priority filter;
        iifname \"downlink\" udp dport 53 accept
        iifname \"downlink\" reject with icmp type admin-prohibited
    }}
}}
END"
    )
}

fn run(road: &Road, scene: &Scene) -> Played {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let authority = root_pem(&Signer::Public).expect("the lab's authority");
    // The client's own view of names comes from these alone, whatever this machine uses.
    let script = "
        mount --bind \"$1\" /etc/resolv.conf
        mount --bind \"$2\" /etc/nsswitch.conf
        mount --bind \"$3\" /etc/hosts
        shift 3
        exec \"$@\"";
    let started = Instant::now();
    let output = Command::new("ip")
        .args(["netns", "exec", &road.client, "sh", "-ec", script, "sh"])
        .arg(file("resolv.conf", &format!("nameserver {PROVIDER}\n")))
        .arg(file("nsswitch.conf", "hosts: files dns\n"))
        .arg(file("hosts", "127.0.0.1 localhost\n::1 localhost\n"))
        .args(["timeout", BOUND, env!("CARGO_BIN_EXE_blockprobe")])
        .args(["run", "-f", "json", "--ca-file"])
        .arg(file("authority.pem", &authority))
        .args((!scene.definitions.is_empty()).then(|| {
            let path = file("own.toml", scene.definitions);
            format!("--definitions={}", path.display())
        }))
        .env_clear()
        .env("PATH", means::path())
        .stdin(Stdio::null())
        .output()
        .expect("iproute2 was there a moment ago");
    Played::new(scene.name, &output, started.elapsed())
}
