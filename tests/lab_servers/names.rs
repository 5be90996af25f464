//! The lab's resolvers, honest and lying.

use blockprobe::lab::Site;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, RecordType};

use crate::clients::{ask, ask_a, ca_file, honest, system, told, told_of};
use crate::needs;
use crate::world::{open, resolver_at, run, text};

#[tokio::test]
async fn an_honest_resolver_denies_with_the_zone_that_denies() {
    let site = open("open").await;
    let google = resolver_at(&site, "google/udp/8.8.8.8:53");
    let unknown = ask(google, "nothing.invalid", RecordType::A, DNSClass::IN).await;
    assert_eq!(unknown[0].metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(unknown[0].authorities[0].record_type(), RecordType::SOA);
    let no_such_type = ask(google, "web.whatsapp.com", RecordType::AAAA, DNSClass::IN).await;
    assert_eq!(told(&no_such_type[0]), (ResponseCode::NoError, Vec::new()));
    assert_eq!(
        no_such_type[0].authorities[0].record_type(),
        RecordType::SOA
    );
    let branch = ask(google, "whatsapp.net", RecordType::A, DNSClass::IN).await;
    assert_eq!(told(&branch[0]), (ResponseCode::NoError, Vec::new()));
}

#[tokio::test]
async fn a_resolver_says_who_it_is_and_where_it_asks_from() {
    let site = open("open").await;
    let google = resolver_at(&site, "google/udp/8.8.8.8:53");
    let identity = ask(google, "id.server", RecordType::TXT, DNSClass::CH).await;
    assert_eq!(told(&identity[0]).1, ["google"]);
    let whoami = "o-o.myaddr.l.google.com";
    let egress = ask(google, whoami, RecordType::TXT, DNSClass::IN).await;
    assert_eq!(told(&egress[0]).1, [google.ip().to_string()]);
}

#[tokio::test]
async fn the_decoy_is_silent_until_somebody_on_the_path_answers_for_it() {
    let decoy = "decoy/udp/192.0.2.1:53";
    let site = open("open").await;
    assert!(ask_a(&site, decoy, "web.whatsapp.com").await.is_empty());
    let site = open("injected_answer").await;
    let forged = ask_a(&site, decoy, "web.whatsapp.com").await;
    assert_eq!(forged.len(), 1);
    assert!(ask_a(&site, decoy, "web.max.ru").await.is_empty());
    let site = open("hijacked_resolver").await;
    let hijacked = ask_a(&site, decoy, "web.max.ru").await;
    assert_eq!(told(&hijacked[0]), honest(&site, "web.max.ru"));
}

#[tokio::test]
async fn an_injected_answer_comes_first_and_the_honest_one_after_it() {
    let site = open("injected_answer").await;
    for resolver in [system(&site), "google/udp/8.8.8.8:53".to_owned()] {
        let replies = ask_a(&site, &resolver, "web.whatsapp.com").await;
        let told: Vec<_> = replies.iter().map(told).collect();
        let forged = (ResponseCode::NoError, vec!["10.10.34.35".to_owned()]);
        assert_eq!(told, [forged, honest(&site, "web.whatsapp.com")]);
        assert_eq!(ask_a(&site, &resolver, "web.max.ru").await.len(), 1);
    }
}

#[tokio::test]
async fn only_the_providers_resolver_lies_and_only_for_the_censored_names() {
    let page = |site: &Site| site.catalog.block_pages[0].addresses[0].to_string();
    for (name, code) in [
        ("nxdomain_by_isp_resolver", ResponseCode::NXDomain),
        ("no_answer_by_isp_resolver", ResponseCode::NoError),
        ("refused_by_isp_resolver", ResponseCode::Refused),
        ("servfail_by_isp_resolver", ResponseCode::ServFail),
        ("false_answer_bogon", ResponseCode::NoError),
        ("false_answer_block_page", ResponseCode::NoError),
    ] {
        let site = open(name).await;
        let addresses = match name {
            "false_answer_bogon" => vec!["10.10.34.35".to_owned()],
            "false_answer_block_page" => vec![page(&site)],
            _ => Vec::new(),
        };
        let lie = ask_a(&site, &system(&site), "g.whatsapp.net").await;
        assert_eq!(lie.len(), 1, "{name}");
        assert_eq!(told(&lie[0]), (code, addresses), "{name}");
        let spared = ask_a(&site, &system(&site), "web.max.ru").await;
        assert_eq!(told(&spared[0]), honest(&site, "web.max.ru"), "{name}");
        let public = ask_a(&site, "google/udp/8.8.8.8:53", "g.whatsapp.net").await;
        assert_eq!(told(&public[0]), honest(&site, "g.whatsapp.net"), "{name}");
    }
    let site = open("dns_drop_by_isp_resolver").await;
    let silence = ask_a(&site, &system(&site), "g.whatsapp.net").await;
    assert!(silence.is_empty());
}

#[tokio::test]
async fn a_hijacked_resolver_has_the_providers_identity_and_its_lies() {
    let site = open("hijacked_resolver").await;
    let google = resolver_at(&site, "google/udp/8.8.8.8:53");
    let identity = ask(google, "id.server", RecordType::TXT, DNSClass::CH).await;
    assert_eq!(told(&identity[0]).1, ["provider"]);
    let lie = ask_a(&site, "google/udp/8.8.8.8:53", "web.whatsapp.com").await;
    assert_eq!(told(&lie[0]).0, ResponseCode::NXDomain);
}

#[tokio::test]
async fn a_household_filter_answers_with_nowhere_and_lists_advertisers() {
    let site = open("pihole").await;
    for name in ["web.whatsapp.com", "ad.doubleclick.net"] {
        let nowhere = ask_a(&site, &system(&site), name).await;
        assert_eq!(told(&nowhere[0]).1, ["0.0.0.0"]);
    }
    let public = ask_a(&site, "google/udp/8.8.8.8:53", "doubleclick.net").await;
    assert_eq!(told(&public[0]), honest(&site, "doubleclick.net"));
}

#[tokio::test]
async fn dead_resolvers_are_silent() {
    let site = open("dead_resolver").await;
    assert!(ask_a(&site, &system(&site), "web.max.ru").await.is_empty());
    let google = "google/udp/8.8.8.8:53";
    assert_eq!(ask_a(&site, google, "web.max.ru").await.len(), 1);
    let site = open("offline").await;
    assert!(ask_a(&site, google, "web.max.ru").await.is_empty());
}

#[tokio::test]
async fn a_retired_name_is_gone_at_every_resolver_and_nothing_essential_goes_with_it() {
    let site = open("retired_name").await;
    for resolver in [system(&site), "google/udp/8.8.8.8:53".to_owned()] {
        let gone = ask_a(&site, &resolver, "mmg.whatsapp.net").await;
        assert_eq!(told_of(&gone).0, ResponseCode::NXDomain);
        let there = ask_a(&site, &resolver, "g.whatsapp.net").await;
        assert_eq!(told_of(&there), honest(&site, "g.whatsapp.net"));
    }
}

#[tokio::test]
async fn kdig_is_answered_over_every_transport() {
    if !needs::programs(&["kdig"]) {
        return;
    }
    let site = open("open").await;
    let ca = ca_file(&site);
    let ca = format!("+tls-ca={}", ca.path().display());
    let tls = ["+tls", ca.as_str(), "+tls-hostname=dns.google"];
    let post = ["+https=/dns-query", ca.as_str(), "+tls-hostname=dns.google"];
    let get = [
        "+https-get",
        "+https=/dns-query",
        ca.as_str(),
        "+tls-hostname=dns.google",
    ];
    let address = site.address_of("web.whatsapp.com").unwrap().to_string();
    for (id, flags) in [
        ("google/udp/8.8.8.8:53", &["+notcp"][..]),
        ("google/tcp/8.8.8.8:53", &["+tcp"][..]),
        ("google/dot/8.8.8.8:853", &tls[..]),
        ("google/doh/8.8.8.8:443", &post[..]),
        ("google/doh/8.8.8.8:443", &get[..]),
    ] {
        let place = resolver_at(&site, id);
        let mut arguments = vec![
            format!("@{}", place.ip()),
            "-p".to_owned(),
            place.port().to_string(),
            "+noall".to_owned(),
            "+answer".to_owned(),
            "+timeout=5".to_owned(),
        ];
        arguments.extend(flags.iter().map(ToString::to_string));
        arguments.extend(["Web.WhatsApp.com".to_owned(), "A".to_owned()]);
        let output = run("kdig", arguments, "knot-dnsutils").await;
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(told.contains(&address), "{id} {flags:?}: {told}");
    }
}
