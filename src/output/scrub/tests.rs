//! No spelling of an own address survives, and what is not ours does.

use proptest::prelude::*;
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
fn an_ipv4_address_is_found_in_every_spelling() {
    let scrubber = knowing(&["198.51.100.7/24"]);
    for text in [
        "198.51.100.7",
        "198.51.100.7:443",
        "from 198.51.100.7, to you",
        "x198.51.100.7y",
        "198.051.100.007",
        "http://198.51.100.7/?q",
        "7.100.51.198.in-addr.arpa",
        "7.100.51.198.zen.example.org",
        "host-198-51-100-7.pool.example",
        "7-100-51-198.pool.example",
        "::ffff:198.51.100.7",
        "[::ffff:c633:6407]:80",
        "64:ff9b::c633:6407",
        "2002:c633:6407::1",
        "1.198.51.100.7",
        "198%2E51%2e100.7",
    ] {
        let told = scrubber.text(text);
        assert!(told.contains(SCRUBBED), "{text} became {told}");
        assert!(!told.contains("100"), "{text} became {told}");
    }
}

#[test]
fn an_ipv6_address_is_found_in_every_spelling() {
    let scrubber = knowing(&["2001:db8:5:6::77/64", "fe80::1234/64"]);
    for text in [
        "2001:db8:5:6::77",
        "2001:0DB8:0005:0006:0000:0000:0000:0077",
        "[2001:db8:5:6::77]:443",
        "2001:db8:5:6::77:443",
        "2001:db8:5:6::77.",
        "2001:db8:5:6:ffff:1:2:3",
        "2001:db8:5:6::/64",
        "fe80::1234%eth0",
        "fe80::1234:443",
        "see fe80::1234.",
        "dead2001:db8:5:6::77",
        "ip=2001%3Adb8%3A5%3A6%3A%3A77",
        "7.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.0.0.0.5.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "6.0.0.0.5.0.0.0.8.b.d.0.1.0.0.2.IP6.arpa",
    ] {
        let told = scrubber.text(text);
        assert!(told.contains(SCRUBBED), "{text} became {told}");
        assert!(!told.contains("77"), "{text} became {told}");
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let scrubber = knowing(&[
        "198.51.100.7/24",
        "2001:db8:5:6::77/64",
        "127.0.0.1/8",
        "::1/128",
    ]);
    for text in [
        "198.51.100.70",
        "198.51.100.1",
        "1198.51.100.7",
        "198.51.100.77:443",
        "2001:db8:5:7::77",
        "127.0.0.1:53",
        "[::1]:53",
        "12:34:56",
        "std::collections::BTreeMap",
        "7.100.51.198",
        "https://web.whatsapp.com/",
    ] {
        assert_eq!(scrubber.text(text), text);
    }
}

#[test]
fn a_strangers_text_keeps_no_address_but_the_one_that_was_asked() {
    let scrubber = knowing(&[]);
    let asked = Some("203.0.113.9".parse().unwrap());
    let text = "You (192.0.2.55, 2001:db8::1, aa:bb:cc:dd:ee:ff, 00-11-22-33-44-55) asked 203.0.113.9 a::before";
    assert_eq!(
        scrubber.free_text(text, asked),
        "You ([scrubbed], [scrubbed], [scrubbed], [scrubbed]) asked 203.0.113.9 a::before"
    );
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

/// Every spelling of an address that is worth trying.
fn spellings(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            vec![
                address.to_string(),
                format!("{a:03}.{b:03}.{c:03}.{d:03}"),
                format!("{address}:8080"),
                format!("{a}-{b}-{c}-{d}"),
                format!("{d}.{c}.{b}.{a}.in-addr.arpa"),
                format!("[::ffff:{address}]:53"),
                address.to_ipv6_mapped().to_string(),
            ]
        }
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04X}"));
            let octets = address.octets();
            let nibbles: Vec<String> = octets
                .iter()
                .rev()
                .flat_map(|octet| [octet & 15, octet >> 4])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            vec![
                address.to_string(),
                groups.join(":"),
                format!("[{address}]:443"),
                format!("{address}%wlan0"),
                format!("{}.ip6.arpa", nibbles.join(".")),
                address.to_string().replace(':', "%3A"),
            ]
        }
    }
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        any::<u64>()
            .prop_map(|low| IpAddr::V6(Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(low)))),
        (any::<u16>(), 0..4_u32).prop_map(|(group, place)| IpAddr::V6(Ipv6Addr::from(
            0xfd00_u128 << 112 | u128::from(group) << (16 * place)
        ))),
    ]
}

proptest! {
    #[test]
    fn no_spelling_survives_in_any_text(
        address in any_address().prop_filter("a secret one", |own| !is_everybodys(*own)),
        before in "[^0-9A-Fa-f:.%_-]?|\\PC{0,12}[ =/(<\"]",
        after in "[^0-9A-Fa-f:.%_-]?|[ ,/)>\";]\\PC{0,12}",
    ) {
        let scrubber = Scrubber::new(&[address.into()]);
        for spelling in spellings(address) {
            let text = format!("{before}{spelling}{after}");
            let told = scrubber.text(&text);
            prop_assert!(told.contains(SCRUBBED), "{} stayed {}", text, told);
            let bare = spelling.trim_matches(|edge| edge == '[' || edge == ']');
            prop_assert!(!told.contains(bare), "{} stayed {}", text, told);
        }
    }

    #[test]
    fn any_text_is_scrubbed_without_a_panic(text in any::<String>(), own in any_address()) {
        let scrubber = Scrubber::new(&[own.into()]);
        let once = scrubber.free_text(&text, None).into_owned();
        prop_assert_eq!(scrubber.free_text(&once, None), once.clone());
    }

    #[test]
    fn runs_of_colons_digits_and_dots_are_scrubbed_without_a_panic(text in "[0-9a-f:.\\-%3A]{0,200}") {
        let own = ["198.51.100.7/32", "2001:db8::1/64", "::2/128"];
        let _ = knowing(&own).free_text(&text, None);
    }
}

#[test]
fn an_own_address_written_as_one_number_is_taken_and_other_numbers_are_left() {
    let scrubber = Scrubber::new(&["10.0.0.77/24".parse().unwrap()]);
    for text in [
        "id=167772237&x",
        "<b>0x0a00004d</b>",
        "0A00004D",
        "é0X0A00004d",
    ] {
        assert!(
            scrubber.free_text(text, None).contains("[scrubbed]"),
            "{text}"
        );
        assert!(scrubber.text(text).contains("[scrubbed]"), "{text}");
    }
    for text in ["id=167772238", "0x0a00004e", "1677722370", "ab0a00004dcd"] {
        assert_eq!(scrubber.free_text(text, None), text);
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
