//! A request and its answer on one stream (RFC 9114, 4): whole to write, in the pieces in which it comes to read.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header,
};

use crate::wire::http3::frames::{DATA, Frames, HEADERS, Piece, put};
use crate::wire::http3::{Field, Wrong, qpack};

/// Heads before the last one, such as 103 (early hints).
const MAX_INTERIM: u8 = 8;
/// Headers of a connection, which means something else here (RFC 9114, 4.2).
const OF_A_CONNECTION: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A request without a body, as it goes on its stream. Its URI is absolute.
pub fn request(request: &Request<()>) -> Vec<u8> {
    let uri = request.uri();
    let authority = uri.authority().map_or("", |it| it.as_str());
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let pseudo: [(&[u8], &[u8]); 4] = [
        (b":method", request.method().as_str().as_bytes()),
        (b":scheme", uri.scheme_str().unwrap_or("https").as_bytes()),
        (b":authority", authority.as_bytes()),
        (b":path", path.as_bytes()),
    ];
    let mut out = Vec::new();
    let fields = pseudo.into_iter().chain(pairs(request.headers()));
    put(&mut out, HEADERS, &qpack::encode(fields));
    out
}

/// An answer with its body.
pub fn answer(response: &Response<()>, body: &[u8]) -> Vec<u8> {
    let status = response.status();
    let status = (&b":status"[..], status.as_str().as_bytes());
    let mut out = Vec::new();
    let fields = std::iter::once(status).chain(pairs(response.headers()));
    put(&mut out, HEADERS, &qpack::encode(fields));
    put(&mut out, DATA, body);
    out
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}

/// What comes out of an answer.
#[derive(Debug)]
pub enum Part<'a> {
    /// Status and headers.
    Head(Box<http::response::Parts>),
    /// A piece of the body.
    Body(&'a [u8]),
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Over,
}

/// Reads the answer to a GET.
#[derive(Debug)]
pub struct Answer {
    frames: Frames,
    max_head: usize,
    stage: Stage,
    interim: u8,
    /// Length of the body as the head tells it, and what came of it.
    due: Option<u64>,
    came: u64,
}

impl Answer {
    /// Nothing read yet; a head may be that large.
    pub fn new(max_head: usize) -> Self {
        Self {
            frames: Frames::new(max_head),
            max_head,
            stage: Stage::Head,
            interim: 0,
            due: None,
            came: 0,
        }
    }

    /// Takes bytes from the front until a part is there, or none are left.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Part<'a>>, Wrong> {
        while let Some(piece) = self.frames.next(bytes)? {
            match (piece, self.stage) {
                (Piece::Whole(HEADERS, head), Stage::Head) => {
                    let head = response(qpack::decode(&head, self.max_head)?)?;
                    if !head.status.is_informational() {
                        self.due = length(&head)?;
                        self.stage = Stage::Body;
                        return Ok(Some(Part::Head(Box::new(head))));
                    }
                    self.interim += 1;
                    if self.interim > MAX_INTERIM || head.status == StatusCode::SWITCHING_PROTOCOLS
                    {
                        return Err(Wrong::Rule("an interim answer too many"));
                    }
                }
                (Piece::Whole(HEADERS, trailers), Stage::Body) => {
                    headers(qpack::decode(&trailers, self.max_head)?)?;
                    self.stage = Stage::Over;
                }
                (Piece::Data(data), Stage::Body) => {
                    self.came = self.came.saturating_add(data.len() as u64);
                    if self.due.is_some_and(|due| self.came > due) {
                        return Err(Wrong::Rule("the body is longer than it should be"));
                    }
                    if !data.is_empty() {
                        return Ok(Some(Part::Body(data)));
                    }
                }
                _ => return Err(Wrong::Rule("a frame that has no place in an answer")),
            }
        }
        Ok(None)
    }

    /// The stream ended: whether it may.
    pub fn end(&self) -> Result<(), Wrong> {
        let is_short = self.due.is_some_and(|due| self.came < due);
        if self.stage == Stage::Head || is_short || !self.frames.is_between() {
            return Err(Wrong::Early);
        }
        Ok(())
    }
}

/// Reads a request, whose body is passed over.
#[derive(Debug)]
pub struct Question {
    frames: Frames,
    max_head: usize,
}

impl Question {
    /// Nothing read yet; a head may be that large.
    pub fn new(max_head: usize) -> Self {
        Self {
            frames: Frames::new(max_head),
            max_head,
        }
    }

