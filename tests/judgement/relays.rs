//! Relays that are silent over UDP and were asked over TCP too: what is told of it, and that nobody is accused.

use blockprobe::model::catalog::{Control, Endpoint, Protocol, Region, Service};
use blockprobe::model::check::{Ask, Check, Climb, Contrast, Payload, Role, Round, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Operation, Stage, Step};
use blockprobe::model::report::{Confidence, EndpointStatus, Status, Verdict};

use crate::world::{HONEST, World, climb_check, endpoint, ids, observation, proven, step};

const RELAYS: [&str; 5] = [
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.4",
    "192.0.2.5",
];
const NEUTRAL: &str = "198.41.0.9";

/// When something was asked, and what came of it.
#[derive(Clone, Copy, Debug)]
enum Came {
    Answer,
    Nothing,
    Reset,
    Refusal,
    /// No connection stood.
    NoConnection,
}

/// How long after the first silence something is asked.
const SOON: f64 = 4.0;
const LATER: f64 = 20.0;

fn relay(protocol: Protocol, address: &str) -> Endpoint {
    Endpoint {
        id: format!("{}://{address}:3478", protocol.word()),
        host: None,
        addresses: vec![address.parse().unwrap()],
        ..endpoint(protocol, 3478)
    }
}

/// A web service that works and is essential, and calls by these relays.
fn world(relays: &[Endpoint]) -> World {
    let mut world = World::reachable();
    world.climb(HONEST, proven());
    let services = &mut world.catalog.targets[0].services;
    services.push(Service {
        id: "calls".to_owned(),
        essential: false,
        pool: true,
        by_place: false,
        alternative: false,
        endpoints: relays.to_vec(),
    });
    world
}

fn steps(came: Came, t0: f64, is_tcp: bool) -> Vec<Step> {
    // Silence takes its time, the rest is told at once.
    let lasts = match came {
        Came::Nothing | Came::NoConnection => 3.0,
        _ => 0.1,
    };
    let at = |it: Step| Step {
        t0,
        t: t0 + lasts,
        ..it
    };
    let connected = |failure| at(step(Operation::TcpConnect, failure));
    let exchanged = |failure, received_bytes| Step {
        exchange: Some(Box::new(ExchangeFacts {
            received_bytes,
            stage: if received_bytes > 0 {
                Stage::Bound
            } else {
                Stage::Silent
            },
            datagrams: (!is_tcp).then_some(if received_bytes > 0 { 1 } else { 3 }),
            ..ExchangeFacts::default()
        })),
        ..at(step(Operation::Exchange, failure))
    };
    let last = match came {
        Came::Answer => exchanged(None, 44),
        Came::Nothing => exchanged(Some(Failure::GenericTimeout), 0),
        Came::Reset => exchanged(Some(Failure::ConnectionReset), 0),
        Came::Refusal => return vec![connected(Some(Failure::ConnectionRefused))],
        Came::NoConnection => return vec![connected(Some(Failure::GenericTimeout))],
    };
    if is_tcp {
        vec![connected(None), last]
    } else {
        vec![last]
    }
}

/// What is asked around one relay that was silent at first.
struct Around<'a> {
    world: &'a mut World,
    first: Check,
}

impl<'a> Around<'a> {
    /// Its silence at first, and again `SOON`.
    fn silent(world: &'a mut World, relay: &Endpoint) -> Self {
        let address = relay.addresses[0].to_string();
        let first = climb_check("target", relay, &address, Role::Target);
        world.push(first.clone(), steps(Came::Nothing, 0.0, false));
        let mut around = Self { world, first };
        for trial in 2..=3 {
            around.ask(Variation::Nothing, trial, (Came::Nothing, SOON), |_| ());
        }
        around
    }

    fn ask(
        &mut self,
        varies: Variation,
        trial: u32,
        (came, t0): (Came, f64),
        change: impl Fn(&mut Climb),
    ) {
        let mut check = self.first.clone();
        check.id = format!("{}/{varies:?}#{trial}", self.first.id);
        check.round = Round::Contrast;
        check.trial = trial;
        check.contrast = Some(Contrast {
            of: self.first.id.clone(),
            varies,
        });
        if varies != Variation::Nothing {
            check.role = Role::Control;
            check.endpoints.clear();
        }
        if let Ask::Climb(climb) = &mut check.ask {
            change(climb);
        }
        let is_tcp = varies == Variation::Transport;
        self.world.push(check, steps(came, t0, is_tcp));
    }

