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
