//! One target on the default screen: its status, what fails and works, and a line for each technique.

use std::collections::HashSet;

use crate::model::report::{EndpointStatus, ServiceReport, Status, TechniqueReport, Verdict};
use crate::output::human::evidence::Known;
use crate::output::human::layout::{self, Page, pad};
use crate::output::human::name;
use crate::output::human::seen;
use crate::output::terminal::escape;
use crate::output::words;

/// `blocked, confirmed`, the longest common one, and the gap after it.
const STATUS: usize = 21;

/// `Protocol` and the gap after it.
const LAYER: usize = 10;

/// Services of one kind that are listed; more are counted.
const LISTED: usize = 5;

/// Sentences that stand on the screen already.
pub type Said = HashSet<String>;

/// Everything that the default screen says of a target.
pub fn verdict(page: &mut Page, verdict: &Verdict, known: &Known<'_>, said: &mut Said) {
    head(page, verdict, &services(&verdict.services));
    for (at, technique) in verdict.techniques.iter().enumerate() {
        line(page, technique, Some(verdict), known);
        // What several techniques leave open is said after the last of them.
        if let Some(doubt) = &technique.doubt
            && !verdict.techniques[at + 1..]
                .iter()
                .any(|later| later.doubt.as_ref() == Some(doubt))
        {
            open_question(page, doubt, &layers(verdict, doubt));
        }
    }
    why(page, verdict, said);
}

/// The first line: mark, name, status, confidence, and beside them the services.
pub fn head(page: &mut Page, verdict: &Verdict, parts: &[String]) {
    let status = page.paint(
        &status_and_confidence(verdict),
        layout::status_style(verdict.status),
    );
    let mark = page.paint(
        words::symbol(verdict.status),
        layout::status_style(verdict.status),
    );
    let label = format!("{mark} {}", page.bold(&name(verdict)));
    let label = pad(&label, page.gutter());
    let wide = format!("{label}{}", pad(&status, STATUS));
    let separator = page.dim(" · ");
    let text = parts.join(&separator);
    if text.is_empty() {
        page.line(&format!("{label}{status}"));
    } else if layout::width(&wide) + layout::width(&text).min(40) <= page.width() {
        page.beside(&wide, &text);
    } else {
        page.line(&format!("{label}{status}"));
        for part in parts {
            page.entry("", part);
        }
    }
}

/// `blocked, confirmed`. Where nothing can be concluded confidence is no matter of degree.
fn status_and_confidence(verdict: &Verdict) -> String {
    let status = words::status(verdict.status);
    match verdict.status {
        Status::Inconclusive => status.to_owned(),
        _ => format!("{status}, {}", verdict.confidence.word()),
    }
}

/// A technique in one entry, its layer as the label.
pub fn line(
    page: &mut Page,
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
) {
    let sentence = seen::sentence(technique, verdict, known);
    // The label says the layer already.
    let layer = words::layer(technique.trigger);
    let rest = sentence.strip_prefix(layer).map(str::trim_start);
    let mut text = page.sentence(rest.unwrap_or(&sentence));
    if verdict.is_none_or(|verdict| verdict.confidence != technique.confidence) {
        text.push_str(&page.dim(&format!(" ({})", technique.confidence.word())));
    }
    layered(page, layer, &text);
}

/// Text in the column of what was seen, with a label of its own.
fn layered(page: &mut Page, label: &str, text: &str) {
    let label = format!(
        "{}{}",
        " ".repeat(page.gutter()),
        pad(&page.bold(label), LAYER)
    );
    page.beside(&label, text);
}

/// What the analysis adds: its summary where no technique was found, and its reason, but for lists of services, which stand above.
pub fn why(page: &mut Page, verdict: &Verdict, said: &mut Said) {
    let has_words = !verdict.techniques.is_empty() || verdict.status == Status::Accessible;
    let mut texts: Vec<&str> = Vec::new();
    if !has_words {
        let summary = verdict.summary.strip_prefix(&verdict.name);
        let rest = summary.and_then(|rest| rest.strip_prefix([' ', ':']));
        texts.push(rest.map_or(&*verdict.summary, str::trim_start));
    }
    if let Some(reason) = verdict.reason.as_deref()
        && reason != verdict.summary
    {
        let services: HashSet<&str> = verdict.services.iter().map(|it| &*it.service).collect();
        let sentences = reason.split(". ");
        texts.extend(sentences.filter(|it| !is_list_of(it, &services)));
    }
    for text in texts {
        // What several targets share is said once.
        if said.insert(text.to_owned()) {
            let text = page.sentence(text);
            page.entry("", &text);
        }
    }
}

