//! Real web servers, where random bytes are the contrast of an app's first message: what nginx does to all bytes of a kind it must do
//! to both.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use blockprobe::measure::limits::Limits;
use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{Catalog, Endpoint, Expect, Protocol};
use blockprobe::model::check::{Ask, Check, Payload, Role, Round};
use blockprobe::model::custom::{Custom, Octets};
use blockprobe::model::failure::Failure;
use blockprobe::model::line::Line;
use blockprobe::model::observation::Operation;
use blockprobe::plan::reach;
use blockprobe::plan::resolve::Subject;
use socket2::{Domain, Socket, Type};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::certificates;
use crate::needs;
use crate::nginx::{self, Door};
use crate::program::{PortTaken, Program};

/// Enough that a byte which one in 25 has by chance is among them.
const TRIALS: u32 = 40;
/// How often another port is looked for where the one that was free is taken before nginx has it.
const ATTEMPTS: usize = 5;

fn endpoint(protocol: Protocol, place: SocketAddr, custom: Option<&str>) -> Endpoint {
    Endpoint {
        id: protocol.word().to_owned(),
        host: None,
        addresses: vec![place.ip()],
        port: place.port(),
        protocol,
        server_name: None,
        path: "/".to_owned(),
        alpn: Vec::new(),
        custom: custom.map(|send| {
            Box::new(Custom {
                send: Octets(send.as_bytes().to_vec()),
                ..Custom::default()
            })
        }),
        expect: Expect::default(),
    }
}

fn check(endpoint: &Endpoint, payload: Payload, trial: u32) -> Check {
    let subject = Subject {
        id: "target",
        role: Role::Target,
        round: Round::Reach,
    };
    let mut check = reach::climb(subject, endpoint, endpoint.addresses[0], trial);
    if let Ask::Climb(climb) = &mut check.ask {
        climb.payload = payload;
    }
    check
}

/// How each trial ended, and whether a byte came back.
async fn met(
    engine: &Engine,
    endpoint: &Endpoint,
    payload: Payload,
) -> Vec<(bool, Option<Failure>)> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for trial in 1..=TRIALS {
        engine.start(
            format!("o{trial}"),
            check(endpoint, payload, trial),
            &sender,
        );
    }
    drop(sender);
    let mut met = Vec::new();
    while let Some(event) = receiver.recv().await {
        if let Event::Complete(observation) = event {
            let step = observation
                .step(Operation::Exchange)
                .unwrap_or_else(|| panic!("it did not stand: {observation:#?}"));
            let heard = step
                .exchange
                .as_ref()
                .is_some_and(|it| it.received_bytes > 0);
            let failure = step.failure.clone().filter(|_| !heard);
            met.push((heard, failure));
        }
    }
    met
}

fn free_place() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// nginx with TLS at this place.
fn web_server(directory: &Path, place: SocketAddr) -> Result<(Program, SocketAddr), PortTaken> {
    let door = Door {
        certificate: Some("web".to_owned()),
        is_old: false,
        has_http2: true,
        endpoints: vec![endpoint(Protocol::Https, place, None)],
    };
    let doors = BTreeMap::from([(place, door)]);
    let nginx = nginx::start(directory, "noise", &doors, "http://127.0.0.1/")?;
    Ok((nginx, place))
}

#[test]
fn a_server_whose_port_is_somebody_elses_says_so() {
    if !needs::programs(&["nginx"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    certificates::issue(directory.path(), "web", &["web.example".to_owned()]);
    // Bound and not listening: the port is taken, and nobody accepts there.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    taken.bind(&any.into()).unwrap();
    let place = taken.local_addr().unwrap().as_socket().unwrap();
    assert!(web_server(directory.path(), place).is_err());
}

#[tokio::test]
async fn nginx_does_to_random_bytes_what_it_does_to_a_first_message() {
    if !needs::programs(&["nginx"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    certificates::issue(directory.path(), "web", &["web.example".to_owned()]);
    let (_nginx, place) = (0..ATTEMPTS)
        .find_map(|_| web_server(directory.path(), free_place()).ok())
        .expect("a port stays free for a moment");
    let limits = Limits {
        exchange: Duration::from_secs(2),
        ..Limits::default()
    };
    let catalog = Catalog::default();
    let line = Line {
        ipv4: true,
        playground: vec!["127.0.0.0/8".parse().unwrap()],
        ..Line::default()
    };
    let engine = Engine::with_limits(&catalog, &line, 64, CancellationToken::new(), limits);
    for (protocol, custom) in [
        (Protocol::MtprotoAbridged, None),
        (Protocol::MtprotoIntermediate, None),
        (Protocol::MtprotoHttp, None),
        (Protocol::WhatsappNoise, None),
        (Protocol::CustomTcp, Some("HELLO")),
        (Protocol::CustomTcp, Some("ping\r\n")),
        (Protocol::CustomTcp, Some("\u{1}\0\0\0")),
    ] {
        let endpoint = endpoint(protocol, place, custom);
        let own = met(&engine, &endpoint, Payload::Own).await;
        let random = met(&engine, &endpoint, Payload::Random).await;
        assert_eq!(own.len(), TRIALS as usize);
        assert_eq!(own, random, "{} {custom:?}", protocol.word());
    }
}
