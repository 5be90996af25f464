//! The lab's servers, asked by clients that we did not write: curl, openssl, kdig and the operating system.

#[path = "lab_servers/ailing.rs"]
mod ailing;
#[path = "lab_servers/clients.rs"]
mod clients;
#[path = "lab_servers/described.rs"]
mod described;
#[path = "lab_servers/exchanges.rs"]
mod exchanges;
#[path = "lab_servers/faults.rs"]
mod faults;
#[path = "lab_servers/names.rs"]
mod names;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "lab_servers/servers.rs"]
mod servers;
#[path = "lab_servers/world.rs"]
mod world;