    /// Takes bytes until the head is there, or none are left.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Request<()>>, Wrong> {
        match self.frames.next(&mut bytes)? {
            Some(Piece::Whole(HEADERS, head)) => {
                asked(qpack::decode(&head, self.max_head)?).map(Some)
            }
            Some(_) => Err(Wrong::Rule("a frame that has no place before a request")),
            None => Ok(None),
        }
    }
}

/// The head of an answer: its status, then headers.
fn response(fields: Vec<Field>) -> Result<http::response::Parts, Wrong> {
    const STATUS: Wrong = Wrong::Rule("an answer's head does not begin with its status");
    let mut fields = fields.into_iter();
    let status = match fields.next() {
        Some((name, status)) if &name[..] == b":status" => StatusCode::from_bytes(&status),
        _ => return Err(STATUS),
    };
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status.map_err(|_| STATUS)?;
    head.version = Version::HTTP_3;
    head.headers = headers(fields)?;
    Ok(head)
}

/// The head of a request.
fn asked(fields: Vec<Field>) -> Result<Request<()>, Wrong> {
    const PSEUDO: Wrong = Wrong::Rule("a request's head has no method, authority or path of use");
    let own = |wanted: &str| {
        let mut all = fields.iter();
        let found = all.find(|(name, _)| &name[..] == wanted.as_bytes());
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let method = own(":method").and_then(|it| it.parse::<Method>().ok());
    let (Some(method), Some(authority), Some(path)) = (method, own(":authority"), own(":path"))
    else {
        return Err(PSEUDO);
    };
    let uri = format!("https://{authority}{path}");
    let request = Request::builder().method(method).uri(uri).body(());
    let mut request = request.map_err(|_| PSEUDO)?;
    let others = fields.into_iter();
    let others = others.skip_while(|(name, _)| name.starts_with(b":"));
    *request.headers_mut() = headers(others)?;
    Ok(request)
}

/// Headers or trailers: names in lower case, nothing of the connection, no pseudo-header.
fn headers(fields: impl IntoIterator<Item = Field>) -> Result<HeaderMap, Wrong> {
    const HEADER: Wrong = Wrong::Rule("a header that may not be");
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_lowercase(&name).map_err(|_| HEADER)?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| HEADER)?;
        if OF_A_CONNECTION.contains(&name.as_str()) {
            return Err(HEADER);
        }
        headers.try_append(name, value).map_err(|_| HEADER)?;
    }
    Ok(headers)
}

