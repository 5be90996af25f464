//! What goes wrong in the lab without any censor.

use std::time::{Duration, Instant};

use hickory_proto::rr::{DNSClass, RecordType};
use tokio::net::TcpStream;

use crate::clients::{ask, ask_a, curl, honest, system, told_of};
use crate::needs;
use crate::world::{open, place_of, resolver_at};

#[tokio::test]
async fn offline_every_door_is_closed() {
    let site = open("offline").await;
    for host in ["web.whatsapp.com", "detectportal.firefox.com"] {
        for port in [80, 443] {
            let refused = TcpStream::connect(place_of(&site, host, port)).await;
            let kind = refused.unwrap_err().kind();
            assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
        }
    }
}

#[tokio::test]
async fn a_captive_portal_redirects_http_and_cannot_prove_a_name() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("captive_portal").await;
    let host = "detectportal.firefox.com";
    let (told, _) = curl(&site, "http", host, "/success.txt", &[]).await;
    assert!(told.starts_with("HTTP/1.1 302"), "{told}");
    assert!(told.contains("http://login.portal.example/"), "{told}");
    let (_, code) = curl(&site, "https", "web.whatsapp.com", "/", &[]).await;
    assert_eq!(code, 60, "curl says that the certificate cannot be trusted");
    let closed = TcpStream::connect(place_of(&site, "g.whatsapp.net", 5222)).await;
    assert!(closed.is_err());
    let honest_dns = ask_a(&site, &system(&site), "web.max.ru").await;
    assert_eq!(told_of(&honest_dns), honest(&site, "web.max.ru"));
}

#[tokio::test]
async fn a_captive_portal_by_dns_sends_every_name_to_itself() {
    let site = open("captive_portal_by_dns").await;
    let portal = honest(&site, "login.portal.example");
    for resolver in [system(&site), "cloudflare/udp/1.1.1.1:53".to_owned()] {
        let reply = ask_a(&site, &resolver, "web.max.ru").await;
        assert_eq!(told_of(&reply), portal);
    }
    let closed = TcpStream::connect(place_of(&site, "web.max.ru", 443)).await;
    assert!(closed.is_err());
    let open = TcpStream::connect(place_of(&site, "login.portal.example", 443)).await;
    assert!(open.is_ok());
}

#[tokio::test]
async fn servers_that_are_down_refuse_and_their_neighbours_do_not() {
    let site = open("server_down").await;
    let down = TcpStream::connect(place_of(&site, "identity.ess.apple.com", 443)).await;
    let kind = down.unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
    let up = TcpStream::connect(place_of(&site, "web.max.ru", 443)).await;
    assert!(up.is_ok());
}

#[tokio::test]
async fn an_expired_certificate_is_refused_for_its_date_alone() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("expired_certificate").await;
    let (told, code) = curl(&site, "https", "api.oneme.ru", "/me", &[]).await;
    assert_eq!(code, 60, "{told}");
    assert!(told.contains("expired"), "{told}");
    let (_, code) = curl(&site, "https", "web.max.ru", "/", &[]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_slow_server_answers_late_but_answers() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("slow_server").await;
    let began = Instant::now();
    let (told, code) = curl(&site, "https", "web.whatsapp.com", "/", &[]).await;
    assert_eq!(code, 0, "{told}");
    assert!(began.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn the_real_server_may_forbid() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("status_403").await;
    let (told, code) = curl(&site, "https", "web.whatsapp.com", "/", &[]).await;
    assert_eq!(code, 0);
    assert!(told.starts_with("HTTP/2 403"), "{told}");
}

#[tokio::test]
async fn broken_ipv6_is_promised_and_refused() {
    let site = open("broken_ipv6").await;
    assert!(site.line.ipv6);
    let google = resolver_at(&site, "google/udp/8.8.8.8:53");
    let reply = ask(google, "web.max.ru", RecordType::AAAA, DNSClass::IN).await;
    assert_eq!(told_of(&reply).1, ["::1"]);
    let port = site.port_for(443).unwrap();
    assert!(TcpStream::connect(("::1", port)).await.is_err());
    assert!(
        TcpStream::connect(place_of(&site, "web.max.ru", 443))
            .await
            .is_ok()
    );
}
