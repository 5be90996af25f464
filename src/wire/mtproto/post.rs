//! MTProto as the body of an HTTP request and of its answer.

use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::mtproto::Client;

/// Headers of an answer that are read.
const MAX_HEADERS: usize = 64;
/// Bytes of an answer that are kept: a head and the longest message that is due.
const MAX_ANSWER: usize = 16 << 10;

/// One message posted, and the answer's head and body.
pub struct Post {
    client: Client,
    request: Option<Vec<u8>>,
    answer: Vec<u8>,
    status: Option<u16>,
    failed: Option<&'static str>,
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
            status: None,
            failed: None,
        }
    }

    fn fail(&mut self, why: &'static str) -> Progress {
        self.failed = Some(why);
        Progress::Failed(why)
    }
}

impl Handshake for Post {
    fn send(&mut self) -> Vec<u8> {
        self.request.take().unwrap_or_default()
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if let Some(why) = self.failed {
            return Progress::Failed(why);
        }
        let room = MAX_ANSWER.saturating_sub(self.answer.len());
        self.answer.extend(bytes.iter().take(room));
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let begin = match head.parse(&self.answer) {
            Ok(httparse::Status::Complete(begin)) => begin,
            Ok(httparse::Status::Partial) if self.answer.len() < MAX_ANSWER => {
                return Progress::More;
            }
            Ok(httparse::Status::Partial) => return self.fail("an endless head"),
            Err(_) => return self.fail("no HTTP answer"),
        };
        let length = head
            .headers
            .iter()
            .find(|it| it.name.eq_ignore_ascii_case("content-length"))
            .and_then(|it| {
                std::str::from_utf8(it.value)
                    .ok()?
                    .trim()
                    .parse::<usize>()
                    .ok()
            });
        self.status = head.code;
        if head.code != Some(200) {
            return self.fail("another status than 200");
        }
        let Some(length) = length else {
            return self.fail("an answer that does not tell its length");
        };
        let body = self.answer.get(begin..).unwrap_or_default();
        if body.len() < length {
            return if self.answer.len() < MAX_ANSWER {
                Progress::More
            } else {
                self.fail("an endless body")
            };
        }
        let body = body.get(..length).unwrap_or_default().to_vec();
        match self.client.receive(&body) {
            Progress::More => self.client.finish(),
            over => over,
        }
    }

    fn told(&self) -> Told {
        let told = self.client.told();
        match self.status {
            Some(status) => told.saying("status", status.to_string()),
            None => told,
        }
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

    fn answer(post: &mut Post) -> Vec<u8> {
        let request = post.send();
        let at = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        let body = Server::new([9; 16], vec![message::PRODUCTION]).answer(&request[at..], NOW);
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend(body);
        answer
    }

    #[test]
    fn an_answer_in_one_piece_or_in_many_is_bound_to_its_question() {
        for piece in [1, 7, 4096] {
            let mut post = post();
            let answer = answer(&mut post);
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
    fn a_page_is_no_answer_whatever_its_status() {
        for page in [
            "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>blocked!",
            "HTTP/1.1 302 Found\r\nLocation: http://block.example/\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            let mut post = post();
            post.send();
            assert!(matches!(post.receive(page.as_bytes()), Progress::Failed(_)));
            assert!(post.told().stage < Stage::Parsed, "{page}");
        }
    }
}
