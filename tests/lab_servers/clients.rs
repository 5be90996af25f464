//! Clients that knock at the lab: curl and openssl as they are, and a raw DNS query.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use blockprobe::lab::Site;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::net::UdpSocket;

use crate::world::{place_of, resolver_at, run, text};

/// The lab's public root, or a private one, in a file for command-line clients.
pub fn ca_file(site: &Site) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(site.ca_pem().unwrap().as_bytes()).unwrap();
    file
}

/// Fetches a URL at the lab's place for its host; the status, the HTTP version and the body, or curl's exit code.
pub async fn curl(
    site: &Site,
    scheme: &str,
    host: &str,
    path: &str,
    more: &[&str],
) -> (String, i32) {
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

/// The certificate that openssl is shown, with its verdict.
pub async fn openssl(place: SocketAddr, name: &str, ca: &str, more: &[&str]) -> String {
    let mut arguments: Vec<String> = ["s_client", "-connect"].map(str::to_owned).to_vec();
    arguments.push(place.to_string());
    arguments.extend(["-servername", name, "-CAfile", ca].map(str::to_owned));
    arguments.extend(more.iter().map(ToString::to_string));
    let output = run("openssl", arguments, "openssl").await;
    text(&output.stdout) + &text(&output.stderr)
}

/// Asks one resolver over UDP and reads every reply until the window closes.
pub async fn ask(
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

pub fn resolver_local(resolver: SocketAddr) -> std::net::IpAddr {
    match resolver {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    }
}

pub async fn ask_a(site: &Site, resolver: &str, name: &str) -> Vec<Message> {
    ask(
        resolver_at(site, resolver),
        name,
        RecordType::A,
        DNSClass::IN,
    )
    .await
}

pub fn system(site: &Site) -> String {
    site.catalog.resolvers[0].id.clone()
}

/// Response code and addresses, the way a person compares answers.
pub fn told(message: &Message) -> (ResponseCode, Vec<String>) {
    let answers = message.answers.iter().map(|it| match &it.data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::TXT(text) => text.to_string(),
        other => other.to_string(),
    });
    (message.metadata.response_code, answers.collect())
}

pub fn told_of(replies: &[Message]) -> (ResponseCode, Vec<String>) {
    told(replies.first().expect("there is a reply"))
}

pub fn honest(site: &Site, host: &str) -> (ResponseCode, Vec<String>) {
    let address = site.address_of(host).unwrap().to_string();
    (ResponseCode::NoError, vec![address])
}
