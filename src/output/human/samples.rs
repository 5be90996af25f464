//! Reports made by hand, one for each real situation, for the tests of every format.

use std::io;

use crate::model::catalog::{Definitions, Protocol, Transport};
use crate::model::check::{
    Ask, Check, Climb, Contrast, Hello, Payload, RecordType, Role, Round, Variation,
};
use crate::model::failure::Failure;
use crate::model::observation::{
    CertificateFacts, DnsAnswer, DnsFacts, DnsReply, HttpFacts, Observation, Operation, Step,
    TlsFacts,
};
use crate::model::report::{
    Confidence, EndpointReport, EndpointStatus, FORMAT, Measured, Regime, Report, ResolverReport,
    Run, ServiceReport, Status, TechniqueReport, Vantage, Verdict,
};
use crate::model::technique::{Interference, Technique, Trigger};
use crate::output::{Sink, software};

/// Tells a report to a sink, as a run would.
pub fn play(report: &Report, sink: &mut dyn Sink) -> io::Result<()> {
    sink.started(&report.run, &report.vantage.origin(), &report.measured)?;
    for (complete, observation) in report.observations.iter().enumerate() {
        sink.observation(observation)?;
        sink.progress(complete + 1, report.observations.len())?;
    }
    for verdict in &report.verdicts {
        sink.verdict(verdict)?;
    }
    sink.finished(&report.run, &report.vantage)
}

/// Every one.
pub fn all() -> Vec<Report> {
    vec![
        accessible(),
        blocked(),
        offline(),
        portal(),
        interrupted(),
        contrasted(),
        hostile("\x1b[31m\u{202e}title\r\n"),
    ]
}

/// Nothing is wrong.
pub fn accessible() -> Report {
    let verdicts = TARGETS
        .iter()
        .map(|(id, name)| {
            verdict(
                id,
                name,
                Status::Accessible,
                &format!("{name} works here"),
                &[("chat", Status::Accessible), ("web", Status::Accessible)],
            )
        })
        .collect();
    report(Regime::Open, verdicts, Vec::new())
}

/// The provider's resolver denies WhatsApp's names; MAX works.
pub fn blocked() -> Report {
    let mut report = accessible();
    report.vantage.label = Some("moscow-home".to_owned());
    let mut whatsapp = verdict(
        "whatsapp",
        "WhatsApp",
        Status::Blocked,
        "WhatsApp is blocked: the system's resolver says that its names do not exist, while three other operators resolve them and the addresses prove genuine",
        &[
            ("chat", Status::Blocked),
            ("web", Status::Blocked),
            ("media", Status::Blocked),
            ("calls", Status::Inconclusive),
        ],
    );
    let denied = technique(
        Technique::new(Trigger::DomainName, Interference::Nxdomain),
        Confidence::Confirmed,
        None,
    );
    for service in &mut whatsapp.services {
        let endpoint = &mut service.endpoints[0];
        if service.status == Status::Blocked {
            endpoint.failure = Some(Failure::DnsNxdomain);
            endpoint.techniques = vec![denied.id.clone()];
        } else {
            endpoint.status = EndpointStatus::NotRun;
            endpoint.reason = Some("STUN is not spoken by this version".to_owned());
        }
    }
    whatsapp.techniques = vec![denied];
    report.verdicts[0] = whatsapp;
    let mut facetime = verdict(
        "facetime",
        "FaceTime",
        Status::Degraded,
        "some of FaceTime works",
        &[("identity", Status::Accessible), ("push", Status::Blocked)],
    );
    facetime.confidence = Confidence::Likely;
    facetime.reason = Some("push fails, the rest works".to_owned());
    facetime.techniques = vec![technique(
        Technique::new(Trigger::ServerName, Interference::Reset),
        Confidence::Likely,
        Some("the server itself may be overloaded"),
    )];
    report.verdicts[2] = facetime;
    report.vantage.resolvers[1].techniques = vec![technique(
        Technique::new(Trigger::Resolver, Interference::HijackedResolver),
        Confidence::Confirmed,
        None,
    )];
    report.observations = vec![query(), climb("Ordinary title")];
    report
}

