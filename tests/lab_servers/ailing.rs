//! Resolvers and lines with trouble, and boxes that read connections, as curl, openssl and a raw query meet them.

use std::time::{Duration, Instant};

use blockprobe::lab;
use blockprobe::lab::fault::{Cut, Fault};
use blockprobe::lab::scenarios::Scenario;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, RData, RecordType};
use tokio::net::TcpStream;

use crate::clients::{ask, ask_a, ca_file, curl, honest, openssl, system, told_of};
use crate::needs;
use crate::world::{catalog, open, place_of, resolver_at};

#[tokio::test]
async fn a_resolver_that_limits_the_rate_refuses_the_hasty() {
    let site = open("resolver_limits_rate").await;
    let mut refused = 0;
    let place = resolver_at(&site, &system(&site));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..60 {
        all.spawn(ask(place, "web.max.ru", RecordType::A, DNSClass::IN));
    }
    while let Some(replies) = all.join_next().await {
        let (code, _) = told_of(&replies.unwrap());
        refused += usize::from(code == ResponseCode::Refused);
    }
    assert!((1..=20).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_truncated_answer_has_no_records() {
    let site = open("resolver_truncates").await;
    let replies = ask_a(&site, &system(&site), "web.max.ru").await;
    assert!(replies[0].metadata.truncation);
    assert!(replies[0].answers.is_empty());
}

#[tokio::test]
async fn a_bypass_program_answers_from_its_own_range() {
    let site = open("fake_addresses").await;
    let replies = ask_a(&site, &system(&site), "web.max.ru").await;
    let RData::A(address) = &replies[0].answers[0].data else {
        panic!("no address");
    };
    assert_eq!(address.octets()[..2], [198, 18]);
}

#[tokio::test]
async fn every_other_answer_leads_elsewhere_to_the_same_server() {
    let site = open("other_address_each_time").await;
    let (name, resolver) = ("web.whatsapp.com", system(&site));
    let first = told_of(&ask_a(&site, &resolver, name).await).1;
    let second = told_of(&ask_a(&site, &resolver, name).await).1;
    assert_ne!(first, second);
    let port = site.port_for(443).unwrap();
    for address in first.iter().chain(&second) {
        let address: std::net::IpAddr = address.parse().unwrap();
        assert!(TcpStream::connect((address, port)).await.is_ok());
    }
}

#[tokio::test]
async fn a_block_page_comes_for_the_host_wherever_the_request_leads() {
    if !needs::programs(&["curl"]) {
        return;
    }
    for (name, status) in [
        ("http_host_page", "200"),
        ("http_host_page_403", "403"),
        ("http_host_redirect", "302"),
    ] {
        let site = open(name).await;
        let host = "static.ess.apple.com";
        let (told, _) = curl(&site, "http", host, "/", &[]).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{told}");
        let elsewhere = "detectportal.firefox.com";
        let header = ["-H", "Host: static.ess.apple.com"];
        let (told, _) = curl(&site, "http", elsewhere, "/success.txt", &header).await;
        assert!(told.contains("by order of the authority"), "{told}");
        let (told, _) = curl(&site, "http", elsewhere, "/success.txt", &[]).await;
        assert!(told.ends_with("success\n"), "{told}");
    }
}

#[tokio::test]
async fn small_handshakes_are_reset_at_the_targets_servers_and_nowhere_else() {
    if !needs::programs(&["openssl"]) {
        return;
    }
    let site = open("tls_fingerprint_reset").await;
    let ca = ca_file(&site);
    let ca = ca.path().display().to_string();
    let small = ["-groups", "X25519"];
    let place = place_of(&site, "identity.ess.apple.com", 443);
    let told = openssl(place, "identity.ess.apple.com", &ca, &small).await;
    assert!(!told.contains("BEGIN CERTIFICATE"), "{told}");
    let elsewhere = place_of(&site, "web.max.ru", 443);
    let told = openssl(elsewhere, "identity.ess.apple.com", &ca, &small).await;
    assert!(told.contains("BEGIN CERTIFICATE"), "{told}");
}

#[tokio::test]
async fn a_program_that_looks_into_tls_shows_its_own_certificate_for_every_name() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("local_proxy").await;
    for host in ["web.max.ru", "web.whatsapp.com"] {
        let (told, code) = curl(&site, "https", host, "/", &[]).await;
        assert_eq!(code, 60, "{told}");
    }
}

#[tokio::test]
async fn on_a_clock_that_is_ahead_certificates_have_ended_and_dates_are_old() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("clock_a_year_ahead").await;
    let (told, code) = curl(&site, "https", "web.max.ru", "/", &[]).await;
    assert_eq!(code, 60);
    assert!(told.contains("expired"), "{told}");
    let last_year = jiff::Zoned::now().year() - 1;
    let host = "detectportal.firefox.com";
    let (told, _) = curl(&site, "http", host, "/success.txt", &[]).await;
    let date = told
        .lines()
        .find(|it| it.to_lowercase().starts_with("date:"));
    let date = date.expect("an answer is dated");
    assert!(date.contains(&last_year.to_string()), "{date}");
}

#[tokio::test]
async fn while_the_line_is_cut_syns_vanish_and_afterwards_they_do_not() {
    let cut = Fault::Cut(Cut {
        after: 2,
        lasting: 400,
        again: false,
    });
    let scenario = Scenario {
        faults: Box::leak(Box::new([cut])),
        ..*lab::find("open").unwrap()
    };
    let site = lab::open(&scenario, &catalog()).await.unwrap();
    let place = place_of(&site, "web.max.ru", 443);
    let resolver = system(&site);
    assert!(TcpStream::connect(place).await.is_ok());
    let before = ask_a(&site, &resolver, "web.max.ru").await;
    assert!(before.is_empty(), "the second word is already cut");
    let began = Instant::now();
    let other = place_of(&site, "web.whatsapp.com", 443);
    let stood = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(other)).await;
    assert!(stood.expect("the line comes back").is_ok());
    assert!(began.elapsed() >= Duration::from_millis(200));
    let after = ask_a(&site, &resolver, "web.max.ru").await;
    assert_eq!(told_of(&after), honest(&site, "web.max.ru"));
}
