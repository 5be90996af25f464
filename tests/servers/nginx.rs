//! nginx: a server for each place and name of the catalog, with what the catalog expects there, or less.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use blockprobe::model::catalog::Endpoint;

use crate::program::{PortTaken, Program};

/// What nginx serves at one address and port.
#[derive(Clone, Debug)]
pub struct Door {
    /// Name of the certificate; nothing where no TLS is spoken.
    pub certificate: Option<String>,
    /// TLS 1.2 and nothing newer.
    pub is_old: bool,
    /// HTTP/2 is spoken, besides HTTP/1.1.
    pub has_http2: bool,
    /// Who is served.
    pub endpoints: Vec<Endpoint>,
}

/// Answers that are not what the catalog would like best: a status for a whole host.
pub const ERRORS: &[(&str, u16)] = &[
    ("v.whatsapp.net", 403),
    ("api.telegram.org", 404),
    ("web.max.ru", 500),
    ("facetime.apple.com", 503),
];
/// Hosts that redirect.
pub const REDIRECTS: &[(&str, u16)] = &[("wa.me", 301), ("t.me", 302)];

/// Starts it. `elsewhere` is where the redirects lead.
pub fn start(
    directory: &Path,
    label: &str,
    doors: &BTreeMap<SocketAddr, Door>,
    elsewhere: &str,
) -> Result<Program, PortTaken> {
    let file = format!("{label}.conf");
    std::fs::write(
        directory.join(&file),
        configuration(label, doors, elsewhere),
    )
    .unwrap();
    let places: Vec<SocketAddr> = doors.keys().copied().collect();
    let prefix = directory.display().to_string();
    let path = directory.join(&file).display().to_string();
    Program::start(
        "nginx",
        directory,
        label,
        &["-p", &prefix, "-c", &path, "-e", "stderr"],
        &places,
    )
}

fn configuration(label: &str, doors: &BTreeMap<SocketAddr, Door>, elsewhere: &str) -> String {
    // A single process: when it is killed nobody is left.
    let mut text = format!(
        "daemon off;\nmaster_process off;\npid {label}.pid;\nerror_log stderr warn;\n\
         events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\ndefault_type text/html;\n"
    );
    for temporary in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{temporary}_temp_path {label}-{temporary};").unwrap();
    }
    for (place, door) in doors {
        let names: BTreeSet<&str> = door.endpoints.iter().map(name_of).collect();
        for name in names {
            text.push_str(&server(*place, name, door, elsewhere));
        }
    }
    text.push_str("}\n");
    text
}

fn server(place: SocketAddr, name: &str, door: &Door, elsewhere: &str) -> String {
    let mut text = format!("server {{ server_name \"{name}\"; listen {place}");
    if door.certificate.is_some() {
        text.push_str(" ssl");
        if door.has_http2 {
            text.push_str(" http2");
        }
    }
    text.push_str(";\n");
    if let Some(certificate) = &door.certificate {
        let versions = if door.is_old { "TLSv1.2" } else { "TLSv1.3" };
        writeln!(
            text,
            "ssl_certificate {certificate}.pem; ssl_certificate_key {certificate}.key; ssl_protocols {versions};"
        )
        .unwrap();
    }
    let mut answers: BTreeMap<&str, String> = BTreeMap::new();
    for endpoint in door.endpoints.iter().filter(|it| name_of(it) == name) {
        let path = endpoint.path.split('?').next().unwrap_or("/");
        answers
            .entry(path)
            .or_insert_with(|| answer(endpoint, elsewhere));
    }
    for (path, answer) in answers {
        writeln!(text, "location = {path} {{ {answer} }}").unwrap();
    }
    text.push_str("}\n");
    text
}

/// The name of a virtual server; empty where only the address is known.
fn name_of(endpoint: &Endpoint) -> &str {
    endpoint.host.as_deref().unwrap_or_default()
}

fn answer(endpoint: &Endpoint, elsewhere: &str) -> String {
    let host = name_of(endpoint);
    let of = |table: &[(&str, u16)]| {
        let found = table.iter().find(|(name, _)| *name == host);
        found.map(|(_, status)| *status)
    };
    // The pages of the errors are nginx's own.
    if let Some(status) = of(ERRORS) {
        return format!("return {status};");
    }
    if let Some(status) = of(REDIRECTS) {
        return format!("return {status} {elsewhere};");
    }
    let expect = &endpoint.expect;
    let status = expect.status.first().copied().unwrap_or(200);
    let body = expect.body.clone().unwrap_or_else(|| {
        let contains = expect.contains.as_deref().unwrap_or("It works");
        let title = expect.title.as_deref().unwrap_or("nginx");
        format!("<html><head><title>{title}</title></head><body>{contains}</body></html>")
    });
    if status == 204 {
        return "return 204;".to_owned();
    }
    assert!(!body.contains('$'), "nginx would read a variable: {body}");
    let quoted = body
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("return {status} \"{quoted}\";")
}
