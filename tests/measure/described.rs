//! Protocols that definitions describe: what is expected, something else, silence, and a server that speaks first.

use std::net::SocketAddr;
use std::time::Duration;

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Climb, Payload};
use blockprobe::model::custom::{Custom, Octets};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Observation, Operation, Stage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::site::{Authority, Site, climb, serve, serve_tls};

const UNEXPECTED: &str = "the answer is not what the definitions expect";

/// `PING`, and an answer that begins with `+` and has `PONG` in it.
fn ping() -> Custom {
    Custom {
        send: Octets(b"PING\r\n".to_vec()),
        prefix: Octets(b"+".to_vec()),
        contains: Octets(b"PONG".to_vec()),
        regex: Some("^.[A-Z]+\\r\\n".to_owned()),
    }
}

fn asked(protocol: Protocol, address: SocketAddr, custom: Custom) -> Climb {
    Climb {
        custom: Some(Box::new(custom)),
        ..climb(protocol, address)
    }
}

fn exchange(observation: &Observation) -> &ExchangeFacts {
    observation
        .step(Operation::Exchange)
        .and_then(|step| step.exchange.as_deref())
        .unwrap_or_else(|| panic!("no exchange: {observation:?}"))
}

fn unmet(observation: &Observation) -> Option<&str> {
    let mut says = exchange(observation).says.iter();
    says.find(|(name, _)| name == "unmet")
        .map(|(_, words)| words.as_str())
}

/// Reads a PING and answers with these pieces, then listens until we leave.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, pieces: &[&[u8]]) {
    let mut message = [0; 6];
    stream.read_exact(&mut message).await.unwrap();
    assert_eq!(&message, b"PING\r\n");
    for piece in pieces {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let _ = stream.read(&mut [0; 9]).await;
}

/// What is seen over TCP of a server that answers so.
async fn over_tcp(pieces: &'static [&'static [u8]]) -> Observation {
    let address = serve(|stream| answer(stream, pieces)).await;
    let asked = asked(Protocol::CustomTcp, address, ping());
    Site::new(&[]).observe(Ask::Climb(asked)).await
}

#[tokio::test]
async fn an_answer_in_pieces_that_holds_everything_expected_works() {
    let seen = over_tcp(&[b"+P", b"ON", b"G\r\n", b"and more"]).await;
    assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    assert_eq!(exchange(&seen).sent_bytes, 6);
    assert_eq!(exchange(&seen).first_received, None);
    assert_eq!(unmet(&seen), None);
}

#[tokio::test]
async fn an_answer_that_does_not_hold_it_fails_and_tells_what_is_missing() {
    let unknown = Failure::Unknown(UNEXPECTED.to_owned());
    let wrong = over_tcp(&[b"-ERR unknown command\r\n"]).await;
    assert_eq!(wrong.failure(), Some(&unknown));
    assert_eq!(unmet(&wrong), Some("prefix, contains, regex"));
    assert_eq!(exchange(&wrong).stage, Stage::Answered);
    assert!(exchange(&wrong).first_received.is_some());
    // Nothing tells the end of these but that no more comes.
    let half = over_tcp(&[b"+PONG"]).await;
    assert_eq!(half.failure(), Some(&unknown));
    assert_eq!(unmet(&half), Some("regex"));
    let address = serve(|mut stream| async move {
        stream.read_exact(&mut [0; 6]).await.unwrap();
        stream.write_all(b"+OK\r\n").await.unwrap();
    })
    .await;
    let asked = asked(Protocol::CustomTcp, address, ping());
    let closed = Site::new(&[]).observe(Ask::Climb(asked)).await;
    assert_eq!(closed.failure(), Some(&unknown));
    assert_eq!(unmet(&closed), Some("contains"));
}

#[tokio::test]
async fn silence_and_a_close_without_a_byte_stay_what_they_are() {
    let silent = over_tcp(&[]).await;
    assert_eq!(silent.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(exchange(&silent).stage, Stage::Silent);
    let address = serve(|mut stream| async move {
        stream.read_exact(&mut [0; 6]).await.unwrap();
    })
    .await;
    let asked = asked(Protocol::CustomTcp, address, ping());
    let closed = Site::new(&[]).observe(Ask::Climb(asked)).await;
    assert_eq!(closed.failure(), Some(&Failure::Eof));
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_without_a_byte_of_ours() {
    let address = serve(|mut stream| async move {
        stream
            .write_all(b"220 mail.example ESMTP\r\n")
            .await
            .unwrap();
        let _ = stream.read(&mut [0; 9]).await;
    })
    .await;
    let custom = Custom {
        regex: Some("^220[ -].*SMTP".to_owned()),
        ..Custom::default()
    };
    let asked = asked(Protocol::CustomTcp, address, custom);
    let seen = Site::new(&[]).observe(Ask::Climb(asked)).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).sent_bytes, 0);
    assert_eq!(exchange(&seen).stage, Stage::Bound);
}

