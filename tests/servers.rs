//! The product with its whole catalog against servers that we did not write: Debian's unbound and nginx, on loopback.

#[path = "servers/blame.rs"]
mod blame;
#[path = "servers/certificates.rs"]
mod certificates;
#[path = "servers/fetched.rs"]
mod fetched;
#[path = "servers/names.rs"]
mod names;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "servers/nginx.rs"]
mod nginx;
#[path = "servers/noise.rs"]
mod noise;
#[path = "servers/openness.rs"]
mod openness;
#[path = "servers/program.rs"]
mod program;
#[path = "servers/report.rs"]
mod report;
#[path = "servers/site.rs"]
mod site;
#[path = "servers/unbound.rs"]
mod unbound;
