//! STUN and TURN against coturn on loopback, over UDP and TCP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress, Told};
use blockprobe::wire::reading::Reading;
use blockprobe::wire::stun::{Ask, Client};

use crate::needs;

/// Longest wait for coturn to open its port or to answer, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(5);
/// How often another port is looked for where the one that was free is taken before coturn has it.
const ATTEMPTS: usize = 5;

/// coturn, killed when it is let go.
struct Coturn {
    child: Child,
    place: SocketAddr,
    directory: tempfile::TempDir,
}

impl Coturn {
    fn start(arguments: &[&str]) -> Option<Self> {
        let Some(program) = ["/usr/bin/turnserver", "/usr/local/bin/turnserver"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            needs::skip("coturn");
            return None;
        };
        let coturn = (0..ATTEMPTS).find_map(|_| Self::try_start(program, arguments));
        Some(coturn.expect("a port stays free for a moment"))
    }

    /// Nothing where another socket of this machine took the port since it was found free.
    fn try_start(program: &str, arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = Command::new(program)
            .args([
                "-n",
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--log-file",
                "stdout",
            ])
            .args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1"])
            .args([
                "--userdb",
                "db",
                "--pidfile",
                "pid",
                "--listening-port",
                &port.to_string(),
            ])
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(directory.path().join("log")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn starts");
        let mut coturn = Self {
            child,
            place: (Ipv4Addr::LOCALHOST, port).into(),
            directory,
        };
        coturn.stands().then_some(coturn)
    }

    fn stands(&mut self) -> bool {
        let begun = Instant::now();
        while TcpStream::connect(self.place).is_err() {
            let log = || std::fs::read_to_string(self.directory.path().join("log")).unwrap();
            // It does not end: it tries again and again.
            if log().contains("Address already in use") {
                return false;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "coturn ended:\n{}", log());
            assert!(
                begun.elapsed() < PATIENCE,
                "coturn does not open its port:\n{}",
                log()
            );
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// What it says over UDP, and whether our own address was in it. Asks again if nothing comes: datagrams get lost.
    fn datagram(&self, ask: Ask, draw: u8) -> Told {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        socket.connect(self.place).unwrap();
        let mut client = Client::new(ask, [draw; 16]);
        let mut bytes = [0; 2048];
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            socket.send(&client.hello()).unwrap();
            let Ok(length) = socket.recv(&mut bytes) else {
                continue;
            };
            let Reading::Done(told) = client.read(&bytes[..length]) else {
                panic!("{ask:?}: {:?}", &bytes[..length]);
            };
            check_mapped(ask, &client, &told, socket.local_addr().unwrap());
            return told;
        }
        panic!("no answer to {ask:?} over UDP");
    }

    /// The same over TCP, where the answer is read a byte at a time.
    fn stream(&self, ask: Ask, draw: u8) -> Told {
        let mut stream = TcpStream::connect(self.place).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client::new(ask, [draw; 16]);
        stream.write_all(&client.send()).unwrap();
        let mut byte = [0];
        while client.receive(&byte[..0]) == Progress::More {
            stream.read_exact(&mut byte).unwrap();
            match client.receive(&byte) {
                Progress::More => {}
                Progress::Done => break,
                Progress::Failed(why) => panic!("{ask:?}: {why}"),
            }
        }
        let told = client.told();
        check_mapped(ask, &client, &told, stream.local_addr().unwrap());
        told
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our own address is known for scrubbing, and not told.
fn check_mapped(ask: Ask, client: &Client, told: &Told, own: SocketAddr) {
    if told.said("answer") == Some("success") {
        assert!(
            client.mapped().contains(&own),
            "{ask:?}: {:?}",
            client.mapped()
        );
    }
    assert!(
        !format!("{:?}", told.says).contains("127.0.0.1"),
        "{told:?}"
    );
}

/// A port that is free for UDP and TCP now.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

#[test]
fn coturn_answers_every_binding_over_udp_and_tcp() {
    let Some(coturn) = Coturn::start(&["--no-auth"]) else {
        return;
    };
    for (draw, ask) in [Ask::Binding, Ask::Classic, Ask::AlteredCookie]
        .into_iter()
        .enumerate()
    {
        let told = coturn.datagram(ask, u8::try_from(draw).unwrap() + 1);
        assert_eq!(
            (told.stage, told.said("answer")),
            (Stage::Bound, Some("success")),
            "{ask:?}"
        );
    }
    let told = coturn.stream(Ask::Binding, 9);
    assert_eq!(
        (told.stage, told.said("answer")),
        (Stage::Bound, Some("success"))
    );
}

#[test]
fn an_allocate_gets_an_address_or_401_and_both_bind() {
    let Some(open) = Coturn::start(&["--no-auth"]) else {
        return;
    };
    for told in [
        open.datagram(Ask::Allocate, 1),
        open.stream(Ask::Allocate, 2),
    ] {
        assert_eq!(
            (told.stage, told.said("answer")),
            (Stage::Bound, Some("success"))
        );
    }
    let credentials = ["--lt-cred-mech", "--user", "a:b", "--realm", "lab.example"];
    let closed = Coturn::start(&credentials).unwrap();
    for told in [
        closed.datagram(Ask::Allocate, 3),
        closed.stream(Ask::Allocate, 4),
    ] {
        assert_eq!(
            (told.stage, told.said("answer")),
            (Stage::Bound, Some("error"))
        );
        assert_eq!(told.said("error"), Some("401 Unauthorized"));
    }
}
