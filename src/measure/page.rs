//! An HTTP answer as facts: bounded, digested, and without what could name a person.

use std::borrow::Cow;
use std::io::Read;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::response::Parts;
use http::{HeaderMap, Version, header};
use sha2::{Digest, Sha256};

use crate::measure::limits::Limits;
use crate::model::observation::HttpFacts;
use crate::wire::own::Own;
use crate::wire::text;

/// Headers that are kept: those block pages and middleboxes are known by, never cookies.
const KEPT: [&str; 10] = [
    "location",
    "server",
    "via",
    "content-type",
    "content-length",
    "content-encoding",
    "date",
    "x-cache",
    "www-authenticate",
    "alt-svc",
];
/// Header values kept at most, so that a repeated header cannot swell a report.
const MAX_HEADERS: usize = 24;
/// Characters kept of a header's value.
const MAX_VALUE: usize = 300;
/// Characters kept of a title.
const MAX_TITLE: usize = 200;

/// Shorter bodies may be an address and nothing else: their hash can be turned back by trying.
const SHORTEST_HASHED: usize = 64;

/// Which addresses a report must not tell. Only here is the whole body known, so only here can its hash be left out.
#[derive(Clone, Default)]
pub struct Privacy {
    /// The vantage's own addresses.
    pub own: Arc<Own>,
    /// The address that was asked, which is no secret.
    pub asked: Option<IpAddr>,
}

/// An answer while it is read.
pub struct Page {
    look_for: Option<String>,
    privacy: Privacy,
    max_body: usize,
    max_text: usize,
    head: Option<Parts>,
    body: Vec<u8>,
    truncated: bool,
}

impl Page {
    /// Nothing read yet.
    pub fn new(look_for: Option<String>, privacy: Privacy, limits: &Limits) -> Self {
        Self {
            look_for,
            privacy,
            max_body: limits.http_body,
            max_text: limits.http_text,
            head: None,
            body: Vec::new(),
            truncated: false,
        }
    }

    /// The head came.
    pub fn begin(&mut self, head: Parts) {
        self.head = Some(head);
    }

    /// More of the body came; breaks when no more is wanted.
    pub fn read(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let room = self.max_body.saturating_sub(self.body.len());
        self.body.extend(bytes.iter().take(room));
        if bytes.len() > room {
            self.truncated = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// What is known so far; `None` before the head.
    pub fn facts(&self) -> Option<HttpFacts> {
        let head = self.head.as_ref()?;
        let plain = decompressed(&head.headers, &self.body, self.max_body);
        let is_text = is_text(&head.headers, &plain);
        Some(HttpFacts {
            version: version(head.version).to_owned(),
            status: head.status.as_u16(),
            headers: kept(&head.headers),
            body_bytes: u64::try_from(self.body.len()).unwrap_or(u64::MAX),
            body_truncated: self.truncated,
            body_sha256: self.digest(&plain),
            body: (is_text && !plain.is_empty()).then(|| text::readable(&plain, self.max_text)),
            title: if is_text { title(&plain) } else { None },
            found: self
                .look_for
                .as_ref()
                .map(|wanted| contains(&plain, wanted.as_bytes())),
        })
    }
}

impl Page {
    /// The hash of the bytes read, unless it could be turned back into an address that is scrubbed.
    fn digest(&self, plain: &[u8]) -> Option<String> {
        let Privacy { own, asked } = &self.privacy;
        let tells = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            matches!(own.free_text(&text, *asked), Cow::Owned(_)) || own.is_in_octets(bytes)
        };
        let is_secret = self.body.len() < SHORTEST_HASHED
            || tells(plain)
            || (plain != self.body && tells(&self.body));
        (!is_secret).then(|| text::hex(&Sha256::digest(&self.body)))
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let wanted = headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()));
    let written = wanted.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name {
            name if name == header::LOCATION => without_values(&value),
            _ => value.into_owned(),
        };
        (name.as_str().to_owned(), text::escape(&value, MAX_VALUE))
    });
    written.take(MAX_HEADERS).collect()
}