/// TLS with the name of FaceTime's push is reset, at its own server and at a control, where another name passes.
pub fn contrasted() -> Report {
    let mut report = accessible();
    let technique = Technique::new(Trigger::ServerName, Interference::Reset);
    let verdict = &mut report.verdicts[2];
    verdict.status = Status::Blocked;
    let mut found = self::technique(technique, Confidence::Confirmed, None);
    found.endpoints = vec!["https://push.facetime.example/".to_owned()];
    found.services = vec!["web".to_owned()];
    found.evidence = (1..=9).map(|at| format!("o{at}")).collect();
    verdict.techniques = vec![found];
    verdict.services[1].status = Status::Blocked;
    let handshake = |at: u32, varies: Option<Variation>, failure: Failure| {
        let mut seen = climb("");
        seen.id = format!("o{at}");
        seen.check.subject = "facetime".to_owned();
        seen.check.endpoints = Vec::new();
        seen.check.trial = at;
        seen.check.contrast = varies.map(|varies| Contrast {
            of: "o1".to_owned(),
            varies,
        });
        let is_own = matches!(varies, None | Some(Variation::Nothing));
        seen.check.role = if is_own { Role::Target } else { Role::Control };
        if is_own {
            seen.check.endpoints = vec!["https://push.facetime.example/".to_owned()];
        }
        if let Ask::Climb(climb) = &mut seen.check.ask {
            let is_harmless = varies == Some(Variation::Both);
            let name = if is_harmless {
                "nnnn.example"
            } else {
                "push.facetime.example"
            };
            climb.server_name = Some(name.to_owned());
            if !is_own {
                climb.address = format!("203.0.113.{at}:443").parse().expect("an address");
            }
        }
        seen.steps.truncate(2);
        let is_answered = failure == Failure::SslInvalidHostname;
        seen.steps[1].failure = Some(failure);
        if let Some(tls) = &mut seen.steps[1].tls {
            tls.clear_text = None;
            tls.chain = if is_answered {
                vec![certificate()]
            } else {
                Vec::new()
            };
        }
        seen
    };
    let reset = |at, varies| handshake(at, varies, Failure::ConnectionReset);
    let passed = |at| handshake(at, Some(Variation::Both), Failure::SslInvalidHostname);
    report.observations = vec![
        reset(1, None),
        reset(2, Some(Variation::Nothing)),
        reset(3, Some(Variation::Nothing)),
        reset(4, Some(Variation::Address)),
        passed(5),
        reset(6, Some(Variation::Address)),
        passed(7),
        reset(8, Some(Variation::Address)),
        passed(9),
    ];
    report
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        sha256: Some("00".repeat(32)),
        subject: "CN=control.example".to_owned(),
        issuer: "CN=Root".to_owned(),
        not_before: "2026-01-01T00:00:00Z".to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
        names: Vec::new(),
    }
}

/// Nothing answers.
pub fn offline() -> Report {
    unjudged(
        Regime::Offline,
        "the line is offline: no control answered at any layer",
    )
}

/// A portal answers for everybody.
pub fn portal() -> Report {
    unjudged(
        Regime::CaptivePortal,
        "a captive portal answers for every control",
    )
}

/// Ctrl-C came early.
pub fn interrupted() -> Report {
    let mut report = unjudged(
        Regime::Open,
        "the run was interrupted before this target was measured",
    );
    report.verdicts[0] = accessible().verdicts.remove(0);
    report.run.interrupted = true;
    report
}

