//! The services of a target, for `-v`: a row for each different outcome.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport, Status};
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

/// `✓ works`.
const WORKS: usize = 7;

/// Columns from which the endpoints of a service that works stand beside it.
const BESIDE: usize = 90;

/// Between the names of services that are shown as one.
const SEPARATOR: &str = ", ";

/// Rows of one service; more are counted.
const MOST: usize = 40;

/// Every service, its endpoints folded where they share an outcome.
pub fn services(page: &mut Page, services: &[ServiceReport]) {
    let column = column(page, services);
    for service in &merged(services) {
        if works_as_a_whole(service) && page.width() >= BESIDE {
            let label = label(page, service, column);
            let ids = service.endpoints.iter().map(|it| it.endpoint.as_str());
            let folded = fold::endpoints(ids).into_iter().take(MOST);
            let text = folded.collect::<Vec<_>>().join("; ");
            page.beside(
                &format!("{}  ", pad(&label, INDENT + column + WORKS)),
                &escape(&text),
            );
        } else {
            heading(page, service, column);
            outcomes(page, service);
        }
    }
}

/// Services that fail as a whole and in the same way become one.
fn merged(services: &[ServiceReport]) -> Vec<Cow<'_, ServiceReport>> {
    let mut merged: Vec<Cow<'_, ServiceReport>> = Vec::new();
    let mut known: HashMap<(Status, EndpointStatus, String), usize> = HashMap::new();
    for service in services {
        let Some(likeness) = likeness(service) else {
            merged.push(Cow::Borrowed(service));
            continue;
        };
        if let Some(&at) = known.get(&likeness) {
            let first = merged[at].to_mut();
            first.service.push_str(SEPARATOR);
            first.service.push_str(&service.service);
            first.endpoints.extend(service.endpoints.iter().cloned());
        } else {
            known.insert(likeness, merged.len());
            merged.push(Cow::Borrowed(service));
        }
    }
    merged
}

/// What makes a service like others; `None` where it has a part of its own, or several outcomes.
fn likeness(service: &ServiceReport) -> Option<(Status, EndpointStatus, String)> {
    let has_part = service.essential || service.alternative;
    if has_part || service.status == Status::Accessible {
        return None;
    }
    let first = service.endpoints.first()?;
    let its = outcome(first);
    let is_like = |it: &EndpointReport| it.status == first.status && outcome(it) == its;
    let is_whole = service.endpoints.iter().all(is_like);
    is_whole.then_some((service.status, first.status, its))
}

fn works_as_a_whole(service: &ServiceReport) -> bool {
    let works = |endpoint: &EndpointReport| {
        endpoint.status == EndpointStatus::Accessible && outcome(endpoint).is_empty()
    };
    service.status == Status::Accessible && service.endpoints.iter().all(works)
}

/// The column of the statuses.
pub fn column(page: &Page, services: &[ServiceReport]) -> usize {
    let longest = services.iter().map(|it| layout::width(&named(it))).max();
    longest
        .map_or(NAMES, |longest| (longest + 2).max(NAMES))
        .min(page.width().saturating_sub(INDENT + STATUS))
}

fn label(page: &Page, service: &ServiceReport, column: usize) -> String {
    let status = page.status(service.status);
    format!(
        "{}{}{status}",
        " ".repeat(INDENT),
        pad(&named(service), column)
    )
}

/// A service and its status.
pub fn heading(page: &mut Page, service: &ServiceReport, column: usize) {
    let mut status = page.status(service.status);
    let name = named(service);
    if service.service.contains(SEPARATOR) && layout::width(&name) + 2 > column {
        page.indented(INDENT, &format!("{name}  {status}"));
        return;
    }
    // A name that is too long goes on under itself.
    for part in layout::wrap(&name, column.saturating_sub(2)) {
        let line = format!("{}{}{status}", " ".repeat(INDENT), pad(&part, column));
        page.line(&line);
        status.clear();
    }
}

/// A service by its name, and what it is to its target.
fn named(service: &ServiceReport) -> String {
    let role = match (service.essential, service.alternative) {
        (true, _) => " (essential)",
        (false, true) => " (alternative)",
        (false, false) => "",
    };
    format!("{}{role}", plain(&service.service))
}

fn outcomes(page: &mut Page, service: &ServiceReport) {
    let mut groups: Vec<(String, EndpointStatus, Vec<&str>)> = Vec::new();
    let mut known: HashMap<(String, EndpointStatus), usize> = HashMap::new();
    for endpoint in &service.endpoints {
        let outcome = outcome(endpoint);
        let at = *known
            .entry((outcome.clone(), endpoint.status))
            .or_insert_with(|| {
                groups.push((outcome, endpoint.status, Vec::new()));
                groups.len() - 1
            });
        groups[at].2.push(&endpoint.endpoint);
    }
    let mut left = MOST;
    for (outcome, status, ids) in &groups {
        let rows = fold::endpoints(ids.iter().copied());
        for (at, row) in rows.iter().take(left).enumerate() {
            let outcome = if at == 0 { outcome.as_str() } else { "" };
            row_of(page, &escape(row), outcome, *status);
        }
        left = left.saturating_sub(rows.len());
    }
    let total: usize = groups.iter().map(|(_, _, ids)| ids.len()).sum();
    if left == 0 {
        page.indented(4, &format!("… of {total} endpoints in all: -vv"));
    }
}

fn row_of(page: &mut Page, text: &str, outcome: &str, status: EndpointStatus) {
    let column = page.width().saturating_sub(INDENT + 4) * 11 / 20;
    let outcome = escape(outcome);
    let mark = page.endpoint(status);
    let label = format!("{}{mark} ", " ".repeat(INDENT + 2));
    if status == EndpointStatus::NotRun {
        let (text, outcome) = (page.dim(text), page.dim(&outcome));
        page.columns(&label, &text, column, &outcome);
    } else {
        page.columns(&label, text, column, &outcome);
    }
}

/// Failure, techniques and reason: what the endpoints of one row have in common.
fn outcome(endpoint: &EndpointReport) -> String {
    let failure = endpoint.failure.as_ref().map(words::brief);
    let why: Vec<&str> = failure
        .as_deref()
        .into_iter()
        .chain(endpoint.techniques.iter().map(String::as_str))
        .chain(endpoint.reason.as_deref())
        .collect();
    why.join(" · ")
}
