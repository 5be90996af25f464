//! Unencrypted MTProto messages: the one question asked, and what may come back.

use std::time::Duration;

/// `req_pq_multi#be7e8ef1`.
const REQ_PQ_MULTI: u32 = 0xbe7e_8ef1;
/// `req_pq#60469778`, the older form.
const REQ_PQ: u32 = 0x6046_9778;
/// `resPQ#05162463`.
const RES_PQ: u32 = 0x0516_2463;
/// A TL vector.
const VECTOR: u32 = 0x1cb5_c415;
/// Bytes before the body: key id, message id, length.
pub const HEADER: usize = 20;
/// Bytes of a message at most.
pub const MAX_MESSAGE: usize = 2048;
/// Fingerprints in one answer at most; the most that was seen is four.
const MAX_FINGERPRINTS: usize = 32;

/// RSA keys of Telegram by fingerprint, from the keys that its own programs carry.
const KEYS: [(u64, &str); 10] = [
    (0xd09d_1d85_de64_fd85, "production"),
    (0x0bc3_5f35_09f7_b7a5, "older production"),
    (0x15ae_5fa8_b552_9542, "older production"),
    (0xaeae_98e1_3cd7_f94f, "older production"),
    (0x5a18_1b22_3505_7d98, "older production"),
    (0xc3b4_2b02_6ce8_6b21, "legacy"),
    (0x9a99_6a1d_b11c_729b, "legacy"),
    (0xb05b_2a6f_70cd_ea78, "legacy"),
    (0x71e0_25b6_c760_33e3, "legacy"),
    (0xb258_98df_208d_2603, "test"),
];
/// The key in use, which the lab's honest server names.
pub const PRODUCTION: u64 = KEYS[0].0;

/// What is told where none of the keys that a server names is known.
pub const NO_KEY: &str = "none";

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A transport error, negative.
    Error(i32),
    /// The answer that is due.
    ResPq(ResPq),
    /// A request: our own, or one like it.
    Request,
    /// Another message, by its constructor.
    Other(u32),
}

/// `resPQ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResPq {
    /// Must be the client's.
    pub nonce: [u8; 16],
    /// The server's own.
    pub server_nonce: [u8; 16],
    /// A product of two primes, big-endian, bounded.
    pub pq: Vec<u8>,
    /// Of the keys that the server has.
    pub fingerprints: Vec<u64>,
}

/// What is known of the key with this fingerprint.
pub fn key(fingerprint: u64) -> Option<&'static str> {
    KEYS.iter()
        .find(|(known, _)| *known == fingerprint)
        .map(|(_, what)| *what)
}

/// What a transport error means.
pub fn meaning(code: i32) -> Option<&'static str> {
    match code {
        -404 => Some("no such key, or not this data centre"),
        -429 => Some("too many connections"),
        -444 => Some("no such data centre"),
        _ => None,
    }
}

/// The 40 bytes of the question.
pub fn req_pq_multi(nonce: &[u8; 16], unix: Duration) -> Vec<u8> {
    message(
        id(unix),
        &[&REQ_PQ_MULTI.to_le_bytes(), &nonce[..]].concat(),
    )
}

/// The nonce of a question, in either form; `None` for any other message.
pub fn asked(payload: &[u8]) -> Option<[u8; 16]> {
    let mut body = Reader(body(payload, true).ok()?.1);
    let constructor = body.u32()?;
    let nonce = body.take()?;
    (matches!(constructor, REQ_PQ | REQ_PQ_MULTI) && body.0.is_empty()).then_some(nonce)
}

/// The message with a `resPQ`, as a server sends it.
pub fn res_pq(answer: &ResPq, unix: Duration) -> Vec<u8> {
    let mut body = RES_PQ.to_le_bytes().to_vec();
    body.extend(answer.nonce);
    body.extend(answer.server_nonce);
    let pq = answer.pq.get(..253).unwrap_or(&answer.pq);
    body.push(u8::try_from(pq.len()).unwrap_or(0));
    body.extend(pq);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(VECTOR.to_le_bytes());
    let count = answer.fingerprints.len().min(MAX_FINGERPRINTS);
    body.extend(u32::try_from(count).unwrap_or(0).to_le_bytes());
    for fingerprint in answer.fingerprints.iter().take(count) {
        body.extend(fingerprint.to_le_bytes());
    }
    // Ids of answers leave 1 when divided by four.
    message(id(unix) | 1, &body)
}

/// What a whole payload is. With `padded`, up to 15 bytes of padding may follow.
pub fn parse(payload: &[u8], padded: bool) -> Result<Answer, &'static str> {
    let word = if padded && payload.len() < HEADER {
        payload.get(..4).unwrap_or(payload)
    } else {
        payload
    };
    if let Some(code) = error_code(word) {
        return Ok(Answer::Error(code));
    }
    let (id, body) = body(payload, padded)?;
    let constructor = Reader(body).u32().ok_or("a message without a body")?;
    match constructor {
        REQ_PQ | REQ_PQ_MULTI => Ok(Answer::Request),
        _ if id % 4 != 1 => Err("a message id that no answer has"),
        RES_PQ => match read_res_pq(body) {
            // No client can go on from there, so no server of Telegram's says so.
            Some(answer) if answer.fingerprints.is_empty() => Err("a resPQ that names no key"),
            Some(answer) => Ok(Answer::ResPq(answer)),
            None => Err("a resPQ that does not hold together"),
        },
        other => Ok(Answer::Other(other)),
    }
}

