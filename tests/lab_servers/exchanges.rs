//! The apps' own protocols at the lab's doors, as the product climbs to them.

use std::net::IpAddr;

use blockprobe::lab::Site;
use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::check::{Ask, Role, Round};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Observation, Operation, Stage};
use blockprobe::plan::reach::climb;
use blockprobe::plan::resolve::Subject;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::world::open;

/// The one endpoint of the small catalog where this is spoken.
fn endpoint(site: &Site, protocol: Protocol) -> Endpoint {
    let services = site.catalog.targets.iter().flat_map(|it| &it.services);
    let mut endpoints = services.flat_map(|it| &it.endpoints);
    let found = endpoints.find(|it| it.protocol == protocol);
    found.expect("the protocol is in the catalog").clone()
}

/// Climbs to an endpoint at the lab's address of its name.
pub async fn observe(site: &Site, endpoint: &Endpoint) -> Observation {
    let subject = Subject {
        id: "test",
        role: Role::Target,
        round: Round::Reach,
    };
    let address = site.address_of(endpoint.host.as_deref().unwrap()).unwrap();
    let check = climb(subject, endpoint, IpAddr::V4(address), 1);
    assert!(matches!(check.ask, Ask::Climb(_)));
    let engine = Engine::new(&site.catalog, &site.line, 8, CancellationToken::new());
    let (sender, mut events) = mpsc::unbounded_channel();
    engine.start("o1".to_owned(), check, &sender);
    match events.recv().await {
        Some(Event::Complete(observation)) => *observation,
        other => panic!("a climb has one event: {other:?}"),
    }
}

pub fn exchange(observation: &Observation) -> &ExchangeFacts {
    observation
        .step(Operation::Exchange)
        .and_then(|step| step.exchange.as_deref())
        .unwrap_or_else(|| panic!("no exchange: {observation:?}"))
}

#[tokio::test]
async fn whatsapp_answers_in_clear_and_in_a_websocket_by_the_labs_own_root() {
    let site = open("open").await;
    for (protocol, status) in [
        (Protocol::WhatsappNoise, None),
        (Protocol::WhatsappWebsocket, Some(101)),
    ] {
        let seen = observe(&site, &endpoint(&site, protocol)).await;
        assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
        assert_eq!(exchange(&seen).stage, Stage::Authentic);
        assert_eq!(exchange(&seen).http_status, status);
    }
}

#[tokio::test]
async fn a_websocket_upgrades_at_its_path_and_nowhere_else() {
    let site = open("open").await;
    let mut socket = endpoint(&site, Protocol::Websocket);
    let seen = observe(&site, &socket).await;
    assert_eq!(exchange(&seen).http_status, Some(101));
    "/other".clone_into(&mut socket.path);
    let seen = observe(&site, &socket).await;
    assert_eq!(exchange(&seen).http_status, Some(404));
}

#[tokio::test]
async fn a_server_that_forbids_everything_upgrades_nobody() {
    let site = open("status_403").await;
    let seen = observe(&site, &endpoint(&site, Protocol::WhatsappWebsocket)).await;
    let expected = Failure::Unknown("the answer is not WhatsApp's".to_owned());
    assert_eq!(seen.failure(), Some(&expected));
    assert_eq!(exchange(&seen).http_status, Some(403));
}

/// The lab's relay as it answers over both transports, at one address and port.
async fn relay(scenario: &str) -> [Observation; 2] {
    let site = open(scenario).await;
    let over_udp = endpoint(&site, Protocol::Stun);
    let over_tcp = Endpoint {
        protocol: Protocol::StunTcp,
        ..over_udp.clone()
    };
    [
        observe(&site, &over_udp).await,
        observe(&site, &over_tcp).await,
    ]
}

#[tokio::test]
async fn a_relay_answers_over_tcp_where_it_answers_over_udp() {
    for seen in relay("open").await {
        assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
        assert_eq!(exchange(&seen).stage, Stage::Bound);
    }
    let [over_udp, over_tcp] = relay("relays_over_tcp_alone").await;
    assert_eq!(over_udp.failure(), Some(&Failure::GenericTimeout));
    assert!(over_tcp.is_success(), "{over_tcp:?}");
}

#[tokio::test]
async fn a_relay_that_is_down_is_down_over_both_transports() {
    let [over_udp, over_tcp] = relay("silent_relays").await;
    assert_eq!(over_udp.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(over_tcp.failure(), Some(&Failure::ConnectionRefused));
}
