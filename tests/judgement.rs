//! The rules, one by one: each names its technique, stays silent on every innocent explanation, and tells its doubt.

use std::net::SocketAddr;

use blockprobe::analysis;
use blockprobe::analysis::ground::Ground;
use blockprobe::model::catalog::{
    BlockPage, Catalog, Control, Endpoint, Expect, Protocol, Region, Resolver, ResolverRole,
    Service, Target, Transport,
};
use blockprobe::model::check::{Ask, Check, Climb, RecordType, Role, Round};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{
    CertificateFacts, DnsAnswer, DnsFacts, DnsReply, HttpFacts, Observation, Operation, Step,
    TlsFacts,
};
use blockprobe::model::report::{Confidence, EndpointStatus, Regime, Status, Verdict};

const HOST: &str = "web.example";
const HONEST: &str = "93.184.216.34";
const OTHER: &str = "93.184.216.99";
const CONTROL: &str = "control.example";

// ---- what names each technique ------------------------------------------------------------------------------------

#[test]
fn a_name_denied_in_three_trials_is_confirmed_when_protected_resolvers_know_it() {
    for (failure, rcode, technique) in [
        (Failure::DnsNxdomain, 3, "domain_name/nxdomain"),
        (Failure::DnsNoAnswer, 0, "domain_name/no_answer"),
        (Failure::DnsRefused, 5, "domain_name/refused_answer"),
        (Failure::DnsServfail, 2, "domain_name/servfail"),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.denial("isp", trial, &failure, rcode);
        }
        let verdict = world.judge();
        assert_eq!(verdict.status, Status::Blocked, "{technique}");
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
        assert_eq!(verdict.confidence, Confidence::Confirmed);
        assert_eq!(verdict.services[0].endpoints[0].failure, Some(failure));
        assert!(!verdict.techniques[0].evidence.is_empty());
    }
}

#[test]
fn silence_for_one_name_is_named_after_four_trials() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=4 {
        world.silence("isp", trial);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/drop"]);
}

#[test]
fn a_bogon_where_others_know_the_address_is_a_false_answer() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.bogon("isp", trial, "10.10.34.35");
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn a_known_block_page_address_needs_no_repetition() {
    let mut world = World::new();
    world.honest_resolvers();
    world.answer("isp", 1, &["62.33.207.197"]);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn an_address_where_somebody_else_answers_is_false_once_the_honest_one_proves_itself() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, impostor());
    world.climb(HONEST, proven());
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn two_contradicting_answers_to_three_queries_are_an_injection() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.two_answers("isp", trial, "10.10.34.35", HONEST);
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn an_answer_from_where_no_resolver_is_has_no_innocent_explanation() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsNxdomain, 3);
    world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn a_hijacked_resolver_is_listed_at_the_resolver_and_is_no_contrast() {
    let mut world = World::new();
    for trial in 1..=3 {
        world.control("decoy", trial);
    }
    world.control("quad9", 1);
    let ground = world.ground();
    let quad9 = ground
        .resolvers
        .iter()
        .find(|resolver| resolver.name == "quad9")
        .unwrap();
    assert_eq!(quad9.techniques[0].id, "resolver/hijacked_resolver");
    assert_eq!(quad9.techniques[0].confidence, Confidence::Confirmed);
    assert!(quad9.techniques[0].doubt.is_some());

    // Its honest-looking answer proves nothing: it is not that resolver's.
    world.answer("quad9", 1, &[HONEST]);
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    assert_eq!(world.judge().status, Status::Inconclusive);
}

// ---- what leaves each rule silent ---------------------------------------------------------------------------------

#[test]
fn a_name_that_nobody_knows_is_retired_and_not_blocked() {
    let mut world = World::new();
    for resolver in ["isp", "google", "quad9"] {
        for trial in 1..=3 {
            world.denial(resolver, trial, &Failure::DnsNxdomain, 3);
        }
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_resolver_that_answers_no_control_either_is_dead_and_not_a_censor() {
    let mut world = World::without_control_at("isp");
    world.honest_resolvers();
    for trial in 1..=4 {
        world.silence("isp", trial);
    }
    let verdict = world.judge();
    silent(&verdict, Status::Inconclusive);
    assert!(
        verdict.reason.unwrap().contains("control names"),
        "the reason names the resolver"
    );
}

#[test]
fn a_household_filter_that_answers_the_null_address_is_not_a_censor() {
    for null in ["0.0.0.0", "::"] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.bogon("isp", trial, null);
        }
        silent(&world.judge(), Status::Inconclusive);
    }
}

