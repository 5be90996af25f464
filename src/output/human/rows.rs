//! The services of a target, for `-v`: a row for each different outcome.

use std::collections::HashMap;

use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport};
use crate::output::human::block::plain;
use crate::output::human::fold;
use crate::output::human::layout::{self, Page, pad};
use crate::output::terminal::escape;
use crate::output::words;

/// Before the name of a service.
const INDENT: usize = 2;

/// Columns that names of services take at least, with the gap after them.
const NAMES: usize = 24;

/// `? inconclusive`.
const STATUS: usize = 14;

/// Rows of one service; more are counted.
const MOST: usize = 40;

/// Every service, its endpoints folded where they share an outcome.
pub fn services(page: &mut Page, services: &[ServiceReport]) {
    headed(page, services, outcomes);
}

/// Every service with a line of its own, and below it what `below` writes.
pub fn headed(page: &mut Page, services: &[ServiceReport], below: fn(&mut Page, &ServiceReport)) {
    let names: Vec<String> = services.iter().map(heading).collect();
    let longest = names.iter().map(|name| layout::width(name)).max();
    let column = longest
        .map_or(NAMES, |longest| (longest + 2).max(NAMES))
        .min(page.width().saturating_sub(INDENT + STATUS));
    for (service, name) in services.iter().zip(&names) {
        let mut status = page.status(service.status);
        // A name that is too long goes on under itself.
        for part in layout::wrap(name, column.saturating_sub(2)) {
            let line = format!("{}{}{status}", " ".repeat(INDENT), pad(&part, column));
            page.line(&line);
            status.clear();
        }
        below(page, service);
    }
}

/// A service by its name, and what it is to its target.
fn heading(service: &ServiceReport) -> String {
    let role = match (service.essential, service.alternative) {
        (true, _) => " (essential)",
        (false, true) => " (alternative)",
        (false, false) => "",
    };
    format!("{}{role}", plain(&service.service))
}

fn outcomes(page: &mut Page, service: &ServiceReport) {
    let mut groups: Vec<(String, EndpointStatus, Vec<&str>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for endpoint in &service.endpoints {
        let outcome = outcome(endpoint);
        let at = *known.entry(outcome.clone()).or_insert_with(|| {
            groups.push((outcome, endpoint.status, Vec::new()));
            groups.len() - 1
        });
        groups[at].2.push(&endpoint.endpoint);
    }
    let is_whole = groups.len() == 1;
    let mut left = MOST;
    for (outcome, status, ids) in &groups {
        let rows = fold::endpoints(ids.iter().copied());
        let count = rows.len();
        for (at, row) in rows.iter().take(left).enumerate() {
            // Of a service that works as a whole the heading says so.
            let says_nothing = is_whole && *status == EndpointStatus::Accessible;
            let outcome = if at == 0 && !says_nothing {
                outcome.as_str()
            } else {
                ""
            };
            row_of(page, &escape(row), outcome, *status);
        }
        left = left.saturating_sub(count);
    }
    let total: usize = groups.iter().map(|(_, _, ids)| ids.len()).sum();
    if left == 0 {
        page.indented(4, &format!("… of {total} endpoints in all: -vv"));
    }
}

fn row_of(page: &mut Page, text: &str, outcome: &str, status: EndpointStatus) {
    let column = page.width().saturating_sub(4) * 11 / 20;
    let outcome = escape(outcome);
    if status == EndpointStatus::NotRun {
        let (text, outcome) = (page.dim(text), page.dim(&outcome));
        page.columns("    ", &text, column, &outcome);
    } else {
        page.columns("    ", text, column, &outcome);
    }
}

/// Mark, failure, techniques and reason: what two endpoints of one row have in common.
fn outcome(endpoint: &EndpointReport) -> String {
    let failure = endpoint.failure.as_ref().map(words::brief);
    let why: Vec<&str> = failure
        .as_deref()
        .into_iter()
        .chain(endpoint.techniques.iter().map(String::as_str))
        .chain(endpoint.reason.as_deref())
        .collect();
    let label = words::endpoint_status(endpoint.status);
    if why.is_empty() {
        return label.to_owned();
    }
    let mark = label.split(' ').next().unwrap_or_default();
    match endpoint.status {
        EndpointStatus::Blocked | EndpointStatus::Accessible => {
            format!("{mark} {}", why.join(" · "))
        }
        _ => format!("{label}: {}", why.join(" · ")),
    }
}
