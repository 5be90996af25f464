//! The table: target, status, how, and what works and what does not.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::model::report::{EndpointStatus, ServiceReport, Status, Verdict};
use crate::output::human::layout::{self, Page, status_label, status_style};
use crate::output::human::{name, tells_confidence};
use crate::output::terminal::escape;
use crate::output::words;

/// `? inconclusive` and the gap after it.
const STATUS_WIDTH: usize = 16;

/// Between two columns.
const GAP: u16 = 2;

/// Narrower than this, columns side by side hold no sentence.
const NARROWEST: usize = 60;

/// One row a target.
pub fn verdicts(page: &mut Page, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    if page.width() < NARROWEST {
        stacked(page, verdicts);
        return;
    }
    let rest = page.width() - page.gutter() - STATUS_WIDTH;
    // A row of trouble has more to say on how than on what.
    let how = rest / 2;
    let mut table = table([page.gutter(), STATUS_WIDTH, how, rest - how]);
    table.set_header(["Target", "Status", "How", "Services"]);
    for verdict in verdicts {
        table.add_row([
            name(verdict),
            status(verdict),
            within(how, &techniques(verdict)),
            within(rest - how, &services(&verdict.services)),
        ]);
    }
    for (at, line) in table.lines().enumerate() {
        let line = if at == 0 {
            page.dim(&line)
        } else {
            painted(page, &line)
        };
        page.line(&line);
    }
}

/// The same, one below the other.
fn stacked(page: &mut Page, verdicts: &[Verdict]) {
    for verdict in verdicts {
        let mut status = page.status(verdict.status);
        if tells_confidence(verdict) {
            status = format!("{status}, {}", verdict.confidence.word());
        }
        page.entry(&name(verdict), &status);
        for text in [techniques(verdict), services(&verdict.services)] {
            for line in text.lines() {
                page.entry("", line);
            }
        }
    }
}

/// The text of a cell, broken as everywhere: the table itself would break long words anywhere.
fn within(column: usize, text: &str) -> String {
    let columns = column.saturating_sub(usize::from(GAP));
    let lines: Vec<String> = text
        .lines()
        .flat_map(|line| layout::wrap(line, columns))
        .collect();
    lines.join("\n")
}

/// A table without lines, its columns as wide as told, gaps included.
pub fn table<const COLUMNS: usize>(widths: [usize; COLUMNS]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(widths.iter().sum::<usize>()).unwrap_or(u16::MAX))
        .set_header([""; COLUMNS])
        .set_constraints(widths.map(|width| {
            ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX)))
        }));
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

fn status(verdict: &Verdict) -> String {
    let label = status_label(verdict.status);
    if tells_confidence(verdict) {
        format!("{label}\n  {}", verdict.confidence.word())
    } else {
        label
    }
}

fn techniques(verdict: &Verdict) -> String {
    let mut told: Vec<String> = Vec::new();
    for technique in &verdict.techniques {
        let words = words::reported(technique).into_owned();
        if !told.contains(&words) {
            told.push(words);
        }
    }
    told.join(";\n")
}

/// What works, what does not and what was not measured, in as few words as tell it all.
fn services(services: &[ServiceReport]) -> String {
    if let Some(status) = common_status(services) {
        return format!("{} all {} services", words::symbol(status), services.len());
    }
    let named = |wanted: fn(&ServiceReport) -> bool| {
        let names: Vec<_> = services
            .iter()
            .filter(|service| wanted(service))
            .map(|service| escape(&service.service))
            .collect();
        names.join(", ")
    };
    let mut parts = Vec::new();
    let mut tell = |label: &str, names: String| {
        if !names.is_empty() {
            parts.push(format!("{label} {names}"));
        }
    };
    tell("✓", named(|service| service.status == Status::Accessible));
    tell("~", named(|service| service.status == Status::Degraded));
    tell("✗", named(|service| service.status == Status::Blocked));
    tell("↓", named(|service| service.status == Status::Down));
    tell(
        "?",
        named(|service| service.status == Status::Inconclusive && !is_not_run(service)),
    );
    tell("not measured:", named(is_not_run));
    parts.join("\n")
}

/// A long list of equals says less than their number.
fn common_status(services: &[ServiceReport]) -> Option<Status> {
    const LONG: usize = 4;
    let status = services.first()?.status;
    let is_common = |service: &ServiceReport| service.status == status && !is_not_run(service);
    (services.len() >= LONG && services.iter().all(is_common)).then_some(status)
}

fn is_not_run(service: &ServiceReport) -> bool {
    service.status == Status::Inconclusive
        && !service.endpoints.is_empty()
        && service
            .endpoints
            .iter()
            .all(|endpoint| endpoint.status == EndpointStatus::NotRun)
}

/// Colours are laid on afterwards: the table counts columns and knows nothing of them.
fn painted(page: &Page, line: &str) -> String {
    let mut painted = line.to_owned();
    for &status in Status::ALL {
        let label = status_label(status);
        if let Some(at) = line.find(&label) {
            let (before, after) = (&line[..at], &line[at + label.len()..]);
            painted = format!(
                "{}{}{after}",
                page.bold(before),
                page.paint(&label, status_style(status))
            );
        }
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, status: Status) -> ServiceReport {
        ServiceReport {
            service: name.to_owned(),
            status,
            essential: false,
            alternative: false,
            endpoints: Vec::new(),
        }
    }

    #[test]
    fn many_equal_services_are_counted_and_few_are_named() {
        let mut many = ["a", "b", "c", "d"].map(|name| service(name, Status::Blocked));
        assert_eq!(services(&many), "✗ all 4 services");
        assert_eq!(services(&many[..2]), "✗ a, b");
        many[0].status = Status::Accessible;
        assert_eq!(services(&many), "✓ a\n✗ b, c, d");
    }
}
