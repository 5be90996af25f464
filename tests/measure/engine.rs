//! Concurrency, interruption and the addresses that are never connected to.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use blockprobe::measure::Event;
use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::Ask;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Observation, Operation};
use tokio::sync::mpsc;

use crate::site::{Site, check, climb, events, serve};

fn completed(events: &[Event]) -> Vec<&Observation> {
    let mut completed = Vec::new();
    for event in events {
        if let Event::Complete(observation) = event {
            completed.push(&**observation);
        }
    }
    completed
}

/// A server that accepts and never says a word.
async fn silent() -> SocketAddr {
    serve(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await
}

#[tokio::test]
async fn a_silent_address_does_not_make_a_long_run() {
    let address = silent().await;
    let mut site = Site::new(&[]);
    site.limits.tls = Duration::from_secs(1);
    let began = Instant::now();
    let asks = (0..40)
        .map(|_| Ask::Climb(climb(Protocol::Tls, address)))
        .collect();
    let events = events(&site.engine(), asks).await;
    let seen = completed(&events);
    assert_eq!(seen.len(), 40);
    assert!(
        seen.iter()
            .all(|seen| seen.failure() == Some(&Failure::GenericTimeout))
    );
    // Four places and a second each would be ten seconds; places given up after 50 ms are 1.5 s.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn an_address_is_met_by_four_connections_at_a_time() {
    let (now, most) = (
        std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)),
        std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)),
    );
    let (counted, highest) = (now.clone(), most.clone());
    let address = serve(move |mut stream| {
        use std::sync::atomic::Ordering::SeqCst;
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (counted, highest) = (counted.clone(), highest.clone());
        async move {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            highest.fetch_max(counted.fetch_add(1, SeqCst) + 1, SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            counted.fetch_sub(1, SeqCst);
            let _ = stream
                .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                .await;
        }
    })
    .await;
    let mut site = Site::new(&[]);
    site.limits.places_per_address = 4;
    site.limits.patience_connect = Duration::from_secs(9);
    site.limits.patience_talk = Duration::from_secs(9);
    site.limits.http = Duration::from_secs(9);
    site.limits.connect = Duration::from_secs(9);
    let asks = (0..30)
        .map(|_| Ask::Climb(climb(Protocol::Http, address)))
        .collect();
    let events = events(&site.engine(), asks).await;
    assert!(completed(&events).iter().all(|seen| seen.is_success()));
    assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_interruption_keeps_what_was_done() {
    let (sender, mut connected) = mpsc::unbounded_channel();
    let address = serve(move |stream| {
        let sender = sender.clone();
        async move {
            stream.readable().await.unwrap();
            sender.send(()).unwrap();
            let _stream = stream;
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut site = Site::new(&[]);
    site.limits.tls = Duration::from_secs(60);
    let engine = site.engine();
    let (events, mut received) = mpsc::unbounded_channel();
    engine.start(
        "o1".to_owned(),
        check(Ask::Climb(climb(Protocol::Tls, address))),
        &events,
    );
    connected.recv().await.unwrap();
    site.cancel.cancel();
    let Some(Event::Complete(seen)) = received.recv().await else {
        panic!("it completes")
    };
    assert!(seen.reached(Operation::TcpConnect));
    assert_eq!(seen.failure(), Some(&Failure::Interrupted));
    assert!(seen.steps[1].tls.as_ref().unwrap().client_hello_bytes > 0);
    assert_eq!(seen.not_run.as_deref(), Some("interrupted"));

    engine.start(
        "o2".to_owned(),
        check(Ask::Climb(climb(Protocol::Tls, address))),
        &events,
    );
    let Some(Event::Complete(seen)) = received.recv().await else {
        panic!("it completes")
    };
    assert!(seen.is_not_run());
    assert_eq!(seen.not_run.as_deref(), Some("interrupted before it began"));
    drop((engine, events));
    assert!(
        received.recv().await.is_none(),
        "exactly one event for each check"
    );
}

#[tokio::test]
async fn own_and_private_addresses_are_never_connected_to() {
    let address = silent().await;
    let mut site = Site::new(&[]);
    site.line.playground.clear();
    site.line.own = vec![
        "127.0.0.1/8".parse().unwrap(),
        "93.184.216.34/24".parse().unwrap(),
    ];
    let near = [
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::new(93, 184, 216, 99),
        Ipv4Addr::UNSPECIFIED,
    ];
    for address in near
        .map(|ip| SocketAddr::from((ip, 443)))
        .into_iter()
        .chain([address])
    {
        let seen = site
            .observe(Ask::Climb(climb(Protocol::Tcp, address)))
            .await;
        assert!(seen.is_not_run(), "{address}");
        assert!(seen.not_run.unwrap().ends_with("never connected to"));
    }
    let seen = site
        .observe(Ask::Climb(climb(
            Protocol::Tcp,
            "[2606:4700::1]:443".parse().unwrap(),
        )))
        .await;
    assert_eq!(seen.not_run.as_deref(), Some("no IPv6 on this line"));
}

#[tokio::test]
async fn the_systems_own_view_is_told_like_an_answer() {
    let site = Site::new(&[]);
    let seen = site
        .observe(Ask::Lookup {
            name: "localhost".to_owned(),
        })
        .await;
    let dns = seen.steps[0].dns.as_ref().unwrap();
    assert!(dns.addresses().contains(&"127.0.0.1".to_owned()), "{dns:?}");
    assert_eq!(dns.replies[0].bytes, 0);
    let mut outside = Site::new(&[]);
    outside.line.playground.clear();
    let seen = outside
        .observe(Ask::Lookup {
            name: "127.0.0.1".to_owned(),
        })
        .await;
    assert_eq!(seen.failure(), Some(&Failure::DnsBogon));
}
