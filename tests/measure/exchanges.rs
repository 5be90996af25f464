//! The app's own first message: what an honest answer, somebody else's and none look like.

use std::time::Duration;

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Climb};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Observation, Operation, Stage};
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::noise::keys::public_of;
use blockprobe::wire::noise::responder::{Identity, Responder, Secrets};
use blockprobe::wire::text::hex;
use futures_util::{SinkExt, StreamExt};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{accept_async, accept_hdr_async};

use crate::site::{Authority, Site, climb, serve, serve_tls};

const NOT_WHATSAPP: &str = "the answer is not WhatsApp's";

fn identity() -> Identity {
    let secrets = Secrets {
        root: [1; 32],
        intermediate: [2; 32],
        leaf: [3; 32],
    };
    Identity::new(&secrets, (0, u64::MAX), &[[4; 64], [5; 64]])
}

/// Reads message 1 and makes the answer to it.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut message = [0; 43];
    stream.read_exact(&mut message).await.unwrap();
    answer_to(&message)
}

fn answer_to(message: &[u8]) -> Vec<u8> {
    let identity = identity();
    let mut server = Responder::new(&identity, [6; 32]);
    assert_eq!(server.receive(message), Progress::Done);
    server.send()
}

fn rooted(climb: Climb) -> Ask {
    Ask::Climb(Climb {
        noise_root: Some(hex(&public_of(&[1; 32]))),
        ..climb
    })
}

fn exchange(observation: &Observation) -> &ExchangeFacts {
    observation
        .step(Operation::Exchange)
        .and_then(|step| step.exchange.as_deref())
        .unwrap_or_else(|| panic!("no exchange: {observation:?}"))
}

/// Asks a server that does this with the stream once it has read message 1.
async fn ask<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> Observation
where
    F: Future<Output = ()> + Send + 'static,
{
    let address = serve(each).await;
    let asked = rooted(climb(Protocol::WhatsappNoise, address));
    Site::new(&[]).observe(asked).await
}

async fn read_message(stream: &mut TcpStream) {
    stream.read_exact(&mut [0; 43]).await.unwrap();
}

#[tokio::test]
async fn a_genuine_answer_in_pieces_is_authentic_and_nothing_more_is_sent() {
    let (told, mut more) = mpsc::unbounded_channel();
    let seen = ask(move |mut stream| {
        let told = told.clone();
        async move {
            stream.set_nodelay(true).unwrap();
            let bytes = answer(&mut stream).await;
            for piece in bytes.chunks(100) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            told.send(rest).unwrap();
        }
    })
    .await;
    assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
    let facts = exchange(&seen);
    assert_eq!(facts.stage, Stage::Authentic);
    assert_eq!(facts.sent_bytes, 43);
    assert!(facts.received_bytes > 300 && facts.says.is_empty());
    assert_eq!(facts.first_received, None);
    assert_eq!(more.recv().await.unwrap(), [0; 0], "no ClientFinish");
}

#[tokio::test]
async fn a_server_of_another_root_is_a_success_and_its_chain_is_told() {
    let address = serve(|mut stream| async move {
        let bytes = answer(&mut stream).await;
        stream.write_all(&bytes).await.unwrap();
        let _ = stream.read(&mut [0; 9]).await;
    })
    .await;
    let mut asked = climb(Protocol::WhatsappNoise, address);
    asked.noise_root = Some("77".repeat(32));
    let seen = Site::new(&[]).observe(Ask::Climb(asked)).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    let words = "the root key did not sign the intermediate".to_owned();
    assert_eq!(exchange(&seen).says, [("chain".to_owned(), words)]);
}