#[test]
fn a_flapping_answer_names_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsServfail, 2);
    world.answer("isp", 2, &[HONEST]);
    world.denial("isp", 3, &Failure::DnsServfail, 2);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn three_lost_queries_name_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.silence("isp", trial);
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn another_address_that_proves_itself_is_honest_whatever_others_say() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_certificate_that_is_wrong_for_everybody_names_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, impostor());
    world.climb(HONEST, impostor());
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_resolver_that_repeats_itself_injects_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.two_answers("isp", trial, HONEST, HONEST);
    }
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_path_that_answers_everything_is_no_injection() {
    let mut world = World::new();
    world.honest_resolvers();
    world.control("decoy", 1);
    world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
    world.answer("isp", 1, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_refused_connection_without_contrast_is_suspected_and_never_blocked() {
    for failure in [
        Failure::ConnectionRefused,
        Failure::GenericTimeout,
        Failure::HostUnreachable,
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        world.answer("isp", 1, &[HONEST]);
        world.climb(
            HONEST,
            step(Operation::TcpConnect, Some(failure.clone())).into(),
        );
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        assert_eq!(verdict.confidence, Confidence::Suspected);
        assert_eq!(verdict.services[0].endpoints[0].failure, Some(failure));
    }
}

#[test]
fn under_a_captive_portal_nothing_is_blamed() {
    let mut world = World::new();
    world.portal();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    assert_eq!(world.ground().regime, Regime::CaptivePortal);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_line_on_which_nothing_answers_is_offline() {
    let world = World::bare();
    assert_eq!(world.ground().regime, Regime::Offline);
    silent(&world.judge(), Status::Inconclusive);
}

// ---- what doubt is told -------------------------------------------------------------------------------------------

#[test]
fn fewer_than_three_trials_are_likely_and_say_why() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsNxdomain, 3);
    let verdict = world.judge();
    assert_eq!(verdict.status, Status::Blocked);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("repeated")
    );
}

#[test]
fn one_plain_resolver_as_contrast_is_likely_and_says_so() {
    let mut world = World::new();
    world.answer("quad9", 1, &[HONEST]);
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(verdict.techniques[0].doubt.is_some());
}

// ---- status ---------------------------------------------------------------------------------------------------------

#[test]
fn an_endpoint_that_was_never_run_is_not_a_failure() {
    let world = World::new();
    let verdict = world.judge();
    assert_eq!(
        verdict.services[0].endpoints[0].status,
        EndpointStatus::NotRun
    );
    silent(&verdict, Status::Inconclusive);
}

