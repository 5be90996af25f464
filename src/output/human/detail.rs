//! Everything that the verdicts rest on, for `-vv`: each endpoint, and the steps of each observation.

use std::collections::BTreeSet;

use crate::model::check::{Ask, Check};
use crate::model::observation::{DnsFacts, Observation, Step};
use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport, Status};
use crate::output::human::Told;
use crate::output::human::layout::{Page, pad};
use crate::output::human::rows;
use crate::output::terminal::{escape, escape_short};
use crate::output::words;

/// A person reads no more than this; a program reads the report.
const MOST_OBSERVATIONS: usize = 200;

/// Longest title, answer or list of answers that is shown.
const LONGEST: usize = 60;

/// Every endpoint of every service.
pub fn services(page: &mut Page, services: &[ServiceReport]) {
    let column = rows::column(page, services);
    for service in services {
        rows::heading(page, service, column);
        for reported in &service.endpoints {
            endpoint(page, reported);
        }
    }
}

fn endpoint(page: &mut Page, endpoint: &EndpointReport) {
    let is_run = endpoint.status != EndpointStatus::NotRun;
    let painted = |page: &Page, text: &str| {
        if is_run {
            text.to_owned()
        } else {
            page.dim(text)
        }
    };
    let failure = endpoint.failure.as_ref().map(words::failure);
    let why: Vec<_> = failure
        .as_deref()
        .into_iter()
        .chain(endpoint.techniques.iter().map(String::as_str))
        .chain(endpoint.reason.as_deref())
        .map(escape)
        .collect();
    let colon = if why.is_empty() { "" } else { ": " };
    let text = format!("{}{colon}{}", escape(&endpoint.endpoint), why.join(" · "));
    let label = pad(words::endpoint_status(endpoint.status), 14);
    let label = format!("    {} ", painted(page, &label));
    page.beside(&label, &painted(page, &text));
}

/// The observations that a technique cites, and those of endpoints that failed without one.
pub fn evidence(page: &mut Page, told: &Told<'_>) {
    let named: BTreeSet<&str> = told
        .verdicts
        .iter()
        .flat_map(|verdict| &verdict.techniques)
        .chain(
            told.vantage
                .resolvers
                .iter()
                .flat_map(|resolver| &resolver.techniques),
        )
        .flat_map(|technique| technique.evidence.iter().map(String::as_str))
        .collect();
    let unexplained: BTreeSet<&str> = told
        .verdicts
        .iter()
        .filter(|verdict| verdict.status != Status::Accessible)
        .flat_map(|verdict| {
            verdict
                .services
                .iter()
                .flat_map(|service| &service.endpoints)
        })
        .filter(|endpoint| endpoint.failure.is_some() && endpoint.techniques.is_empty())
        .map(|endpoint| endpoint.endpoint.as_str())
        .collect();
    let wanted: Vec<&Observation> = told
        .observations
        .iter()
        .filter(|observation| {
            let failed_there = || {
                let endpoints = &observation.check.endpoints;
                observation.failure().is_some()
                    && endpoints.iter().any(|id| unexplained.contains(id.as_str()))
            };
            named.contains(observation.id.as_str()) || failed_there()
        })
        .collect();
    if wanted.is_empty() {
        return;
    }
    page.blank();
    let heading = page.bold("Evidence");
    page.line(&heading);
    for observation in wanted.iter().take(MOST_OBSERVATIONS) {
        self::observation(page, observation);
    }
    if let Some(more) = wanted.len().checked_sub(MOST_OBSERVATIONS + 1) {
        page.indented(2, &format!("and {} more: -f json", more + 1));
    }
}

fn observation(page: &mut Page, observation: &Observation) {
    let id = pad(&escape(&observation.id), 6);
    let line = format!("{id} {}", question(&observation.check));
    page.indented(2, &line);
    for step in &observation.steps {
        let times = format!(
            "{:>7.3} s {:>+8.1} ms",
            step.t0,
            (step.t - step.t0) * 1000.0
        );
        let times = page.dim(&times);
        let rung = pad(words::operation(step.operation), 4);
        page.beside(&format!("         {times}  {rung}  "), &outcome(step));
    }
    if let Some(reason) = &observation.not_run {
        let line = page.dim(&format!("stopped: {}", escape(reason)));
        page.indented(9, &line);
    }
}

/// What was asked, in a line.
fn question(check: &Check) -> String {
    match &check.ask {
        Ask::Lookup { name } => format!("{} by this machine's own lookup", escape(name)),
        Ask::Query {
            resolver,
            name,
            record,
            ..
        } => format!("{} {} at {}", escape(name), record.word(), escape(resolver)),
        Ask::Climb(climb) => {
            let name = climb.server_name.as_ref().or(climb.host.as_ref());
            let name = name.map_or_else(String::new, |name| format!(" as {}", escape(name)));
            let hops = climb
                .hops
                .map_or_else(String::new, |hops| format!(" with TTL {hops}"));
            format!("{} {}{name}{hops}", climb.protocol.word(), climb.address)
        }
    }
}

/// What came back, in a line.
fn outcome(step: &Step) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.push(step.failure.as_ref().map_or_else(
        || "ok".to_owned(),
        |failure| escape_short(&words::failure(failure), LONGEST),
    ));
    parts.extend(step.dns.as_ref().map(|dns| answers(dns)));
    if let Some(tcp) = &step.tcp {
        parts.extend(tcp.icmp.iter().map(|icmp| {
            let offender = icmp.offender.as_deref().unwrap_or("an unknown machine");
            format!("ICMP {}/{} from {}", icmp.kind, icmp.code, escape(offender))
        }));
    }
    if let Some(tls) = &step.tls {
        parts.extend(tls.alert.map(|alert| format!("alert {alert}")));
        parts.extend(
            tls.version
                .as_deref()
                .map(|version| escape(version).into_owned()),
        );
        parts.extend(
            tls.chain
                .first()
                .map(|leaf| escape_short(&leaf.issuer, LONGEST)),
        );
        let clear = tls.clear_text.as_deref();
        parts.extend(clear.map(|text| format!("in clear: {}", escape_short(text, LONGEST))));
    }
    if let Some(http) = &step.http {
        parts.push(format!("status {}", http.status));
        let title = http.title.as_deref();
        parts.extend(title.map(|title| format!("“{}”", escape_short(title, LONGEST))));
        let elsewhere = http.header("location");
        parts.extend(elsewhere.map(|to| format!("to {}", escape_short(to, LONGEST))));
    }
    parts.join(" · ")
}

fn answers(dns: &DnsFacts) -> String {
    let replies: Vec<String> = dns
        .replies
        .iter()
        .map(|reply| {
            let values: Vec<&str> = reply
                .answers
                .iter()
                .map(|answer| answer.value.as_str())
                .collect();
            let oddity = match (&reply.malformed, reply.id_matches) {
                (Some(_), _) => " (malformed)",
                (None, false) => " (another id)",
                (None, true) => "",
            };
            let text = format!("{} {}", words::rcode(reply.rcode), values.join(" "));
            format!("{}{oddity}", escape_short(text.trim_end(), LONGEST))
        })
        .collect();
    if replies.is_empty() {
        format!("{} sent, no reply", dns.sent)
    } else {
        replies.join(" | ")
    }
}
