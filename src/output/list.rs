//! What would be measured, for `blockprobe list`.

use std::io;

use serde::Serialize;

use crate::model::check::Check;
use crate::model::outline::{Outline, OutlineEndpoint};
use crate::output::human::Manner;
use crate::output::human::layout::{Page, pad};
use crate::output::json;
use crate::output::terminal::escape;
use crate::output::words;

/// For a person: targets, their services, and how high each endpoint is climbed.
pub fn human(outline: &Outline, manner: Manner) -> Vec<u8> {
    let mut page = Page::new(manner, 2);
    let mut target = None;
    let mut service = None;
    for endpoint in &outline.endpoints {
        if target != Some(&endpoint.target) {
            target = Some(&endpoint.target);
            service = None;
            page.blank();
            let heading = heading(&page, endpoint);
            page.line(&heading);
        }
        if endpoint.target != GROUND && service != Some(&endpoint.service) {
            service = Some(&endpoint.service);
            let line = format!("  {}{}", escape(&endpoint.service), marks(endpoint));
            page.line(&line);
        }
        rungs(&mut page, endpoint);
    }
    page.blank();
    let foot = format!(
        "{} endpoints; {} checks planned, more follow once addresses are known",
        outline.endpoints.len(),
        outline.checks.len()
    );
    let foot = page.dim(&foot);
    page.indented(0, &foot);
    page.into_text().into_bytes()
}

/// For a program: the outline as one document.
pub fn json(outline: &Outline) -> io::Result<Vec<u8>> {
    json::to_bytes(outline)
}

/// For a program that reads lines: one object for each endpoint, then one for each check.
pub fn ndjson(outline: &Outline) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let endpoints = outline.endpoints.iter().map(OutlineLine::Endpoint);
    let checks = outline.checks.iter().map(OutlineLine::Check);
    for line in endpoints.chain(checks) {
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum OutlineLine<'a> {
    Endpoint(&'a OutlineEndpoint),
    Check(&'a Check),
}

/// The target under which the outline lists the controls.
const GROUND: &str = "ground";

fn heading(page: &Page, endpoint: &OutlineEndpoint) -> String {
    if endpoint.target == GROUND {
        let gloss = page.dim("what should work if only a target is filtered");
        return format!("{}  {gloss}", page.bold("Controls"));
    }
    let name = page.bold(&escape(&endpoint.name));
    format!("{name}  {}", page.dim(&escape(&endpoint.target)))
}

fn marks(endpoint: &OutlineEndpoint) -> &'static str {
    match (endpoint.essential, endpoint.pool, endpoint.by_place) {
        (true, true, _) => " (essential, any one is enough)",
        (true, false, true) => " (essential, any one for each host or address is enough)",
        (true, false, false) => " (essential)",
        (false, true, _) => " (any one is enough)",
        (false, false, true) => " (any one for each host or address is enough)",
        (false, false, false) => "",
    }
}

fn rungs(page: &mut Page, endpoint: &OutlineEndpoint) {
    let ladder: Vec<&str> = endpoint
        .ladder
        .iter()
        .map(|rung| words::operation(*rung))
        .collect();
    let ladder = pad(&ladder.join(" "), 16);
    let mut line = format!("{ladder}  {}", escape(&endpoint.endpoint));
    if endpoint.target == GROUND {
        line = format!("{line}, {}", escape(&endpoint.name));
    }
    // A ladder of spaces would be wrapped away: the first line is whole, the rest hangs under the endpoint.
    let indent = if endpoint.target == GROUND { 2 } else { 4 };
    page.hanging(indent, indent + 18, &line);
}
