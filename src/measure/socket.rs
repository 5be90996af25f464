//! Socket options and what the kernel knows of a connection: the one file with unsafe code.

use std::io::{self, IoSliceMut};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::measure::bogon;
use crate::model::line::Line;
use crate::model::observation::{IcmpError, TcpFacts};

/// ICMP errors read from one socket at most.
const MAX_ICMP: usize = 8;
/// `ee_origin` of errors that a router or host sent (`linux/errqueue.h`).
const ORIGIN_ICMP: [u8; 2] = [2, 3];
/// What stands in a report for an address of the vantage.
const SCRUBBED: &str = "[scrubbed]";

/// A TCP socket that is about to connect, and a second descriptor of it that survives a failed connect: the error
/// queue and the counters are read there. `hops` is how many its packets may live.
pub fn tcp(remote: SocketAddr, hops: Option<u8>) -> io::Result<(TcpSocket, OwnedFd)> {
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_nodelay(true)?;
    report_errors(socket.as_fd(), remote.ip(), true)?;
    if let Some(hops) = hops {
        let socket = SockRef::from(&socket);
        match remote {
            SocketAddr::V4(_) => socket.set_ttl_v4(hops.into())?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(hops.into())?,
        }
    }
    let second = socket.as_fd().try_clone_to_owned()?;
    Ok((socket, second))
}

/// On an established connection a forged or passing ICMP error must not end what the kernel would carry on with, and
/// the queue stays empty there anyway.
pub fn ignore_passing_errors(stream: &TcpStream, remote: SocketAddr) {
    // Failing here would only make the connection more sensitive.
    let _ = report_errors(stream.as_fd(), remote.ip(), false);
}

/// A fresh UDP socket, connected, so that its port is fresh and only that peer is heard.
pub fn udp(remote: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    report_errors(socket.as_fd(), remote.ip(), true)?;
    socket.connect(&SockAddr::from(remote))?;
    UdpSocket::from_std(socket.into())
}

/// The ICMP errors that wait in a socket's error queue.
pub fn icmp_errors(socket: BorrowedFd<'_>, line: &Line) -> Vec<IcmpError> {
    let mut errors = Vec::new();
    // The queue may hold errors of our own kernel too; they are read past, within a bound.
    for _ in 0..4 * MAX_ICMP {
        let mut quoted = [0_u8; 512];
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let Ok(message) =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)
        else {
            break;
        };
        let Ok(controls) = message.cmsgs() else { break };
        errors.extend(controls.filter_map(|control| icmp_error(&control, line)));
        if errors.len() >= MAX_ICMP {
            break;
        }
    }
    errors
}

/// What `TCP_INFO` says of the connection now.
pub fn tcp_facts(socket: BorrowedFd<'_>) -> TcpFacts {
    let Ok(info) = tcp_info(socket) else {
        return TcpFacts::default();
    };
    // Offsets in the kernel's `struct tcp_info` (linux/tcp.h), which only ever grows at its end.
    let word = |at: usize| {
        info.get(at..)?
            .first_chunk()
            .map(|b| u32::from_ne_bytes(*b))
    };
    let long = |at: usize| {
        info.get(at..)?
            .first_chunk()
            .map(|b| u64::from_ne_bytes(*b))
    };
    TcpFacts {
        rtt_us: word(68).filter(|rtt| *rtt > 0),
        unacked: word(24),
        retransmits: word(100),
        // The kernel counts our SYN as one acknowledged byte.
        bytes_acked: long(120).map(|bytes| bytes.saturating_sub(1)),
        bytes_received: long(128),
        icmp: Vec::new(),
    }
}

fn report_errors(socket: BorrowedFd<'_>, remote: IpAddr, on: bool) -> io::Result<()> {
    match remote {
        IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &on)?,
        IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &on)?,
    }
    Ok(())
}

fn icmp_error(control: &ControlMessageOwned, line: &Line) -> Option<IcmpError> {
    let (error, offender, time_exceeded) = match control {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let address = from
                .map(|from| IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(from.sin_addr.s_addr))));
            (error, address, 11)
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let address = from.map(|from| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr)));
            (error, address, 3)
        }
        _ => return None,
    };
    if !ORIGIN_ICMP.contains(&error.ee_origin) {
        return None;
    }
    let offender = offender.filter(|address| !address.is_unspecified());
    let offender_is_own = offender.is_some_and(|address| line.is_own(address));
    // The first routers of a road are the customer's own equipment and the customer's own network. Hop counts tell all
    // that is asked of them.
    let is_near = |address: IpAddr| bogon::is_bogon(address) || line.is_on_link(address);
    let is_kept =
        |address: &IpAddr| error.ee_type != time_exceeded || offender_is_own || !is_near(*address);
    let offender = offender.filter(is_kept);
    Some(IcmpError {
        kind: error.ee_type,
        code: error.ee_code,
        offender: offender.map(|address| {
            if offender_is_own {
                SCRUBBED.to_owned()
            } else {
                address.to_string()
            }
        }),
        offender_is_own,
    })
}