    fn over_tcp(&mut self, came: Came, t0: f64) {
        for trial in 1..=2 {
            self.ask(Variation::Transport, trial, (came, t0), |climb| {
                climb.protocol = climb.protocol.over_tcp().unwrap();
            });
        }
    }

    /// The question without its cookie, at the relay.
    fn classic(&mut self, came: Came) {
        for trial in 1..=3 {
            self.ask(Variation::Payload, trial, (came, SOON + 0.1), |climb| {
                climb.payload = Payload::WithoutCookie;
            });
        }
    }

    /// Neutral servers over UDP, each of which hears the question only without its cookie.
    fn looked_at_everywhere(&mut self) {
        for trial in 1..=3 {
            let there = format!("198.41.0.{trial}").parse().unwrap();
            for (varies, came, t0) in [
                (Variation::Both, Came::Answer, SOON + 0.1),
                (Variation::Address, Came::Nothing, SOON),
            ] {
                self.ask(varies, trial, (came, t0), |climb| {
                    climb.address.set_ip(there);
                });
            }
        }
    }

    /// Neutral servers over UDP.
    fn neutral(&mut self, came: Came, t0: f64) {
        for varies in [Variation::Both, Variation::Address] {
            self.ask(varies, 1, (came, t0), |climb| {
                climb.address.set_ip(NEUTRAL.parse().unwrap());
            });
        }
    }
}

fn reason(verdict: &Verdict) -> &str {
    let calls = &verdict.services[1];
    let endpoint = &calls.endpoints[0];
    assert_eq!(endpoint.status, EndpointStatus::Inconclusive);
    endpoint.reason.as_deref().unwrap()
}

/// Nobody is accused, and the target works this surely.
fn works(verdict: &Verdict, confidence: Confidence) {
    assert_eq!(verdict.status, Status::Accessible, "{verdict:#?}");
    assert_eq!(verdict.confidence, confidence, "{verdict:#?}");
    assert!(verdict.techniques.is_empty(), "{:#?}", verdict.techniques);
    assert_eq!(verdict.services[1].status, Status::Inconclusive);
}

#[test]
fn a_relay_that_answers_over_tcp_alone_where_neutral_servers_are_heard_is_told_and_nobody_is_accused()
 {
    for protocol in [Protocol::Stun, Protocol::Turn] {
        let relay = relay(protocol, RELAYS[0]);
        let mut world = world(std::slice::from_ref(&relay));
        let mut around = Around::silent(&mut world, &relay);
        around.over_tcp(Came::Answer, SOON + 1.0);
        around.classic(Came::Nothing);
        around.neutral(Came::Answer, SOON);
        let verdict = world.judge();
        // Somebody answers strangers and is not heard over UDP: that calls work is not told any more.
        works(&verdict, Confidence::Likely);
        let reason = reason(&verdict);
        assert!(
            reason.contains("over TCP and is silent over UDP"),
            "{reason}"
        );
        assert!(reason.contains("or it serves TCP alone"), "{reason}");
    }
}

#[test]
fn where_no_neutral_server_is_heard_over_udp_a_firewall_is_told() {
    for neutral in [
        None,
        Some((Came::Nothing, SOON)),
        Some((Came::Answer, LATER)),
    ] {
        let relay = relay(Protocol::Stun, RELAYS[0]);
        let mut world = world(std::slice::from_ref(&relay));
        let mut around = Around::silent(&mut world, &relay);
        around.over_tcp(Came::Answer, SOON + 1.0);
        around.classic(Came::Nothing);
        if let Some((came, t0)) = neutral {
            around.neutral(came, t0);
        }
        let verdict = world.judge();
        works(&verdict, Confidence::Confirmed);
        let reason = reason(&verdict);
        assert!(
            reason.contains("firewall may shut UDP for everybody"),
            "{reason}"
        );
    }
}

