//! STUN and TURN over TCP: what an answer in pieces, somebody else's and none look like.

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Payload};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Observation, Operation, Stage};
use blockprobe::wire::stun::{COOKIE, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::site::{Site, climb, serve};

const NOT_STUN: &str = "the answer is not STUN's";

fn exchange(observation: &Observation) -> &ExchangeFacts {
    observation
        .step(Operation::Exchange)
        .and_then(|step| step.exchange.as_deref())
        .unwrap_or_else(|| panic!("no exchange: {observation:?}"))
}

/// Asks a server that does this with the stream and the request it has read; the request comes too.
async fn ask<F>(
    (protocol, payload): (Protocol, Payload),
    each: impl Fn(TcpStream, Vec<u8>) -> F + Clone + Send + 'static,
) -> (Observation, Vec<u8>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (told, mut requests) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let (told, each) = (told.clone(), each.clone());
        async move {
            let mut request = vec![0; 20];
            stream.read_exact(&mut request).await.unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes([request[2], request[3]]))];
            stream.read_exact(&mut rest).await.unwrap();
            request.extend(rest);
            told.send(request.clone()).unwrap();
            each(stream, request).await;
        }
    })
    .await;
    let mut asked = climb(protocol, address);
    asked.payload = payload;
    let seen = Site::new(&[]).observe(Ask::Climb(asked)).await;
    (seen, requests.recv().await.unwrap())
}

/// An honest relay, which sends its answer byte by byte.
async fn answer(mut stream: TcpStream, request: Vec<u8>) {
    stream.set_nodelay(true).unwrap();
    let answer = server::answer(&request, stream.peer_addr().unwrap()).unwrap();
    for byte in answer {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "one question");
}

#[tokio::test]
async fn an_answer_in_pieces_is_one_and_our_address_in_it_is_not_told() {
    for (protocol, says) in [
        (Protocol::StunTcp, ("answer", "success")),
        (Protocol::TurnTcp, ("error", "401 Unauthorized")),
    ] {
        let (seen, request) = ask((protocol, Payload::Own), answer).await;
        assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
        assert_eq!(request[4..8], COOKIE);
        let facts = exchange(&seen);
        assert_eq!(facts.stage, Stage::Bound);
        assert_eq!(facts.sent_bytes, request.len() as u64);
        let said = facts.says.iter().find(|(name, _)| name == says.0).unwrap();
        assert_eq!(said.1, says.1);
        assert!(!format!("{facts:?}").contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn the_older_form_has_no_cookie_over_tcp_either() {
    let older = (Protocol::StunTcp, Payload::WithoutCookie);
    let (seen, request) = ask(older, answer).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_ne!(request[4..8], COOKIE);
}

#[tokio::test]
async fn whoever_does_not_answer_this_question_is_no_relay() {
    let asked = (Protocol::StunTcp, Payload::Own);
    let expected = Failure::Unknown(NOT_STUN.to_owned());
    // Somebody else's transaction, a page, and the request sent back.
    for asked in [asked, (Protocol::TurnTcp, Payload::Own)] {
        let (seen, _) = ask(asked, |mut stream, mut request| async move {
            request[19] ^= 1;
            answer_then_wait(
                &mut stream,
                &server::answer(&request, "192.0.2.9:9".parse().unwrap()).unwrap(),
            )
            .await;
        })
        .await;
        assert_eq!(seen.failure(), Some(&expected), "{asked:?}");
        assert_eq!(exchange(&seen).stage, Stage::Parsed);
    }
    let (seen, _) = ask(asked, |mut stream, _| async move {
        answer_then_wait(&mut stream, b"HTTP/1.1 403 Forbidden\r\n\r\nno").await;
    })
    .await;
    assert_eq!(seen.failure(), Some(&expected));
    let clear = exchange(&seen).clear_text.as_deref().unwrap();
    assert!(clear.starts_with("HTTP/1.1 403"), "{clear}");
    let (seen, _) = ask(asked, |mut stream, request| async move {
        answer_then_wait(&mut stream, &request).await;
    })
    .await;
    assert_eq!(seen.failure(), Some(&expected));
}

async fn answer_then_wait(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let _ = stream.read(&mut [0; 9]).await;
}

#[tokio::test]
async fn silence_half_an_answer_and_a_close_are_told_apart_and_half_an_address_is_not_kept() {
    let asked = (Protocol::StunTcp, Payload::Own);
    let (seen, _) = ask(asked, |stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(exchange(&seen).stage, Stage::Silent);
    let (seen, _) = ask(asked, |stream, _| async move { drop(stream) }).await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
    let (seen, _) = ask(asked, |mut stream, request| async move {
        let answer = server::answer(&request, stream.peer_addr().unwrap()).unwrap();
        answer_then_wait(&mut stream, &answer[..36]).await;
    })
    .await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
    // Behind the head stands our address, mixed with the cookie.
    let kept = exchange(&seen).first_received.as_deref().unwrap();
    assert_eq!(kept.len(), 2 * 20, "{kept}");
}