#[tokio::test]
async fn the_same_is_spoken_inside_tls() {
    let authority = Authority::new();
    let unknown = Failure::Unknown(UNEXPECTED.to_owned());
    for (words, failure) in [
        (&b"+PONG\r\n"[..], None),
        (&b"-ERR\r\n"[..], Some(&unknown)),
    ] {
        let config = authority.honest(&[]);
        let address = serve_tls(config, move |stream| async move {
            answer(stream, &[words]).await;
        })
        .await;
        let asked = asked(Protocol::CustomTls, address, ping());
        let seen = Site::new(&[&authority]).observe(Ask::Climb(asked)).await;
        assert_eq!(seen.failure(), failure);
        assert!(seen.step(Operation::TlsHandshake).is_some());
    }
}

/// What is seen over UDP of a server that answers every datagram so, and the datagrams it got.
async fn over_udp(answer: Option<&'static [u8]>, payload: Payload) -> (Observation, Vec<Vec<u8>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (told, mut heard) = mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        let mut bytes = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut bytes).await {
            told.send(bytes[..length].to_vec()).unwrap();
            if let Some(answer) = answer {
                socket.send_to(answer, peer).await.unwrap();
            }
        }
    });
    let asked = Climb {
        payload,
        ..asked(Protocol::CustomUdp, address, ping())
    };
    let mut site = Site::new(&[]);
    site.limits.datagram_give_up = Duration::from_millis(700);
    let seen = site.observe(Ask::Climb(asked)).await;
    server.abort();
    let _ = server.await;
    let mut datagrams = Vec::new();
    while let Some(datagram) = heard.recv().await {
        datagrams.push(datagram);
    }
    (seen, datagrams)
}

#[tokio::test]
async fn over_udp_one_datagram_is_asked_and_one_answers() {
    let (seen, datagrams) = over_udp(Some(b"+PONG\r\n"), Payload::Own).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    assert_eq!(exchange(&seen).round_trips.len(), 1, "no train");
    assert_eq!(datagrams, [b"PING\r\n"]);
}

#[tokio::test]
async fn over_udp_another_answer_and_none_are_told_apart() {
    let (wrong, _) = over_udp(Some(b"-ERR\r\n"), Payload::Own).await;
    let unknown = Failure::Unknown(UNEXPECTED.to_owned());
    assert_eq!(wrong.failure(), Some(&unknown));
    assert_eq!(unmet(&wrong), Some("prefix, contains"));
    let (silent, datagrams) = over_udp(None, Payload::Own).await;
    assert_eq!(silent.failure(), Some(&Failure::GenericTimeout));
    assert!(datagrams.len() > 1, "it is asked again");
}

#[tokio::test]
async fn the_contrast_is_random_bytes_of_the_same_length() {
    let (seen, datagrams) = over_udp(Some(b"?"), Payload::Random).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(datagrams[0].len(), 6);
    assert_ne!(datagrams[0], b"PING\r\n");
    let (told, mut heard) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let told = told.clone();
        async move {
            let mut bytes = vec![0; 3000];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(b"?").await.unwrap();
            stream.read_to_end(&mut bytes).await.unwrap();
            told.send(bytes).unwrap();
        }
    })
    .await;
    let custom = Custom {
        send: Octets(vec![b'a'; 3000]),
        ..ping()
    };
    let asked = Climb {
        payload: Payload::Random,
        ..asked(Protocol::CustomTcp, address, custom)
    };
    let seen = Site::new(&[]).observe(Ask::Climb(asked)).await;
    assert!(seen.is_success(), "{seen:?}");
    let bytes = heard.recv().await.unwrap();
    assert_eq!(bytes.len(), 3000);
    assert!(bytes.iter().any(|byte| *byte != b'a'));
}