#[test]
fn a_relay_that_is_not_heard_over_tcp_either_says_nothing() {
    for came in [
        Came::Nothing,
        Came::Reset,
        Came::Refusal,
        Came::NoConnection,
    ] {
        let relay = relay(Protocol::Stun, RELAYS[0]);
        let mut world = world(std::slice::from_ref(&relay));
        let mut around = Around::silent(&mut world, &relay);
        around.over_tcp(came, SOON + 1.0);
        around.classic(Came::Nothing);
        around.neutral(Came::Answer, SOON);
        let verdict = world.judge();
        works(&verdict, Confidence::Confirmed);
        assert!(reason(&verdict).contains("says nothing"));
    }
}

#[test]
fn an_answer_over_tcp_after_the_silence_was_over_says_nothing_of_it() {
    let relay = relay(Protocol::Stun, RELAYS[0]);
    let mut world = world(std::slice::from_ref(&relay));
    let mut around = Around::silent(&mut world, &relay);
    // The line may have been cut before, for both.
    around.over_tcp(Came::Answer, LATER);
    around.classic(Came::Nothing);
    around.neutral(Came::Answer, SOON);
    let verdict = world.judge();
    works(&verdict, Confidence::Confirmed);
    assert!(reason(&verdict).contains("says nothing"));
}

#[test]
fn a_relay_that_is_heard_over_udp_in_the_older_form_is_not_called_silent() {
    let relay = relay(Protocol::Stun, RELAYS[0]);
    let mut world = world(std::slice::from_ref(&relay));
    let mut around = Around::silent(&mut world, &relay);
    around.over_tcp(Came::Answer, SOON + 1.0);
    // Once is not enough to name anything, and enough to say no more.
    let older = |climb: &mut Climb| climb.payload = Payload::WithoutCookie;
    around.ask(Variation::Payload, 1, (Came::Answer, SOON + 0.1), older);
    around.neutral(Came::Answer, SOON);
    let verdict = world.judge();
    works(&verdict, Confidence::Confirmed);
    assert!(reason(&verdict).contains("says nothing"));
}

#[test]
fn a_relay_over_tcp_alone_beside_one_that_works_degrades_nothing() {
    let relays = [RELAYS[0], RELAYS[1]].map(|address| relay(Protocol::Stun, address));
    let mut world = world(&relays);
    world.catalog.targets[0].services[1].pool = false;
    let mut around = Around::silent(&mut world, &relays[0]);
    around.over_tcp(Came::Answer, SOON + 1.0);
    around.neutral(Came::Answer, SOON);
    let works = climb_check("target", &relays[1], RELAYS[1], Role::Target);
    world.push(works, steps(Came::Answer, 0.0, false));
    let verdict = world.judge();
    assert!(reason(&verdict).contains("over TCP"));
    assert_eq!(verdict.services[1].status, Status::Accessible);
    assert_eq!(verdict.status, Status::Accessible);
}

#[test]
fn a_port_that_stands_over_tcp_keeps_its_address_from_being_called_dead() {
    let relays = RELAYS.map(|address| relay(Protocol::Stun, address));
    let mut world = world(&relays);
    for relay in &relays {
        let own = Endpoint {
            protocol: Protocol::Tcp,
            id: format!("tcp://{}:5222", relay.addresses[0]),
            port: 5222,
            ..relay.clone()
        };
        world.catalog.targets[0].services[1]
            .endpoints
            .push(own.clone());
        let address = own.addresses[0].to_string();
        for trial in 1..=3 {
            let mut dead = climb_check("target", &own, &address, Role::Target);
            dead.trial = trial;
            world.push(dead, steps(Came::NoConnection, 0.0, true));
        }
        let mut around = Around::silent(&mut world, relay);
        around.over_tcp(Came::Answer, SOON + 1.0);
    }
    let verdict = world.judge();
    assert!(!ids(&verdict).contains(&"address/drop"), "{verdict:#?}");
}

#[test]
fn relays_whose_tcp_port_is_dead_are_no_dead_addresses() {
    for came in [Came::NoConnection, Came::Refusal] {
        let relays = RELAYS.map(|address| relay(Protocol::Stun, address));
        let mut world = world(&relays);
        for relay in &relays {
            let mut around = Around::silent(&mut world, relay);
            around.over_tcp(came, SOON);
            around.over_tcp(came, SOON + 3.0);
            around.classic(Came::Nothing);
        }
        works(&world.judge(), Confidence::Confirmed);
    }
}

