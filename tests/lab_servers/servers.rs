//! The lab's honest servers.

use std::io::Write;
use std::time::{Duration, Instant};

use blockprobe::lab;
use blockprobe::model::catalog::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clients::{ca_file, curl, openssl};
use crate::needs;
use crate::world::{self, SUCCESS, open, place_of};

#[tokio::test]
async fn curl_reads_the_expected_page_over_http1_and_h2() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("open").await;
    for (version, line) in [("--http1.1", "HTTP/1.1 200"), ("--http2", "HTTP/2 200")] {
        let (told, code) = curl(&site, "https", "web.whatsapp.com", "/", &[version]).await;
        assert_eq!(code, 0, "{told}");
        assert!(told.starts_with(line), "{told}");
        assert!(told.contains("<title>WhatsApp Web</title>"), "{told}");
    }
}

#[tokio::test]
async fn curl_reads_the_expected_status_and_text_and_404_elsewhere() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("open").await;
    let (told, _) = curl(&site, "https", "api.oneme.ru", "/me", &[]).await;
    assert!(told.starts_with("HTTP/2 401"), "{told}");
    assert!(told.contains("verify.token"), "{told}");
    let (told, _) = curl(&site, "https", "api.oneme.ru", "/other", &[]).await;
    assert!(told.starts_with("HTTP/2 404"), "{told}");
}

#[tokio::test]
async fn curl_reads_a_control_byte_for_byte() {
    if !needs::programs(&["curl"]) {
        return;
    }
    let site = open("open").await;
    let host = "detectportal.firefox.com";
    let (told, _) = curl(&site, "http", host, "/success.txt", &[]).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert!(told.ends_with(&format!("\r\n\r\n{SUCCESS}")), "{told:?}");
}

#[tokio::test]
async fn openssl_trusts_a_private_root_only_by_its_own_certificate() {
    if !needs::programs(&["openssl"]) {
        return;
    }
    let site = open("open").await;
    let place = place_of(&site, "1-courier.push.apple.com", 5223);
    let public = ca_file(&site);
    let mut private = tempfile::NamedTempFile::new().unwrap();
    let der = &site.catalog.private_roots[0].certificates[0];
    let pem = pem_of(der);
    private.write_all(pem.as_bytes()).unwrap();
    let name = "1-courier.push.apple.com";
    let alpn = ["-alpn", "apns-pack-v1,h2", "-verify_hostname", name];
    let told = openssl(place, name, &private.path().display().to_string(), &alpn).await;
    assert!(told.contains("Verify return code: 0 (ok)"), "{told}");
    assert!(told.contains("ALPN protocol: apns-pack-v1"), "{told}");
    let told = openssl(place, name, &public.path().display().to_string(), &alpn).await;
    assert!(!told.contains("Verify return code: 0 (ok)"), "{told}");
}

fn pem_of(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|it| std::str::from_utf8(it).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

#[tokio::test]
async fn openssl_finds_both_versions_of_tls() {
    if !needs::programs(&["openssl"]) {
        return;
    }
    let site = open("open").await;
    let place = place_of(&site, "web.telegram.org", 443);
    let ca = ca_file(&site);
    let ca = ca.path().display().to_string();
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let told = openssl(place, "web.telegram.org", &ca, &[flag]).await;
        assert!(told.contains(&format!("New, {version}, Cipher")), "{told}");
        assert!(told.contains("Verify return code: 0 (ok)"), "{told}");
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_spoken_is_read_and_not_answered() {
    let site = open("open").await;
    let centre = &site.catalog.targets[1].services[0].endpoints[0];
    let place = (centre.addresses[0], centre.port);
    let mut stream = TcpStream::connect(place).await.unwrap();
    stream.write_all(&[0xef, 0x0a]).await.unwrap();
    let mut bytes = [0; 8];
    let read = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut bytes)).await;
    assert!(read.is_err(), "it answered or closed");
}

#[tokio::test]
async fn a_fixed_ipv6_address_is_served_on_ipv6_loopback() {
    let site = open("open").await;
    let centre = &site.catalog.targets[1].services[0].endpoints[0];
    assert_eq!(centre.protocol, Protocol::MtprotoAbridged);
    for address in &centre.addresses {
        assert!(site.line.is_playground(*address));
        assert!(TcpStream::connect((*address, centre.port)).await.is_ok());
    }
}

#[tokio::test]
async fn the_catalog_keeps_its_ids_and_every_address_is_on_the_playground() {
    let original = world::catalog();
    for scenario in lab::scenarios() {
        let site = lab::open(scenario, &original).await.unwrap();
        let ids = |catalog: &blockprobe::model::catalog::Catalog| -> Vec<String> {
            let services = catalog.targets.iter().flat_map(|it| &it.services);
            let endpoints = services.flat_map(|it| &it.endpoints);
            endpoints.map(|it| it.id.clone()).collect()
        };
        assert_eq!(ids(&site.catalog), ids(&original));
        assert_eq!(
            site.catalog.definitions.source,
            format!("lab:{}", scenario.name)
        );
        for resolver in &site.catalog.resolvers {
            assert!(site.line.is_playground(resolver.address.ip()));
        }
    }
}

#[tokio::test]
async fn a_site_that_is_dropped_closes_its_ports() {
    let site = open("open").await;
    let place = place_of(&site, "web.max.ru", 443);
    assert!(TcpStream::connect(place).await.is_ok());
    drop(site);
    let closed = async { while TcpStream::connect(place).await.is_ok() {} };
    let waited = tokio::time::timeout(Duration::from_secs(5), closed).await;
    assert!(waited.is_ok(), "the port is still open");
}

#[tokio::test]
async fn a_site_opens_at_once() {
    let original = world::catalog();
    let scenario = lab::find("open").unwrap();
    drop(lab::open(scenario, &original).await.unwrap());
    let began = Instant::now();
    let site = lab::open(scenario, &world::crowd(100)).await.unwrap();
    let took = began.elapsed();
    assert!(site.address_of("host99.example").is_some());
    assert!(took < Duration::from_millis(500), "{took:?}");
}