/// A redirect's target without the values of its query and fragment: block pages put the visitor's address there.
fn without_values(location: &str) -> String {
    let (rest, fragment) = match location.split_once('#') {
        Some((rest, _)) => (rest, "#[removed]"),
        None => (location, ""),
    };
    let Some((path, query)) = rest.split_once('?') else {
        return format!("{rest}{fragment}");
    };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key, _)) => format!("{key}=[removed]"),
            None => "[removed]".to_owned(),
        })
        .collect();
    format!("{path}?{}{fragment}", pairs.join("&"))
}

/// The body as the server meant it; what cannot be decompressed ends where it broke.
fn decompressed(headers: &HeaderMap, body: &[u8], limit: usize) -> Vec<u8> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(http::HeaderValue::as_bytes);
    match encoding {
        Some(b"gzip" | b"x-gzip") => inflated(MultiGzDecoder::new(body), limit),
        // Servers disagree on what `deflate` means (RFC 9110, 8.4.1.2): with or without the zlib wrapper.
        Some(b"deflate") => match inflated(ZlibDecoder::new(body), limit) {
            nothing if nothing.is_empty() => inflated(DeflateDecoder::new(body), limit),
            plain => plain,
        },
        _ => body.to_vec(),
    }
}

fn inflated(decoder: impl Read, limit: usize) -> Vec<u8> {
    let mut plain = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    // What was read before an error is kept in `plain`: a cut body is the ordinary case here.
    let _ = decoder.take(limit).read_to_end(&mut plain);
    plain
}

/// Whether a body is for reading: said to be text or nothing said, and without the bytes only binaries have.
fn is_text(headers: &HeaderMap, plain: &[u8]) -> bool {
    let told = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    let may_be = told.is_none_or(|told| {
        [
            "text/",
            "json",
            "xml",
            "javascript",
            "x-www-form-urlencoded",
        ]
        .iter()
        .any(|word| told.contains(word))
    });
    let controls = plain
        .iter()
        .filter(|byte| **byte < 0x20 && !byte.is_ascii_whitespace())
        .count();
    may_be && !plain.contains(&0) && controls * 50 <= plain.len()
}