#[test]
fn a_lookup_that_heard_nothing_is_made_good_by_the_resolver_asked_directly() {
    let mut world = World::new();
    world.honest_resolvers();
    world.lookup(1, dns(&[], &[]), Some(Failure::GenericTimeout));
    world.answer("isp", 1, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_resolver_that_answers_when_it_is_asked_again_answers() {
    let mut world = World::new();
    world.honest_resolvers();
    world.silence("isp", 1);
    world.answer("isp", 2, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_forged_answer_that_won_the_race_is_not_the_resolvers_own_lie() {
    let bogon = "10.10.34.35";
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    for trial in 1..=3 {
        let first = dns(&[reply(0, &[bogon])], &[bogon]);
        world.lookup(trial, first, Some(Failure::DnsBogon));
        world.two_answers("isp", trial, bogon, HONEST);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/injected_answer"]);
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    for trial in 1..=3 {
        let first = dns(&[reply(3, &[])], &[]);
        world.lookup(trial, first, Some(Failure::DnsNxdomain));
        world.two_answers("isp", trial, bogon, HONEST);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/injected_answer"]);
}

#[test]
fn a_service_that_fails_whole_is_not_forgotten() {
    let mut world = World::new();
    world.honest_resolvers();
    world.answer("isp", 1, &[HONEST]);
    let services = &mut world.catalog.targets[0].services;
    let mut other = services[0].clone();
    other.id = "other".to_owned();
    other.essential = false;
    other.endpoints[0].id = "https://web.example/other".to_owned();
    services.insert(0, other);
    let failed = step(Operation::TlsHandshake, Some(Failure::GenericTimeout));
    world.climb(HONEST, failed.into());
    world.catalog.targets[0].services.rotate_left(1);
    world.climb(HONEST, proven());
    let verdict = world.judge();
    silent(&verdict, Status::Degraded);
    assert_eq!(verdict.confidence, Confidence::Suspected);
}

#[test]
fn a_line_on_which_foreign_servers_connect_and_never_answer_passes_a_list() {
    let mut world = World::bare();
    let mut domestic = world.catalog.controls.clone();
    for control in &mut domestic {
        control.id.push_str("_domestic");
        control.operator.push_str(" domestic");
        control.endpoint.id.push_str("domestic");
        control.region = Region::Domestic;
    }
    let mut foreign = world.catalog.controls.clone();
    let mut third = foreign[0].clone();
    third.operator = "Three".to_owned();
    third.endpoint.id = "http://three/".to_owned();
    let mut connection = foreign[0].clone();
    connection.operator = "Four".to_owned();
    connection.endpoint = Endpoint {
        id: "tcp://four:5228".to_owned(),
        ..endpoint(Protocol::Tcp, 5228)
    };
    foreign.extend([third, connection]);
    world.catalog.controls = domestic;
    world.control_climb("HTTP 204", 204, "");
    for connects in [true, false] {
        let mut world = World {
            catalog: world.catalog.clone(),
            ground: world.ground.clone(),
            ..World::bare()
        };
        for control in &foreign {
            world.foreign_silence(control, connects);
        }
        world.catalog.controls.extend(foreign.iter().cloned());
        let wanted = if connects {
            Regime::AllowList
        } else {
            Regime::DomesticOnly
        };
        assert_eq!(world.ground().regime, wanted);
    }
}

fn silent(verdict: &Verdict, status: Status) {
    assert_eq!(verdict.status, status, "{verdict:#?}");
    assert!(verdict.techniques.is_empty(), "{:#?}", verdict.techniques);
}

fn ids(verdict: &Verdict) -> Vec<&str> {
    verdict
        .techniques
        .iter()
        .map(|technique| technique.id.as_str())
        .collect()
}

// ---- a world made by hand -------------------------------------------------------------------------------------------

/// One target with one HTTPS endpoint, a control, and resolvers `isp`, `google` (DoH), `quad9` (UDP) and `decoy`.
struct World {
    catalog: Catalog,
    ground: Vec<Observation>,
    observations: Vec<Observation>,
    portal: bool,
}

impl World {
    /// An open line: the control works and every resolver answers for it.
    fn new() -> Self {
        let mut world = Self::bare();
        for resolver in ["isp", "google", "quad9"] {
            world.control(resolver, 1);
        }
        world.control_climb("HTTP 204", 204, "");
        world
    }

    fn without_control_at(absent: &str) -> Self {
        let mut world = Self::bare();
        for resolver in ["isp", "google", "quad9"]
            .into_iter()
            .filter(|name| *name != absent)
        {
            world.control(resolver, 1);
        }
        world.control_climb("HTTP 204", 204, "");
        world
    }

    fn bare() -> Self {
        Self {
            catalog: catalog(),
            ground: Vec::new(),
            observations: Vec::new(),
            portal: false,
        }
    }

    fn portal(&mut self) {
        self.ground
            .retain(|observation| !matches!(observation.check.ask, Ask::Climb(_)));
        self.control_climb("HTTP 302", 302, "log in");
        self.portal = true;
    }

    fn ground(&self) -> Ground {
        Ground::new(
            &self.catalog,
            &[],
            jiff::Timestamp::UNIX_EPOCH,
            &self.ground,
        )
    }

    fn judge(&self) -> Verdict {
        analysis::judge(
            &self.catalog,
            &self.catalog.targets[0],
            &self.ground(),
            &self.observations,
        )
    }

    fn honest_resolvers(&mut self) {
        self.answer("google", 1, &[HONEST]);
        self.answer("quad9", 1, &[HONEST]);
    }

    fn control(&mut self, resolver: &str, trial: u32) {
        let check = query("ground", resolver, CONTROL, Role::Control, trial);
        let facts = dns(&[reply(0, &["198.41.0.4"])], &[]);
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground
            .push(observation(id, check, vec![resolve(facts, None)]));
    }

    fn control_climb(&mut self, _about: &str, status: u16, body: &str) {
        for control in self.catalog.controls.clone() {
            let mut http = step(Operation::HttpRoundTrip, None);
            http.http = Some(Box::new(HttpFacts {
                version: "HTTP/1.1".to_owned(),
                status,
                body: Some(body.to_owned()),
                ..HttpFacts::default()
            }));
            let id = format!("o{}", 1000 + self.ground.len());
            let check = climb_check("ground", &control.endpoint, "198.41.0.4", Role::Control);
            let steps = vec![step(Operation::TcpConnect, None), http];
            self.ground.push(observation(id, check, steps));
        }
    }

    /// Nothing is heard of a control, which at least connects or does not.
    fn foreign_silence(&mut self, control: &Control, connects: bool) {
        let check = climb_check("ground", &control.endpoint, "198.41.0.4", Role::Control);
        let lost = Some(Failure::GenericTimeout);
        let mut steps = vec![step(Operation::TcpConnect, lost.clone())];
        if connects {
            steps[0].failure = None;
            if control.endpoint.protocol != Protocol::Tcp {
                steps.push(step(Operation::HttpRoundTrip, lost));
            }
        }
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground.push(observation(id, check, steps));
    }

    fn lookup(&mut self, trial: u32, facts: DnsFacts, failure: Option<Failure>) {
        self.push(
            lookup_check("target", HOST, trial),
            vec![resolve(facts, failure)],
        );
    }

    /// The system's own view knows the control.
    fn ground_lookup(&mut self) {
        let mut check = lookup_check("ground", CONTROL, 1);
        check.role = Role::Control;
        let facts = dns(&[reply(0, &["198.41.0.4"])], &[]);
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground
            .push(observation(id, check, vec![resolve(facts, None)]));
    }

    fn push(&mut self, check: Check, steps: Vec<Step>) {
        let id = format!("o{}", self.observations.len() + 1);
        self.observations.push(observation(id, check, steps));
    }

    fn answer(&mut self, resolver: &str, trial: u32, addresses: &[&str]) {
        let facts = dns(&[reply(0, addresses)], &[]);
        self.push(
            query("target", resolver, HOST, Role::Target, trial),
            vec![resolve(facts, None)],
        );
    }

    fn denial(&mut self, resolver: &str, trial: u32, failure: &Failure, rcode: u16) {
        let facts = dns(&[reply(rcode, &[])], &[]);
        let steps = vec![resolve(facts, Some(failure.clone()))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    fn silence(&mut self, resolver: &str, trial: u32) {
        let steps = vec![resolve(dns(&[], &[]), Some(Failure::GenericTimeout))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    fn bogon(&mut self, resolver: &str, trial: u32, address: &str) {
        let facts = dns(&[reply(0, &[address])], &[address]);
        let steps = vec![resolve(facts, Some(Failure::DnsBogon))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    fn two_answers(&mut self, resolver: &str, trial: u32, first: &str, second: &str) {
        let bogons: &[&str] = if first.starts_with("10.") {
            &[first]
        } else {
            &[]
        };
        let failure = (!bogons.is_empty()).then_some(Failure::DnsBogon);
        let facts = dns(&[reply(0, &[first]), reply(0, &[second])], bogons);
        let steps = vec![resolve(facts, failure)];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    fn climb(&mut self, address: &str, last: Last) {
        let endpoint = self.catalog.targets[0].services[0].endpoints[0].clone();
        let check = climb_check("target", &endpoint, address, Role::Target);
        let mut steps = Vec::new();
        if last.0.operation != Operation::TcpConnect {
            steps.push(step(Operation::TcpConnect, None));
        }
        steps.push(last.0);
        self.push(check, steps);
    }
}

/// The step a climb ended with.
struct Last(Step);

impl From<Step> for Last {
    fn from(step: Step) -> Self {
        Self(step)
    }
}

fn proven() -> Last {
    let mut step = step(Operation::TlsHandshake, None);
    step.tls = Some(Box::new(TlsFacts {
        chain: vec![certificate()],
        name_matches: Some(true),
        trusted_by: Some("public".to_owned()),
        valid_now: Some(true),
        ..TlsFacts::default()
    }));
    Last(step)
}

fn impostor() -> Last {
    let mut step = step(Operation::TlsHandshake, Some(Failure::SslUnknownAuthority));
    step.tls = Some(Box::new(TlsFacts {
        chain: vec![certificate()],
        name_matches: Some(false),
        trusted_by: None,
        valid_now: Some(true),
        ..TlsFacts::default()
    }));
    Last(step)
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        sha256: "00".to_owned(),
        subject: "CN=somebody".to_owned(),
        issuer: "CN=somebody".to_owned(),
        not_before: "2026-01-01T00:00:00Z".to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
        names: Vec::new(),
    }
}

fn step(operation: Operation, failure: Option<Failure>) -> Step {
    Step {
        operation,
        t0: 0.0,
        t: 0.1,
        failure,
        dns: None,
        tcp: None,
        tls: None,
        http: None,
    }
}

fn resolve(facts: DnsFacts, failure: Option<Failure>) -> Step {
    Step {
        dns: Some(Box::new(facts)),
        ..step(Operation::Resolve, failure)
    }
}

fn dns(replies: &[DnsReply], bogons: &[&str]) -> DnsFacts {
    DnsFacts {
        sent: 1,
        replies: replies.to_vec(),
        bogons: bogons.iter().map(|bogon| (*bogon).to_owned()).collect(),
        http_status: None,
    }
}

fn reply(rcode: u16, addresses: &[&str]) -> DnsReply {
    DnsReply {
        t: 0.1,
        bytes: 64,
        id_matches: true,
        malformed: None,
        rcode,
        authoritative: false,
        recursion_available: true,
        authentic: false,
        truncated: false,
        answers: addresses
            .iter()
            .map(|address| DnsAnswer {
                name: HOST.to_owned(),
                record: if address.contains(':') { "AAAA" } else { "A" }.to_owned(),
                ttl: 60,
                value: (*address).to_owned(),
            })
            .collect(),
        soa: None,
    }
}

fn observation(id: String, check: Check, steps: Vec<Step>) -> Observation {
    Observation {
        id,
        check,
        steps,
        not_run: None,
    }
}

fn query(subject: &str, resolver: &str, name: &str, role: Role, trial: u32) -> Check {
    Check {
        id: format!("{subject}/{resolver}/{name}#{trial}"),
        round: Round::Resolve,
        subject: subject.to_owned(),
        endpoints: Vec::new(),
        role,
        trial,
        ask: Ask::Query {
            resolver: resolver.to_owned(),
            name: name.to_owned(),
            record: RecordType::A,
            chaos: false,
        },
    }
}

fn lookup_check(subject: &str, name: &str, trial: u32) -> Check {
    Check {
        id: format!("{subject}/lookup/{name}#{trial}"),
        ask: Ask::Lookup {
            name: name.to_owned(),
        },
        ..query(subject, "isp", name, Role::Target, trial)
    }
}

fn climb_check(subject: &str, endpoint: &Endpoint, address: &str, role: Role) -> Check {
    Check {
        id: format!("{subject}/{}@{address}", endpoint.id),
        round: Round::Reach,
        subject: subject.to_owned(),
        endpoints: vec![endpoint.id.clone()],
        role,
        trial: 1,
        ask: Ask::Climb(Climb {
            address: SocketAddr::new(address.parse().unwrap(), endpoint.port),
            protocol: endpoint.protocol,
            host: endpoint.host.clone(),
            server_name: endpoint.host.clone(),
            alpn: Vec::new(),
            path: "/".to_owned(),
            look_for: None,
            private_root: None,
        }),
    }
}

fn catalog() -> Catalog {
    let control = |id: &str, operator: &str| Control {
        id: id.to_owned(),
        operator: operator.to_owned(),
        region: Region::Foreign,
        endpoint: Endpoint {
            id: format!("http://{id}/"),
            host: Some(CONTROL.to_owned()),
            expect: Expect {
                status: vec![204],
                body: Some(String::new()),
                ..Expect::default()
            },
            ..endpoint(Protocol::Http, 80)
        },
    };
    Catalog {
        targets: vec![Target {
            id: "target".to_owned(),
            name: "Target".to_owned(),
            services: vec![Service {
                id: "web".to_owned(),
                essential: true,
                pool: false,
                endpoints: vec![endpoint(Protocol::Https, 443)],
            }],
        }],
        controls: vec![control("one", "One"), control("two", "Two")],
        resolvers: vec![
            resolver("isp", ResolverRole::System, Transport::Udp),
            resolver("google", ResolverRole::Public, Transport::Doh),
            resolver("quad9", ResolverRole::Public, Transport::Udp),
            resolver("decoy", ResolverRole::Decoy, Transport::Udp),
        ],
        block_pages: vec![BlockPage {
            operator: "TTK".to_owned(),
            addresses: vec!["62.33.207.197".parse().unwrap()],
        }],
        ..Catalog::default()
    }
}

fn endpoint(protocol: Protocol, port: u16) -> Endpoint {
    Endpoint {
        id: format!("{}://{HOST}/", protocol.word()),
        host: Some(HOST.to_owned()),
        addresses: Vec::new(),
        port,
        protocol,
        server_name: None,
        path: "/".to_owned(),
        alpn: Vec::new(),
        expect: Expect::default(),
    }
}

fn resolver(id: &str, role: ResolverRole, transport: Transport) -> Resolver {
    Resolver {
        id: id.to_owned(),
        name: id.to_owned(),
        operator: id.to_owned(),
        role,
        region: Region::Foreign,
        transport,
        address: "203.0.113.7:53".parse().unwrap(),
        server_name: None,
        path: "/dns-query".to_owned(),
    }
}
