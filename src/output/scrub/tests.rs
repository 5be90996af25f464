//! No spelling of an own address survives, and what is not ours does.

use serde_json::json;

use super::*;
use crate::model::report::Report;
use crate::output::human::samples;

fn knowing(own: &[&str]) -> Scrubber {
    let own: Vec<IpNet> = own
        .iter()
        .map(|net| net.parse().expect("a network"))
        .collect();
    Scrubber::new(&own)
}

#[test]
fn fields_of_strangers_are_told_from_our_own() {
    let mut value = json!({
        "check": {"ask": "climb", "address": "203.0.113.9:80"},
        "steps": [{
            "dns": {"replies": [{"answers": [
                {"record": "A", "ttl": 1, "value": "192.0.2.1"},
                {"record": "TXT", "ttl": 1, "value": "192.0.2.1"},
            ]}]},
            "http": {"title": "192.0.2.1", "headers": [["location", "http://192.0.2.1/"], ["x", "203.0.113.9"]]},
            "tls": {"first_received": "3139322e302e322e31"},
        }],
    });
    assert!(knowing(&[]).value(&mut value));
    let step = &value["steps"][0];
    let answers = &step["dns"]["replies"][0]["answers"];
    assert_eq!(answers[0]["value"], "192.0.2.1");
    assert_eq!(answers[1]["value"], SCRUBBED);
    assert_eq!(step["http"]["title"], SCRUBBED);
    assert_eq!(step["http"]["headers"][0][1], "http://[scrubbed]/");
    assert_eq!(step["http"]["headers"][1][1], "203.0.113.9");
    assert_eq!(step["tls"]["first_received"], SCRUBBED);
}

#[test]
fn keys_are_scrubbed_too() {
    let mut value = json!({"at 198.51.100.7": {"198.51.100.7": 1}});
    assert!(knowing(&["198.51.100.7/32"]).value(&mut value));
    assert_eq!(value, json!({"at [scrubbed]": {"[scrubbed]": 1}}));
}

#[test]
fn a_scrubbed_report_still_reads_as_a_report() {
    for report in samples::all() {
        let mut addresses: Vec<IpNet> = vec!["203.0.113.9/32".parse().unwrap()];
        for observation in &report.observations {
            if let crate::model::check::Ask::Climb(climb) = &observation.check.ask {
                addresses.push(climb.address.ip().into());
            }
        }
        addresses.push("10.0.0.1/8".parse().unwrap());
        let mut value = serde_json::to_value(&report).unwrap();
        Scrubber::new(&addresses).value(&mut value);
        let text = value.to_string();
        for own in addresses.iter().filter(|own| !own.addr().is_loopback()) {
            assert!(!text.contains(&own.addr().to_string()), "{own} in {text}");
        }
        serde_json::from_value::<Report>(value).expect("a report");
    }
}

#[test]
fn what_was_measured_still_reads_back_where_an_address_of_it_is_own() {
    use crate::model::report::Measured;
    let own = "198.51.100.7";
    let measured: Measured = serde_json::from_value(json!({
        "targets": [{"id": "t", "name": "T", "services": [{"id": "s", "essential": true, "endpoints": [
            {"id": "tcp://198.51.100.7:1", "addresses": [own, "192.0.2.1"], "port": 1, "protocol": "tcp", "path": "/"},
        ]}]}],
        "controls": [],
        "resolvers": [{
            "id": "system/udp/198.51.100.7", "name": "system", "operator": "system", "role": "system",
            "region": "domestic", "transport": "udp", "address": "198.51.100.7:53", "path": "/dns-query",
        }],
        "block_pages": [{"operator": "o", "addresses": [own]}],
        "line_notes": ["from 198.51.100.7"],
    }))
    .expect("it is what a report holds");
    let clean = knowing(&["198.51.100.7/24"])
        .clean(&measured)
        .expect("it reads back")
        .into_owned();
    let told = serde_json::to_string(&clean).unwrap();
    assert!(!told.contains(own), "{told}");
    assert_eq!(clean.resolvers[0].address.to_string(), "0.0.0.0:53");
    assert_eq!(clean.resolvers[0].id, "system/udp/[scrubbed]");
    let endpoint = &clean.targets[0].services[0].endpoints[0];
    assert_eq!(endpoint.addresses[1].to_string(), "192.0.2.1");
    assert!(endpoint.addresses[0].is_unspecified());
    assert_eq!(clean.line_notes, ["from [scrubbed]"]);
}

/// Calls `change` with every string of a document.
fn strings(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|item| strings(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An observation with every field that a server, a resolver or a router on the way fills.
fn everything_seen() -> Value {
    json!({
        "id": "o1",
        "check": {"id": "c", "ask": "climb", "address": "203.0.113.9:443"},
        "not_run": "no",
        "steps": [{
            "operation": "resolve", "t0": 0.0, "t": 1.0, "failure": "unknown_failure: x",
            "dns": {"sent": 1, "bogons": ["x"], "replies": [{"malformed": "x", "soa": "x", "answers": [
                {"name": "x", "record": "CNAME", "ttl": 1, "value": "x"},
                {"name": "x", "record": "TXT", "ttl": 1, "value": "x"},
            ]}]},
            "tcp": {"icmp": [{"kind": 3, "code": 13, "offender": "x", "offender_is_own": false}]},
            "tls": {
                "first_received": "x", "clear_text": "x", "version": "x", "alpn": "x", "trusted_by": "x",
                "chain": [{"sha256": "x", "subject": "x", "issuer": "x", "not_before": "x", "not_after": "x", "names": ["x"]}],
            },
            "quic": {"version": "x", "versions": ["x"]},
            "http": {"version": "x", "status": 200, "headers": [["x", "x"]], "body": "x", "title": "x", "body_sha256": "x"},
            "exchange": {"first_received": "x", "clear_text": "x", "says": [["x", "x"]]},
        }],
    })
}

#[test]
fn no_spelling_survives_in_any_field_of_an_observation() {
    let scrubber = knowing(&["93.184.77.13/32", "2a01:db9:77:88::99/64"]);
    for (name, spelling) in crate::wire::own::spellings::table() {
        let mut seen = everything_seen();
        let mut fields = 0;
        strings(&mut seen, &mut |text| {
            if !matches!(text.as_str(), "TXT" | "climb") {
                *text = format!("Welcome, {spelling} !");
                fields += 1;
            }
        });
        assert!(fields > 30, "{fields}");
        scrubber.value(&mut seen);
        strings(&mut seen, &mut |text| {
            if matches!(text.as_str(), "TXT" | "climb") {
                return;
            }
            assert!(text.contains(SCRUBBED), "{name}: {text}");
            assert!(!text.contains(&spelling), "{name}: {text}");
        });
        let http = &seen["steps"][0]["http"];
        assert_eq!(http.get("body_sha256"), None, "{name}");
        let certificate = &seen["steps"][0]["tls"]["chain"][0];
        assert_eq!(certificate.get("sha256"), None, "{name}");
    }
}

#[test]
fn what_holds_no_address_keeps_its_hashes_and_words() {
    let scrubber = knowing(&["93.184.77.13/32", "2a01:db9:77:88::99/64"]);
    let seen = everything_seen();
    let mut told = seen.clone();
    assert!(!scrubber.value(&mut told));
    assert_eq!(told, seen);
    // A header says nothing of the body.
    told["steps"][0]["http"]["headers"][0][1] = "proxy of 93.184.77.13".into();
    assert!(scrubber.value(&mut told));
    assert_eq!(told["steps"][0]["http"]["body_sha256"], "x");
}
