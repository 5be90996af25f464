//! DNS over UDP: every reply is evidence, in its order, until the window closes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use blockprobe::measure::Event;
use blockprobe::model::catalog::{ResolverRole, Transport};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{DnsFacts, Observation};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::site::{Site, events, query};

/// A reply to this query with these addresses.
pub fn reply(query: &[u8], addresses: &[[u8; 4]]) -> Message {
    let message = Message::from_vec(query).unwrap();
    let name = message.queries[0].name.clone();
    let mut reply = message.into_response();
    for [a, b, c, d] in addresses {
        reply.add_answer(Record::from_rdata(
            name.clone(),
            60,
            RData::A(A::new(*a, *b, *c, *d)),
        ));
    }
    reply
}

/// A UDP server that is called with every query and the way back.
async fn resolver<F>(each: impl Fn(Vec<u8>, Back) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let back = Back(Arc::clone(&socket), from);
            tokio::spawn(each(buffer[..length].to_vec(), back));
        }
    });
    address
}

struct Back(Arc<UdpSocket>, SocketAddr);

impl Back {
    async fn send(&self, bytes: &[u8]) {
        self.0.send_to(bytes, self.1).await.unwrap();
    }
}

const TRUE: [u8; 4] = [127, 0, 0, 7];
const FALSE: [u8; 4] = [127, 0, 0, 66];

fn dns(observation: &Observation) -> &DnsFacts {
    observation
        .steps
        .last()
        .and_then(|step| step.dns.as_deref())
        .expect("DNS facts")
}

/// What a resolver that answers so is seen to say.
async fn ask(
    change: impl Fn(&mut Message) + Clone + Send + 'static,
    addresses: &'static [[u8; 4]],
) -> Observation {
    let address = resolver(move |query, back| {
        let mut message = reply(&query, addresses);
        change(&mut message);
        async move { back.send(&message.to_vec().unwrap()).await }
    })
    .await;
    Site::new(&[])
        .with_resolver(Transport::Udp, address)
        .observe(query())
        .await
}

#[tokio::test]
async fn an_honest_answer_is_an_answer() {
    let seen = ask(|_| (), &[TRUE]).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(dns(&seen).addresses(), ["127.0.0.7"]);
    assert_eq!((dns(&seen).sent, dns(&seen).replies.len()), (1, 1));
}

#[tokio::test]
async fn response_codes_have_their_words() {
    for (code, failure) in [
        (ResponseCode::NXDomain, Failure::DnsNxdomain),
        (ResponseCode::ServFail, Failure::DnsServfail),
        (ResponseCode::Refused, Failure::DnsRefused),
        (ResponseCode::NotImp, Failure::DnsServerMisbehaving),
    ] {
        let seen = ask(move |message| message.metadata.response_code = code, &[]).await;
        assert_eq!(seen.failure(), Some(&failure));
    }
    assert_eq!(
        ask(|_| (), &[]).await.failure(),
        Some(&Failure::DnsNoAnswer)
    );
}

#[tokio::test]
async fn bogons_are_named_and_fail_only_when_there_is_nothing_else() {
    let all = ask(|_| (), &[[10, 0, 0, 1], [192, 168, 1, 1]]).await;
    assert_eq!(all.failure(), Some(&Failure::DnsBogon));
    assert_eq!(dns(&all).bogons, ["10.0.0.1", "192.168.1.1"]);
    let some = ask(|_| (), &[[10, 0, 0, 1], TRUE]).await;
    assert!(some.is_success());
    assert_eq!(dns(&some).bogons, ["10.0.0.1"]);
}

#[tokio::test]
async fn five_replies_are_all_kept_in_order() {
    let address = resolver(|query, back| async move {
        let (forged, honest) = (reply(&query, &[FALSE]), reply(&query, &[TRUE]));
        let mut cut = reply(&query, &[]);
        cut.metadata.truncation = true;
        let mut stranger = reply(&query, &[FALSE]);
        stranger.metadata.id ^= 1;
        for message in [&forged, &honest, &honest, &cut, &stranger] {
            back.send(&message.to_vec().unwrap()).await;
        }
        back.send(b"\x00").await;
    })
    .await;
    let seen = Site::new(&[])
        .with_resolver(Transport::Udp, address)
        .observe(query())
        .await;
    let replies = &dns(&seen).replies;
    let told: Vec<_> = replies
        .iter()
        .map(|r| (r.addresses().join(""), r.truncated, r.id_matches))
        .collect();
    let (forged, honest) = ("127.0.0.66".to_owned(), "127.0.0.7".to_owned());
    assert_eq!(
        told,
        [
            (forged.clone(), false, true),
            (honest.clone(), false, true),
            (honest, false, true),
            (String::new(), true, true),
            (forged, false, false),
            (String::new(), false, false),
        ]
    );
    assert!(replies[5].malformed.is_some());
    assert!(replies.is_sorted_by(|a, b| a.t <= b.t));
}

