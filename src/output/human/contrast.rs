//! The contrast of a technique, for `-v`: what failed, what passed with one thing changed, and what is open.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::check::Variation;
use crate::model::report::{TechniqueReport, Verdict};
use crate::model::technique::Trigger;
use crate::output::human::evidence::{Evidence, Known, Mark};
use crate::output::human::facts::{Asked, Fact, Place};
use crate::output::human::layout::{self, Page, pad};
use crate::output::human::seen;
use crate::output::terminal::{escape, escape_short};
use crate::output::words;

/// `passed` and the gap after it.
const KIND: usize = 9;

/// Attempts whose marks are drawn one by one; of more the number is written.
const DRAWN: usize = 5;

/// Longest outcome that is shown.
const LONGEST: usize = 60;

/// One technique: heading, sentence, what was seen in detail, and its lines.
pub fn technique(
    page: &mut Page,
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
) {
    let id = page.bold(&escape(&technique.id));
    let confidence = technique.confidence.word();
    let varied = page.dim(&format!(
        "what varied: {}",
        words::varied(technique.trigger)
    ));
    page.indented(2, &format!("{id}, {confidence} · {varied}"));
    let sentence = seen::sentence(technique, verdict, known);
    let sentence = page.sentence(&sentence);
    page.indented(4, &sentence);
    let seen = page.sentence(&technique.seen);
    let seen = page.dim(&seen);
    page.indented(4, &seen);
    lines(page, &known.evidence(technique));
    if let Some(doubt) = &technique.doubt {
        let label = page.warning(&pad("open", KIND));
        page.beside(&format!("    {label}"), &escape(doubt));
    }
}

/// Attempts that are alike, in one line.
struct Row<'a> {
    mark: Mark,
    facts: Vec<&'a Fact>,
}

/// What makes attempts alike.
type Likeness<'a> = (Mark, bool, Option<Variation>, bool, Option<u8>, &'a str);

fn rows<'a>(evidence: &Evidence<'a>) -> Vec<Row<'a>> {
    let mut rows: BTreeMap<Likeness<'a>, Row<'a>> = BTreeMap::new();
    for &fact in &evidence.cited {
        let mark = evidence.mark(fact);
        let (is_name, hops) = match &fact.asked {
            Asked::Name { .. } => (true, None),
            Asked::Place(place) => (false, place.hops),
        };
        // One answer is as good as another; failures are told apart.
        let outcome = if mark == Mark::Passed {
            ""
        } else {
            fact.outcome.as_str()
        };
        let likeness = (mark, !is_name, fact.varies, fact.is_control, hops, outcome);
        let row = rows.entry(likeness).or_insert_with(|| Row {
            mark,
            facts: Vec::new(),
        });
        row.facts.push(fact);
    }
    rows.into_values().collect()
}

fn lines(page: &mut Page, evidence: &Evidence<'_>) {
    let rows = rows(evidence);
    let whats: Vec<String> = rows.iter().map(|row| what(row, evidence)).collect();
    let longest = whats
        .iter()
        .map(|what| layout::width(what))
        .max()
        .unwrap_or(0);
    let most = page.width().saturating_sub(KIND + 4) * 3 / 5;
    let column = longest.min(most) + 2;
    for (row, what) in rows.iter().zip(&whats) {
        let label = format!("    {}", pad(row.mark.word(), KIND));
        let outcome = outcome(row);
        let marks = page.mark(row.mark, &marks(row));
        page.columns(&label, what, column, &format!("{marks} {outcome}"));
    }
}

fn marks(row: &Row<'_>) -> String {
    let count = row.facts.len();
    let symbol = row.mark.symbol();
    if count <= DRAWN {
        symbol.repeat(count)
    } else {
        format!("{symbol} x {count}")
    }
}

