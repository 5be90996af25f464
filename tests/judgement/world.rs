//! A world made by hand: one target, its resolvers and a control, and what was seen of them.

use std::net::SocketAddr;

use blockprobe::analysis;
use blockprobe::analysis::ground::Ground;
use blockprobe::model::catalog::{
    BlockPage, Catalog, Control, Definitions, Endpoint, Expect, Protocol, Region, Resolver,
    ResolverRole, Service, Target, Transport,
};
use blockprobe::model::check::{
    Ask, Check, Climb, Contrast, Hello, Payload, RecordType, Role, Round, Variation,
};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{
    CertificateFacts, DnsAnswer, DnsFacts, DnsReply, HttpFacts, IcmpError, Observation, Operation,
    Step, TcpFacts, TlsFacts,
};
use blockprobe::model::report::{
    FORMAT, Measured, Regime, Report, Run, Software, Status, Vantage, Verdict,
};
use jiff::{SignedDuration, Timestamp};

pub const HOST: &str = "web.example";
pub const HONEST: &str = "93.184.216.34";
pub const OTHER: &str = "93.184.216.99";
pub const CONTROL: &str = "control.example";

/// One target with one HTTPS endpoint, a control, and resolvers `isp`, `google` (DoH), `quad9` (UDP) and `decoy`.
#[derive(Clone)]
pub struct World {
    pub catalog: Catalog,
    pub ground: Vec<Observation>,
    pub observations: Vec<Observation>,
    pub portal: bool,
}

impl World {
    /// An open line: the control works and every resolver answers for it.
    pub fn new() -> Self {
        let mut world = Self::bare();
        for resolver in ["isp", "google", "quad9"] {
            world.control(resolver, 1);
        }
        world.control_climb("HTTP 204", 204, "");
        world
    }