/// `Still working: web, calls`, whatever its first words are.
fn is_list_of(sentence: &str, services: &HashSet<&str>) -> bool {
    sentence.split_once(": ").is_some_and(|(_, list)| {
        let mut items = list.trim_end_matches('.').split(", ");
        items.all(|item| services.contains(item))
    })
}

/// The layers of the techniques that leave this open, where there are several.
fn layers(verdict: &Verdict, doubt: &str) -> Vec<&'static str> {
    let mut layers: Vec<&str> = Vec::new();
    for technique in &verdict.techniques {
        let layer = words::layer(technique.trigger);
        if technique.doubt.as_deref() == Some(doubt) && !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    if layers.len() < 2 {
        layers.clear();
    }
    layers
}

fn open_question(page: &mut Page, doubt: &str, layers: &[&str]) {
    let whose = match layers {
        [] => String::new(),
        layers => format!(" ({})", layers.join(", ")),
    };
    let label = page.dim(&format!("Open question{whose}:"));
    let text = format!("{label} {}", page.sentence(doubt));
    let indent = page.gutter() + LAYER;
    if page.width() < indent + 30 {
        page.entry("", &text);
    } else {
        page.indented(indent, &text);
    }
}

/// What fails and what works, in as few words as say it all.
pub fn services(services: &[ServiceReport]) -> Vec<String> {
    if let Some(status) = common_status(services) {
        let count = services.len();
        return vec![match status {
            Status::Accessible => format!("all {count} services"),
            Status::Blocked | Status::Down => format!("fails: all {count} services"),
            Status::Degraded => format!("works in part: all {count} services"),
            Status::Inconclusive => format!("undetermined: all {count} services"),
        }];
    }
    let mut parts = Vec::new();
    let mut part = |label: &str, wanted: &dyn Fn(&ServiceReport) -> bool| {
        let chosen: Vec<&ServiceReport> = services.iter().filter(|it| wanted(it)).collect();
        if !chosen.is_empty() {
            parts.push(format!("{label}: {}", listed(&chosen)));
        }
    };
    part("fails", &|it| it.status == Status::Blocked);
    part("down", &|it| it.status == Status::Down);
    part("works in part", &|it| it.status == Status::Degraded);
    part("undetermined", &|it| {
        it.status == Status::Inconclusive && !is_not_run(it)
    });
    part("works", &|it| it.status == Status::Accessible);
    part("not measured", &is_not_run);
    parts
}

/// Names, the essential ones first.
fn listed(services: &[&ServiceReport]) -> String {
    let essential = services.iter().filter(|service| service.essential);
    let others = services.iter().filter(|service| !service.essential);
    let names: Vec<String> = essential
        .chain(others)
        .map(|it| plain(&it.service))
        .collect();
    match names.len().saturating_sub(LISTED - 1) {
        0 | 1 => names.join(", "),
        more => format!("{} and {more} more", names[..LISTED - 1].join(", ")),
    }
}

/// The name of a service as a person would write it.
pub fn plain(service: &str) -> String {
    escape(service).replace('_', " ")
}

fn common_status(services: &[ServiceReport]) -> Option<Status> {
    let status = services.first()?.status;
    let is_common = |service: &ServiceReport| service.status == status && !is_not_run(service);
    (services.len() > 1 && services.iter().all(is_common)).then_some(status)
}

fn is_not_run(service: &ServiceReport) -> bool {
    service.status == Status::Inconclusive
        && !service.endpoints.is_empty()
        && service
            .endpoints
            .iter()
            .all(|endpoint| endpoint.status == EndpointStatus::NotRun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, status: Status) -> ServiceReport {
        ServiceReport {
            service: name.to_owned(),
            status,
            essential: name == "d_e",
            alternative: false,
            endpoints: Vec::new(),
        }
    }

    #[test]
    fn what_fails_comes_first_and_a_long_list_is_counted() {
        let names = ["a", "b", "c", "d_e", "f", "g"];
        let mut many = names.map(|name| service(name, Status::Blocked));
        assert_eq!(services(&many), ["fails: all 6 services"]);
        many[0].status = Status::Accessible;
        assert_eq!(services(&many), ["fails: d e, b, c, f, g", "works: a"]);
        many[0].status = Status::Blocked;
        many[1].endpoints = Vec::new();
        let mut more = many.to_vec();
        more.push(service("h", Status::Accessible));
        assert_eq!(
            services(&more),
            ["fails: d e, a, b, c and 2 more", "works: h"]
        );
    }
}