#[test]
fn three_silent_trials_are_chance_on_a_line_that_loses_much() {
    let at_home: Contrasting = |around| around.classic(Came::Answer);
    let at_controls: Contrasting = |around| around.looked_at_everywhere();
    for (contrast, surely) in [
        (at_home, Confidence::Likely),
        (at_controls, Confidence::Confirmed),
    ] {
        chance(contrast, surely);
    }
}

type Contrasting = for<'a> fn(&mut Around<'a>);

fn chance(contrast: Contrasting, surely: Confidence) {
    let relay = relay(Protocol::Stun, RELAYS[0]);
    for (again, confidence) in [
        (6, Some(surely)),
        (16, Some(Confidence::Likely)),
        (26, None),
    ] {
        let mut world = world(std::slice::from_ref(&relay));
        world.loss(again);
        contrast(&mut Around::silent(&mut world, &relay));
        let verdict = world.judge();
        let named = verdict.techniques.first();
        assert_eq!(named.map(|it| it.confidence), confidence, "{verdict:#?}");
        let doubt = named.and_then(|it| it.doubt.as_deref());
        let is_doubted = doubt.is_some_and(|doubt| doubt.contains("by chance"));
        assert_eq!(is_doubted, again == 16);
    }
}

#[test]
fn relays_that_know_the_older_form_alone_are_doubted_and_one_of_them_says_nothing() {
    for (count, neutral, confidence) in [
        (1, None, Some(Confidence::Likely)),
        (1, Some(Came::Answer), None),
        (2, Some(Came::Answer), Some(Confidence::Likely)),
    ] {
        let relays = RELAYS.map(|address| relay(Protocol::Stun, address));
        let mut world = world(&relays[..count]);
        for relay in &relays[..count] {
            let mut around = Around::silent(&mut world, relay);
            around.classic(Came::Answer);
            if let Some(came) = neutral {
                around.neutral(came, SOON);
            }
        }
        let verdict = world.judge();
        let named = verdict.techniques.first();
        assert_eq!(named.map(|it| it.confidence), confidence, "{verdict:#?}");
        if let Some(named) = named {
            assert_eq!(named.id, "protocol/drop");
            let doubt = named.doubt.as_deref().unwrap_or_default();
            assert!(doubt.contains("the older form alone"), "{doubt}");
        }
    }
}

#[test]
fn relays_that_answer_and_do_not_relay_are_not_looked_at() {
    let relays = RELAYS.map(|address| relay(Protocol::Turn, address));
    let mut world = world(&relays);
    for relay in &relays {
        let mut around = Around::silent(&mut world, relay);
        around.classic(Came::Answer);
        around.looked_at_everywhere();
    }
    works(&world.judge(), Confidence::Confirmed);
}

#[test]
fn what_the_trains_to_controls_lose_counts_as_the_questions_to_resolvers_do() {
    let relay = relay(Protocol::Stun, RELAYS[0]);
    for (answered, named) in [(11, true), (5, false)] {
        let mut world = world(std::slice::from_ref(&relay));
        let mut train = steps(Came::Answer, 0.0, false);
        let exchange = train[0].exchange.as_mut().unwrap();
        exchange.datagrams = Some(11);
        exchange.round_trips = vec![0.1; answered];
        let control = climb_check("ground", &relay, NEUTRAL, Role::Control);
        world
            .ground
            .push(observation("o99".to_owned(), control, train));
        Around::silent(&mut world, &relay).classic(Came::Answer);
        let verdict = world.judge();
        assert_eq!(!ids(&verdict).is_empty(), named, "{verdict:#?}");
    }
}

#[test]
fn where_the_cookie_is_looked_at_the_answer_over_tcp_is_among_the_evidence() {
    let relay = relay(Protocol::Stun, RELAYS[0]);
    let mut world = world(std::slice::from_ref(&relay));
    let mut around = Around::silent(&mut world, &relay);
    around.over_tcp(Came::Answer, SOON + 1.0);
    around.classic(Came::Answer);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["protocol/drop"]);
    assert_eq!(verdict.status, Status::Degraded);
    let technique = &verdict.techniques[0];
    assert!(
        technique
            .seen
            .ends_with("Over TCP it was answered in 2 of 2"),
        "{}",
        technique.seen
    );
    let over_tcp = world.observations.iter().find(|it| {
        let contrast = it.check.contrast.as_ref();
        contrast.is_some_and(|it| it.varies == Variation::Transport)
    });
    assert!(technique.evidence.contains(&over_tcp.unwrap().id));
}