    pub fn without_control_at(absent: &str) -> Self {
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

    pub fn bare() -> Self {
        Self {
            catalog: catalog(),
            ground: Vec::new(),
            observations: Vec::new(),
            portal: false,
        }
    }

    pub fn portal(&mut self) {
        self.ground
            .retain(|observation| !matches!(observation.check.ask, Ask::Climb(_)));
        self.control_climb("HTTP 302", 302, "log in");
        self.portal = true;
    }

    pub fn ground(&self) -> Ground {
        Ground::new(
            &self.catalog,
            &[],
            jiff::Timestamp::UNIX_EPOCH,
            &self.ground,
        )
    }

    pub fn judge(&self) -> Verdict {
        analysis::judge(
            &self.catalog,
            &self.catalog.targets[0],
            &self.ground(),
            &self.observations,
        )
    }

    pub fn honest_resolvers(&mut self) {
        self.answer("google", 1, &[HONEST]);
        self.answer("quad9", 1, &[HONEST]);
    }

    /// One more public resolver that is asked over UDP.
    pub fn witness(&mut self, id: &str, operator: &str, last_octet: u8) {
        self.catalog.resolvers.push(Resolver {
            operator: operator.to_owned(),
            address: SocketAddr::from(([203, 0, 113, 100 + last_octet], 53)),
            ..resolver(id, ResolverRole::Public, Transport::Udp)
        });
    }

    pub fn control(&mut self, resolver: &str, trial: u32) {
        let check = query("ground", resolver, CONTROL, Role::Control, trial);
        let facts = dns(&[reply(0, &["198.41.0.4"])], &[]);
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground
            .push(observation(id, check, vec![resolve(facts, None)]));
    }

    pub fn control_climb(&mut self, _about: &str, status: u16, body: &str) {
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

    pub fn push(&mut self, check: Check, steps: Vec<Step>) {
        let id = format!("o{}", self.observations.len() + 1);
        self.observations.push(observation(id, check, steps));
    }

    pub fn answer(&mut self, resolver: &str, trial: u32, addresses: &[&str]) {
        let facts = dns(&[reply(0, addresses)], &[]);
        self.push(
            query("target", resolver, HOST, Role::Target, trial),
            vec![resolve(facts, None)],
        );
    }

    pub fn denial(&mut self, resolver: &str, trial: u32, failure: &Failure, rcode: u16) {
        let facts = dns(&[reply(rcode, &[])], &[]);
        let steps = vec![resolve(facts, Some(failure.clone()))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    pub fn silence(&mut self, resolver: &str, trial: u32) {
        let steps = vec![resolve(lost(), Some(Failure::GenericTimeout))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    /// As many names more are defined, for another target.
    pub fn other_names(&mut self, names: usize) {
        let mut other = self.catalog.targets[0].clone();
        "other".clone_into(&mut other.id);
        let endpoint = &other.services[0].endpoints[0];
        other.services[0].endpoints = (0..names)
            .map(|at| Endpoint {
                id: format!("other/{at}"),
                host: Some(format!("{at}.{HOST}")),
                ..endpoint.clone()
            })
            .collect();
        self.catalog.targets.push(other);
    }

    /// The line loses datagrams: of 60 questions for the control that were answered, so many had to be sent again.
    pub fn loss(&mut self, again: usize) {
        for at in 0..60 {
            self.control("isp", 1);
            let last = self.ground.last_mut().unwrap();
            last.check.id = format!("{}~{at}", last.check.id);
            if at < again {
                last.steps[0].dns.as_mut().unwrap().sent = 2;
            }
        }
    }

    pub fn bogon(&mut self, resolver: &str, trial: u32, address: &str) {
        let facts = dns(&[reply(0, &[address])], &[address]);
        let steps = vec![resolve(facts, Some(Failure::DnsBogon))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    pub fn two_answers(&mut self, resolver: &str, trial: u32, first: &str, second: &str) {
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

    pub fn lookup(&mut self, trial: u32, facts: DnsFacts, failure: Option<Failure>) {
        self.push(
            lookup_check("target", HOST, trial),
            vec![resolve(facts, failure)],
        );
    }

    /// The system's own view knows the control.
    pub fn ground_lookup(&mut self) {
        let mut check = lookup_check("ground", CONTROL, 1);
        check.role = Role::Control;
        let facts = dns(&[reply(0, &["198.41.0.4"])], &[]);
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground
            .push(observation(id, check, vec![resolve(facts, None)]));
    }

    /// Nothing is heard of a control, which at least connects or does not.
    pub fn foreign_silence(&mut self, control: &Control, connects: bool) {
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

    /// A control that proves itself by TLS.
    pub fn control_proof(&mut self, control: &Control) {
        let check = climb_check("ground", &control.endpoint, "198.41.0.9", Role::Control);
        let mut answered = step(Operation::HttpRoundTrip, None);
        answered.http = Some(Box::new(HttpFacts {
            status: 200,
            ..HttpFacts::default()
        }));
        let steps = vec![step(Operation::TcpConnect, None), proven().0, answered];
        let id = format!("o{}", 1000 + self.ground.len());
        self.ground.push(observation(id, check, steps));
    }

    /// A control name is asked of the decoy thrice, and nothing comes within so many seconds; another resolver answers.
    pub fn decoy_is_silent(&mut self, seconds: f64) {
        for trial in 1..=3 {
            let check = query("ground", "decoy", CONTROL, Role::Control, trial);
            let mut silent = resolve(lost(), Some(Failure::GenericTimeout));
            silent.t = seconds;
            let id = format!("o{}", 4000 + self.ground.len());
            self.ground.push(observation(id, check, vec![silent]));
        }
        self.control("quad9", 1);
    }

    /// So many names more of the target, each with an endpoint.
    pub fn more_names(&mut self, names: usize) {
        let service = &mut self.catalog.targets[0].services[0];
        let first = service.endpoints[0].clone();
        service.endpoints.extend((0..names).map(|at| Endpoint {
            id: format!("https://{at}.{HOST}/"),
            host: Some(format!("{at}.{HOST}")),
            ..first.clone()
        }));
    }

    /// A control name is asked of the decoy beside the target's, and nothing comes.
    pub fn decoy_is_silent_beside(&mut self, trial: u32) {
        let mut check = query("target", "decoy", CONTROL, Role::Control, trial);
        check.round = Round::Contrast;
        let mut silent = resolve(lost(), Some(Failure::GenericTimeout));
        silent.t = 0.75;
        self.push(check, vec![silent]);
    }

    /// So many controls more, of an operator each, of which the first few met that last step, and the others none.
    pub fn strangers(&mut self, protocol: Protocol, of: usize, met: usize, last: &Step) {
        for at in 0..of {
            let mut control = self.catalog.controls[0].clone();
            control.id = format!("stranger{at}");
            control.operator.clone_from(&control.id);
            control.endpoint.id.clone_from(&control.id);
            control.endpoint.protocol = protocol;
            control.endpoint.expect = Expect::default();
            let check = climb_check("ground", &control.endpoint, "198.41.7.7", Role::Control);
            let mut steps = Vec::new();
            if last.operation != Operation::TcpConnect {
                steps.push(step(Operation::TcpConnect, None));
            }
            steps.push(if at < met {
                last.clone()
            } else {
                proven_or_passed(last.operation)
            });
            self.catalog.controls.push(control);
            let id = format!("o{}", 5000 + self.ground.len());
            self.ground.push(observation(id, check, steps));
        }
    }

    /// Connections of the ground that stood, so many of them when they were asked for again.
    pub fn connections(&mut self, stood: usize, again: usize) {
        for at in 0..stood {
            let asked = endpoint(Protocol::Tcp, 443);
            let mut check = climb_check("ground", &asked, "198.41.9.9", Role::Control);
            check.id = format!("connection#{at}");
            check.endpoints.clear();
            let mut step = step(Operation::TcpConnect, None);
            step.tcp = Some(Box::new(TcpFacts {
                retransmits: Some(u32::from(at < again)),
                ..TcpFacts::default()
            }));
            let id = format!("o{}", 3000 + self.ground.len());
            self.ground.push(observation(id, check, vec![step]));
        }
    }

    /// A control name asked of a resolver between the trials.
    pub fn control_between(&mut self, resolver: &str, trial: u32, failure: Option<&Failure>) {
        let mut check = query("target", resolver, CONTROL, Role::Control, trial);
        check.round = Round::Contrast;
        let facts = dns(&[reply(0, &["198.41.0.4"])], &[]);
        self.push(check, vec![resolve(facts, failure.cloned())]);
    }

    /// A CNAME and no address.
    pub fn alias(&mut self, resolver: &str, trial: u32) {
        let mut broken = reply(0, &["elsewhere.example"]);
        "CNAME".clone_into(&mut broken.answers[0].record);
        let steps = vec![resolve(dns(&[broken], &[]), Some(Failure::DnsNoAnswer))];
        self.push(query("target", resolver, HOST, Role::Target, trial), steps);
    }

    /// An open line on which every resolver tells the honest address.
    pub fn reachable() -> Self {
        let mut world = Self::new();
        world.honest_resolvers();
        world.answer("isp", 1, &[HONEST]);
        world
    }

    /// Gives the endpoint fixed addresses too.
    pub fn fixed(&mut self, addresses: &[&str]) {
        self.catalog.targets[0].services[0].endpoints[0].addresses = addresses
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
    }

    /// The failed handshake, its repetitions, and the 2x2: {its name, another} x {here, at controls}.
    pub fn matrix(
        &mut self,
        own: Cell,
        other: Cell,
        own_there: Cell,
        other_there: Cell,
        trials: u32,
    ) {
        let controls = ["198.41.0.5", "198.41.0.6", "198.41.0.7"];
        for trial in 1..=trials {
            let control = controls[trial as usize - 1];
            self.climb_again(HONEST, trial, own.last());
            self.contrast(HONEST, Variation::ServerName, trial, other.last());
            self.contrast(control, Variation::Both, trial, other_there.last());
            self.contrast(control, Variation::Address, trial, own_there.last());
        }
    }

    pub fn contrast(&mut self, address: &str, varies: Variation, trial: u32, last: Last) {
        let mut check = self.failed_check(address);
        check.id = format!("{varies:?}/{trial}");
        check.endpoints.clear();
        check.role = Role::Control;
        check.trial = trial;
        check.contrast = Some(Contrast {
            of: self.failed_check(HONEST).id,
            varies,
        });
        self.push(check, vec![step(Operation::TcpConnect, None), last.0]);
    }

    /// The endpoint of that number fails so, and works when it is tried again.
    pub fn recovers(&mut self, endpoint: usize, last: Last) {
        let endpoint = self.catalog.targets[0].services[0].endpoints[endpoint].clone();
        let check = climb_check("target", &endpoint, HONEST, Role::Target);
        let mut again = check.clone();
        again.contrast = Some(Contrast {
            of: check.id.clone(),
            varies: Variation::Nothing,
        });
        again.id = format!("{}/again#2", check.id);
        again.trial = 2;
        self.push(check, vec![step(Operation::TcpConnect, None), last.0]);
        let steps = vec![step(Operation::TcpConnect, None), proven().0];
        self.push(again, steps);
    }

    /// The endpoint of that number is reset, and innocuous names at its address end so.
    pub fn twins(&mut self, endpoint: usize, cells: [Cell; 3]) {
        let endpoint = self.catalog.targets[0].services[0].endpoints[endpoint].clone();
        let check = climb_check("target", &endpoint, HONEST, Role::Target);
        let connected = || step(Operation::TcpConnect, None);
        for (trial, cell) in (1..).zip(cells) {
            let mut twin = check.clone();
            twin.contrast = Some(Contrast {
                of: check.id.clone(),
                varies: Variation::ServerName,
            });
            twin.id = format!("{}/twin#{trial}", check.id);
            twin.trial = trial;
            self.push(twin, vec![connected(), cell.last().0]);
        }
        self.push(check, vec![connected(), Cell::Reset.last().0]);
    }

    /// What is asked of controls is asked at IPv6 addresses.
    pub fn controls_over_ipv6(&mut self) {
        for observation in &mut self.observations {
            let contrast = observation.check.contrast.as_ref();
            let is_there = contrast
                .is_some_and(|it| matches!(it.varies, Variation::Address | Variation::Both));
            if let (true, Ask::Climb(climb)) = (is_there, &mut observation.check.ask) {
                climb.address = "[2001:db8::5]:443".parse().unwrap();
            }
        }
    }

    /// Three trials of one row at the target's own address.
    pub fn row(&mut self, varies: Variation, cell: Cell) {
        for trial in 1..=3 {
            self.contrast(HONEST, varies, trial, cell.last());
        }
    }

    /// The endpoint speaks HTTP in clear.
    pub fn in_clear() -> Self {
        let mut world = Self::reachable();
        world.catalog.targets[0].services[0].endpoints = vec![endpoint(Protocol::Http, 80)];
        world
    }

    fn failed_check(&self, address: &str) -> Check {
        let endpoint = &self.catalog.targets[0].services[0].endpoints[0];
        climb_check("target", endpoint, address, Role::Target)
    }

    pub fn climb_again(&mut self, address: &str, trial: u32, last: Last) {
        let mut check = self.failed_check(address);
        check.trial = trial;
        if trial > 1 {
            check.contrast = Some(Contrast {
                of: check.id.clone(),
                varies: Variation::Nothing,
            });
            check.id = format!("{}/again#{trial}", check.id);
        }
        let mut steps = Vec::new();
        if last.0.operation != Operation::TcpConnect {
            steps.push(step(Operation::TcpConnect, None));
        }
        steps.push(last.0);
        self.push(check, steps);
    }

    pub fn climb(&mut self, address: &str, last: Last) {
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

/// A step that passed.
fn proven_or_passed(operation: Operation) -> Step {
    match operation {
        Operation::TlsHandshake => proven().0,
        Operation::HttpRoundTrip => {
            let mut answered = step(operation, None);
            answered.http = Some(Box::new(HttpFacts {
                status: 200,
                ..HttpFacts::default()
            }));
            answered
        }
        _ => step(operation, None),
    }
}

/// The step a climb ended with.
pub struct Last(Step);

impl Last {
    /// The step itself.
    pub fn step(self) -> Step {
        self.0
    }
}

impl From<Step> for Last {
    fn from(step: Step) -> Self {
        Self(step)
    }
}

pub fn proven() -> Last {
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

pub fn impostor() -> Last {
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

pub fn certificate() -> CertificateFacts {
    CertificateFacts {
        sha256: Some("00".to_owned()),
        subject: "CN=somebody".to_owned(),
        issuer: "CN=somebody".to_owned(),
        not_before: "2026-01-01T00:00:00Z".to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
        names: Vec::new(),
    }
}

pub fn step(operation: Operation, failure: Option<Failure>) -> Step {
    Step {
        operation,
        t0: 0.0,
        t: 0.1,
        failure,
        dns: None,
        tcp: None,
        tls: None,
        quic: None,
        http: None,
        exchange: None,
    }
}

pub fn resolve(facts: DnsFacts, failure: Option<Failure>) -> Step {
    Step {
        dns: Some(Box::new(facts)),
        ..step(Operation::Resolve, failure)
    }
}

pub fn dns(replies: &[DnsReply], bogons: &[&str]) -> DnsFacts {
    DnsFacts {
        sent: 1,
        replies: replies.to_vec(),
        bogons: bogons.iter().map(|bogon| (*bogon).to_owned()).collect(),
        http_status: None,
    }
}

/// A question that was sent again and again, and met silence.
pub fn lost() -> DnsFacts {
    DnsFacts {
        sent: 3,
        ..dns(&[], &[])
    }
}

pub fn reply(rcode: u16, addresses: &[&str]) -> DnsReply {
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

pub fn observation(id: String, check: Check, steps: Vec<Step>) -> Observation {
    Observation {
        id,
        check,
        steps,
        not_run: None,
    }
}

pub fn query(subject: &str, resolver: &str, name: &str, role: Role, trial: u32) -> Check {
    Check {
        id: format!("{subject}/{resolver}/{name}#{trial}"),
        round: Round::Resolve,
        subject: subject.to_owned(),
        endpoints: Vec::new(),
        role,
        trial,
        contrast: None,
        ask: Ask::Query {
            resolver: resolver.to_owned(),
            name: name.to_owned(),
            record: RecordType::A,
            chaos: false,
        },
    }
}

pub fn climb_check(subject: &str, endpoint: &Endpoint, address: &str, role: Role) -> Check {
    Check {
        id: format!("{subject}/{}@{address}", endpoint.id),
        round: Round::Reach,
        subject: subject.to_owned(),
        endpoints: vec![endpoint.id.clone()],
        role,
        trial: 1,
        contrast: None,
        ask: Ask::Climb(Climb {
            address: SocketAddr::new(address.parse().unwrap(), endpoint.port),
            protocol: endpoint.protocol,
            host: endpoint.host.clone(),
            server_name: endpoint.host.clone(),
            alpn: Vec::new(),
            path: "/".to_owned(),
            look_for: None,
            private_root: None,
            noise_root: None,
            custom: endpoint.custom.clone(),
            hello: Hello::Plain,
            payload: Payload::Own,
            hops: None,
        }),
    }
}

pub fn catalog() -> Catalog {
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
            region: blockprobe::model::catalog::Region::Foreign,
            name: "Target".to_owned(),
            services: vec![Service {
                id: "web".to_owned(),
                essential: true,
                pool: false,
                by_place: false,
                alternative: false,
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
            hosts: vec!["warning.provider.example".to_owned()],
            texts: vec!["eais.rkn.gov.ru".to_owned()],
        }],
        ..Catalog::default()
    }
}

pub fn endpoint(protocol: Protocol, port: u16) -> Endpoint {
    Endpoint {
        id: format!("{}://{HOST}/", protocol.word()),
        host: Some(HOST.to_owned()),
        addresses: Vec::new(),
        port,
        protocol,
        server_name: None,
        path: "/".to_owned(),
        alpn: Vec::new(),
        custom: None,
        expect: Expect::default(),
    }
}

pub fn resolver(id: &str, role: ResolverRole, transport: Transport) -> Resolver {
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
        is_local: false,
    }
}

/// The report of a run that began so many seconds after the first day of 2026.
pub fn report(world: &World, id: &str, began: i64) -> Report {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let began = start + SignedDuration::from_secs(began);
    Report {
        format: FORMAT.to_owned(),
        software: Software {
            name: "blockprobe".to_owned(),
            version: "0".to_owned(),
        },
        run: Run {
            id: id.to_owned(),
            started_at: began.to_string(),
            duration_s: 1.0,
            interrupted: false,
            definitions: Definitions::default(),
        },
        vantage: Vantage {
            label: Some(id.to_owned()),
            regime: Regime::Open,
            address_families: Vec::new(),
            asn: None,
            country: None,
            tags: std::collections::BTreeMap::new(),
            problem: None,
            resolvers: Vec::new(),
            techniques: Vec::new(),
            notes: Vec::new(),
        },
        verdicts: Vec::new(),
        measured: Measured::of(&world.catalog, &[]),
        observations: [&world.ground[..], &world.observations].concat(),
    }
}

pub fn silent(verdict: &Verdict, status: Status) {
    assert_eq!(verdict.status, status, "{verdict:#?}");
    assert!(verdict.techniques.is_empty(), "{:#?}", verdict.techniques);
}

pub fn ids(verdict: &Verdict) -> Vec<&str> {
    verdict
        .techniques
        .iter()
        .map(|technique| technique.id.as_str())
        .collect()
}

/// How one handshake of the matrix ended.
#[derive(Clone, Copy)]
pub enum Cell {
    /// The server's own certificate, for whatever name.
    Answer,
    Silence,
    /// Some bytes, then nothing.
    Stall,
    Reset,
    Close,
    Alert(u8),
    /// Somebody's certificate that nobody vouches for.
    Impostor(&'static str),
}

impl Cell {
    pub fn last(self) -> Last {
        let (failure, tls) = match self {
            Self::Answer => (Failure::SslInvalidHostname, shown("honest", Some("public"))),
            Self::Silence => (Failure::GenericTimeout, TlsFacts::default()),
            Self::Stall => (Failure::GenericTimeout, received(40, None)),
            Self::Reset => (Failure::ConnectionReset, TlsFacts::default()),
            Self::Close => (Failure::Eof, TlsFacts::default()),
            Self::Alert(number) => (Failure::SslInvalidHostname, received(7, Some(number))),
            Self::Impostor(issuer) => (Failure::SslUnknownAuthority, shown(issuer, None)),
        };
        let mut step = step(Operation::TlsHandshake, Some(failure));
        step.tls = Some(Box::new(tls));
        Last(step)
    }
}

fn shown(issuer: &str, trusted_by: Option<&str>) -> TlsFacts {
    TlsFacts {
        chain: vec![CertificateFacts {
            sha256: Some(issuer.to_owned()),
            issuer: format!("CN={issuer}"),
            ..certificate()
        }],
        trusted_by: trusted_by.map(str::to_owned),
        name_matches: Some(false),
        ..received(3000, None)
    }
}

fn received(received_bytes: u64, alert: Option<u8>) -> TlsFacts {
    TlsFacts {
        received_bytes,
        alert,
        ..TlsFacts::default()
    }
}

pub fn prohibited(offender: &str, offender_is_own: bool) -> Last {
    let mut step = step(Operation::TcpConnect, Some(Failure::HostUnreachable));
    step.tcp = Some(Box::new(TcpFacts {
        icmp: vec![IcmpError {
            kind: 3,
            code: 13,
            offender: Some(offender.to_owned()),
            offender_is_own,
        }],
        ..TcpFacts::default()
    }));
    Last(step)
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

/// The trials of the 2x2 follow one another, the innocuous name at a control before the target's.
pub fn in_turn(observations: &mut [Observation]) {
    for observation in observations {
        let contrast = observation.check.contrast.as_ref();
        let offset = f64::from(observation.check.trial);
        let late = match contrast.map(|it| it.varies) {
            Some(Variation::Both) => 0.2,
            Some(Variation::Address) => 0.4,
            _ => 0.0,
        };
        for step in &mut observation.steps {
            (step.t0, step.t) = (offset + late, offset + late + 0.1);
        }
    }
}