#[tokio::test]
async fn a_late_reply_comes_after_the_answer_was_told() {
    let (told, go) = tokio::sync::oneshot::channel::<()>();
    let go = std::sync::Mutex::new(Some(go));
    let address = resolver(move |query, back| {
        let go = go.lock().unwrap().take();
        async move {
            back.send(&reply(&query, &[FALSE]).to_vec().unwrap()).await;
            if let Some(go) = go {
                go.await.unwrap();
            }
            back.send(&reply(&query, &[TRUE]).to_vec().unwrap()).await;
        }
    })
    .await;
    let mut site = Site::new(&[]).with_resolver(Transport::Udp, address);
    site.limits.dns_listen = std::time::Duration::from_secs(1);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    site.engine()
        .start("o1".to_owned(), crate::site::check(query()), &sender);
    let Some(Event::Answered(first)) = receiver.recv().await else {
        panic!("an answer first")
    };
    assert!(first.is_success());
    assert_eq!(dns(&first).replies.len(), 1);
    told.send(()).unwrap();
    let Some(Event::Complete(whole)) = receiver.recv().await else {
        panic!("then the whole")
    };
    assert_eq!(dns(&whole).replies.len(), 2);
    assert!(whole.steps[0].t > first.steps[0].t);
}

#[tokio::test]
async fn an_interruption_while_listening_keeps_the_answer() {
    let address = resolver(|query, back| async move {
        back.send(&reply(&query, &[TRUE]).to_vec().unwrap()).await;
    })
    .await;
    let mut site = Site::new(&[]).with_resolver(Transport::Udp, address);
    site.limits.dns_listen = std::time::Duration::from_secs(60);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    site.engine()
        .start("o1".to_owned(), crate::site::check(query()), &sender);
    let Some(Event::Answered(_)) = receiver.recv().await else {
        panic!("an answer first")
    };
    site.cancel.cancel();
    let Some(Event::Complete(seen)) = receiver.recv().await else {
        panic!("then the end")
    };
    assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
}

#[tokio::test]
async fn silence_is_a_timeout_after_three_sendings() {
    let address = resolver(|_, _| async {}).await;
    let site = Site::new(&[]).with_resolver(Transport::Udp, address);
    let events = events(&site.engine(), vec![query()]).await;
    let [Event::Complete(seen)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    assert_eq!(dns(seen).sent, 3);
}

#[tokio::test]
async fn strangers_alone_are_no_answer() {
    let seen = ask(|message| message.metadata.id ^= 1, &[TRUE]).await;
    assert_eq!(seen.failure(), Some(&Failure::DnsWrongQueryId));
    let address = resolver(|query, back| async move { back.send(&query[..13]).await }).await;
    let seen = Site::new(&[])
        .with_resolver(Transport::Udp, address)
        .observe(query())
        .await;
    assert_eq!(seen.failure(), Some(&Failure::DnsServerMisbehaving));
}

#[tokio::test]
async fn a_flood_is_heard_only_so_far() {
    let address = resolver(|query, back| async move {
        for _ in 0..200 {
            back.send(&reply(&query, &[TRUE]).to_vec().unwrap()).await;
        }
    })
    .await;
    let seen = Site::new(&[])
        .with_resolver(Transport::Udp, address)
        .observe(query())
        .await;
    assert_eq!(dns(&seen).replies.len(), 8);
}

#[tokio::test]
async fn a_closed_port_is_told_with_its_icmp_error() {
    // Bound, so that nobody else takes the port, and connected elsewhere, so that it is closed to us.
    let bound = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    bound.connect("127.0.0.1:1").unwrap();
    let address = bound.local_addr().unwrap();
    let mut site = Site::new(&[]).with_resolver(Transport::Udp, address);
    site.limits.dns_give_up = std::time::Duration::from_secs(9);
    let seen = site.observe(query()).await;
    assert_eq!(seen.failure(), Some(&Failure::ConnectionRefused));
    let icmp = &seen.steps[0].tcp.as_ref().unwrap().icmp;
    assert_eq!(
        (icmp[0].kind, icmp[0].code, icmp[0].offender.as_deref()),
        (3, 3, Some("127.0.0.1"))
    );
    assert!(
        seen.steps[0].t - seen.steps[0].t0 < 5.0,
        "it is not waited out: {seen:?}"
    );
}

/// A TCP and a UDP socket on one port; other tests may hold one half of the first one found.
async fn twins() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            return (listener, socket);
        }
    }
    panic!("no port is free for both");
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_over_tcp() {
    let (listener, socket) = twins().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let mut cut = reply(&buffer[..length], &[]);
        cut.metadata.truncation = true;
        socket.send_to(&cut.to_vec().unwrap(), from).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut query).await.unwrap();
        let whole = reply(&query, &[TRUE]).to_vec().unwrap();
        stream
            .write_u16(u16::try_from(whole.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(&whole).await.unwrap();
    });
    let seen = Site::new(&[])
        .with_resolver(Transport::Udp, address)
        .observe(query())
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(dns(&seen).replies.len(), 2);
    assert_eq!(dns(&seen).addresses(), ["127.0.0.7"]);
}

#[tokio::test]
async fn a_near_decoy_or_public_resolver_is_not_asked() {
    for role in [ResolverRole::Decoy, ResolverRole::Public] {
        let mut site =
            Site::new(&[]).with_resolver(Transport::Udp, "127.0.0.1:53".parse().unwrap());
        site.line.playground.clear();
        site.catalog.resolvers[0].role = role;
        assert!(site.observe(query()).await.is_not_run());
    }
}
