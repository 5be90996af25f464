//! No spelling of an own address survives, and what is not ours does.

use proptest::prelude::*;

use super::*;
use crate::wire::own::spellings;

fn knowing(own: &[&str]) -> Own {
    let own: Vec<IpNet> = own
        .iter()
        .map(|net| net.parse().expect("a network"))
        .collect();
    Own::new(&own)
}

/// What is left of a spelling, mark and words around it aside, must be too little to be turned back.
fn residue(told: &str) -> usize {
    let left = told.replace(SCRUBBED, "");
    left.chars().filter(char::is_ascii_hexdigit).count()
}

#[test]
fn every_spelling_in_the_table_is_taken() {
    let own = knowing(&["93.184.77.13/32", "2a01:db9:77:88::99/64"]);
    let table = spellings::table();
    assert!(table.len() >= 97, "{} spellings", table.len());
    let mut wrong = Vec::new();
    for (name, spelling) in &table {
        for (before, after) in [
            ("", ""),
            ("your address is ", " today"),
            ("<p>Zugriff gesperrt: ", "</p>"),
            ("q=", "&x"),
            ("host-", ".pool.example"),
            ("ip", "zz"),
        ] {
            let told = own.text(&format!("{before}{spelling}{after}")).into_owned();
            let bare = told.replacen(before, "", 1);
            let bare = bare.strip_suffix(after).unwrap_or(&bare);
            // Edges of base64 hold some bits of neighbours, leading zeros and marks of bases nothing.
            if !told.contains(SCRUBBED) || residue(bare) > 6 {
                wrong.push(format!("{name}: {before}{spelling}{after} became {told}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} left:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn an_ipv4_address_is_found_in_every_spelling() {
    let own = knowing(&["198.51.100.7/24"]);
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
        "1198.51.100.7",
        "id198.51.100.7",
        "id1198.51.100.7",
        "198.51.100.7999",
        "198%2E51%2e100.7",
    ] {
        let told = own.text(text);
        assert!(told.contains(SCRUBBED), "{text} became {told}");
        assert!(!told.contains("100"), "{text} became {told}");
    }
}

#[test]
fn an_ipv6_address_is_found_in_every_spelling() {
    let own = knowing(&["2001:db8:5:6::77/64", "fe80::1234/64"]);
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
        "fe80--1234.ipv6-literal.net",
        "see fe80::1234.",
        "dead2001:db8:5:6::77",
        "ip=2001%3Adb8%3A5%3A6%3A%3A77",
        "7.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.0.0.0.5.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "6.0.0.0.5.0.0.0.8.b.d.0.1.0.0.2.IP6.arpa",
    ] {
        let told = own.text(text);
        assert!(told.contains(SCRUBBED), "{text} became {told}");
        assert!(!told.contains("77:"), "{text} became {told}");
        assert!(!told.contains("1234"), "{text} became {told}");
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let own = knowing(&[
        "198.51.100.7/24",
        "98.51.100.9/24",
        "2001:db8:5:6::77/64",
        "127.0.0.1/8",
        "::1/128",
        "10.0.0.1/8",
    ]);
    for text in [
        "198.51.100.70",
        "198.51.100.1",
        "198.51.100.77:443",
        // One digit more makes the second address this one, and it stands alone.
        "tcp://198.51.100.9:443",
        "2001:db8:5:7::77",
        "2001:db8:5:61::77",
        "127.0.0.1:53",
        "[::1]:53",
        "12:34:56",
        "std::collections::BTreeMap",
        "7.100.51.198",
        "https://web.whatsapp.com/",
        "M10 10a10 0 0 1 10,0,0,1z",
        "rgba(10, 0, 0, 1)",
    ] {
        assert_eq!(own.text(text), text);
    }
}

#[test]
fn a_strangers_text_keeps_no_address_but_the_one_that_was_asked() {
    let own = knowing(&[]);
    let asked = Some("203.0.113.9".parse().unwrap());
    let text = "You (192.0.2.55, 2001:db8::1, aa:bb:cc:dd:ee:ff, 00-11-22-33-44-55) asked 203.0.113.9 a::before";
    assert_eq!(
        own.free_text(text, asked),
        "You ([scrubbed], [scrubbed], [scrubbed], [scrubbed]) asked 203.0.113.9 a::before"
    );
    for text in ["192.0.<b>2.55</b>", "192&#46;0.2.55", "192.0%252E2.55"] {
        let told = own.free_text(text, asked);
        assert_eq!(told.trim_end_matches("</b>"), SCRUBBED, "{text}");
    }
}

#[test]
fn ordinary_pages_stay_as_they_are() {
    let own = knowing(&[
        "93.184.77.13/24",
        "10.0.0.77/24",
        "192.168.1.2/24",
        "172.17.0.1/16",
        "2a01:db9:77:88::99/64",
        "fe80::5054:ff:fe12:3456/64",
    ]);
    for text in [
        include_str!("../../../README.md"),
        include_str!("../../../LICENSE"),
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Caf&eacute; &amp; more</title>\
         <link href=\"/a.css?v=1.2.3\"><style>p{margin:1px 1px 2px 3px;color:rgba(93,184,77,.5)}</style></head>\
         <body><table><tr><td>10</td><td>0</td><td>0</td></tr></table><p>2026-12-01T00:58:00Z, 100%, 3&nbsp;% \
         <svg><path d=\"M10 10a10 10 0 0 1 20 20 93 18\"/></svg>&copy; 2026</body></html>",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "{\"version\":\"4.5.2\",\"id\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"t\":1700000000123}",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
        "Доступ ограничен · 访问受限 · ６６６",
    ] {
        assert_eq!(own.text(text), text);
    }
}

#[test]
fn an_own_address_written_as_one_number_is_taken_and_other_numbers_are_left() {
    let own = knowing(&["10.0.0.77/24"]);
    for text in [
        "id=167772237&x",
        "1677722370",
        "<b>0x0a00004d</b>",
        "0A00004D",
        "ab0a00004dcd",
        "é0X0A00004d",
    ] {
        assert!(own.free_text(text, None).contains(SCRUBBED), "{text}");
        assert!(own.text(text).contains(SCRUBBED), "{text}");
    }
    for text in ["id=167772238", "0x0a00004e"] {
        assert_eq!(own.free_text(text, None), text);
    }
}

#[test]
fn an_address_that_was_cut_off_is_taken_too() {
    let own = knowing(&["93.184.77.13/32", "2a01:db9:77:88::99/64"]);
    for text in ["you: 93.184.77.", "you: 2a01:db9:77:"] {
        assert_eq!(own.text(text), "you: [scrubbed]");
    }
}

#[test]
fn octets_in_raw_bytes_are_seen() {
    let own = knowing(&["93.184.77.13/32", "2a01:db9:77:88::99/64"]);
    for bytes in [
        &b"\x00\x5d\xb8\x4d\x0d\x01"[..],
        b"\x0d\x4d\xb8\x5d",
        b"\x7c\xaa\xe9\x4f",
        b"x\x2a\x01\x0d\xb9\x00\x77\x00\x88\x01",
        b"93.184.77.13",
    ] {
        assert!(own.is_in_bytes(bytes), "{bytes:?}");
    }
    assert!(!own.is_in_bytes(b"\x16\x03\x01\x02\x00HTTP/1.1 400"));
}

#[test]
fn a_machine_with_many_addresses_is_served() {
    let many: Vec<IpNet> = (0..300_u32)
        .map(|at| IpNet::from(IpAddr::V4((0x5db8_0000 + at * 7).into())))
        .collect();
    let own = Own::new(&many);
    assert_eq!(own.text("x93.184.0.7x"), "x[scrubbed]x");
    assert_eq!(own.text("93.184.0.8"), "93.184.0.8");
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_spelling_survives_in_any_text(
        address in any_address().prop_filter("a secret one", |own| !is_everybodys(*own)),
        before in "[^0-9A-Fa-f:.%_&=\\\\-]?|\\PC{0,12}[ =/(<\"]",
        after in "[^0-9A-Fa-f:.%_-]?|[ ,/)>\";]\\PC{0,12}",
    ) {
        let own = Own::new(&[address.into()]);
        for (name, spelling) in spellings::of(address) {
            let text = format!("{before}{spelling}{after}");
            let told = own.text(&text);
            prop_assert!(told.contains(SCRUBBED), "{}: {} stayed {}", name, text, told);
            let bare = spelling.trim_matches(|edge| edge == '[' || edge == ']');
            prop_assert!(!told.contains(bare), "{}: {} stayed {}", name, text, told);
        }
    }

    #[test]
    fn any_text_is_scrubbed_without_a_panic(text in any::<String>(), address in any_address()) {
        let own = Own::new(&[address.into()]);
        let once = own.free_text(&text, None).into_owned();
        prop_assert_eq!(own.free_text(&once, None), once.clone());
    }

    #[test]
    fn runs_of_marks_digits_and_escapes_are_scrubbed_without_a_panic(
        text in "([0-9a-fx:.\\-_%\\\\&#;<>= ]|&#4|%2|\\\\04|é|３){0,200}",
    ) {
        let own = ["198.51.100.7/32", "2001:db8::1/64", "::2/128"];
        let own = knowing(&own);
        let once = own.free_text(&text, None).into_owned();
        prop_assert_eq!(own.free_text(&once, None), once.clone());
    }

    #[test]
    fn words_and_numbers_without_an_address_stay(
        address in any_address(),
        text in "([A-Za-z]{1,9}|[0-9]{1,3}(\\.[0-9]{1,2})?)([ ,;/\n]([a-z]{1,9}|[0-9]{1,3}(px|%|\\.[0-9])?)){0,30}",
    ) {
        let is_ordinary = match address {
            IpAddr::V4(address) => address.octets().iter().all(|octet| *octet > 9),
            IpAddr::V6(address) => is_global(address),
        };
        prop_assume!(is_ordinary);
        let own = Own::new(&[address.into()]);
        prop_assert_eq!(own.text(&text), text.clone());
    }
}
