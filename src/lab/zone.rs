//! What the lab's resolvers say: honest answers, and those that a scenario spoils.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::lab::atlas::ADVERTISERS;
use crate::lab::censor::{Aimed, BOGON, Lie, Resolvers, Spoil, is_at_or_below};
use crate::model::catalog::{Resolver, ResolverRole, Transport};

/// Seconds that the lab's records live.
const TTL: u32 = 60;

/// The name that tells which address a resolver asks from.
const WHOAMI: &str = "o-o.myaddr.l.google.com";

/// What a resolver's server sends for one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Silence,
    /// One message.
    One(Vec<u8>),
    /// A forged message at once and, where a resolver is, the honest one later.
    Race {
        /// What the censor says.
        forged: Vec<u8>,
        /// What the resolver says.
        honest: Option<Vec<u8>>,
    },
}

impl Answer {
    fn one(message: &Message) -> Self {
        message.to_vec().map_or(Self::Silence, Self::One)
    }

    fn race(forged: &Message, honest: Option<&Message>) -> Self {
        let honest = honest.and_then(|it| it.to_vec().ok());
        match (forged.to_vec(), honest) {
            (Ok(forged), honest) => Self::Race { forged, honest },
            (Err(_), Some(honest)) => Self::One(honest),
            (Err(_), None) => Self::Silence,
        }
    }
}

/// One resolver of the lab.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Who really answers there.
    pub speaker: Resolver,
    /// The address its own questions come from.
    pub egress: Ipv4Addr,
}

/// The names of the lab and what is done to them.
#[derive(Debug, Default)]
pub struct Zone {
    /// Every name with its address.
    pub hosts: HashMap<String, Ipv4Addr>,
    /// Names that exist no more.
    pub retired: Vec<String>,
    /// Every name has an IPv6 address too: this one.
    pub ipv6: Option<fn(&str) -> Ipv6Addr>,
    /// Only these names have one.
    pub ipv6_names: Option<Vec<String>>,
    /// Names with a second address, told in every other answer.
    pub second: HashMap<String, Ipv4Addr>,
    /// Who answers which names with a code, for everybody.
    pub unresolvable: Vec<(Vec<String>, ResponseCode)>,
    /// Which resolvers send every name to this address, and which know no IPv6 address.
    pub misled: Vec<(Resolvers, Lie)>,
    /// See above.
    pub ipv4_only: Vec<Resolvers>,
    /// Every name has this address, says whoever is asked without encryption.
    pub portal: Option<Ipv4Addr>,
    /// Where the block page is.
    pub block_page: Option<Ipv4Addr>,
    /// Names that the system's resolver keeps from the household, if it is a filter.
    pub household: Option<Vec<String>>,
    /// Nobody answers.
    pub is_offline: bool,
    /// The system's resolver does not answer.
    pub is_system_dead: bool,
    /// The scenario's censors.
    pub censors: Vec<Aimed>,
    /// Answers so far, which names with two addresses count.
    pub told: AtomicUsize,
}

impl Zone {
    /// What this resolver sends for these bytes.
    pub fn answer(&self, voice: &Voice, bytes: &[u8]) -> Answer {
        let speaker = &voice.speaker;
        let is_dead = self.is_system_dead && speaker.role == ResolverRole::System;
        let Ok(request) = Message::from_vec(bytes) else {
            return Answer::Silence;
        };
        let is_query = request.metadata.message_type == MessageType::Query
            && request.metadata.op_code == OpCode::Query;
        let [query] = request.queries.as_slice() else {
            return Answer::Silence;
        };
        if self.is_offline || is_dead || !is_query {
            return Answer::Silence;
        }
        let name = plain(&query.name);
        let spoil = self.censors.iter().find_map(|it| it.spoil(speaker, &name));
        let is_a = query.query_type == RecordType::A && query.query_class == DNSClass::IN;
        let honest = || {
            let is_resolver = speaker.role != ResolverRole::Decoy;
            is_resolver.then(|| self.honest(voice, &request, query, &name))
        };
        match spoil {
            Some(Spoil::Silence) => Answer::Silence,
            Some(Spoil::Code(code)) => Answer::one(&with_code(&request, code)),
            Some(Spoil::Address(lie)) if is_a => Answer::one(&self.lie(&request, query, lie)),
            Some(Spoil::Race(lie)) if is_a => {
                Answer::race(&self.lie(&request, query, lie), honest().as_ref())
            }
            Some(Spoil::Address(_) | Spoil::Race(_)) | None => {
                honest().map_or(Answer::Silence, |it| Answer::one(&it))
            }
        }
    }

