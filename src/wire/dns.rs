//! DNS messages: a question to bytes, and any bytes to what can be said of them.

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::model::check::RecordType;
use crate::model::observation::{DnsAnswer, DnsReply};
use crate::wire::text;

/// Payload offered in EDNS: what passes every path without fragments (DNS flag day 2020).
const EDNS_PAYLOAD: u16 = 1232;
/// Records kept of one answer section: honest ones have a dozen addresses and a few aliases, and hostile resolvers answer thousands
/// of questions.
const MAX_ANSWERS: usize = 20;
/// Characters kept of one value.
const MAX_VALUE: usize = 300;
/// Bytes of a DNS header.
const HEADER: usize = 12;

/// One question, as it is asked and as replies must repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Id of the message.
    pub id: u16,
    /// Name, without the final dot.
    pub name: String,
    /// Type asked for.
    pub record: RecordType,
    /// Class CH instead of IN.
    pub chaos: bool,
}

impl Question {
    /// The query as bytes, or `None` if the name cannot stand in a DNS message.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut query = self.query()?;
        query.set_query_class(self.class());
        let mut message = Message::query();
        message.metadata.id = self.id;
        message.metadata.recursion_desired = true;
        message.add_query(query);
        let mut edns = Edns::new();
        edns.set_max_payload(EDNS_PAYLOAD);
        message.set_edns(edns);
        message.to_vec().ok()
    }

    /// What bytes received at `t` (seconds since the run began) say as a reply to this question. Never fails: what
    /// is no DNS message is told as `malformed`, with the header where there is one.
    pub fn decode(&self, bytes: &[u8], t: f64) -> DnsReply {
        let mut reply = DnsReply {
            t,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            id_matches: false,
            malformed: None,
            rcode: 0,
            authoritative: false,
            recursion_available: false,
            authentic: false,
            truncated: false,
            answers: Vec::new(),
            soa: None,
        };
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            reply.malformed = Some("shorter than a DNS header".to_owned());
            return reply;
        };
        reply.rcode = u16::from(header[3] & 0x0f);
        reply.authoritative = header[2] & 0x04 != 0;
        reply.truncated = header[2] & 0x02 != 0;
        reply.recursion_available = header[3] & 0x80 != 0;
        reply.authentic = header[3] & 0x20 != 0;
        reply.id_matches = u16::from_be_bytes([header[0], header[1]]) == self.id
            && self.is_repeated_in(bytes, header);
        if header[2] & 0x80 == 0 {
            reply.malformed = Some("a query, not a reply".to_owned());
            return reply;
        }
        match Message::from_vec(bytes) {
            Ok(message) => fill(&mut reply, &message),
            Err(error) => reply.malformed = Some(text::escape(&error.to_string(), 120)),
        }
        reply
    }

    fn query(&self) -> Option<Query> {
        let mut name = Name::from_ascii(&self.name).ok()?;
        name.set_fqdn(true);
        Some(Query::query(name, wire_type(self.record)))
    }

    fn class(&self) -> DNSClass {
        if self.chaos {
            DNSClass::CH
        } else {
            DNSClass::IN
        }
    }

    /// Whether the question section is ours. Servers that refuse or fail may leave it out (RFC 1035 says nothing of
    /// it, and many do), so an error without a question is accepted on its id alone.
    fn is_repeated_in(&self, bytes: &[u8], header: &[u8; HEADER]) -> bool {
        let count = u16::from_be_bytes([header[4], header[5]]);
        if count == 0 {
            return header[3] & 0x0f != 0;
        }
        let Some(body) = bytes.get(HEADER..) else {
            return false;
        };
        // Decoded from the whole message, so that compression pointers keep their meaning.
        let mut decoder = BinDecoder::new(bytes);
        if decoder.read_slice(HEADER).is_err() || body.is_empty() {
            return false;
        }
        let (Ok(seen), Some(ours)) = (Query::read(&mut decoder), self.query()) else {
            return false;
        };
        count == 1
            && seen.query_type == ours.query_type
            && seen.query_class == self.class()
            && seen.name.eq_ignore_root(&ours.name)
    }
}

/// A name, as DNS writes it but in lower case, without the final dot and without anything that commands a terminal.
fn written(name: &Name) -> String {
    let ascii = name.to_ascii().to_ascii_lowercase();
    let bare = match ascii.strip_suffix('.') {
        Some("") | None => ascii.as_str(),
        Some(bare) => bare,
    };
    text::escape(bare, MAX_VALUE)
}

fn wire_type(record: RecordType) -> WireType {
    match record {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Txt => WireType::TXT,
    }
}

fn fill(reply: &mut DnsReply, message: &Message) {
    // With EDNS the code has twelve bits; the header alone shows four.
    reply.rcode = u16::from(message.metadata.response_code);
    reply.answers = message
        .answers
        .iter()
        .take(MAX_ANSWERS)
        .map(answer)
        .collect();
    reply.soa = message
        .authorities
        .iter()
        .find(|record| record.record_type() == WireType::SOA)
        .map(|record| written(&record.name));
}

