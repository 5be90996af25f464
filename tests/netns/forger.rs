//! A censor beside the router: sees the queries that are forwarded and answers some of them in the resolver's name.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use socket2::{Domain, Protocol, Socket, Type};

use crate::road::{ROUTER, spawn_in};

/// How often it looks whether it is over.
const GLANCE: Duration = Duration::from_millis(100);

/// Length of an IPv4 header without options, and of a UDP header.
const IP: usize = 20;
const UDP: usize = 8;

/// Listens on the router until dropped.
#[derive(Debug)]
pub struct Forger {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Forger {
    /// Answers A queries for names that end so with that address.
    pub fn listen(router: &str, suffixes: &'static [&'static str], lie: Ipv4Addr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let (ready, listening) = mpsc::channel();
        let thread = spawn_in(router, move || {
            // The protocol of a packet socket is in network byte order.
            let every_ipv4 = i32::from(u16::to_be(0x0800));
            let mut ear = Socket::new(Domain::PACKET, Type::DGRAM, Some(every_ipv4.into()))
                .expect("a packet socket");
            ear.set_read_timeout(Some(GLANCE)).expect("a timeout");
            let mouth = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))
                .expect("a raw socket");
            ready.send(()).expect("somebody waits");
            let mut bytes = [0; 2048];
            while !is_over.load(Ordering::Relaxed) {
                let Ok(length) = ear.read(&mut bytes) else {
                    continue;
                };
                if let Some((forged, to)) = forge(&bytes[..length], suffixes, lie) {
                    drop(mouth.send_to(&forged, &SocketAddr::V4(to).into()));
                }
            }
        });
        listening.recv().expect("the forger listens");
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The forged packet for one that was seen, if it asks for what the censor looks for.
fn forge(packet: &[u8], suffixes: &[&str], lie: Ipv4Addr) -> Option<(Vec<u8>, SocketAddrV4)> {
    let header = packet.first_chunk::<IP>()?;
    let [0x45, _, _, _, _, _, _, _, _, 17, ..] = *header else {
        return None;
    };
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let port = |at: usize| Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk::<2>()?));
    let (client, resolver) = (address(12)?, address(16)?);
    let (client_port, to) = (port(IP)?, port(IP + 2)?);
    // Every forwarded packet is seen twice, coming and going: once is enough, before the router takes its hop.
    if to != 53 || header[8] != 64 || client == ROUTER {
        return None;
    }
    let reply = lie_about(packet.get(IP + UDP..)?, suffixes, lie)?;
    let length = |extra: usize| {
        u16::try_from(reply.len() + extra)
            .ok()
            .map(u16::to_be_bytes)
    };
    let mut forged = vec![0x45, 0];
    forged.extend(length(IP + UDP)?);
    forged.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    forged.extend(resolver.octets());
    forged.extend(client.octets());
    forged.extend(53_u16.to_be_bytes());
    forged.extend(client_port.to_be_bytes());
    forged.extend(length(UDP)?);
    // Over IPv4 a UDP checksum may be left out; the kernel fills in that of the header.
    forged.extend([0, 0]);
    forged.extend(reply);
    Some((forged, SocketAddrV4::new(client, client_port)))
}

fn lie_about(query: &[u8], suffixes: &[&str], lie: Ipv4Addr) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    let [question] = query.queries.as_slice() else {
        return None;
    };
    let name = question.name.to_ascii().to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    let is_wanted = suffixes.iter().any(|suffix| name.ends_with(suffix));
    if !is_wanted
        || question.query_type != RecordType::A
        || query.metadata.message_type != MessageType::Query
    {
        return None;
    }
    let mut reply = Message::response(query.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&query.queries);
    reply.add_answer(Record::from_rdata(
        question.name.clone(),
        300,
        RData::A(A(lie)),
    ));
    reply.to_vec().ok()
}