    fn lie(&self, request: &Message, query: &Query, lie: Lie) -> Message {
        let address = lie.address().or(self.block_page).unwrap_or(BOGON);
        with_records(request, query, vec![RData::A(A(address))])
    }

    fn honest(&self, voice: &Voice, request: &Message, query: &Query, name: &str) -> Message {
        if query.query_class == DNSClass::CH {
            let is_identity = matches!(name, "id.server" | "version.bind" | "hostname.bind");
            return if is_identity && query.query_type == RecordType::TXT {
                with_records(request, query, vec![text(&voice.speaker.operator)])
            } else {
                with_code(request, ResponseCode::Refused)
            };
        }
        if query.query_class != DNSClass::IN {
            return with_code(request, ResponseCode::Refused);
        }
        if name == WHOAMI && query.query_type == RecordType::TXT {
            return with_records(request, query, vec![text(&voice.egress.to_string())]);
        }
        if let Some(address) = self.portal_for(&voice.speaker) {
            let records = (query.query_type == RecordType::A).then_some(RData::A(A(address)));
            return with_records(request, query, records.into_iter().collect());
        }
        if self.is_kept_from_household(&voice.speaker, name) {
            let nowhere = match query.query_type {
                RecordType::A => Some(RData::A(A(Ipv4Addr::UNSPECIFIED))),
                RecordType::AAAA => Some(RData::AAAA(AAAA(Ipv6Addr::UNSPECIFIED))),
                _ => None,
            };
            return with_records(request, query, nowhere.into_iter().collect());
        }
        if let Some((_, lie)) = self
            .misled
            .iter()
            .find(|(at, _)| at.include(&voice.speaker))
        {
            return if query.query_type == RecordType::A {
                self.lie(request, query, *lie)
            } else {
                denial(request, query, ResponseCode::NoError)
            };
        }
        let is_lost = |names: &Vec<String>| names.iter().any(|it| is_at_or_below(name, it));
        let mut lost = self.unresolvable.iter();
        if let Some((_, code)) = lost.find(|(names, _)| is_lost(names)) {
            return with_code(request, *code);
        }
        let is_kept = query.query_type == RecordType::AAAA
            && self.ipv4_only.iter().any(|it| it.include(&voice.speaker));
        if is_kept && self.hosts.contains_key(name) {
            return denial(request, query, ResponseCode::NoError);
        }
        self.of_the_zone(request, query, name)
    }

    /// The same query with a code and no records, or truncated; `None` for what is no query.
    pub fn refusal(bytes: &[u8], code: ResponseCode, truncated: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(bytes).ok()?;
        let is_query = request.metadata.message_type == MessageType::Query;
        let mut reply = with_code(&request, code);
        reply.metadata.truncation = truncated;
        is_query.then(|| reply.to_vec().ok()).flatten()
    }

    /// The portal's address, where a portal answers in place of this resolver.
    fn portal_for(&self, speaker: &Resolver) -> Option<Ipv4Addr> {
        let is_plain = matches!(speaker.transport, Transport::Udp | Transport::Tcp);
        self.portal.filter(|_| is_plain)
    }

    fn is_kept_from_household(&self, speaker: &Resolver, name: &str) -> bool {
        let names = self
            .household
            .as_ref()
            .filter(|_| speaker.role == ResolverRole::System);
        names.is_some_and(|names| {
            names.iter().any(|it| is_at_or_below(name, it))
                || ADVERTISERS.iter().any(|it| is_at_or_below(name, it))
        })
    }

