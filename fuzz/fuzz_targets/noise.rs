//! Both halves of WhatsApp's handshake under any bytes, and any bytes as the chain that a server shows in a handshake which
//! opens. The first byte tells where the rest is cut.
#![no_main]

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::noise::initiator::Initiator;
use blockprobe::wire::noise::keys;
use blockprobe::wire::noise::responder::{Identity, Responder};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;

fuzz_target!(|bytes: &[u8]| {
    let [cut, bytes @ ..] = bytes else {
        return;
    };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let root = keys::public_of(&[1; 32]);
    let asking = || Initiator::new([9; 32], Some(root), NOW);

    // Nobody who has not read the question can seal what opens.
    let mut client = asking();
    client.receive(first);
    client.receive(second);
    assert!(client.told().stage < Stage::Bound);

    let own = Identity::with_chain([3; 32], bytes.to_vec());
    let mut server = Responder::new(&own, [8; 32]);
    server.receive(first);
    server.receive(second);

    // The root's private key is not at hand, so no chain is vouched for.
    let mut client = asking();
    let mut server = Responder::new(&own, [8; 32]);
    assert_eq!(server.receive(&client.send()), Progress::Done);
    let answer = server.send();
    client.receive(&answer);
    assert!(client.told().stage <= Stage::Bound);
});