/// The same as `blocked`, with this text wherever somebody else's may come.
pub fn hostile(text: &str) -> Report {
    let mut report = blocked();
    report.vantage.label = Some(text.to_owned());
    report.vantage.notes = vec![text.to_owned()];
    report.vantage.problem = Some(text.to_owned());
    report.vantage.asn = Some(text.to_owned());
    report.vantage.country = Some(text.to_owned());
    report.vantage.address_families.push(text.to_owned());
    for resolver in &mut report.vantage.resolvers {
        text.clone_into(&mut resolver.name);
        text.clone_into(&mut resolver.address);
    }
    for verdict in &mut report.verdicts {
        text.clone_into(&mut verdict.name);
        text.clone_into(&mut verdict.summary);
        verdict.reason = Some(format!("{text} why"));
        for technique in &mut verdict.techniques {
            text.clone_into(&mut technique.seen);
            text.clone_into(&mut technique.id);
            technique.doubt = Some(text.to_owned());
            technique.evidence.push(text.to_owned());
        }
        for service in &mut verdict.services {
            text.clone_into(&mut service.service);
            for endpoint in &mut service.endpoints {
                text.clone_into(&mut endpoint.endpoint);
                endpoint.failure = Some(Failure::Unknown(text.to_owned()));
                endpoint.techniques.clear();
                endpoint.reason = Some(text.to_owned());
            }
        }
    }
    let mut strange = climb(text);
    strange.not_run = Some(text.to_owned());
    strange.steps[1].failure = Some(Failure::Unknown(text.to_owned()));
    strange.check.endpoints = vec![text.to_owned()];
    strange.check.contrast = Some(Contrast {
        of: text.to_owned(),
        varies: Variation::Both,
    });
    if let Ask::Climb(climb) = &mut strange.check.ask {
        climb.host = Some(text.to_owned());
        climb.server_name = Some(text.to_owned());
    }
    let mut asked = query();
    asked.check.ask = Ask::Query {
        resolver: text.to_owned(),
        name: text.to_owned(),
        record: RecordType::A,
        chaos: false,
    };
    if let Some(dns) = &mut asked.steps[0].dns {
        text.clone_into(&mut dns.replies[0].answers[0].value);
    }
    report.observations = vec![asked, strange];
    report.vantage.techniques = report.verdicts[0].techniques.clone();
    report
}

const TARGETS: [(&str, &str); 4] = [
    ("whatsapp", "WhatsApp"),
    ("telegram", "Telegram"),
    ("facetime", "FaceTime"),
    ("max", "MAX"),
];

fn unjudged(regime: Regime, reason: &str) -> Report {
    let verdicts = TARGETS
        .iter()
        .map(|(id, name)| {
            let mut verdict = verdict(
                id,
                name,
                Status::Inconclusive,
                &format!("{name} cannot be judged"),
                &[("chat", Status::Inconclusive)],
            );
            verdict.confidence = Confidence::Suspected;
            verdict.reason = Some(reason.to_owned());
            verdict
        })
        .collect();
    let mut report = report(regime, verdicts, Vec::new());
    if regime == Regime::Offline {
        report.vantage.address_families.clear();
        report.vantage.resolvers[0].status = Status::Inconclusive;
    }
    report
}

fn report(regime: Regime, verdicts: Vec<Verdict>, observations: Vec<Observation>) -> Report {
    Report {
        format: FORMAT.to_owned(),
        software: software(),
        run: Run {
            id: "01936f5e-0000-7000-8000-000000000000".to_owned(),
            started_at: "2026-11-23T03:00:00Z".to_owned(),
            duration_s: 6.25,
            interrupted: false,
            definitions: Definitions {
                source: "embedded".to_owned(),
                sha256: "00".repeat(32),
            },
        },
        vantage: Vantage {
            label: None,
            regime,
            address_families: vec!["ipv4".to_owned()],
            asn: None,
            country: None,
            tags: std::collections::BTreeMap::new(),
            problem: None,
            resolvers: vec![
                resolver("system", "10.0.0.1:53"),
                resolver("google", "8.8.8.8:53"),
            ],
            techniques: Vec::new(),
            notes: Vec::new(),
        },
        verdicts,
        measured: Measured::default(),
        observations,
    }
}

fn resolver(name: &str, address: &str) -> ResolverReport {
    ResolverReport {
        name: name.to_owned(),
        transport: Transport::Udp,
        address: address.to_owned(),
        status: Status::Accessible,
        techniques: Vec::new(),
    }
}

fn verdict(
    target: &str,
    name: &str,
    status: Status,
    summary: &str,
    services: &[(&str, Status)],
) -> Verdict {
    Verdict {
        target: target.to_owned(),
        name: name.to_owned(),
        status,
        confidence: Confidence::Confirmed,
        summary: summary.to_owned(),
        reason: None,
        techniques: Vec::new(),
        services: services
            .iter()
            .map(|&(service, status)| ServiceReport {
                service: service.to_owned(),
                status,
                essential: service == "chat",
                alternative: false,
                endpoints: vec![EndpointReport {
                    endpoint: format!("https://{service}.{target}.example/"),
                    status: match status {
                        Status::Accessible => EndpointStatus::Accessible,
                        Status::Blocked => EndpointStatus::Blocked,
                        _ => EndpointStatus::Inconclusive,
                    },
                    failure: None,
                    techniques: Vec::new(),
                    reason: None,
                }],
            })
            .collect(),
    }
}

