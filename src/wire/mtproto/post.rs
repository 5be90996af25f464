//! MTProto as the body of an HTTP request and of its answer.

use std::borrow::Cow;

use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::mtproto::Client;

/// Headers of an answer that are read.
const MAX_HEADERS: usize = 64;
/// Bytes of an answer that are kept: its heads, and the longest message that is due, in whatever pieces.
const MAX_ANSWER: usize = 16 << 10;
/// Answers that may go before the final one (RFC 9110 15.2: `100 Continue`, `103 Early Hints`).
const MAX_INTERIM: usize = 8;

/// One message posted, and the answer's head and body.
pub struct Post {
    client: Client,
    request: Option<Vec<u8>>,
    answer: Vec<u8>,
    /// Where the head that is due begins, and how many went before it.
    began: usize,
    interim: usize,
    /// The final head, once it is whole: where its body begins, and how that ends.
    body: Option<(usize, Length)>,
    /// Bytes of the body that the client has.
    handed: usize,
    status: Option<u16>,
    failed: Option<&'static str>,
}

/// Where a body ends (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Told(usize),
    Chunked,
    /// Where the connection does.
    Close,
}

impl Length {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, &'static str> {
        let told = |name: &'static str| {
            let named = headers
                .iter()
                .filter(move |it| it.name.eq_ignore_ascii_case(name));
            named.map(|it| it.value.trim_ascii())
        };
        let codings: Vec<&[u8]> = told("transfer-encoding").collect();
        match codings.as_slice() {
            [] => {}
            [one] if one.eq_ignore_ascii_case(b"chunked") => return Ok(Self::Chunked),
            _ => return Err("a body in a coding that nobody asked for"),
        }
        let mut lengths = told("content-length");
        let Some(first) = lengths.next() else {
            return Ok(Self::Close);
        };
        if lengths.any(|other| other != first) {
            return Err("an answer of two lengths");
        }
        // A sign would pass for a number.
        let digits = std::str::from_utf8(first)
            .ok()
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        digits
            .and_then(|it| it.parse().ok())
            .map(Self::Told)
            .ok_or("a length that is no number")
    }

    /// What is there of a body, and whether that is all of it.
    fn body(self, bytes: &[u8]) -> Result<(Cow<'_, [u8]>, bool), &'static str> {
        match self {
            Self::Told(length) => {
                let body = bytes.get(..length);
                Ok((Cow::Borrowed(body.unwrap_or(bytes)), body.is_some()))
            }
            Self::Chunked => unchunked(bytes).map(|(body, over)| (Cow::Owned(body), over)),
            Self::Close => Ok((Cow::Borrowed(bytes), false)),
        }
    }
}

/// What the chunks so far hold, and whether the last one was among them; what follows that one is let go of.
fn unchunked(bytes: &[u8]) -> Result<(Vec<u8>, bool), &'static str> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (begin, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(told)) => told,
            Ok(httparse::Status::Partial) => return Ok((body, false)),
            Err(_) => return Err("a chunk without a size"),
        };
        if size == 0 {
            return Ok((body, true));
        }
        let data = rest.get(begin..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some((chunk, after)) = data.split_at_checked(size) else {
            body.extend(data);
            return Ok((body, false));
        };
        body.extend(chunk);
        rest = match after {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok((body, false)),
            _ => return Err("a chunk longer than it says"),
        };
    }
}

impl Post {
    /// Posts what the client says first to this path of this authority.
    pub fn new(client: Client, authority: &str, path: &str) -> Self {
        let body = client.hello();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Self {
            client,
            request: Some(request),
            answer: Vec::new(),
            began: 0,
            interim: 0,
            body: None,
            handed: 0,
            status: None,
            failed: None,
        }
    }

    fn over(&self) -> Option<Progress> {
        let failed = self.failed.map(Progress::Failed);
        failed.or_else(|| self.client.outcome.over())
    }

    fn fail(&mut self, why: &'static str) -> Progress {
        self.failed = Some(why);
        Progress::Failed(why)
    }

