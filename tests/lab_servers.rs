//! The lab's servers, asked by clients that we did not write: curl, openssl, kdig and the operating system.

#[path = "lab_servers/world.rs"]
mod world;

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blockprobe::lab::{self, Site};
use blockprobe::model::catalog::Protocol;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::world::{SUCCESS, open, place_of, resolver_at, run, text};

/// The lab's public root, or a private one, in a file for command-line clients.
fn ca_file(site: &Site) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(site.ca_pem().unwrap().as_bytes()).unwrap();
    file
}

/// Fetches a URL at the lab's place for its host; the status, the HTTP version and the body, or curl's exit code.
async fn curl(site: &Site, scheme: &str, host: &str, path: &str, more: &[&str]) -> (String, i32) {
    let place = place_of(site, host, if scheme == "https" { 443 } else { 80 });
    let ca = ca_file(site);
    let mut arguments: Vec<String> = ["-sS", "-i", "--max-time", "10", "--noproxy", "*"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend([
        "--cacert".to_owned(),
        ca.path().display().to_string(),
        "--resolve".to_owned(),
        format!("{host}:{}:{}", place.port(), place.ip()),
    ]);
    arguments.extend(more.iter().map(ToString::to_string));
    arguments.push(format!("{scheme}://{host}:{}{path}", place.port()));
    let output = run("curl", arguments, "curl").await;
    let told = text(&output.stdout) + &text(&output.stderr);
    (told, output.status.code().unwrap_or(-1))
}

/// Asks one resolver over UDP and reads every reply until the window closes.
async fn ask(
    resolver: SocketAddr,
    name: &str,
    record: RecordType,
    class: DNSClass,
) -> Vec<Message> {
    let mut question = Message::query();
    let mut query = Query::query(Name::from_ascii(name).unwrap(), record);
    query.set_query_class(class);
    question.metadata.recursion_desired = true;
    question.add_query(query);
    let socket = UdpSocket::bind((resolver_local(resolver), 0))
        .await
        .unwrap();
    socket.connect(resolver).await.unwrap();
    socket.send(&question.to_vec().unwrap()).await.unwrap();
    let mut replies = Vec::new();
    let mut bytes = [0; 2048];
    let window = Duration::from_millis(150);
    while let Ok(received) = tokio::time::timeout(window, socket.recv(&mut bytes)).await {
        let reply = Message::from_vec(&bytes[..received.unwrap()]).unwrap();
        assert_eq!(reply.metadata.id, question.metadata.id);
        replies.push(reply);
    }
    replies
}

fn resolver_local(resolver: SocketAddr) -> std::net::IpAddr {
    match resolver {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    }
}

async fn ask_a(site: &Site, resolver: &str, name: &str) -> Vec<Message> {
    ask(
        resolver_at(site, resolver),
        name,
        RecordType::A,
        DNSClass::IN,
    )
    .await
}

fn system(site: &Site) -> String {
    site.catalog.resolvers[0].id.clone()
}

/// Response code and addresses, the way a person compares answers.
fn told(message: &Message) -> (ResponseCode, Vec<String>) {
    let answers = message.answers.iter().map(|it| match &it.data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::TXT(text) => text.to_string(),
        other => other.to_string(),
    });
    (message.metadata.response_code, answers.collect())
}

fn honest(site: &Site, host: &str) -> (ResponseCode, Vec<String>) {
    let address = site.address_of(host).unwrap().to_string();
    (ResponseCode::NoError, vec![address])
}

/// The certificate that openssl is shown, with its verdict.
async fn openssl(place: SocketAddr, name: &str, ca: &str, more: &[&str]) -> String {
    let mut arguments: Vec<String> = ["s_client", "-connect"].map(str::to_owned).to_vec();
    arguments.push(place.to_string());
    arguments.extend(["-servername", name, "-CAfile", ca].map(str::to_owned));
    arguments.extend(more.iter().map(ToString::to_string));
    let output = run("openssl", arguments, "openssl").await;
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test]
async fn curl_reads_the_expected_page_over_http1_and_h2() {
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
    let site = open("open").await;
    let (told, _) = curl(&site, "https", "api.oneme.ru", "/me", &[]).await;
    assert!(told.starts_with("HTTP/2 401"), "{told}");
    assert!(told.contains("verify.token"), "{told}");
    let (told, _) = curl(&site, "https", "api.oneme.ru", "/other", &[]).await;
    assert!(told.starts_with("HTTP/2 404"), "{told}");
}

#[tokio::test]
async fn curl_reads_a_control_byte_for_byte() {
    let site = open("open").await;
    let host = "detectportal.firefox.com";
    let (told, _) = curl(&site, "http", host, "/success.txt", &[]).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert!(told.ends_with(&format!("\r\n\r\n{SUCCESS}")), "{told:?}");
}

#[tokio::test]
async fn openssl_trusts_a_private_root_only_by_its_own_certificate() {
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
async fn kdig_is_answered_over_every_transport() {
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

fn told_of(replies: &[Message]) -> (ResponseCode, Vec<String>) {
    told(replies.first().expect("there is a reply"))
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
    let site = open("expired_certificate").await;
    let (told, code) = curl(&site, "https", "api.oneme.ru", "/me", &[]).await;
    assert_eq!(code, 60, "{told}");
    assert!(told.contains("expired"), "{told}");
    let (_, code) = curl(&site, "https", "web.max.ru", "/", &[]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_slow_server_answers_late_but_answers() {
    let site = open("slow_server").await;
    let began = Instant::now();
    let (told, code) = curl(&site, "https", "web.whatsapp.com", "/", &[]).await;
    assert_eq!(code, 0, "{told}");
    assert!(began.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn the_real_server_may_forbid() {
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
async fn a_protocol_that_is_not_spoken_is_read_and_not_answered() {
    let site = open("open").await;
    let mut stream = TcpStream::connect(place_of(&site, "g.whatsapp.net", 5222))
        .await
        .unwrap();
    stream.write_all(b"WA\x06\x03\x00\x00\x24").await.unwrap();
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
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(place).await.is_err());
}
