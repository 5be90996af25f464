//! A query over UDP: sent again if lost, and listened out, because the first answer need not be the true one.

use tokio::sync::oneshot;

use crate::measure::checks::Context;
use crate::measure::checks::dns::{Inquiry, Worth, stream};
use crate::measure::classify::io_failure;
use crate::measure::datagram::{self, Listener, Schedule};
use crate::measure::places::Place;
use crate::measure::socket;
use crate::measure::trace::Stopped;
use crate::model::catalog::{Resolver, ResolverRole};
use crate::model::observation::{IcmpError, Operation};

/// Asks, listens to the end of the window, and asks again over TCP if the answer was cut.
pub async fn ask(context: &Context, resolver: &Resolver, inquiry: &Inquiry) -> Result<(), Stopped> {
    let room = &context.room;
    let limits = &room.limits;
    let place = room.queries.at(resolver.address.ip()).await;
    let asking = async {
        let socket = socket::udp(resolver.address)?;
        let (cut, was_cut) = oneshot::channel();
        let mut ear = Ear {
            context,
            inquiry,
            place: &place,
            cut: Some(cut),
        };
        let schedule = match resolver.role {
            ResolverRole::Decoy => Schedule::decoy(limits),
            _ => Schedule::dns(limits),
        };
        let listening = async {
            let outcome =
                datagram::exchange(&socket, &inquiry.message, &schedule, &room.line, &mut ear)
                    .await;
            // Whoever waits for a cut answer learns now that none came.
            ear.cut = None;
            outcome
        };
        let repeating = async {
            if was_cut.await.is_ok() {
                // Rare, so its room is taken only then.
                Box::pin(repeat_over_tcp(context, resolver, inquiry)).await;
            }
        };
        let (ended, ()) = tokio::join!(listening, repeating);
        inquiry.outcome(&room.line, ended.err().map(|error| io_failure(&error)))
    };
    let limit = limits.dns_give_up + limits.dns_listen + limits.dns_stream;
    let patient = place.patiently(limits.patience_connect, || inquiry.count(), asking);
    context.trace.step(Operation::Resolve, limit, patient).await
}

/// What is heard while the window is open.
struct Ear<'a> {
    context: &'a Context,
    inquiry: &'a Inquiry,
    place: &'a Place,
    cut: Option<oneshot::Sender<()>>,
}

impl Listener for Ear<'_> {
    fn sent(&mut self) {
        self.inquiry.sent();
    }

    fn heard(&mut self, datagram: &[u8]) -> bool {
        let worth = self.inquiry.heard(datagram, self.context.trace.elapsed());
        match worth {
            Worth::Other => return false,
            Worth::Answer => {
                // Whole: nothing is to be had over TCP any more.
                self.cut = None;
                answered(self.context, self.inquiry);
            }
            Worth::Truncated => {
                if let Some(cut) = self.cut.take() {
                    let _ = cut.send(());
                }
            }
        }
        // From here on it only listens, which is no load on anybody.
        self.place.give_up();
        true
    }

    fn refused(&mut self, errors: Vec<IcmpError>) {
        self.inquiry.refused(errors);
    }
}

async fn repeat_over_tcp(context: &Context, resolver: &Resolver, inquiry: &Inquiry) {
    context
        .trace
        .settle(inquiry.outcome(&context.room.line, None));
    let asking = async {
        let (socket, _second) = socket::tcp(resolver.address, None)?;
        let stream = socket.connect(resolver.address).await?;
        stream::exchange(stream, inquiry, || context.trace.elapsed()).await
    };
    // That TCP failed too changes nothing: the cut answer is what there is. Whoever asks three times is not to wait longer than
    // for three answers over TCP.
    let asked = tokio::time::timeout(context.room.limits.dns_stream, asking).await;
    if let Ok(Ok::<_, std::io::Error>(Worth::Answer)) = asked {
        answered(context, inquiry);
    }
}

fn answered(context: &Context, inquiry: &Inquiry) {
    context
        .trace
        .settle(inquiry.outcome(&context.room.line, None));
    context.answered();
}