#[test]
fn where_stun_alone_is_silent_calls_are_told_and_no_protocol_of_its_own() {
    let relays = RELAYS.map(|address| relay(Protocol::Stun, address));
    let mut world = world(&relays);
    for relay in &relays {
        Around::silent(&mut world, relay).classic(Came::Answer);
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["protocol/drop"]);
    let words = "The connection requests of its calls (STUN) get no reply";
    assert!(verdict.summary.ends_with(words), "{}", verdict.summary);
    let mut technique = verdict.techniques[0].clone();
    assert_eq!(technique.endpoints.len(), relays.len());
    assert!(technique.hits_calls_alone());
    // With anything else among them, the words that fit all of it are kept; so they are where no endpoint is named.
    let own = "mtproto_abridged://192.0.2.1:443".to_owned();
    technique.endpoints.push(own);
    assert!(!technique.hits_calls_alone());
    technique.endpoints.clear();
    assert!(!technique.hits_calls_alone());
}

/// A neutral relay among the controls, and what came of it before any target was asked about.
fn neutral_control(world: &mut World, came: Option<Came>) {
    let neutral = relay(Protocol::Stun, NEUTRAL);
    world.catalog.controls.push(Control {
        id: "neutral".to_owned(),
        operator: "neutral".to_owned(),
        region: Region::Foreign,
        endpoint: neutral.clone(),
    });
    if let Some(came) = came {
        let check = climb_check("ground", &neutral, NEUTRAL, Role::Control);
        let mut steps = steps(came, 0.0, false);
        if let Came::Answer = came {
            steps[0].exchange.as_mut().unwrap().round_trips = vec![0.1];
        }
        world
            .ground
            .push(observation("o98".to_owned(), check, steps));
    }
}

#[test]
fn where_no_neutral_relay_is_heard_over_udp_calls_were_not_measured_and_that_is_told() {
    for (came, is_heard) in [
        (Some(Came::Answer), true),
        (Some(Came::Nothing), false),
        (None, false),
    ] {
        // Beside others in its pool, as Apple's test of the NAT, or alone, as WhatsApp's relays.
        for is_beside in [true, false] {
            let relay = relay(Protocol::Commnat, RELAYS[0]);
            let mut world = world(std::slice::from_ref(&relay));
            neutral_control(&mut world, came);
            Around::silent(&mut world, &relay).classic(Came::Nothing);
            if is_beside {
                let web = endpoint(Protocol::Https, 443);
                let services = &mut world.catalog.targets[0].services;
                services[1].endpoints.push(web);
            }
            let verdict = world.judge();
            assert_eq!(verdict.status, Status::Accessible);
            assert!(verdict.techniques.is_empty());
            let reason = verdict.reason.unwrap_or_default();
            let sentence = "calls: calls were not measured";
            assert_eq!(!reason.contains(sentence), is_heard, "{reason}");
            let confidence = if is_heard {
                Confidence::Confirmed
            } else {
                Confidence::Likely
            };
            assert_eq!(verdict.confidence, confidence, "{came:?} {is_beside}");
        }
    }
}

#[test]
fn a_relay_that_is_heard_shows_that_udp_passes() {
    let relays = [RELAYS[0], RELAYS[1]].map(|address| relay(Protocol::Stun, address));
    let mut world = world(&relays);
    neutral_control(&mut world, Some(Came::Nothing));
    Around::silent(&mut world, &relays[0]).classic(Came::Nothing);
    let heard = climb_check("target", &relays[1], RELAYS[1], Role::Target);
    world.push(heard, steps(Came::Answer, 0.0, false));
    let verdict = world.judge();
    assert_eq!(verdict.status, Status::Accessible);
    assert_eq!(
        (verdict.confidence, verdict.reason),
        (Confidence::Confirmed, None)
    );
}