    fn of_the_zone(&self, request: &Message, query: &Query, name: &str) -> Message {
        let address = self
            .hosts
            .get(name)
            .filter(|_| !self.retired.iter().any(|it| it == name));
        let Some(address) = address else {
            let is_branch = self.hosts.keys().any(|it| is_at_or_below(it, name));
            let is_retired = self.retired.iter().any(|it| it == name);
            let code = if name == WHOAMI || (is_branch && !is_retired) {
                ResponseCode::NoError
            } else {
                ResponseCode::NXDomain
            };
            return denial(request, query, code);
        };
        let has_ipv6 = self
            .ipv6_names
            .as_ref()
            .is_none_or(|names| names.iter().any(|it| it == name));
        match (query.query_type, self.ipv6.filter(|_| has_ipv6)) {
            (RecordType::A, _) => {
                let turn = self.told.fetch_add(1, Ordering::Relaxed) % 2;
                let second = self.second.get(name).filter(|_| turn == 1);
                with_records(
                    request,
                    query,
                    vec![RData::A(A(*second.unwrap_or(address)))],
                )
            }
            (RecordType::AAAA, Some(address)) => {
                with_records(request, query, vec![RData::AAAA(AAAA(address(name)))])
            }
            _ => denial(request, query, ResponseCode::NoError),
        }
    }
}

/// A name in lower case, without the final dot.
fn plain(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn text(words: &str) -> RData {
    RData::TXT(TXT::new(vec![words.to_owned()]))
}

/// A reply without records, as a recursive resolver frames it.
fn with_code(request: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
    reply.metadata = Metadata::response_from_request(&request.metadata);
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    reply.queries.clone_from(&request.queries);
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        reply.set_edns(edns);
    }
    reply
}

fn with_records(request: &Message, query: &Query, records: Vec<RData>) -> Message {
    let mut reply = with_code(request, ResponseCode::NoError);
    for data in records {
        let mut record = Record::from_rdata(query.name.clone(), TTL, data);
        record.dns_class = query.query_class;
        reply.add_answer(record);
    }
    reply
}

/// A genuine denial names the zone that denies.
fn denial(request: &Message, query: &Query, code: ResponseCode) -> Message {
    let labels = if code == ResponseCode::NXDomain { 1 } else { 2 };
    let zone = query.name.trim_to(labels);
    let server = Name::from_ascii("ns.example.").unwrap_or_else(|_| Name::root());
    let soa = SOA::new(
        server.clone(),
        server,
        2_026_010_100,
        7200,
        3600,
        1_209_600,
        60,
    );
    let mut reply = with_code(request, code);
    reply.add_authority(Record::from_rdata(zone, TTL, RData::SOA(soa)));
    reply
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    use super::*;
    use crate::model::catalog::Region;

    fn voice() -> Voice {
        let speaker = Resolver {
            id: "lab/udp/127.64.0.1".to_owned(),
            name: "lab".to_owned(),
            operator: "lab".to_owned(),
            role: ResolverRole::Public,
            region: Region::Foreign,
            transport: Transport::Udp,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53),
            server_name: None,
            path: "/dns-query".to_owned(),
            is_local: false,
        };
        Voice {
            speaker,
            egress: Ipv4Addr::LOCALHOST,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_bytes_make_a_resolver_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            Zone::default().answer(&voice(), &bytes);
        }
    }

    #[test]
    fn no_query_damaged_in_one_byte_makes_a_resolver_panic() {
        let mut query = Message::query();
        let name = Name::from_ascii("web.whatsapp.com.").unwrap();
        query.add_query(Query::query(name, RecordType::A));
        let whole = query.to_vec().unwrap();
        for place in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut bytes = whole.clone();
                bytes[place] = value;
                Zone::default().answer(&voice(), &bytes);
            }
        }
    }

    #[test]
    fn a_reply_is_not_answered() {
        let mut reply = Message::response(1, OpCode::Query);
        let name = Name::from_ascii("web.whatsapp.com.").unwrap();
        reply.add_query(Query::query(name, RecordType::A));
        let answer = Zone::default().answer(&voice(), &reply.to_vec().unwrap());
        assert_eq!(answer, Answer::Silence);
    }
}
