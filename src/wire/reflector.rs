//! The ping of Telegram's call reflectors: one datagram of 40 bytes, and what may come back.
//!
//! The layout is libtgvoip's. Whether a reflector answers a tag that no call was given is not documented: silence says
//! nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::model::observation::Stage;
use crate::wire::handshake::Told;
use crate::wire::reading::Reading;

/// Bytes of a ping.
const PING: usize = 40;
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 512;
/// What stands between the tag and the id of a ping.
const MARK: [u8; 16] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff,
];
/// `udpReflectorSelfInfo#c01572c7`.
const SELF_INFO: u32 = 0xc015_72c7;
/// `udpReflectorPeerInfo#27d9371c`.
const PEER_INFO: u32 = 0x27d9_371c;

/// Our half of one ping.
pub struct Client {
    tag: [u8; 16],
    query: [u8; 8],
    mapped: Vec<SocketAddr>,
}

impl Client {
    /// A ping with this tag and id, both random.
    pub fn new(tag: [u8; 16], query: [u8; 8]) -> Self {
        Self {
            tag,
            query,
            mapped: Vec::new(),
        }
    }

    /// The datagram to send.
    pub fn hello(&self) -> Vec<u8> {
        [&self.tag[..], &MARK, &self.query].concat()
    }

    /// A datagram came.
    pub fn take(&mut self, datagram: &[u8]) -> Reading {
        if datagram == self.hello() {
            return Reading::Failed("our own ping sent back");
        }
        if datagram.len() > MAX_ANSWER {
            return Reading::Failed("longer than a reflector's answer");
        }
        let Some((head, body)) = datagram.split_at_checked(32) else {
            return Reading::Failed("shorter than a reflector's answer");
        };
        let (tag, rest) = head.split_at(16);
        let (mark, constructor) = rest.split_at(12);
        if mark != &MARK[..12] {
            return Reading::Failed("no answer of a reflector");
        }
        let constructor = u32::from_le_bytes(constructor.try_into().unwrap_or_default());
        let tag_is_ours = tag == self.tag;
        match constructor {
            SELF_INFO if body.len() >= 32 => self.self_info(tag_is_ours, body),
            // Four words, of which none is our id: only the tag ties it to the ping.
            PEER_INFO if body.len() >= 16 => told("peer", tag_is_ours),
            SELF_INFO | PEER_INFO => Reading::Failed("shorter than a reflector's answer"),
            _ => Reading::Failed("no answer of a reflector"),
        }
    }

    /// The address that the answer says we have. It is the vantage's own: to be scrubbed, never told.
    pub fn mapped(&self) -> &[SocketAddr] {
        &self.mapped
    }

    /// Date, id of the ping, our address and port.
    fn self_info(&mut self, tag_is_ours: bool, body: &[u8]) -> Reading {
        let (query, address) = (body.get(4..12), body.get(12..28));
        let address = address.and_then(|octets| <[u8; 16]>::try_from(octets).ok());
        let port = body.get(28..30).and_then(|port| port.try_into().ok());
        if let (Some(octets), Some(port)) = (address, port) {
            let port = u16::from_le_bytes(port);
            self.mapped
                .push(SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), port));
            // Some forms keep IPv4 in the last four bytes without the prefix.
            let [.., a, b, c, d] = octets;
            self.mapped
                .push(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port));
        }
        told("self", tag_is_ours && query == Some(&self.query))
    }
}

fn told(answer: &str, ours: bool) -> Reading {
    let told = Told::new(if ours { Stage::Bound } else { Stage::Parsed }).saying("answer", answer);
    Reading::Done(if ours {
        told
    } else {
        told.saying("ping", "not ours")
    })
}

/// The server's half: the answer to a ping that came from `from` at `unix` (time since 1970); `None` if it is none.
pub fn answer(ping: &[u8], from: SocketAddr, unix: Duration) -> Option<Vec<u8>> {
    let ping: &[u8; PING] = ping.try_into().ok()?;
    if ping[16..32] != MARK {
        return None;
    }
    let ip = match from.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let date = u32::try_from(unix.as_secs()).unwrap_or(u32::MAX);
    let mut answer = ping[..28].to_vec();
    answer.extend(SELF_INFO.to_le_bytes());
    answer.extend(date.to_le_bytes());
    answer.extend(&ping[32..]);
    answer.extend(ip.octets());
    answer.extend(u32::from(from.port()).to_le_bytes());
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_has_40_bytes_and_its_answer_is_bound() {
        let from: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let mut client = Client::new([3; 16], [5; 8]);
        assert_eq!(client.hello().len(), 40);
        let answer = answer(&client.hello(), from, Duration::from_secs(9)).unwrap();
        assert_eq!(
            (answer.len(), &answer[28..32]),
            (64, &[0xc7, 0x72, 0x15, 0xc0][..])
        );
        let Reading::Done(told) = client.take(&answer) else {
            panic!("not read");
        };
        assert_eq!(told.stage, Stage::Bound);
        assert!(client.mapped().contains(&from));
        assert!(!format!("{told:?}").contains("192.0.2.7"));
    }

    #[test]
    fn the_answer_to_another_ping_binds_nothing() {
        let from = "[::1]:1".parse().unwrap();
        let other = Client::new([3; 16], [6; 8]).hello();
        let answer = answer(&other, from, Duration::ZERO).unwrap();
        let Reading::Done(told) = Client::new([3; 16], [5; 8]).take(&answer) else {
            panic!("not read");
        };
        assert_eq!(told.stage, Stage::Parsed);
    }

    #[test]
    fn an_echo_is_no_answer() {
        let mut client = Client::new([3; 16], [5; 8]);
        let echo = client.hello();
        assert!(matches!(client.take(&echo), Reading::Failed(_)));
    }
}