#[expect(
    unsafe_code,
    reason = "no safe wrapper of TCP_INFO reaches bytes_acked"
)]
fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut info = [0_u8; 256];
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&info)).unwrap_or(0);
    // SAFETY: the descriptor is borrowed and so open; the kernel writes at most `length` bytes into `info`, which is
    // that long, and stores into `length` how many it wrote. Any bytes are valid as `u8`.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    let length = usize::try_from(length).unwrap_or(0);
    Ok(info.get(..length).unwrap_or(&info).to_vec())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_tells_bytes_and_round_trip() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = server.local_addr().unwrap();
        let (socket, second) = tcp(remote, None).unwrap();
        let (client, accepted) = tokio::join!(socket.connect(remote), server.accept());
        let (mut client, mut accepted) = (client.unwrap(), accepted.unwrap().0);
        assert_eq!(tcp_facts(second.as_fd()).bytes_acked, Some(0));
        client.write_all(b"hello").await.unwrap();
        accepted.read_exact(&mut [0; 5]).await.unwrap();
        accepted.write_all(b"hi").await.unwrap();
        client.read_exact(&mut [0; 2]).await.unwrap();
        let facts = tcp_facts(second.as_fd());
        assert_eq!(
            (facts.bytes_acked, facts.bytes_received),
            (Some(5), Some(2))
        );
        assert_eq!(facts.unacked, Some(0));
        assert!(facts.rtt_us.is_some_and(|rtt| rtt < 1_000_000));
    }

    #[tokio::test]
    async fn an_icmp_error_is_read_with_its_offender() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let remote = closed.local_addr().unwrap();
        drop(closed);
        for (own, offender) in [("192.0.2.1/24", "127.0.0.1"), ("127.0.0.1/8", SCRUBBED)] {
            let line = Line {
                own: vec![own.parse().unwrap()],
                ..Line::default()
            };
            let socket = udp(remote).unwrap();
            socket.send(b"anyone").await.unwrap();
            socket.ready(tokio::io::Interest::ERROR).await.unwrap();
            let errors = icmp_errors(socket.as_fd(), &line);
            assert_eq!((errors[0].kind, errors[0].code), (3, 3));
            assert_eq!(errors[0].offender.as_deref(), Some(offender));
            assert_eq!(errors[0].offender_is_own, offender == SCRUBBED);
        }
    }

    #[tokio::test]
    async fn packets_live_for_as_many_hops_as_were_asked() {
        for remote in ["127.0.0.1:9", "[::1]:9"] {
            let remote: SocketAddr = remote.parse().unwrap();
            let Ok((_socket, second)) = tcp(remote, Some(3)) else {
                assert!(remote.is_ipv6(), "there is no IPv6 on this machine at most");
                continue;
            };
            let second = SockRef::from(&second);
            let hops = match remote {
                SocketAddr::V4(_) => second.ttl_v4().unwrap(),
                SocketAddr::V6(_) => second.unicast_hops_v6().unwrap(),
            };
            assert_eq!(hops, 3);
        }
    }

    #[test]
    fn a_router_near_by_is_not_named_for_a_packet_that_ran_out_of_hops() {
        let line = Line {
            own: vec!["93.184.216.34/24".parse().unwrap()],
            ..Line::default()
        };
        let said = |kind: u8, code: u8, offender: [u8; 4]| {
            let error = libc::sock_extended_err {
                ee_errno: libc::EHOSTUNREACH.unsigned_abs(),
                ee_origin: 2,
                ee_type: kind,
                ee_code: code,
                ee_pad: 0,
                ee_info: 0,
                ee_data: 0,
            };
            let from = libc::sockaddr_in {
                sin_family: 2,
                sin_port: 0,
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(offender),
                },
                sin_zero: [0; 8],
            };
            let control = ControlMessageOwned::Ipv4RecvErr(error, Some(from));
            icmp_error(&control, &line).unwrap().offender
        };
        for near in [
            [192, 168, 1, 1],
            [10, 0, 0, 1],
            [100, 64, 0, 1],
            [93, 184, 216, 1],
        ] {
            assert_eq!(said(11, 0, near), None, "{near:?}");
        }
        assert_eq!(said(11, 0, [62, 115, 1, 1]).unwrap(), "62.115.1.1");
        // Whoever prohibits is named, wherever it is.
        assert_eq!(said(3, 13, [10, 0, 0, 1]).unwrap(), "10.0.0.1");
    }

    #[tokio::test]
    async fn an_icmpv6_error_is_read_with_its_offender() {
        let Ok(closed) = std::net::UdpSocket::bind("[::1]:0") else {
            return; // This machine has no IPv6 at all.
        };
        let remote = closed.local_addr().unwrap();
        drop(closed);
        let socket = udp(remote).unwrap();
        socket.send(b"anyone").await.unwrap();
        socket.ready(tokio::io::Interest::ERROR).await.unwrap();
        let errors = icmp_errors(socket.as_fd(), &Line::default());
        assert_eq!((errors[0].kind, errors[0].code), (1, 4));
        assert_eq!(errors[0].offender.as_deref(), Some("::1"));
    }
}
