//! How long and how many at once: every limit of the room, each with its reason.

use std::time::Duration;

/// All limits. Tests shorten them; nothing else does.
#[derive(Clone, Debug)]
pub struct Limits {
    /// When a DNS query is sent again, after the first sending: one lost datagram must not look like a censor, and
    /// resolvers need up to a second for a name that is not in their cache.
    pub dns_resend: Vec<Duration>,
    /// A DNS query without any answer is given up: 1.5 s after the last sending, as long as a slow satellite line takes.
    pub dns_give_up: Duration,
    /// A decoy is asked once and given up after this long: silence is what it is there for, and whoever forges an answer on
    /// the way is faster.
    pub dns_decoy: Duration,
    /// Listening goes on this long after the first acceptable answer: an injector is faster than the resolver, whose
    /// real answer comes within its ordinary round trip.
    pub dns_listen: Duration,
    /// Replies kept of one query: an injector sends two or three, a flood says nothing more.
    pub dns_replies: usize,
    /// `getaddrinfo` is left to itself: one retry of the usual stub resolver (5 s each try) is not worth waiting for.
    pub lookup: Duration,
    /// Lookups that wait for an answer at once. Each asks two questions: with the raw queries they stay below the 150 that
    /// a home router's dnsmasq forwards at once before it refuses. A silent one gives its place to the next.
    pub lookups: usize,
    /// A lookup unanswered this long gives its place to the next one and waits on: above most resolvers' own work.
    pub patience_lookup: Duration,
    /// Threads of lookups, silent ones included: none can be interrupted, and where every resolver is silent the C library
    /// keeps each for 10 s. All names of the definitions together fit, so silence costs the run one wait and not six.
    pub lookup_threads: usize,
    /// TCP connect: SYNs go out at 0, 1 and 3 s; the third has the round trip of the slowest line to be answered.
    pub connect: Duration,
    /// The same with few hops to live: a router answers within its round trip, so SYNs at 0 and 1 s are enough; two trials
    /// of neighbouring hop counts tell more than a third SYN of one.
    pub connect_hops: Duration,
    /// TLS handshake: two round trips and the retransmissions at 0.2, 0.6, 1.4 and 3 s.
    pub tls: Duration,
    /// QUIC handshake: its first datagram goes out at 0, 0.3, 0.9 and 2.1 s; the last has the round trip of the slowest line,
    /// and two of the handshake, to be answered.
    pub quic: Duration,
    /// HTTP from the request to the end of the body read. A freeze shows as a body that stops.
    pub http: Duration,
    /// The app's own first message and its answer: a round trip or two, the server's work and the retransmissions at 0.2,
    /// 0.6, 1.4 and 3 s. An upgrade to a WebSocket is one more round trip.
    pub exchange: Duration,
    /// When a request over UDP is sent again, after the first sending: relays answer at once or not at all.
    pub datagram_resend: Vec<Duration>,
    /// A request over UDP without an answer is given up.
    pub datagram_give_up: Duration,
    /// An answer whose end the definitions cannot know is over when nothing came for so long: a retransmission or two.
    pub exchange_quiet: Duration,
    /// Of an answer that is not the protocol, bytes read on for what it says: a block page's head.
    pub exchange_text: usize,
    /// One message of a WebSocket, bytes: first answers have some hundred.
    pub websocket_message: usize,
    /// DNS over an open stream (TCP, DoT, DoH): the resolver's own work and a retransmission.
    pub dns_stream: Duration,
    /// One whole check, from its first step: above the sum of what an honest slow check needs, below the sum of all limits.
    pub check: Duration,
    /// Head of an HTTP answer, bytes: eight times what browsers meet.
    pub http_head: usize,
    /// Body of an HTTP answer, bytes, as sent and again after decompression: past the 16-20 KiB freeze, and whole for
    /// every page of the definitions.
    pub http_body: usize,
    /// Text of a body that is kept, bytes.
    pub http_text: usize,
    /// Connections to one address that talk at once: some censors punish more, and it is polite.
    pub places_per_address: usize,
    /// UDP queries to one resolver that wait for their first answer at once: below the rate limits of public resolvers
    /// (and see `lookups`); a silent query gives its place to the next.
    pub queries_per_resolver: usize,
    /// A SYN or a datagram unanswered this long gives its place to the next one and waits on: above most round trips.
    pub patience_connect: Duration,
    /// The same for a ClientHello, a request or a query on a stream, which the peer has to work on.
    pub patience_talk: Duration,
    /// Descriptors open at once at most, whatever the system allows.
    pub descriptors: u64,
    /// Descriptors left for files, pipes and libraries.
    pub descriptors_spare: u64,
    /// A run that cannot have so many descriptors is refused: some twenty are the program's own, and connections that
    /// resolvers answer on stay open.
    pub descriptors_least: u64,
    /// A check for which this machine has no descriptor is tried again for so long: longer than any check that holds some.
    pub descriptors_wait: Duration,
    /// And so long lies between.
    pub descriptors_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dns_resend: vec![Duration::from_secs(1), Duration::from_secs(2)],
            dns_give_up: Duration::from_millis(3500),
            dns_decoy: Duration::from_millis(750),
            dns_listen: Duration::from_millis(750),
            dns_replies: 8,
            lookup: Duration::from_secs(5),
            lookups: 24,
            patience_lookup: Duration::from_millis(400),
            lookup_threads: 192,
            connect: Duration::from_millis(4500),
            connect_hops: Duration::from_millis(2200),
            tls: Duration::from_secs(5),
            quic: Duration::from_secs(4),
            http: Duration::from_secs(6),
            exchange: Duration::from_secs(6),
            datagram_resend: vec![Duration::from_millis(400), Duration::from_secs(1)],
            datagram_give_up: Duration::from_secs(2),
            exchange_quiet: Duration::from_millis(1500),
            exchange_text: 4 << 10,
            websocket_message: 64 << 10,
            dns_stream: Duration::from_millis(3500),
            check: Duration::from_secs(15),
            http_head: 64 << 10,
            http_body: 256 << 10,
            http_text: 4 << 10,
            places_per_address: 6,
            queries_per_resolver: 128,
            patience_connect: Duration::from_millis(300),
            patience_talk: Duration::from_millis(350),
            descriptors: 8192,
            descriptors_spare: 64,
            descriptors_least: 64,
            descriptors_wait: Duration::from_secs(20),
            descriptors_pause: Duration::from_millis(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_agree_with_one_another() {
        let limits = Limits::default();
        assert!(limits.dns_resend.iter().all(|at| *at < limits.dns_give_up));
        assert!(limits.dns_give_up + limits.dns_listen < limits.check);
        assert!(limits.check < limits.descriptors_wait);
        assert!(limits.descriptors_least < limits.descriptors);
        assert!(limits.connect + limits.tls < limits.check);
        assert!(limits.connect + limits.exchange < limits.check);
        assert!(limits.quic + limits.http < limits.check);
        assert!(limits.patience_talk < limits.exchange);
        assert!(limits.exchange_quiet < limits.exchange);
        assert!(limits.patience_lookup < limits.lookup);
        assert!(limits.lookups < limits.lookup_threads);
        assert!(limits.connect_hops < limits.connect);
        assert!(limits.patience_connect < limits.connect_hops);
        assert!(limits.patience_connect < limits.connect && limits.patience_talk < limits.tls);
        assert!(limits.patience_talk < limits.quic && limits.quic < limits.check);
        assert!(limits.http_text <= limits.http_body);
    }
}
