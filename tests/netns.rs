//! Real packets: the built command with its own definitions, a router that censors, and an internet behind it.
//!
//! Network namespaces for each scenario, `client - router - server` or with four routers, all gone when it is over. The server owns
//! every address there is; what interferes are rules of nftables and iptables on the router, as in the field. Nothing
//! of the machine's own network is touched and no packet leaves it.
//!
//! Needs Linux, `iproute2`, `nftables`, `iptables` and `python3`, and root or a user namespace; without them it says so and passes,
//! unless `CI=true`. `BLOCKPROBE_NETNS_SAVE=DIRECTORY` keeps the report of every run, as JSON and as people read it.
#![cfg(target_os = "linux")]

#[path = "netns/described.rs"]
mod described;
#[path = "netns/echoed.rs"]
mod echoed;
#[path = "netns/everybody.rs"]
mod everybody;
#[path = "netns/facts.rs"]
mod facts;
#[path = "netns/forger.rs"]
mod forger;
#[path = "netns/internet.rs"]
mod internet;
#[path = "netns/layers.rs"]
mod layers;
#[path = "netns/means.rs"]
mod means;
#[path = "netns/names.rs"]
mod names;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "netns/negatives.rs"]
mod negatives;
#[path = "netns/played.rs"]
mod played;
#[path = "netns/positives.rs"]
mod positives;
#[path = "netns/quic.rs"]
mod quic;
#[path = "netns/road.rs"]
mod road;
#[path = "netns/roads.rs"]
mod roads;
#[path = "netns/scene.rs"]
mod scene;
#[path = "../src/wire/own/spellings.rs"]
mod spellings;