    /// Reads heads up to the final one.
    fn read_heads(&mut self) -> Result<(), &'static str> {
        while self.body.is_none() {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let bytes = self.answer.get(self.began..).unwrap_or_default();
            let begin = match head.parse(bytes) {
                Ok(httparse::Status::Complete(begin)) => self.began + begin,
                Ok(httparse::Status::Partial) if self.answer.len() < MAX_ANSWER => return Ok(()),
                Ok(httparse::Status::Partial) => return Err("an endless head"),
                Err(_) => return Err("no HTTP answer"),
            };
            self.status = head.code;
            match head.code {
                Some(200) => self.body = Some((begin, Length::of(head.headers)?)),
                Some(100 | 102..=199) if self.interim < MAX_INTERIM => {
                    self.interim += 1;
                    self.began = begin;
                }
                _ => return Err("another status than 200"),
            }
        }
        Ok(())
    }
}

impl Handshake for Post {
    fn send(&mut self) -> Vec<u8> {
        self.request.take().unwrap_or_default()
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if let Some(over) = self.over() {
            return over;
        }
        let room = MAX_ANSWER.saturating_sub(self.answer.len());
        self.answer.extend(bytes.iter().take(room));
        if let Err(why) = self.read_heads() {
            return self.fail(why);
        }
        let Some((begin, length)) = self.body else {
            return Progress::More;
        };
        let body = length.body(self.answer.get(begin..).unwrap_or_default());
        let (body, is_whole) = match body {
            Ok(body) => body,
            Err(why) => return self.fail(why),
        };
        let news = body.get(self.handed..).unwrap_or_default();
        self.handed = body.len();
        match self.client.receive(news) {
            Progress::More if is_whole => self.client.finish(),
            Progress::More if self.answer.len() >= MAX_ANSWER => self.fail("an endless body"),
            progress => progress,
        }
    }

    fn end(&mut self) -> Progress {
        match (self.over(), self.body) {
            (Some(over), _) => over,
            (None, Some((_, Length::Close))) => self.client.finish(),
            // Cut off before it was whole.
            (None, _) => Progress::More,
        }
    }

    fn told(&self) -> Told {
        let mut told = self.client.told();
        if let Some(why) = self.failed {
            told = told.saying("answer", why);
        }
        match self.status {
            Some(status) => told.saying("status", status.to_string()),
            None => told,
        }
    }

    fn is_answered(&self) -> bool {
        super::is_answer(&self.told())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::observation::Stage;
    use crate::wire::mtproto::server::Server;
    use crate::wire::mtproto::{Draw, Transport, message};

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn post() -> Post {
        let draw = Draw {
            nonce: [7; 16],
            header: [1; 64],
            padding: [0; 16],
        };
        Post::new(
            Client::new(Transport::Body, NOW, &draw),
            "149.154.167.51",
            "/api",
        )
    }

    /// The body that answers this post.
    fn body(post: &mut Post) -> Vec<u8> {
        let request = post.send();
        let at = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        Server::new([9; 16], vec![message::PRODUCTION]).answer(&request[at..], NOW)
    }

    /// An answer with this body.
    type Answering = fn(&[u8]) -> Vec<u8>;

    fn with_head(head: &str, body: &[u8]) -> Vec<u8> {
        [head.as_bytes(), b"\r\n\r\n", body].concat()
    }

    fn with_length(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len());
        with_head(&head, body)
    }

    /// In chunks of so many bytes, the first with an extension, and trailers behind the last.
    fn in_chunks(body: &[u8], size: usize) -> Vec<u8> {
        let mut chunks = Vec::new();
        let mut extension = ";a=b";
        for chunk in body.chunks(size) {
            chunks.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
            chunks.extend(chunk);
            chunks.extend(b"\r\n");
            extension = "";
        }
        chunks.extend(b"0\r\nTrailer: x\r\n\r\n");
        with_head("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", &chunks)
    }