/// Content of the first `<title>`, with its blanks made one.
pub fn title(html: &[u8]) -> Option<String> {
    let open = position(html, b"<title")?;
    let rest = html.get(open..)?;
    let begin = rest.iter().position(|byte| *byte == b'>')? + 1;
    let content = rest.get(begin..)?;
    let end = position(content, b"</title").unwrap_or(content.len());
    // Bounded before it is decoded: a title without an end is as long as the body.
    let content = content.get(..end.min(MAX_TITLE * 8))?;
    let decoded = String::from_utf8_lossy(content);
    let words: Vec<&str> = decoded.split_whitespace().collect();
    Some(text::escape(&words.join(" "), MAX_TITLE))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::Response;
    use proptest::prelude::*;

    use super::*;

    fn read(response: http::response::Builder, body: &[u8], look_for: Option<&str>) -> HttpFacts {
        let privacy = Privacy {
            own: Arc::new(Own::new(&["93.184.77.13/24".parse().unwrap()])),
            asked: Some(IpAddr::from([203, 0, 113, 9])),
        };
        let mut page = Page::new(look_for.map(str::to_owned), privacy, &Limits::default());
        page.begin(response.body(()).unwrap().into_parts().0);
        let _ = page.read(body);
        page.facts().unwrap()
    }

    #[test]
    fn only_named_headers_are_kept_and_they_are_harmless() {
        let response = Response::builder()
            .header("set-cookie", "a=b")
            .header("server", "x".repeat(999))
            .header("location", "http://block.example/p?ip=192.0.2.7&x&url=a#me");
        let facts = read(response, b"", None);
        assert_eq!(facts.header("set-cookie"), None);
        assert_eq!(facts.header("server").map(str::len), Some(MAX_VALUE));
        assert_eq!(
            facts.header("location"),
            Some("http://block.example/p?ip=[removed]&[removed]&url=[removed]#[removed]")
        );
    }

    #[test]
    fn a_bomb_is_opened_only_so_far() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        encoder.write_all(b"needle").unwrap();
        let response = Response::builder().header("content-encoding", "gzip");
        let facts = read(response, &encoder.finish().unwrap(), Some("needle"));
        assert_eq!(facts.found, Some(false));
        assert_eq!(facts.body.map(|body| body.len()), Some(4096));
    }

    #[test]
    fn compressed_text_is_searched_in_clear() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(b"<title> a\n title</title> needle").unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(b"<title> a\n title</title> needle").unwrap();
        for body in [zlib.finish().unwrap(), raw.finish().unwrap()] {
            let response = Response::builder().header("content-encoding", "deflate");
            let facts = read(response, &body, Some("needle"));
            assert_eq!(
                (facts.found, facts.title.as_deref()),
                (Some(true), Some("a title"))
            );
        }
    }

    #[test]
    fn text_past_the_kept_part_is_found() {
        let mut body = vec![b'a'; 9000];
        body.extend(b"needle");
        let facts = read(Response::builder(), &body, Some("needle"));
        assert_eq!(
            (facts.found, facts.body.map(|body| body.len())),
            (Some(true), Some(4096))
        );
        assert_eq!(facts.body_bytes, 9006);
    }

    #[test]
    fn a_picture_is_digested_and_not_kept() {
        let facts = read(
            Response::builder().header("content-type", "image/png"),
            &b"\x89PNG".repeat(20),
            None,
        );
        assert_eq!((facts.body, facts.title), (None, None));
        assert_eq!(facts.body_sha256.map(|digits| digits.len()), Some(64));
    }

    #[test]
    fn a_hash_that_could_be_turned_back_into_an_address_is_left_out() {
        let filler = "a page without any address. ".repeat(300);
        let hash = |body: &str| read(Response::builder(), body.as_bytes(), None).body_sha256;
        assert!(hash(&filler).is_some());
        assert!(
            hash(&format!("{filler} 203.0.113.9")).is_some(),
            "it was asked"
        );
        for told in [
            "93.184.77.13",
            "93x184x77x13",
            "ip-5d-b8-4d-0d",
            "93&#46;184&#46;77&#46;13",
            // Behind a NAT the own address is not known.
            "198.51.100.7",
        ] {
            let beyond = format!("{filler} you are {told}");
            assert!(beyond.len() > Limits::default().http_text);
            assert_eq!(hash(&beyond), None, "{told}");
        }
        assert_eq!(hash("5db84d0d"), None);
        assert_eq!(hash("short"), None);
        let octets = [filler.as_bytes(), &[0x5d, 0xb8, 0x4d, 0x0d]].concat();
        assert_eq!(read(Response::builder(), &octets, None).body_sha256, None);
    }

    #[test]
    fn a_compressed_body_is_looked_at_in_clear_too() {
        let text = "a page that tells its reader: 93.184.77.13, and goes on ".repeat(20);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(packed.len() > SHORTEST_HASHED);
        let response = Response::builder().header("content-encoding", "gzip");
        assert_eq!(read(response, &packed, None).body_sha256, None);
    }

    #[test]
    fn an_endless_body_is_cut() {
        let facts = read(Response::builder(), &vec![b'a'; 300 << 10], None);
        assert!(facts.body_truncated);
        assert_eq!(facts.body_bytes, 256 << 10);
    }

    proptest! {
        #[test]
        fn no_page_breaks_the_title(before in "[<a-z]{0,12}", middle in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut html = before.into_bytes();
            html.extend(b"<TITLE");
            html.extend(middle);
            if let Some(title) = title(&html) {
                prop_assert!(title.chars().count() <= MAX_TITLE * 10);
                prop_assert!(!title.chars().any(text::is_commanding));
            }
        }
    }
}