#[tokio::test]
async fn silence_a_close_and_a_reset_are_told_apart() {
    let silent = ask(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(silent.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(exchange(&silent).stage, Stage::Silent);
    assert_eq!(exchange(&silent).sent_bytes, 43);
    let closed = ask(|mut stream| async move { read_message(&mut stream).await }).await;
    assert_eq!(closed.failure(), Some(&Failure::Eof));
    let reset = ask(|mut stream| async move {
        read_message(&mut stream).await;
        let socket = SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(reset.failure(), Some(&Failure::ConnectionReset));
}

#[tokio::test]
async fn half_an_answer_and_then_silence_is_a_timeout_that_was_answered() {
    let seen = ask(|mut stream| async move {
        let bytes = answer(&mut stream).await;
        stream.write_all(&bytes[..200]).await.unwrap();
        let _ = stream.read(&mut [0; 9]).await;
    })
    .await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(exchange(&seen).stage, Stage::Answered);
    assert_eq!(exchange(&seen).received_bytes, 200);
    let first = exchange(&seen).first_received.as_deref().unwrap();
    assert!(first.starts_with("0001"), "{first}");
}

#[tokio::test]
async fn a_block_page_in_clear_is_not_the_protocol_and_is_kept() {
    let seen = ask(|mut stream| async move {
        stream.set_nodelay(true).unwrap();
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.1 403 ").await.unwrap();
        tokio::task::yield_now().await;
        let page = b"Forbidden\r\n\r\n<h1>blocked</h1>";
        stream.write_all(page).await.unwrap();
    })
    .await;
    let expected = Failure::Unknown(NOT_WHATSAPP.to_owned());
    assert_eq!(seen.failure(), Some(&expected));
    assert_eq!(exchange(&seen).stage, Stage::Answered);
    let clear = exchange(&seen).clear_text.as_deref().unwrap();
    assert!(clear.contains("<h1>blocked</h1>"), "{clear}");
}

#[tokio::test]
async fn an_endless_answer_is_read_no_further_than_it_says_something() {
    let seen =
        ask(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} })
            .await;
    let expected = Failure::Unknown(NOT_WHATSAPP.to_owned());
    assert_eq!(seen.failure(), Some(&expected));
    assert!(exchange(&seen).received_bytes < 32 << 10);
}

#[tokio::test]
async fn an_echo_and_a_replayed_answer_are_not_the_protocol() {
    let echo = ask(|mut stream| async move {
        let mut message = [0; 43];
        stream.read_exact(&mut message).await.unwrap();
        stream.write_all(&message).await.unwrap();
        let _ = stream.read(&mut [0; 9]).await;
    })
    .await;
    let expected = Failure::Unknown(NOT_WHATSAPP.to_owned());
    assert_eq!(echo.failure(), Some(&expected));
    assert_eq!(exchange(&echo).stage, Stage::Answered);
    let replay = ask(|mut stream| async move {
        read_message(&mut stream).await;
        let somebody = [
            b"WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20".as_slice(),
            &[9; 32],
        ];
        let bytes = answer_to(&somebody.concat());
        stream.write_all(&bytes).await.unwrap();
        let _ = stream.read(&mut [0; 9]).await;
    })
    .await;
    assert_eq!(replay.failure(), Some(&expected));
    assert_eq!(exchange(&replay).stage, Stage::Parsed);
    assert_eq!(exchange(&replay).says[0].0, "answer");
}

/// What a server does once it has upgraded and read one message.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    /// Answers, a byte more than half in the first message.
    Answer,
    /// Says nothing.
    Silence,
    /// Closes in good order.
    Close,
    /// Sends a message of 100 KiB.
    Flood,
    /// Sends a text.
    Text,
}

/// Upgrades over TLS, then does this; the headers of the upgrade come through the channel.
async fn in_websocket(protocol: Protocol, inside: Inside) -> (Observation, String) {
    let authority = Authority::new();
    let (told, mut headers) = mpsc::unbounded_channel();
    let address = serve_tls(authority.honest(&[]), move |stream| {
        let told = told.clone();
        async move {
            #[expect(clippy::result_large_err, reason = "the library's own callback")]
            let note = |request: &Request, response: Response| {
                told.send(format!("{} {:?}", request.uri(), request.headers()))
                    .unwrap();
                Ok(response)
            };
            let mut socket = accept_hdr_async(stream, note).await.unwrap();
            let Some(Ok(Message::Binary(message))) = socket.next().await else {
                return;
            };
            match inside {
                Inside::Answer => {
                    let bytes = answer_to(&message);
                    for part in bytes.chunks(bytes.len() / 2 + 1) {
                        let part = Message::Binary(part.to_vec().into());
                        socket.send(part).await.unwrap();
                    }
                }
                Inside::Silence => {}
                Inside::Close => socket.close(None).await.unwrap(),
                Inside::Flood => {
                    let flood = Message::Binary(vec![0; 100 << 10].into());
                    let _ = socket.send(flood).await;
                }
                Inside::Text => socket.send("not allowed".into()).await.unwrap(),
            }
            while let Some(Ok(_)) = socket.next().await {}
        }
    })
    .await;
    let mut asked = climb(protocol, address);
    "/ws/chat".clone_into(&mut asked.path);
    let seen = Site::new(&[&authority]).observe(rooted(asked)).await;
    (seen, headers.recv().await.unwrap())
}

#[tokio::test]
async fn the_handshake_in_a_websocket_is_authentic_however_it_is_cut_into_messages() {
    let (seen, headers) = in_websocket(Protocol::WhatsappWebsocket, Inside::Answer).await;
    assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Authentic);
    assert_eq!(exchange(&seen).http_status, Some(101));
    assert!(headers.starts_with("/ws/chat "), "{headers}");
    let origin = r#""origin": "https://web.whatsapp.com""#;
    assert!(headers.contains(origin), "{headers}");
}

