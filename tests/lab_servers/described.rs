//! Protocols that definitions describe, at the lab's doors: it says what they expect, and nothing to anybody else.

use blockprobe::lab;
use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::custom::{Custom, Octets};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Stage;

use crate::exchanges::{exchange, observe};
use crate::world::{catalog, endpoint};

fn described(protocol: Protocol, host: &str, send: &str) -> Endpoint {
    let custom = Custom {
        send: Octets(send.into()),
        prefix: Octets(b"+".to_vec()),
        contains: Octets(b"PONG".to_vec()),
        regex: Some("^.PO".to_owned()),
    };
    Endpoint {
        custom: Some(Box::new(custom)),
        ..endpoint(protocol, host, 6379)
    }
}

#[tokio::test]
async fn the_lab_answers_what_is_expected_whatever_it_goes_over_and_whoever_speaks_first() {
    let mut catalog = catalog();
    let served = [
        described(Protocol::CustomTcp, "tcp.example", "PING\r\n"),
        described(Protocol::CustomTcp, "first.example", ""),
        described(Protocol::CustomTls, "tls.example", "PING\r\n"),
        described(Protocol::CustomTls, "tls-first.example", ""),
        described(Protocol::CustomUdp, "udp.example", "PING\r\n"),
    ];
    let mut regex = described(Protocol::CustomTcp, "regex.example", "PING\r\n");
    regex.custom = Some(Box::new(Custom {
        send: Octets(b"PING\r\n".to_vec()),
        regex: Some("^only".to_owned()),
        ..Custom::default()
    }));
    let endpoints = &mut catalog.targets[0].services[0].endpoints;
    endpoints.extend(served.iter().cloned());
    endpoints.push(regex.clone());
    let scenario = lab::find("open").expect("the scenario is in the table");
    let site = lab::open(scenario, &catalog)
        .await
        .expect("loopback is free");
    let moved = |id: &str| {
        let services = site.catalog.targets.iter().flat_map(|it| &it.services);
        let mut endpoints = services.flat_map(|it| &it.endpoints);
        endpoints
            .find(|it| it.id == id)
            .expect("it is there")
            .clone()
    };
    for endpoint in &served {
        let endpoint = moved(&endpoint.id);
        let seen = observe(&site, &endpoint).await;
        assert!(seen.is_success(), "{}: {seen:?}", endpoint.id);
        assert_eq!(exchange(&seen).stage, Stage::Bound, "{}", endpoint.id);
    }
    // What an expression finds is made up from the expression.
    let seen = observe(&site, &moved(&regex.id)).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    let mut stranger = moved(&served[0].id);
    stranger.custom.as_mut().unwrap().send = Octets(b"QUIT\r\n".to_vec());
    let seen = observe(&site, &stranger).await;
    assert_eq!(seen.failure(), Some(&Failure::Eof), "{seen:?}");
}