/// The length of the body as the head tells it.
fn length(head: &http::response::Parts) -> Result<Option<u64>, Wrong> {
    const LENGTH: Wrong = Wrong::Rule("a content-length that is none");
    // That of a body which is left out.
    if head.status == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let mut told = None;
    for value in head.headers.get_all(header::CONTENT_LENGTH) {
        let digits = value.to_str().map_err(|_| LENGTH)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        let length = digits.parse::<u64>().ok().filter(|_| is_number);
        let length = length.ok_or(LENGTH)?;
        if *told.get_or_insert(length) != length {
            return Err(LENGTH);
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: usize = 4096;

    fn head(fields: &[(&str, &str)]) -> Vec<u8> {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let mut out = Vec::new();
        put(&mut out, HEADERS, &qpack::encode(fields));
        out
    }

    fn body(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, DATA, text.as_bytes());
        out
    }

    /// Status, body and end of an answer that comes in parts of that many bytes.
    fn read(stream: &[u8], each: usize) -> Result<(Option<u16>, String), Wrong> {
        let mut answer = Answer::new(HEAD);
        let (mut status, mut text) = (None, Vec::new());
        for mut bytes in stream.chunks(each) {
            while let Some(part) = answer.next(&mut bytes)? {
                match part {
                    Part::Head(head) => {
                        assert_eq!(head.version, Version::HTTP_3);
                        assert_eq!(status.replace(head.status.as_u16()), None);
                    }
                    Part::Body(bytes) => text.extend_from_slice(bytes),
                }
            }
        }
        answer.end()?;
        Ok((status, String::from_utf8(text).unwrap()))
    }

    #[test]
    fn an_answer_is_read_however_it_is_cut() {
        let stream = [
            head(&[(":status", "103"), ("link", "</a>")]),
            head(&[
                (":status", "200"),
                ("content-length", "8"),
                ("server", "lab"),
            ]),
            body("It "),
            body(""),
            body("works"),
            head(&[("x-checksum", "1")]),
        ]
        .concat();
        for each in 1..=stream.len() {
            assert_eq!(read(&stream, each), Ok((Some(200), "It works".to_owned())));
        }
    }

    #[test]
    fn the_other_half_reads_what_we_write() {
        let asked = Request::get("https://web.example:8443/a?b=c")
            .header("accept", "*/*")
            .body(())
            .unwrap();
        let mut question = Question::new(HEAD);
        let bytes = request(&asked);
        assert!(question.take(&bytes[..7]).unwrap().is_none());
        let read = question.take(&bytes[7..]).unwrap().unwrap();
        assert_eq!(read.uri(), asked.uri());
        assert_eq!(read.headers(), asked.headers());
        let response = Response::builder().status(404).body(()).unwrap();
        let stream = answer(&response, b"none");
        assert_eq!(read_one(&stream), Ok((Some(404), "none".to_owned())));
    }

    fn read_one(stream: &[u8]) -> Result<(Option<u16>, String), Wrong> {
        read(stream, stream.len().max(1))
    }

    #[test]
    fn what_ends_before_it_is_over_is_early() {
        let ok = head(&[(":status", "200"), ("content-length", "4")]);
        let cut = body("It works");
        for stream in [
            vec![],
            head(&[(":status", "100")]),
            ok.clone(),
            [&ok[..], &body("abc")].concat(),
            [&head(&[(":status", "200")])[..], &cut[..5]].concat(),
            [&ok[..], &body("abcd"), &[1]].concat(),
        ] {
            assert_eq!(read_one(&stream), Err(Wrong::Early), "{stream:?}");
        }
        // Nothing is due of a body that is left out.
        let left_out = head(&[(":status", "304"), ("content-length", "4")]);
        assert_eq!(read_one(&left_out), Ok((Some(304), String::new())));
    }

    #[test]
    fn a_head_that_breaks_a_rule_is_no_answer() {
        let ok = (":status", "200");
        for fields in [
            &[][..],
            &[("server", "lab")],
            &[("server", "lab"), ok],
            &[ok, (":status", "200")],
            &[ok, (":path", "/")],
            &[(":status", "2000")],
            &[(":status", "ok")],
            &[(":status", "101")],
            &[ok, ("Server", "lab")],
            &[ok, ("server", "a\nb")],
            &[ok, ("", "a")],
            &[ok, ("transfer-encoding", "chunked")],
            &[ok, ("content-length", "-1")],
            &[ok, ("content-length", "+1")],
            &[ok, ("content-length", "")],
            &[ok, ("content-length", "4"), ("content-length", "5")],
        ] {
            let stream = [head(fields), body("It works")].concat();
            assert!(
                matches!(read_one(&stream), Err(Wrong::Rule(_))),
                "{fields:?}"
            );
        }
        let interim = vec![head(&[(":status", "100")]); 9].concat();
        assert!(matches!(read_one(&interim), Err(Wrong::Rule(_))));
        let large = "a".repeat(HEAD);
        let large = head(&[ok, ("server", &large)]);
        assert!(matches!(read_one(&large), Err(Wrong::Rule(_))));
    }

    #[test]
    fn a_frame_out_of_its_place_is_no_answer() {
        let ok = head(&[(":status", "200"), ("content-length", "2")]);
        let trailers = head(&[("a", "b")]);
        for stream in [
            body("It works"),
            [&ok[..], &body("abc")].concat(),
            [&ok[..], &body("ab"), &trailers, &body("")].concat(),
            [&ok[..], &trailers, &trailers].concat(),
            [&ok[..], &head(&[(":status", "200")])].concat(),
            // SETTINGS, a push, GOAWAY.
            [&ok[..], &[4, 0]].concat(),
            [&ok[..], &[5, 1, 0]].concat(),
            [&ok[..], &[7, 1, 0]].concat(),
        ] {
            assert!(
                matches!(read_one(&stream), Err(Wrong::Rule(_))),
                "{stream:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic_and_the_same_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..200), each in 1_usize..40) {
            for stream in [bytes.clone(), [head(&[(":status", "200")]), bytes.clone()].concat()] {
                let told = |each| read_lossy(&stream, each);
                prop_assert_eq!(told(each), told(stream.len().max(1)));
            }
            let _ = Question::new(HEAD).take(&bytes);
        }
    }

    /// As `read`, for bodies that are no text.
    fn read_lossy(stream: &[u8], each: usize) -> Result<(bool, usize), Wrong> {
        let mut answer = Answer::new(HEAD);
        let (mut has_head, mut length) = (false, 0);
        for mut bytes in stream.chunks(each) {
            while let Some(part) = answer.next(&mut bytes)? {
                match part {
                    Part::Head(_) => has_head = true,
                    Part::Body(bytes) => length += bytes.len(),
                }
            }
        }
        answer.end()?;
        Ok((has_head, length))
    }
}