/// The outcome, with the time that it took where something came back.
fn outcome(row: &Row<'_>) -> String {
    let outcomes: BTreeSet<&str> = row.facts.iter().map(|fact| fact.outcome.as_str()).collect();
    let mut outcomes = outcomes.into_iter();
    let mut text = escape_short(outcomes.next().unwrap_or_default(), LONGEST);
    if outcomes.next().is_some() {
        text.push_str(" …");
    }
    let is_silent = row.facts.iter().all(|fact| fact.outcome == words::SILENCE);
    if is_silent {
        return text;
    }
    let took = |fact: &&Fact| fact.took * 1000.0;
    let least = row.facts.iter().map(took).fold(f64::INFINITY, f64::min);
    let most = row.facts.iter().map(took).fold(0.0, f64::max);
    let times = if format!("{least:.0}") == format!("{most:.0}") {
        format!("{most:.0} ms")
    } else {
        format!("{least:.0} to {most:.0} ms")
    };
    format!("{text}, {times}")
}

/// What was tried, in words: the first of its kind, and how many more.
fn what(row: &Row<'_>, evidence: &Evidence<'_>) -> String {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut askers: Vec<String> = Vec::new();
    let mut places: Vec<String> = Vec::new();
    for fact in &row.facts {
        match &fact.asked {
            Asked::Name { resolver, name } => {
                names.insert(name);
                let asker = resolver_words(resolver.as_deref());
                if !askers.contains(&asker) {
                    askers.push(asker);
                }
            }
            Asked::Place(place) => {
                let text = place_words(place, fact, evidence.trigger());
                if !places.contains(&text) {
                    places.push(text);
                }
            }
        }
    }
    if let Some(first) = places.first() {
        let control = if row.facts.iter().all(|fact| fact.is_control) {
            control_words(row)
        } else {
            ""
        };
        let more = more(places.len());
        return format!("{first}{control}{more}");
    }
    let first = names
        .first()
        .map_or_else(String::new, |name| escape(name).into_owned());
    format!("{}: {first}{}", askers.join(", "), more(names.len()))
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    }
}

/// A control server, unless the address is still the target's.
fn control_words(row: &Row<'_>) -> &'static str {
    let varies = row.facts.first().and_then(|fact| fact.varies);
    match varies {
        None | Some(Variation::Address | Variation::Both) => " (control)",
        Some(_) => "",
    }
}

/// `google (DoH)`, from the id of the resolver.
fn resolver_words(id: Option<&str>) -> String {
    let Some(id) = id else {
        return "this machine's own lookup".to_owned();
    };
    let mut parts = id.splitn(3, '/');
    let name = escape(parts.next().unwrap_or(id)).into_owned();
    match parts.next() {
        Some(transport) => format!("{name} ({})", escape(transport)),
        None => name,
    }
}

fn place_words(place: &Place, fact: &Fact, trigger: Trigger) -> String {
    let Place {
        ip,
        port,
        protocol,
        name,
        ..
    } = place;
    let name = name.as_deref().map(|name| escape_short(name, LONGEST));
    let by_name = match trigger {
        Trigger::ServerName | Trigger::ServerNameAtAddress | Trigger::TlsFingerprint => "SNI",
        Trigger::QuicServerName | Trigger::Quic => "QUIC SNI",
        Trigger::HttpHost => "Host",
        _ => "",
    };
    let is_quic = matches!(trigger, Trigger::Quic | Trigger::QuicServerName);
    if is_quic && fact.varies == Some(Variation::Shape) {
        return format!("another QUIC version at {ip}");
    }
    let own = match (by_name, name) {
        ("", Some(name)) => format!("{protocol} {name} at {ip}:{port}"),
        ("", None) => format!("{protocol} {ip}:{port}"),
        (label, Some(name)) => format!("{label} {name} at {ip}"),
        (label, None) => format!("no {label} at {ip}"),
    };
    let own = if place.is_random {
        format!("random bytes to {ip}:{port}")
    } else {
        own
    };
    let hops = place
        .hops
        .map_or_else(String::new, |hops| format!(", TTL {hops}"));
    let changed = match fact.varies {
        Some(Variation::Port) => "another port: ",
        Some(Variation::Neighbour) => "neighbour: ",
        Some(Variation::Shape) => "another shape: ",
        Some(Variation::Split) => "in two pieces: ",
        Some(Variation::Transport) => "another transport: ",
        _ => "",
    };
    format!("{changed}{own}{hops}")
}
