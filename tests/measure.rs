//! The measuring room against real sockets on loopback: every way of failing is seen once, and told as what it was.

#[path = "measure/climbs.rs"]
mod climbs;
#[path = "measure/described.rs"]
mod described;
#[path = "measure/engine.rs"]
mod engine;
#[path = "measure/exchanges.rs"]
mod exchanges;
#[path = "measure/files.rs"]
mod files;
#[path = "measure/pages.rs"]
mod pages;
#[path = "measure/queries.rs"]
mod queries;
#[path = "measure/quic.rs"]
mod quic;
#[path = "measure/relays.rs"]
mod relays;
#[path = "measure/site.rs"]
mod site;
#[path = "measure/streams.rs"]
mod streams;
