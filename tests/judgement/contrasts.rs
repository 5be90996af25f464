//! Rules that rest on a ClientHello or a request with one thing changed: its pieces, its shape, its Host.

use blockprobe::model::check::Variation;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{HttpFacts, Operation};
use blockprobe::model::report::{Confidence, EndpointStatus, Status, Verdict};

use crate::world::{Cell, HONEST, Last, World, ids, proven, silent, step};

// ---- in two pieces ------------------------------------------------------------------------------------------------

#[test]
fn a_name_that_passes_in_two_pieces_leaves_no_doubt_of_a_box() {
    for (cell, technique) in [
        (Cell::Reset, "server_name_at_address/reset"),
        (Cell::Silence, "server_name_at_address/drop"),
        (Cell::Alert(112), "server_name_at_address/alert"),
        (Cell::Impostor("censor"), "server_name_at_address/intercept"),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        world.row(Variation::Split, Cell::Answer);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
        let doubt = verdict.techniques[0].doubt.as_deref();
        match cell {
            Cell::Impostor(_) => assert!(doubt.unwrap().starts_with("Whoever runs this machine")),
            _ => assert_eq!(doubt, None),
        }
    }
}

#[test]
fn a_server_that_treats_its_name_so_does_it_to_pieces_too() {
    let mut world = World::reachable();
    world.matrix(
        Cell::Alert(112),
        Cell::Answer,
        Cell::Answer,
        Cell::Answer,
        3,
    );
    world.row(Variation::Split, Cell::Alert(112));
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn pieces_that_pass_once_prove_nothing() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
    world.contrast(HONEST, Variation::Split, 1, Cell::Answer.last());
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(verdict.techniques[0].doubt.is_some());
}

// ---- where the address is dead ------------------------------------------------------------------------------------

#[test]
fn a_name_is_tried_at_controls_where_its_own_address_is_dead() {
    let mut world = dead();
    for trial in 1..=3 {
        world.contrast("198.41.0.5", Variation::Both, trial, Cell::Answer.last());
        world.contrast("198.41.0.5", Variation::Address, trial, Cell::Reset.last());
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["server_name/reset"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
    assert_eq!(verdict.status, Status::Blocked);
}

/// The name's trials at controls last from then to then.
fn named_there(world: &mut World, (began, ended): (f64, f64)) {
    for observation in &mut world.observations {
        let contrast = observation.check.contrast.as_ref();
        if contrast.is_some_and(|it| it.varies == Variation::Address) {
            for step in &mut observation.steps {
                (step.t0, step.t) = (began, ended);
            }
        }
    }
}

#[test]
fn what_is_silent_at_controls_while_nothing_passes_may_be_a_line_that_was_cut_just_then() {
    let tls = || {
        let mut world = dead();
        for trial in 1..=3 {
            world.contrast("198.41.0.5", Variation::Both, trial, Cell::Answer.last());
            world.contrast(
                "198.41.0.5",
                Variation::Address,
                trial,
                Cell::Silence.last(),
            );
        }
        world
    };
    let (lost, found) = (Answer::Silence, Answer::NotFound);
    let http = || requests(lost, found, lost, found);
    let worlds: [(&str, &dyn Fn() -> World); 2] =
        [("server_name/drop", &tls), ("http_host/drop", &http)];
    for (technique, world) in worlds {
        for (lasted, is_named) in [((0.0, 5.0), true), ((2.0, 7.0), false)] {
            let mut world = world();
            named_there(&mut world, lasted);
            let verdict = world.judge();
            assert_eq!(ids(&verdict).contains(&technique), is_named, "{technique}");
        }
    }
}

#[test]
fn a_dead_address_whose_name_passes_at_controls_is_only_dead() {
    let mut world = dead();
    for trial in 1..=3 {
        world.contrast("198.41.0.5", Variation::Both, trial, Cell::Answer.last());
        world.contrast("198.41.0.5", Variation::Address, trial, Cell::Answer.last());
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_name_that_passes_at_one_control_of_three_is_not_looked_at_everywhere() {
    let mut world = dead();
    for (trial, named) in [(1, Cell::Reset), (2, Cell::Reset), (3, Cell::Answer)] {
        world.contrast("198.41.0.5", Variation::Both, trial, Cell::Answer.last());
        world.contrast("198.41.0.5", Variation::Address, trial, named.last());
    }
    silent(&world.judge(), Status::Inconclusive);
}

/// Its only address does not answer at all.
fn dead() -> World {
    let mut world = World::reachable();
    let lost = || step(Operation::TcpConnect, Some(Failure::GenericTimeout));
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, lost().into());
    }
    world
}

// ---- the shape of the ClientHello ---------------------------------------------------------------------------------

#[test]
fn a_client_hello_that_fails_for_every_name_and_passes_in_another_shape_is_known_by_its_shape() {
    for (cell, technique) in [
        (Cell::Silence, "tls_fingerprint/drop"),
        (Cell::Reset, "tls_fingerprint/reset"),
        (Cell::Close, "tls_fingerprint/close"),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, cell, Cell::Answer, Cell::Answer, 3);
        world.row(Variation::Shape, Cell::Answer);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.status, Status::Blocked);
    }
}