fn answer(record: &Record) -> DnsAnswer {
    let value = match &record.data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => written(&name.0),
        RData::TXT(texts) => {
            let mut joined = Vec::new();
            for part in &texts.txt_data {
                joined.extend_from_slice(part);
                if joined.len() > MAX_VALUE {
                    break;
                }
            }
            text::escape_bytes(&joined, MAX_VALUE)
        }
        other => text::escape(&other.to_string(), MAX_VALUE),
    };
    DnsAnswer {
        name: written(&record.name),
        record: text::escape(&record.record_type().to_string(), 16),
        ttl: record.ttl,
        value,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::ResponseCode;
    use hickory_proto::rr::rdata::{A, CNAME, TXT};
    use proptest::prelude::*;

    use super::*;

    fn question() -> Question {
        Question {
            id: 0x1234,
            name: "web.example".to_owned(),
            record: RecordType::A,
            chaos: false,
        }
    }

    /// An honest reply with the given records.
    fn reply(records: Vec<RData>) -> Message {
        let query = Message::from_vec(&question().encode().unwrap()).unwrap();
        let mut message = query.into_response();
        message.metadata.recursion_available = true;
        let name = Name::from_ascii("web.example.").unwrap();
        for data in records {
            message.add_answer(Record::from_rdata(name.clone(), 60, data));
        }
        message
    }

    #[test]
    fn an_honest_reply_is_read_whole() {
        let records = vec![
            RData::CNAME(CNAME(Name::from_ascii("edge.example.").unwrap())),
            RData::A(A::new(192, 0, 2, 7)),
        ];
        let read = question().decode(&reply(records).to_vec().unwrap(), 1.5);
        assert!(read.id_matches && read.malformed.is_none() && read.recursion_available);
        assert_eq!(read.addresses(), ["192.0.2.7"]);
        assert_eq!(read.answers[0].value, "edge.example");
        assert_eq!(
            (read.answers[1].name.as_str(), read.answers[1].ttl),
            ("web.example", 60)
        );
    }

    #[test]
    fn another_id_or_another_question_is_not_ours() {
        let bytes = reply(vec![]).to_vec().unwrap();
        let other_id = Question {
            id: 1,
            ..question()
        };
        let other_name = Question {
            name: "mail.example".to_owned(),
            ..question()
        };
        let other_type = Question {
            record: RecordType::Aaaa,
            ..question()
        };
        for other in [other_id, other_name, other_type] {
            assert!(!other.decode(&bytes, 0.0).id_matches, "{other:?}");
        }
    }

    #[test]
    fn a_refusal_without_its_question_is_ours() {
        let bytes = [0x12, 0x34, 0x80, 0x05, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = question().decode(&bytes, 0.0);
        assert!(read.id_matches);
        assert_eq!((read.rcode, read.malformed), (5, None));
    }

    #[test]
    fn the_header_is_read_where_the_body_is_broken() {
        let mut message = reply(vec![RData::A(A::new(192, 0, 2, 7))]);
        message.metadata.response_code = ResponseCode::NXDomain;
        let mut bytes = message.to_vec().unwrap();
        bytes.truncate(bytes.len() - 14);
        let read = question().decode(&bytes, 0.0);
        assert!(read.id_matches && read.malformed.is_some());
        assert_eq!(read.rcode, 3);
    }

    #[test]
    fn text_with_terminal_commands_is_escaped() {
        let records = vec![RData::TXT(TXT::from_bytes(vec![
            b"\x1b[2Jhello".as_slice(),
        ]))];
        let read = question().decode(&reply(records).to_vec().unwrap(), 0.0);
        assert_eq!(read.answers[0].value, "\\u{1b}[2Jhello");
    }

    #[test]
    fn a_chaos_question_is_asked_in_class_chaos() {
        let question = Question {
            id: 7,
            name: "id.server".to_owned(),
            record: RecordType::Txt,
            chaos: true,
        };
        let message = Message::from_vec(&question.encode().unwrap()).unwrap();
        assert_eq!(message.queries[0].query_class, DNSClass::CH);
        assert_eq!(message.max_payload(), EDNS_PAYLOAD);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let read = question().decode(&bytes, 0.0);
            prop_assert!(read.answers.len() <= MAX_ANSWERS);
        }

        #[test]
        fn no_mutation_of_a_real_reply_breaks_the_decoder(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let records = vec![RData::A(A::new(192, 0, 2, 7)), RData::TXT(TXT::new(vec!["text".to_owned()]))];
            let mut bytes = reply(records).to_vec().unwrap();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let read = question().decode(&bytes, 0.0);
            for answer in read.answers {
                prop_assert!(!answer.value.chars().any(text::is_commanding));
                prop_assert!(!answer.name.chars().any(text::is_commanding));
            }
        }
    }
}