fn technique(technique: Technique, confidence: Confidence, doubt: Option<&str>) -> TechniqueReport {
    TechniqueReport {
        id: technique.id(),
        trigger: technique.trigger,
        interference: technique.interference,
        confidence,
        services: vec!["chat".to_owned()],
        endpoints: vec!["https://chat.whatsapp.example/".to_owned()],
        evidence: vec!["o1".to_owned(), "o2".to_owned()],
        doubt: doubt.map(str::to_owned),
        seen: "the system's resolver said NXDOMAIN three times; google, cloudflare and quad9 gave addresses that prove genuine".to_owned(),
    }
}

fn check(id: &str, ask: Ask) -> Check {
    Check {
        id: id.to_owned(),
        round: Round::Reach,
        subject: "whatsapp".to_owned(),
        endpoints: vec!["https://chat.whatsapp.example/".to_owned()],
        role: Role::Target,
        trial: 1,
        contrast: None,
        ask,
    }
}

fn step(operation: Operation, t0: f64, failure: Option<Failure>) -> Step {
    Step {
        operation,
        t0,
        t: t0 + 0.0235,
        failure,
        dns: None,
        tcp: None,
        tls: None,
        quic: None,
        http: None,
        exchange: None,
    }
}

fn query() -> Observation {
    let mut asked = step(Operation::Resolve, 0.012, Some(Failure::DnsNxdomain));
    asked.dns = Some(Box::new(DnsFacts {
        sent: 1,
        replies: vec![DnsReply {
            t: 0.02,
            bytes: 90,
            id_matches: true,
            malformed: None,
            rcode: 3,
            authoritative: false,
            recursion_available: true,
            authentic: false,
            truncated: false,
            answers: vec![DnsAnswer {
                name: "chat.whatsapp.example".to_owned(),
                record: "TXT".to_owned(),
                ttl: 60,
                value: "you are 203.0.113.9".to_owned(),
            }],
            soa: None,
        }],
        ..DnsFacts::default()
    }));
    Observation {
        id: "o1".to_owned(),
        check: check(
            "resolve/whatsapp/system/udp/10.0.0.1/A/chat.whatsapp.example#1",
            Ask::Query {
                resolver: "system/udp/10.0.0.1".to_owned(),
                name: "chat.whatsapp.example".to_owned(),
                record: RecordType::A,
                chaos: false,
            },
        ),
        steps: vec![asked],
        not_run: None,
    }
}

fn climb(title: &str) -> Observation {
    let mut handshake = step(Operation::TlsHandshake, 0.2, None);
    handshake.tls = Some(Box::new(TlsFacts {
        client_hello_bytes: 1500,
        version: Some("TLS1.3".to_owned()),
        clear_text: Some(title.to_owned()),
        ..TlsFacts::default()
    }));
    let mut answer = step(
        Operation::HttpRoundTrip,
        0.25,
        Some(Failure::ConnectionReset),
    );
    answer.http = Some(Box::new(HttpFacts {
        version: "HTTP/1.1".to_owned(),
        status: 200,
        headers: vec![("location".to_owned(), title.to_owned())],
        body_sha256: Some("00".repeat(32)),
        body: Some("you are 203.0.113.9".to_owned()),
        title: Some(title.to_owned()),
        ..HttpFacts::default()
    }));
    Observation {
        id: "o2".to_owned(),
        check: check(
            "reach/whatsapp/https/198.51.100.20:443#1",
            Ask::Climb(Climb {
                address: "198.51.100.20:443".parse().expect("an address"),
                protocol: Protocol::Https,
                host: Some("chat.whatsapp.example".to_owned()),
                server_name: Some("chat.whatsapp.example".to_owned()),
                alpn: Vec::new(),
                path: "/".to_owned(),
                look_for: None,
                private_root: None,
                noise_root: None,
                custom: None,
                hello: Hello::Plain,
                payload: Payload::Own,
                hops: None,
            }),
        ),
        steps: vec![step(Operation::TcpConnect, 0.1, None), handshake, answer],
        not_run: None,
    }
}