#[test]
fn a_shape_that_fails_at_its_own_servers_may_be_their_choice() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Reset, Cell::Answer, Cell::Answer, 3);
    world.row(Variation::Shape, Cell::Answer);
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("may refuse such clients"), "{doubt}");
}

#[test]
fn a_server_that_answers_no_shape_is_down() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Reset, Cell::Answer, Cell::Answer, 3);
    world.row(Variation::Shape, Cell::Reset);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_name_filter_that_cannot_read_large_hellos_is_no_fingerprint() {
    let mut world = World::reachable();
    // What it remembers keeps the innocuous name from passing at the target's address too.
    world.matrix(Cell::Reset, Cell::Reset, Cell::Reset, Cell::Answer, 3);
    world.row(Variation::Shape, Cell::Answer);
    assert_eq!(ids(&world.judge()), ["server_name/reset"]);
}

#[test]
fn another_shape_that_passes_now_and_then_names_nothing() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Reset, Cell::Answer, Cell::Answer, 3);
    for (trial, cell) in [(1, Cell::Answer), (2, Cell::Reset), (3, Cell::Answer)] {
        world.contrast(HONEST, Variation::Shape, trial, cell.last());
    }
    silent(&world.judge(), Status::Inconclusive);
}

// ---- the Host of a request in clear -------------------------------------------------------------------------------

const CONTROLS: [&str; 3] = ["198.41.0.5", "198.41.0.6", "198.41.0.7"];

/// What a request came to.
#[derive(Clone, Copy)]
pub enum Answer {
    Own,
    NotFound,
    Forbidden,
    Page,
    Known,
    Reset,
    Silence,
}

impl Answer {
    pub fn last(self) -> Last {
        let http = |status: u16, title: &str| HttpFacts {
            version: "HTTP/1.1".to_owned(),
            status,
            title: Some(title.to_owned()),
            body: Some(title.to_owned()),
            body_sha256: Some(title.to_owned()),
            ..HttpFacts::default()
        };
        let (failure, facts) = match self {
            Self::Own => (None, Some(http(200, "Welcome"))),
            Self::NotFound => (None, Some(http(404, "Not Found"))),
            Self::Forbidden => (None, Some(http(403, "Forbidden"))),
            Self::Page => (None, Some(http(200, "Access is restricted"))),
            Self::Known => {
                let location = "http://warning.provider.example/?id=[removed]".to_owned();
                let facts = HttpFacts {
                    headers: vec![("location".to_owned(), location)],
                    ..http(302, "Moved")
                };
                (None, Some(facts))
            }
            Self::Reset => (Some(Failure::ConnectionReset), None),
            Self::Silence => (Some(Failure::GenericTimeout), None),
        };
        let mut step = step(Operation::HttpRoundTrip, failure);
        step.http = facts.map(Box::new);
        step.into()
    }
}

/// The failing request thrice, and the 2x2 around it.
pub fn requests(own: Answer, other: Answer, own_there: Answer, other_there: Answer) -> World {
    let mut world = World::in_clear();
    for trial in 1..=3 {
        let control = CONTROLS[trial as usize - 1];
        world.climb_again(HONEST, trial, own.last());
        world.contrast(HONEST, Variation::Host, trial, other.last());
        world.contrast(control, Variation::Both, trial, other_there.last());
        world.contrast(control, Variation::Address, trial, own_there.last());
    }
    world
}

fn split(world: &mut World, answer: Answer) {
    for trial in 1..=3 {
        world.contrast(HONEST, Variation::Split, trial, answer.last());
    }
}

fn is_blocked_by(verdict: &Verdict, technique: &str, confidence: Confidence) {
    assert_eq!(ids(verdict), [technique]);
    assert_eq!(verdict.techniques[0].confidence, confidence);
    assert_eq!(verdict.status, Status::Blocked);
    let endpoint = &verdict.services[0].endpoints[0];
    assert_eq!(endpoint.status, EndpointStatus::Blocked);
}