#[tokio::test]
async fn an_upgrade_without_the_protocol_inside_is_no_success() {
    for (inside, failure) in [
        (Inside::Silence, Failure::GenericTimeout),
        (Inside::Close, Failure::Eof),
        (Inside::Flood, Failure::Unknown(NOT_WHATSAPP.to_owned())),
        (Inside::Text, Failure::Unknown(NOT_WHATSAPP.to_owned())),
    ] {
        let (seen, _) = in_websocket(Protocol::WhatsappWebsocket, inside).await;
        assert_eq!(seen.failure(), Some(&failure));
        assert_eq!(exchange(&seen).stage, Stage::Answered);
        assert_eq!(exchange(&seen).http_status, Some(101));
    }
}

#[tokio::test]
async fn an_upgrade_is_all_that_a_plain_websocket_wants() {
    let (seen, headers) = in_websocket(Protocol::Websocket, Inside::Silence).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    assert_eq!(exchange(&seen).http_status, Some(101));
    assert!(!headers.contains("origin"), "{headers}");
}

/// Answers the upgrade with these bytes over TLS.
async fn refused(protocol: Protocol, answer: &'static [u8]) -> Observation {
    let authority = Authority::new();
    let address = serve_tls(authority.honest(&[]), move |mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    })
    .await;
    Site::new(&[&authority])
        .observe(rooted(climb(protocol, address)))
        .await
}

#[tokio::test]
async fn a_refused_upgrade_is_reachability_for_a_plain_websocket_alone() {
    let page = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let plain = refused(Protocol::Websocket, page).await;
    assert!(plain.is_success(), "{plain:?}");
    assert_eq!(exchange(&plain).http_status, Some(403));
    assert_eq!(exchange(&plain).stage, Stage::Parsed);
    let whatsapp = refused(Protocol::WhatsappWebsocket, page).await;
    let expected = Failure::Unknown(NOT_WHATSAPP.to_owned());
    assert_eq!(whatsapp.failure(), Some(&expected));
    assert_eq!(exchange(&whatsapp).http_status, Some(403));
    let clear = exchange(&whatsapp).clear_text.as_deref().unwrap();
    assert!(clear.starts_with("HTTP/1.1 403"), "{clear}");
}

#[tokio::test]
async fn a_refusal_by_an_older_http_is_one_and_an_upgrade_by_it_is_none() {
    let page = b"HTTP/1.0 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let plain = refused(Protocol::Websocket, page).await;
    assert!(plain.is_success(), "{plain:?}");
    assert_eq!(exchange(&plain).http_status, Some(403));
    let whatsapp = refused(Protocol::WhatsappWebsocket, page).await;
    assert_eq!(exchange(&whatsapp).http_status, Some(403));
    // What is told of it is what came.
    let clear = exchange(&whatsapp).clear_text.as_deref().unwrap();
    assert!(clear.starts_with("HTTP/1.0 403"), "{clear}");
    let upgrade = b"HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let upgraded = refused(Protocol::Websocket, upgrade).await;
    let expected = Failure::Unknown("the answer is not a WebSocket's".to_owned());
    assert_eq!(upgraded.failure(), Some(&expected));
}

/// Upgrades after so many answers that go before, in pieces of so many bytes, and answers what is inside.
async fn upgraded_after(interim: usize, pieces: usize) -> Observation {
    let authority = Authority::new();
    let address = serve_tls(authority.honest(&[]), move |mut stream| async move {
        let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n".repeat(interim);
        for piece in hints.chunks(pieces) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        let Ok(mut socket) = accept_async(stream).await else {
            return;
        };
        if let Some(Ok(Message::Binary(message))) = socket.next().await {
            let answer = Message::Binary(answer_to(&message).into());
            socket.send(answer).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        }
    })
    .await;
    let asked = rooted(climb(Protocol::WhatsappWebsocket, address));
    Site::new(&[&authority]).observe(asked).await
}

#[tokio::test]
async fn answers_that_go_before_the_upgrade_are_passed_over_and_not_for_ever() {
    for (interim, pieces) in [(1, 4096), (2, 7), (8, 4096)] {
        let seen = upgraded_after(interim, pieces).await;
        assert!(seen.is_success(), "{seen:?}");
        assert_eq!(exchange(&seen).stage, Stage::Authentic);
        assert_eq!(exchange(&seen).http_status, Some(101));
    }
    let seen = upgraded_after(9, 4096).await;
    let expected = Failure::Unknown(NOT_WHATSAPP.to_owned());
    assert_eq!(seen.failure(), Some(&expected));
    assert_eq!(exchange(&seen).http_status, Some(103));
}

#[tokio::test]
async fn what_is_no_http_is_no_websocket_and_no_answer_is_an_end() {
    let garbage = refused(Protocol::Websocket, b"SSH-2.0-OpenSSH\r\n\r\n").await;
    let expected = Failure::Unknown("the answer is not a WebSocket's".to_owned());
    assert_eq!(garbage.failure(), Some(&expected));
    assert_eq!(
        refused(Protocol::Websocket, b"").await.failure(),
        Some(&Failure::Eof)
    );
}