/// Why these bytes, all or only the first of a payload, can be no unencrypted message.
pub fn objection(payload: &[u8]) -> Option<&'static str> {
    let key_id = payload.get(..payload.len().min(8)).unwrap_or(payload);
    if key_id.iter().any(|byte| *byte != 0) {
        return Some("no unencrypted MTProto message");
    }
    let length = Reader(payload.get(16..)?).u32()?;
    (length == 0 || usize::try_from(length).is_ok_and(|length| length > MAX_MESSAGE - HEADER))
        .then_some("a message of impossible length")
}

/// The code of a transport error, if the payload is one. They are like those of HTTP, but negative.
pub fn error_code(payload: &[u8]) -> Option<i32> {
    let code = i32::from_le_bytes(payload.try_into().ok()?);
    (-999..=-100).contains(&code).then_some(code)
}

fn read_res_pq(body: &[u8]) -> Option<ResPq> {
    let mut rest = Reader(body);
    rest.u32()?;
    let nonce = rest.take()?;
    let server_nonce = rest.take()?;
    let [length] = rest.take()?;
    // Long strings have another form, which no product of two primes needs.
    let length = usize::from(length);
    if length == 0 || length > 253 {
        return None;
    }
    let pq = rest.slice(length)?.to_vec();
    rest.slice((1 + length).next_multiple_of(4) - 1 - length)?;
    let vector = rest.u32()?;
    let count = usize::try_from(rest.u32()?).ok()?;
    if vector != VECTOR || count > MAX_FINGERPRINTS || rest.0.len() != count * 8 {
        return None;
    }
    let fingerprints = (0..count)
        .map_while(|_| rest.take().map(u64::from_le_bytes))
        .collect();
    Some(ResPq {
        nonce,
        server_nonce,
        pq,
        fingerprints,
    })
}

fn message(id: u64, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 8];
    message.extend(id.to_le_bytes());
    message.extend(u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    message.extend(body);
    message
}

/// Id and body of an unencrypted message.
fn body(payload: &[u8], padded: bool) -> Result<(u64, &[u8]), &'static str> {
    if let Some(why) = objection(payload) {
        return Err(why);
    }
    let mut rest = Reader(payload);
    let header = (rest.slice(8), rest.take(), rest.u32());
    let (Some(_), Some(id), Some(length)) = header else {
        return Err("a message without a header");
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let body = rest.slice(length).ok_or("a message shorter than it says")?;
    if rest.0.len() > if padded { 15 } else { 0 } {
        return Err("a message longer than it says");
    }
    Ok((u64::from_le_bytes(id), body))
}

/// Seconds in the upper half, their fraction in the lower, divisible by four.
fn id(unix: Duration) -> u64 {
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    (unix.as_secs() << 32) | (fraction & !3)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_has_the_documented_bytes() {
        let question = req_pq_multi(&[0xab; 16], Duration::from_millis(1_764_000_000_500));
        assert_eq!(question.len(), 40);
        assert_eq!(question[..8], [0; 8]);
        assert_eq!(question[8] & 3, 0);
        assert_eq!(question[16..24], [0x14, 0, 0, 0, 0xf1, 0x8e, 0x7e, 0xbe]);
        assert_eq!(question[24..], [0xab; 16]);
        let id = u64::from_le_bytes(question[8..16].try_into().unwrap());
        assert_eq!(id >> 32, 1_764_000_000);
    }

    #[test]
    fn an_answer_with_three_keys_has_100_bytes() {
        let answer = ResPq {
            nonce: [1; 16],
            server_nonce: [2; 16],
            pq: vec![3; 8],
            fingerprints: vec![PRODUCTION, 1, 2],
        };
        let bytes = res_pq(&answer, Duration::from_secs(1));
        assert_eq!(bytes.len(), 100);
        assert_eq!(
            bytes[76..84],
            [0x85, 0xfd, 0x64, 0xde, 0x85, 0x1d, 0x9d, 0xd0]
        );
        assert_eq!(parse(&bytes, false), Ok(Answer::ResPq(answer)));
        assert!(parse(&bytes[..99], false).is_err());
        assert!(parse(&[&bytes[..], &[0; 4]].concat(), false).is_err());
    }

    #[test]
    fn an_answer_that_names_no_key_is_of_no_use_to_any_client() {
        let mut answer = ResPq {
            nonce: [1; 16],
            server_nonce: [2; 16],
            pq: vec![3; 8],
            fingerprints: Vec::new(),
        };
        let bytes = res_pq(&answer, Duration::from_secs(1));
        assert_eq!(parse(&bytes, false), Err("a resPQ that names no key"));
        answer.fingerprints.push(0x1234);
        let bytes = res_pq(&answer, Duration::from_secs(1));
        assert_eq!(parse(&bytes, false), Ok(Answer::ResPq(answer)));
    }
}
