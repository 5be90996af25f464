//! Network namespaces in a row, `client - router - server` or with four routers: made for one scenario and gone with it.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns};

use crate::means::shell;

/// The client's address, which no report may hold.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

/// The client's global IPv6 address, where it has one; no report may hold it either.
pub const CLIENT_6: &str = "2a0e:77:77::77";

/// The router's address on the client's side: what an ICMP error comes from.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The client, the routers and the server, in the order of the road.
const BUILD: &str = "
for name in \"$@\"; do
    ip netns add $name
    ip -n $name link set lo up
    last=$name
done
link=0 before=
for name in \"$@\"; do
    if [ -n \"$before\" ]; then
        lower=10.0.$link.1 upper=10.0.$link.2
        [ $link != 0 ] || lower=10.0.0.77 upper=10.0.0.1
        ip -n $before link add uplink type veth peer name downlink netns $name
        ip -n $before address add $lower/24 dev uplink
        ip -n $name address add $upper/24 dev downlink
        link=$((link + 1))
    fi
    before=$name
done
for name in \"$@\"; do
    ip netns exec $name sh -ec '
        for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done
        echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
        # Absent where the kernel bounds ICMP for all namespaces together.
        file=/proc/sys/net/ipv4/icmp_msgs_per_sec; [ ! -e $file ] || echo 100000 > $file
        file=/proc/sys/net/ipv4/icmp_msgs_burst; [ ! -e $file ] || echo 10000 > $file
        echo 1 > /proc/sys/net/ipv4/ip_forward'
done
link=0 before=
for name in \"$@\"; do
    if [ -n \"$before\" ]; then
        lower=10.0.$link.1 upper=10.0.$link.2
        [ $link != 0 ] || upper=10.0.0.1
        ip -n $before link set uplink up
        ip -n $name link set downlink up
        ip -n $before route add default via $upper
        # The first router has the client beside it, and the server's way back is below.
        [ $link = 0 ] || [ $name = $last ] || ip -n $name route add 10.0.0.0/24 via $lower
        link=$((link + 1))
    fi
    before=$name
done
# The server is the whole internet, but for the way back, which its table of local addresses must know better.
ip -n $last route add ${lower%.1}.0/24 dev downlink table local
ip -n $last route add 10.0.0.0/24 via $lower dev downlink onlink table local
ip netns exec $last sh -ec 'echo 1 > /proc/sys/net/ipv4/conf/all/accept_local'
ip -n $last route add local 0.0.0.0/0 dev lo table local
";

/// The same for IPv6, with one router.
const BUILD_6: &str = "
for name in $1 $2 $3; do
    ip netns exec $name sh -ec '
        for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $file; done
        # Without the wait for others who may have the same address.
        for file in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $file; done
        for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 0 > $file; done
        echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
done
ip -n $1 -6 address add 2a0e:77:77::77/64 dev uplink nodad
ip -n $2 -6 address add 2a0e:77:77::1/64 dev downlink nodad
ip -n $2 -6 address add 2a0e:77:78::1/64 dev uplink nodad
ip -n $3 -6 address add 2a0e:77:78::2/64 dev downlink nodad
ip -n $1 -6 route add default via 2a0e:77:77::1
ip -n $2 -6 route add default via 2a0e:77:78::2
ip -n $3 -6 route add 2a0e:77:78::/64 dev downlink table local metric 1
ip -n $3 -6 route add 2a0e:77:77::/64 via 2a0e:77:78::1 dev downlink table local metric 1
ip -n $3 -6 route add local ::/0 dev lo table local
";

const REMOVE: &str = "
for name in \"$@\"; do
    ip netns del $name || true
done
";

/// The namespaces; dropping it removes them.
#[derive(Debug)]
pub struct Road {
    /// Where the command runs.
    pub client: String,
    /// Where the censor sits: the only router, or the second.
    pub router: String,
    /// The router beside the server.
    pub last_router: String,
    /// Where everything else is.
    pub server: String,
    all: Vec<String>,
}

impl Road {
    /// Builds a road of its own, with one router or with four.
    pub fn build(is_long: bool, has_ipv6: bool) -> Self {
        static BUILT: AtomicU32 = AtomicU32::new(0);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let name = |place: &str| format!("blockprobe{}-{number}-{place}", std::process::id());
        let places: &[&str] = if is_long {
            &["client", "first", "router", "third", "last", "server"]
        } else {
            &["client", "router", "server"]
        };
        let road = Self {
            client: name("client"),
            router: name("router"),
            last_router: name(places[places.len() - 2]),
            server: name("server"),
            all: places.iter().map(|place| name(place)).collect(),
        };
        road.on_all(BUILD).expect("a road");
        if has_ipv6 {
            assert!(!is_long, "the long road has no IPv6");
            road.on_all(BUILD_6).expect("a road for IPv6");
        }
        road
    }

    fn on_all(&self, script: &str) -> Result<(), String> {
        let all: Vec<&str> = self.all.iter().map(String::as_str).collect();
        shell(script, &all)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        // A namespace that was never made is no trouble.
        drop(self.on_all(REMOVE));
    }
}

/// Runs a shell script in a namespace.
pub fn run_in(namespace: &str, script: &str) {
    shell("ip netns exec \"$1\" sh -ec \"$2\"", &[namespace, script])
        .unwrap_or_else(|told| panic!("in {namespace}: {script}: {told}"));
}

/// A thread that lives in a namespace; only this thread enters it.
pub fn spawn_in<Life>(namespace: &str, life: Life) -> JoinHandle<()>
where
    Life: FnOnce() + Send + 'static,
{
    let file = PathBuf::from("/run/netns").join(namespace);
    thread::spawn(move || {
        let file = File::open(&file).expect("the namespace was made");
        setns(file, CloneFlags::CLONE_NEWNET).expect("the namespace lets us in");
        life();
    })
}
