//! The ping of Telegram's reflectors.

use std::time::Duration;

use blockprobe::model::observation::Stage;
use blockprobe::wire::reading::Reading;
use blockprobe::wire::reflector::{Client, answer};
use proptest::prelude::*;

use crate::exchange::noise;

proptest! {
    #[test]
    fn the_halves_meet(tag in any::<[u8; 16]>(), query in any::<[u8; 8]>(), ip in any::<std::net::IpAddr>(), port in any::<u16>()) {
        let from = std::net::SocketAddr::new(ip, port);
        let mut client = Client::new(tag, query);
        let answer = answer(&client.hello(), from, Duration::ZERO).unwrap();
        let reading = client.take(&answer);
        prop_assert!(matches!(reading, Reading::Done(told) if told.stage == Stage::Bound));
        prop_assert!(client.mapped().iter().any(|mapped| mapped.ip().to_canonical() == ip.to_canonical()));
    }

    #[test]
    fn no_bytes_bind_or_break_a_client(bytes in noise(700)) {
        let bound = Client::new([1; 16], [2; 8]).take(&bytes);
        prop_assert!(!matches!(bound, Reading::Done(told) if told.stage > Stage::Parsed));
        prop_assert!(answer(&bytes, "[::1]:1".parse().unwrap(), Duration::ZERO).is_none());
    }

    #[test]
    fn a_cut_answer_or_one_to_another_ping_never_binds(
        tag in any::<[u8; 16]>(), query in any::<[u8; 8]>(), other in any::<[u8; 8]>(), end in 0..64_usize,
    ) {
        prop_assume!(query != other);
        let from = "192.0.2.7:1".parse().unwrap();
        let whole = answer(&Client::new(tag, query).hello(), from, Duration::ZERO).unwrap();
        prop_assert!(matches!(Client::new(tag, query).take(&whole[..end]), Reading::Failed(_)));
        let reading = Client::new(tag, other).take(&whole);
        prop_assert!(matches!(reading, Reading::Done(told) if told.stage == Stage::Parsed));
    }
}
