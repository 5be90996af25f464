//! What stands above and below the targets: the network, what is wrong with it, resolvers, notes, and the size of the run.

use std::collections::HashMap;

use crate::model::plain;
use crate::model::report::{Regime, ResolverReport, Status, Vantage, Verdict};
use crate::output::human::evidence::Known;
use crate::output::human::layout::Page;
use crate::output::human::{Detail, Told};
use crate::output::human::{block, contrast};
use crate::output::terminal::escape;
use crate::output::words;

/// The network and what is wrong with it or with this machine.
pub fn top(page: &mut Page, told: &Told<'_>, known: &Known<'_>) {
    let vantage = told.vantage;
    page.blank();
    if let Some(label) = &vantage.label {
        let label = page.bold(&escape(label));
        page.entry("Vantage", &label);
    }
    let is_open = vantage.regime == Regime::Open;
    match (&vantage.problem, is_open) {
        (Some(problem), true) => {
            page.entry("Network", &network(vantage));
            warn(page, "Problem", problem);
        }
        (Some(problem), false) => warn(page, "Network", problem),
        (None, true) => page.entry("Network", &network(vantage)),
        (None, false) => warn(page, "Network", words::regime(vantage.regime)),
    }
    for technique in &vantage.techniques {
        if page.detail() > Detail::Plain {
            contrast::technique(page, technique, None, known);
        } else {
            block::line(page, technique, None, known);
        }
    }
    if told.run.interrupted {
        let short = format!(
            "after {:.1} s. Results are based on the part that was measured.",
            told.run.duration_s
        );
        warn(page, "Cut short", &short);
    }
    page.blank();
}

fn warn(page: &mut Page, label: &str, text: &str) {
    let text = page.sentence(text);
    let text = page.warning(&text);
    page.entry(label, &text);
}

/// In one line where it is open: families, and where it is.
fn network(vantage: &Vantage) -> String {
    let mut parts = Vec::new();
    if vantage.address_families.is_empty() {
        parts.push("not known: no control server was reached before the end".to_owned());
    } else {
        parts.push(words::regime(Regime::Open).to_owned());
        parts.push(families(&vantage.address_families).to_owned());
    }
    let place = [vantage.asn.as_deref(), vantage.country.as_deref()];
    let place: Vec<_> = place.into_iter().flatten().map(escape).collect();
    if !place.is_empty() {
        parts.push(place.join(", "));
    }
    parts.join(" · ")
}

fn families(working: &[String]) -> &'static str {
    let has = |family: &str| working.iter().any(|working| working == family);
    match (has("ipv4"), has("ipv6")) {
        (true, true) => "IPv4 and IPv6 work",
        (true, false) => "IPv4 works, IPv6 does not",
        (false, true) => "IPv6 works, IPv4 does not",
        (false, false) => "neither IPv4 nor IPv6 works",
    }
}

/// Under such a regime all targets have one line, since nothing can be said of any.
pub fn no_verdicts(page: &mut Page, verdicts: &[Verdict]) {
    let names: Vec<String> = verdicts.iter().map(super::name).collect();
    if !names.is_empty() {
        page.hanging(0, 2, &format!("? No verdict for {}.", names.join(", ")));
    }
}

/// Resolvers that do not work or are interfered with.
pub fn resolvers(page: &mut Page, vantage: &Vantage) {
    let is_wrong = |resolver: &&ResolverReport| {
        // On a network that is not open nothing answers as it should, resolvers included.
        let is_failing = resolver.status != Status::Accessible && vantage.regime == Regime::Open;
        is_failing || !resolver.techniques.is_empty()
    };
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for resolver in vantage.resolvers.iter().filter(is_wrong) {
        let state = state(page, resolver);
        let name = format!(
            "{} ({} {})",
            escape(&resolver.name),
            resolver.transport.word(),
            escape(&resolver.address)
        );
        let at = *known.entry(state.clone()).or_insert_with(|| {
            groups.push((state, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(name);
    }
    page.blank();
    let mut label = "Resolvers";
    for (state, names) in groups {
        let text = format!("{}: {state}", names.join(", "));
        page.entry(std::mem::take(&mut label), &text);
    }
}

/// How a resolver behaves.
fn state(page: &Page, resolver: &ResolverReport) -> String {
    let mut text = page.status(resolver.status);
    for technique in &resolver.techniques {
        text.push_str(". ");
        text.push_str(&plain::technique(technique.technique()));
        text.push_str(&page.dim(&format!(" ({})", technique.confidence.word())));
    }
    text
}

/// What else is worth knowing.
pub fn notes(page: &mut Page, vantage: &Vantage) {
    page.blank();
    let mut label = "Notes";
    for note in &vantage.notes {
        page.entry(std::mem::take(&mut label), &escape(note));
    }
}

/// The size of the run, and where there is more to see.
pub fn foot(page: &mut Page, told: &Told<'_>) {
    page.blank();
    let plural = if told.measured == 1 { "" } else { "s" };
    let more = match page.detail() {
        Detail::Everything => "all data: -f json",
        Detail::Verbose => "every endpoint and step: -vv",
        _ => "evidence: -v",
    };
    let foot = format!(
        "{} measurement{plural} in {:.1} s · {more}",
        grouped(told.measured),
        told.run.duration_s
    );
    let foot = page.dim(&foot);
    page.indented(0, &foot);
}

/// `1,895`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1895, 1_234_567].map(grouped),
            ["0", "999", "1,895", "1,234,567"]
        );
    }
}