    /// An answer in such pieces, and the close behind it.
    fn told_in(pieces: usize, post: &mut Post, answer: &[u8]) -> Progress {
        let mut progress = Progress::More;
        for bytes in answer.chunks(pieces) {
            if progress == Progress::More {
                progress = post.receive(bytes);
            }
        }
        match progress {
            Progress::More => post.end(),
            over => over,
        }
    }

    #[test]
    fn an_answer_in_one_piece_or_in_many_is_bound_to_its_question() {
        for piece in [1, 7, 4096] {
            let mut post = post();
            let answer = with_length(&body(&mut post));
            let mut progress = Progress::More;
            for bytes in answer.chunks(piece) {
                assert_eq!(progress, Progress::More);
                progress = post.receive(bytes);
            }
            assert_eq!(progress, Progress::Done);
            assert_eq!(post.told().stage, Stage::Bound);
        }
    }

    #[test]
    fn a_body_ends_by_its_length_by_its_chunks_or_by_the_close() {
        let kinds: [(&str, Answering); 5] = [
            ("length", with_length),
            ("chunks", |body| in_chunks(body, 16)),
            ("one chunk", |body| in_chunks(body, 4096)),
            ("close", |body| with_head("HTTP/1.1 200 OK", body)),
            ("an older close", |body| {
                with_head("HTTP/1.0 200 OK\r\nServer: x", body)
            }),
        ];
        for (kind, answer) in kinds {
            for before in [
                "",
                "HTTP/1.1 100 Continue\r\n\r\n",
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
            ] {
                for piece in [1, 7, 4096] {
                    let mut post = post();
                    let answer = [before.as_bytes(), &answer(&body(&mut post))].concat();
                    let progress = told_in(piece, &mut post, &answer);
                    assert_eq!(progress, Progress::Done, "{kind} {before:?} {piece}");
                    assert_eq!(post.told().stage, Stage::Bound);
                    assert_eq!(post.told().said("status"), Some("200"));
                }
            }
        }
    }

    #[test]
    fn a_transport_error_may_end_by_the_close_or_by_chunks() {
        let code = (-404_i32).to_le_bytes();
        for answer in [with_head("HTTP/1.1 200 OK", &code), in_chunks(&code, 4)] {
            let mut post = post();
            post.send();
            assert_eq!(told_in(5, &mut post, &answer), Progress::Done);
            assert_eq!(post.told().said("error"), Some("-404"));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        let mut whole = post();
        let body = body(&mut whole);
        for answer in [with_length(&body), in_chunks(&body, 16)] {
            let mut post = post();
            post.send();
            let half = &answer[..answer.len() / 2];
            assert_eq!(told_in(4096, &mut post, half), Progress::More);
            assert!(post.told().stage < Stage::Parsed);
        }
        let mut post = post();
        post.send();
        let half = with_head("HTTP/1.1 200 OK", &body[..40]);
        assert_eq!(
            told_in(4096, &mut post, &half),
            Progress::Failed("closed in the middle of an answer")
        );
    }

    #[test]
    fn a_page_is_no_answer_whatever_its_status_and_its_length() {
        for page in [
            "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>blocked!",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\0\0\0\0\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://block.example/\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n<html>blocked!",
            "HTTP/1.1 200 OK\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            let mut post = post();
            post.send();
            let progress = told_in(4096, &mut post, page.as_bytes());
            assert!(matches!(progress, Progress::Failed(_)), "{page}");
            assert!(post.told().stage < Stage::Parsed, "{page}");
        }
    }

    #[test]
    fn nobody_keeps_us_reading_for_ever() {
        let endless: [(&str, &[u8]); 4] = [
            ("HTTP/1.1 200 OK\r\nX: ", b"x"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                b"x",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", &[0]),
            ("", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ];
        for (head, more) in endless {
            let mut post = post();
            post.send();
            let mut progress = post.receive(head.as_bytes());
            for _ in 0..2 * MAX_ANSWER {
                if progress == Progress::More {
                    progress = post.receive(more);
                }
            }
            assert!(matches!(progress, Progress::Failed(_)), "{head}");
        }
    }
}