#[test]
fn a_host_that_meets_the_same_at_controls_is_looked_at() {
    for (answer, technique) in [
        (Answer::Reset, "http_host/reset"),
        (Answer::Silence, "http_host/drop"),
        (Answer::Page, "http_host/blockpage"),
    ] {
        let verdict = requests(answer, Answer::NotFound, answer, Answer::NotFound).judge();
        is_blocked_by(&verdict, technique, Confidence::Confirmed);
        assert_eq!(verdict.techniques[0].doubt, None);
    }
}

#[test]
fn a_known_block_page_needs_no_repetition_and_is_no_answer_of_the_server() {
    let mut world = World::in_clear();
    world.climb_again(HONEST, 1, Answer::Known.last());
    is_blocked_by(&world.judge(), "http_host/blockpage", Confidence::Confirmed);
}

#[test]
fn a_known_page_for_every_host_at_one_address_is_about_the_address() {
    let verdict = requests(
        Answer::Known,
        Answer::Known,
        Answer::NotFound,
        Answer::NotFound,
    )
    .judge();
    is_blocked_by(&verdict, "address_port/blockpage", Confidence::Confirmed);
}

#[test]
fn a_request_that_fails_at_home_only_is_likely_unless_it_passes_in_two_pieces() {
    let world = || {
        requests(
            Answer::Reset,
            Answer::NotFound,
            Answer::NotFound,
            Answer::NotFound,
        )
    };
    let verdict = world().judge();
    is_blocked_by(&verdict, "http_host/reset", Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("vantage")
    );
    let mut world = world();
    split(&mut world, Answer::Own);
    is_blocked_by(&world.judge(), "http_host/reset", Confidence::Confirmed);
}

#[test]
fn the_real_servers_own_refusal_is_reachability() {
    for other in [Answer::Forbidden, Answer::NotFound] {
        let mut world = requests(Answer::Forbidden, other, Answer::NotFound, Answer::NotFound);
        split(&mut world, Answer::Forbidden);
        silent(&world.judge(), Status::Accessible);
    }
}

#[test]
fn a_server_that_resets_every_request_is_not_censored() {
    let verdict = requests(
        Answer::Reset,
        Answer::Reset,
        Answer::NotFound,
        Answer::NotFound,
    )
    .judge();
    silent(&verdict, Status::Inconclusive);
}

#[test]
fn a_page_that_controls_show_for_every_host_is_nobodys_block_page() {
    let verdict = requests(Answer::Page, Answer::Page, Answer::Page, Answer::Page).judge();
    silent(&verdict, Status::Accessible);
}

#[test]
fn too_few_controls_are_told_as_doubt() {
    let mut world = World::in_clear();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, Answer::Reset.last());
    }
    world.contrast(CONTROLS[0], Variation::Both, 1, Answer::NotFound.last());
    world.contrast(CONTROLS[0], Variation::Address, 1, Answer::Reset.last());
    // One may be an accident.
    silent(&world.judge(), Status::Inconclusive);
    world.contrast(CONTROLS[1], Variation::Both, 2, Answer::NotFound.last());
    world.contrast(CONTROLS[1], Variation::Address, 2, Answer::Reset.last());
    let verdict = world.judge();
    is_blocked_by(&verdict, "http_host/reset", Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("chance")
    );
}

#[test]
fn a_box_that_breaks_off_whomever_it_pleases_looks_at_no_host() {
    for (innocuous, is_named) in [(0, true), (1, true), (4, false)] {
        let mut world = requests(
            Answer::Reset,
            Answer::NotFound,
            Answer::Reset,
            Answer::NotFound,
        );
        // As often as the Host was met, the innocuous one was, too, beside controls of which nothing else is told.
        for (trial, control) in
            (4..).zip(["198.41.0.8", "198.41.0.9", "198.41.0.10", "198.41.0.11"])
        {
            let met = if trial < 4 + innocuous {
                Answer::Reset
            } else {
                Answer::NotFound
            };
            world.contrast(control, Variation::Both, trial, met.last());
            world.contrast(control, Variation::Address, trial, Answer::Reset.last());
        }
        let verdict = world.judge();
        if is_named {
            assert_eq!(ids(&verdict), ["http_host/reset"]);
        } else {
            silent(&verdict, Status::Inconclusive);
        }
    }
}

#[test]
fn a_handshake_that_works_is_left_alone() {
    let mut world = World::reachable();
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}
