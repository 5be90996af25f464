//! Rules of QUIC: what they name, what leaves them silent, what doubt they tell; and that TCP decides about the target.

use blockprobe::analysis;
use blockprobe::analysis::ground::Quic;
use blockprobe::model::catalog::{Control, Endpoint, Protocol, Region, Service};
use blockprobe::model::check::{Ask, Check, Contrast, Role, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{
    IcmpError, Observation, Operation, QuicFacts, Step, TlsFacts,
};
use blockprobe::model::report::{Confidence, Regime, Status, Verdict};

use crate::world::{
    HONEST, World, certificate, climb_check, endpoint, ids, observation, proven, silent, step,
};

const CONTROLS: [&str; 3] = ["198.41.0.5", "198.41.0.6", "198.41.0.7"];

/// How one QUIC handshake ended.
#[derive(Clone, Copy)]
enum Cell {
    /// The server's certificate.
    Answer,
    /// The same, after most of it was sent again.
    Late,
    Silence,
    /// Something came, and not enough.
    Stall,
    /// The peer closed, without a word.
    Close,
    /// A closed port.
    Refused,
    /// A Version Negotiation, with version 1 or without.
    Versions(&'static str),
}

impl Cell {
    fn step(self) -> Step {
        let failure = match self {
            Self::Answer | Self::Late | Self::Versions(_) => None,
            Self::Silence | Self::Stall => Some(Failure::GenericTimeout),
            Self::Close => Some(Failure::Eof),
            Self::Refused => Some(Failure::ConnectionRefused),
        };
        let mut step = step(Operation::QuicHandshake, failure);
        let mut facts = QuicFacts {
            version: QuicFacts::V1.to_owned(),
            sent: match self {
                Self::Answer => 2,
                Self::Late => 8,
                Self::Stall => 20,
                _ => 7,
            },
            ..QuicFacts::default()
        };
        let mut tls = TlsFacts::default();
        match self {
            Self::Answer | Self::Late => {
                facts.received_bytes = 3000;
                tls.chain = vec![certificate()];
            }
            Self::Versions(version) => {
                facts.received_bytes = 40;
                facts.versions = vec![version.to_owned()];
            }
            Self::Close | Self::Stall => facts.received_bytes = 50,
            Self::Refused => facts.icmp.push(IcmpError {
                kind: 3,
                code: 3,
                offender: Some(HONEST.to_owned()),
                offender_is_own: false,
            }),
            Self::Silence => {}
        }
        facts.received = u32::from(facts.received_bytes > 0);
        tls.received_bytes = facts.received_bytes;
        step.quic = Some(Box::new(facts));
        step.tls = Some(Box::new(tls));
        step
    }
}

/// An open line where the target works over TCP and offers QUIC beside it, with two controls over QUIC that met this.
fn world(controls: Cell) -> World {
    let mut world = World::reachable();
    world.climb(HONEST, proven());
    let quic = Service {
        id: "quic".to_owned(),
        essential: false,
        pool: true,
        by_place: false,
        alternative: true,
        endpoints: vec![over_quic()],
    };
    world.catalog.targets[0].services.push(quic);
    for operator in ["One", "Two"] {
        let control = Control {
            id: format!("{operator}_quic"),
            operator: operator.to_owned(),
            region: Region::Foreign,
            endpoint: Endpoint {
                id: format!("quic://{operator}:443"),
                ..over_quic()
            },
        };
        let check = climb_check("ground", &control.endpoint, "198.41.0.5", Role::Control);
        let id = format!("o{}", 2000 + world.ground.len());
        world
            .ground
            .push(observation(id, check, vec![controls.step()]));
        world.catalog.controls.push(control);
    }
    world
}

fn over_quic() -> Endpoint {
    endpoint(Protocol::Quic, 443)
}

fn own_check() -> Check {
    climb_check("target", &over_quic(), HONEST, Role::Target)
}

/// The target's own combination, so often.
fn own(world: &mut World, cell: Cell, trials: u32) {
    for trial in 1..=trials {
        let mut check = own_check();
        check.trial = trial;
        if trial > 1 {
            check.contrast = Some(Contrast {
                of: check.id.clone(),
                varies: Variation::Nothing,
            });
            check.id = format!("{}/again#{trial}", check.id);
        }
        world.push(check, vec![cell.step()]);
    }
}

/// A row of contrasts.
fn row(world: &mut World, varies: Variation, cell: Cell, trials: u32) {
    for trial in 1..=trials {
        let address = match varies {
            Variation::Address | Variation::Both => CONTROLS[trial as usize - 1],
            _ => HONEST,
        };
        let mut check = climb_check("target", &over_quic(), address, Role::Control);
        check.id = format!("quic/{varies:?}/{trial}");
        check.endpoints.clear();
        check.trial = trial;
        check.contrast = Some(Contrast {
            of: own_check().id,
            varies,
        });
        world.push(check, vec![cell.step()]);
    }
}

fn named(controls: Cell, own_cell: Cell, here: Cell, there: Cell) -> World {
    let mut world = world(controls);
    own(&mut world, own_cell, 3);
    row(&mut world, Variation::ServerName, here, 3);
    row(&mut world, Variation::Both, Cell::Answer, 3);
    row(&mut world, Variation::Address, there, 3);
    world
}

fn doubt(verdict: &Verdict) -> &str {
    verdict.techniques[0].doubt.as_deref().unwrap_or_default()
}

// ---- quic_server_name ------------------------------------------------------------------------------------------

#[test]
fn a_name_that_fails_at_quic_controls_too_is_looked_at_everywhere() {
    for (cell, technique) in [
        (Cell::Silence, "quic_server_name/drop"),
        (Cell::Close, "quic_server_name/close"),
    ] {
        let verdict = named(Cell::Answer, cell, Cell::Answer, cell).judge();
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
        assert_eq!(verdict.techniques[0].endpoints, [over_quic().id]);
        assert_eq!(verdict.services[1].status, Status::Blocked);
        assert_eq!(verdict.status, Status::Accessible, "{technique}");
    }
}

#[test]
fn a_service_whose_rest_fails_for_reasons_of_its_own_is_not_stopped_by_quic() {
    for (rest, status) in [
        (None, Status::Blocked),
        (Some(Failure::SslInvalidCertificate), Status::Inconclusive),
    ] {
        let mut world = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
        if let Some(failure) = rest {
            let over_tcp = Endpoint {
                id: "https://beside.test/".to_owned(),
                ..endpoint(Protocol::Https, 443)
            };
            let check = climb_check("target", &over_tcp, HONEST, Role::Target);
            let service = &mut world.catalog.targets[0].services[1];
            service.endpoints.push(over_tcp);
            let steps = vec![
                step(Operation::TcpConnect, None),
                step(Operation::TlsHandshake, Some(failure)),
            ];
            world.push(check, steps);
        }
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["quic_server_name/drop"]);
        assert_eq!(verdict.services[1].status, status);
    }
}

#[test]
fn a_name_that_fails_over_quic_at_its_own_address_only_is_likely_and_tells_the_doubt() {
    let verdict = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Answer).judge();
    assert_eq!(ids(&verdict), ["quic_server_name/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("vantage"), "{}", doubt(&verdict));
}

#[test]
fn on_a_line_that_loses_nearly_everything_silence_over_quic_names_nothing() {
    let by_name = || named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
    let by_line = || {
        let mut world = world(Cell::Silence);
        own(&mut world, Cell::Silence, 1);
        world
    };
    let by_version = || {
        let mut world = world(Cell::Answer);
        own(&mut world, Cell::Silence, 3);
        row(&mut world, Variation::ServerName, Cell::Silence, 3);
        row(&mut world, Variation::Shape, Cell::Versions("00000001"), 3);
        world
    };
    let worlds: [&dyn Fn() -> World; 3] = [&by_name, &by_line, &by_version];
    for (at, world) in worlds.iter().enumerate() {
        for (again, is_named) in [(6, true), (40, false)] {
            let mut world = world();
            world.loss(again);
            let verdict = world.judge();
            assert_eq!(!ids(&verdict).is_empty(), is_named, "{at}: {verdict:#?}");
        }
    }
    let mut doubted = by_name();
    doubted.loss(31);
    let verdict = doubted.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("by chance"), "{}", doubt(&verdict));
}

#[test]
fn on_a_line_that_loses_large_datagrams_silence_over_quic_names_nothing() {
    // Small ones pass: no question had to be asked again.
    for own_cell in [Cell::Silence, Cell::Stall] {
        for is_everywhere in [true, false] {
            let scene = |passed: Cell| {
                let mut world = world(passed);
                world.loss(0);
                own(&mut world, own_cell, 3);
                row(&mut world, Variation::ServerName, passed, 3);
                row(&mut world, Variation::Both, passed, 3);
                let there = if is_everywhere { own_cell } else { passed };
                row(&mut world, Variation::Address, there, 3);
                world.judge()
            };
            assert_eq!(ids(&scene(Cell::Answer)), ["quic_server_name/drop"]);
            silent(&scene(Cell::Late), Status::Accessible);
        }
    }
}

#[test]
fn innocuous_handshakes_that_end_at_once_show_that_the_line_passes_large_datagrams() {
    for (passed, is_named) in [(Cell::Answer, true), (Cell::Late, false)] {
        // The controls' own were late: this machine was busy, or the line lost some.
        let mut world = world(Cell::Late);
        world.loss(0);
        own(&mut world, Cell::Silence, 3);
        row(&mut world, Variation::Address, Cell::Silence, 3);
        for varies in [Variation::ServerName, Variation::Both] {
            let before = world.observations.len();
            row(&mut world, varies, passed, 3);
            for observation in &mut world.observations[before..] {
                for step in &mut observation.steps {
                    step.failure = Some(Failure::SslInvalidHostname);
                }
            }
        }
        assert_eq!(!ids(&world.judge()).is_empty(), is_named);
    }
}

/// The same as `named`, with trials of the name that ended so, one after the other.
fn uneven(own_cells: [Cell; 3], here: [Cell; 3], there: &[Cell]) -> World {
    let mut world = world(Cell::Answer);
    world.loss(0);
    own(&mut world, Cell::Silence, 3);
    row(&mut world, Variation::ServerName, Cell::Answer, 3);
    row(&mut world, Variation::Both, Cell::Answer, 3);
    row(&mut world, Variation::Address, Cell::Silence, 3);
    let (mut again, mut home, mut away) = (0, 0, 0);
    world.observations.retain_mut(|it| {
        let is_quic =
            matches!(it.check.ask, Ask::Climb(ref climb) if climb.protocol == Protocol::Quic);
        let varies = it.check.contrast.as_ref().map(|it| it.varies);
        let (cells, at): (&[Cell], &mut usize) = match varies {
            None | Some(Variation::Nothing) if is_quic => (&own_cells, &mut again),
            Some(Variation::ServerName) => (&here, &mut home),
            Some(Variation::Address) => (there, &mut away),
            _ => return true,
        };
        let cell = cells.get(*at).copied();
        *at += 1;
        it.steps = cell.map(|it| vec![it.step()]).unwrap_or_default();
        cell.is_some()
    });
    world
}

#[test]
fn a_name_whose_handshakes_stall_each_time_is_looked_at_as_one_that_is_silent() {
    let [stall, pass] = [[Cell::Stall; 3], [Cell::Answer; 3]];
    let verdict = uneven(stall, pass, &stall).judge();
    assert_eq!(ids(&verdict), ["quic_server_name/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
}

#[test]
fn handshakes_that_stall_are_no_surer_than_those_that_are_silent() {
    for cell in [Cell::Silence, Cell::Stall] {
        let mut world = world(Cell::Late);
        world.loss(0);
        own(&mut world, cell, 3);
        row(&mut world, Variation::ServerName, Cell::Late, 3);
        row(&mut world, Variation::Both, Cell::Answer, 3);
        row(&mut world, Variation::Address, cell, 3);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["quic_server_name/drop"]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
        assert!(doubt(&verdict).contains("by chance"), "{}", doubt(&verdict));
    }
}

#[test]
fn trials_in_which_something_came_are_no_silence() {
    let [lost, pass] = [[Cell::Silence; 3], [Cell::Answer; 3]];
    for there in [&lost[..], &pass[..]] {
        assert_eq!(ids(&uneven(lost, pass, there).judge()).len(), 1);
        let mixed = uneven([Cell::Silence, Cell::Stall, Cell::Silence], pass, there);
        silent(&mixed.judge(), Status::Accessible);
    }
    let mixed = uneven(lost, pass, &[Cell::Stall, Cell::Stall, Cell::Silence]);
    silent(&mixed.judge(), Status::Accessible);
}

#[test]
fn silence_at_one_control_may_be_an_accident() {
    let [lost, pass] = [[Cell::Silence; 3], [Cell::Answer; 3]];
    let verdict = uneven(lost, pass, &lost[..2]).judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("chance"), "{}", doubt(&verdict));
    silent(&uneven(lost, pass, &lost[..1]).judge(), Status::Accessible);
    let stall = [Cell::Stall; 3];
    silent(
        &uneven(stall, pass, &stall[..1]).judge(),
        Status::Accessible,
    );
}

#[test]
fn where_an_innocuous_name_passes_only_sometimes_silence_names_nothing() {
    let lost = [Cell::Silence; 3];
    for (here, is_named) in [
        ([Cell::Answer; 3], true),
        ([Cell::Silence; 3], true),
        ([Cell::Silence, Cell::Answer, Cell::Answer], false),
        ([Cell::Answer, Cell::Silence, Cell::Silence], false),
    ] {
        let verdict = uneven(lost, here, &lost).judge();
        assert_eq!(!ids(&verdict).is_empty(), is_named, "{verdict:#?}");
    }
}

#[test]
fn where_the_targets_own_quic_passes_the_line_does_not_shut_it_out() {
    let mut world = world(Cell::Silence);
    own(&mut world, Cell::Silence, 1);
    assert_eq!(ids(&world.judge()), ["quic/drop"]);
    row(&mut world, Variation::ServerName, Cell::Late, 1);
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_name_at_an_address_that_is_dead_over_tcp_too_names_nothing() {
    let mut world = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Answer);
    for observation in &mut world.observations {
        for step in &mut observation.steps {
            if step.operation == Operation::TcpConnect {
                step.failure = Some(Failure::GenericTimeout);
            }
        }
    }
    assert!(ids(&world.judge()).is_empty());
}

// ---- quic/drop -------------------------------------------------------------------------------------------------

#[test]
fn version_1_silent_and_a_nonsense_version_answered_is_a_filter_that_knows_versions() {
    for (controls, trials, confidence, left) in [
        (Cell::Silence, 3, Confidence::Confirmed, ""),
        (Cell::Silence, 1, Confidence::Likely, "chance"),
        (Cell::Answer, 3, Confidence::Likely, "front"),
    ] {
        let mut world = world(controls);
        own(&mut world, Cell::Silence, trials);
        row(&mut world, Variation::ServerName, Cell::Silence, trials);
        row(
            &mut world,
            Variation::Shape,
            Cell::Versions("00000001"),
            trials,
        );
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["quic/drop"]);
        assert_eq!(verdict.techniques[0].confidence, confidence);
        assert!(doubt(&verdict).contains(left), "{}", doubt(&verdict));
        assert_eq!(doubt(&verdict).is_empty(), left.is_empty());
        assert_eq!(verdict.status, Status::Accessible);
    }
}

#[test]
fn a_filter_of_versions_may_be_a_line_that_large_answers_do_not_pass() {
    let mut world = world(Cell::Silence);
    own(&mut world, Cell::Silence, 3);
    row(&mut world, Variation::ServerName, Cell::Silence, 3);
    row(&mut world, Variation::Shape, Cell::Versions("00000001"), 3);
    let mut ground = world.ground();
    ground.is_narrow = true;
    let target = &world.catalog.targets[0];
    let verdict = analysis::judge(&world.catalog, target, &ground, &world.observations);
    assert_eq!(ids(&verdict), ["quic/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        doubt(&verdict).contains("Large packets"),
        "{}",
        doubt(&verdict)
    );
}

#[test]
fn silence_over_quic_on_a_line_that_loses_much_is_only_likely() {
    let versions = || {
        let mut world = world(Cell::Silence);
        own(&mut world, Cell::Silence, 3);
        row(&mut world, Variation::ServerName, Cell::Silence, 3);
        row(&mut world, Variation::Shape, Cell::Versions("00000001"), 3);
        world
    };
    let names = || named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
    let worlds: [&dyn Fn() -> World; 2] = [&versions, &names];
    for scene in worlds {
        for (again, confidence, left) in [
            (2, Confidence::Confirmed, ""),
            (6, Confidence::Likely, "loses many packets"),
        ] {
            let mut world = scene();
            world.connections(20, again);
            let verdict = world.judge();
            assert_eq!(ids(&verdict).len(), 1, "{verdict:#?}");
            assert_eq!(verdict.techniques[0].confidence, confidence);
            assert!(doubt(&verdict).contains(left), "{}", doubt(&verdict));
            assert_eq!(doubt(&verdict).is_empty(), left.is_empty());
        }
    }
}

#[test]
fn silence_over_quic_in_which_nothing_else_passed_may_be_a_line_that_was_cut_just_then() {
    let versions = || {
        let mut world = world(Cell::Answer);
        own(&mut world, Cell::Silence, 3);
        row(&mut world, Variation::ServerName, Cell::Silence, 3);
        row(&mut world, Variation::Shape, Cell::Versions("00000001"), 3);
        world
    };
    let at_home = || named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Answer);
    let everywhere = || named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
    let worlds: [&dyn Fn() -> World; 3] = [&versions, &at_home, &everywhere];
    for scene in worlds {
        assert_eq!(ids(&scene().judge()).len(), 1);
        let mut apart = scene();
        for observation in &mut apart.observations {
            let is_silent = observation.failure() == Some(&Failure::GenericTimeout);
            for step in observation.steps.iter_mut().filter(|_| is_silent) {
                (step.t0, step.t) = (0.5, 4.5);
            }
        }
        silent(&apart.judge(), Status::Accessible);
    }
}

#[test]
fn a_server_that_speaks_other_versions_only_is_not_filtered() {
    let mut world = world(Cell::Answer);
    own(&mut world, Cell::Silence, 3);
    row(&mut world, Variation::ServerName, Cell::Silence, 3);
    row(&mut world, Variation::Shape, Cell::Versions("6b3343cf"), 3);
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn where_every_control_over_quic_is_silent_too_the_line_shuts_it_out() {
    let mut world = world(Cell::Silence);
    own(&mut world, Cell::Silence, 1);
    let ground = world.ground();
    assert_eq!(ground.regime, Regime::Open);
    assert!(ground.notes.iter().any(|note| note.starts_with("QUIC")));
    assert!(ground.notes.iter().all(|note| !note.contains("_quic")));
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["quic/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("for everybody"));
    assert!(doubt(&verdict).contains("large datagrams"));
    assert!(
        verdict.techniques[0]
            .evidence
            .iter()
            .any(|id| id.starts_with("o20"))
    );
    assert_eq!(verdict.status, Status::Accessible);
}

#[test]
fn on_a_line_that_loses_one_connection_in_five_silence_over_quic_says_nothing() {
    for (again, is_named) in [(2, true), (8, false)] {
        let mut world = world(Cell::Silence);
        world.connections(20, again);
        own(&mut world, Cell::Silence, 1);
        let notes = world.ground().notes;
        assert_eq!(notes.iter().any(|note| note.starts_with("QUIC")), is_named);
        let told = |note: &String| note.contains("one connection attempt in five");
        assert_eq!(notes.iter().any(told), !is_named, "{notes:?}");
        assert_eq!(!world.judge().techniques.is_empty(), is_named);
    }
}

#[test]
fn where_most_controls_are_silent_over_tcp_too_it_is_not_quic_that_is_shut_out() {
    let mut world = world(Cell::Silence);
    own(&mut world, Cell::Silence, 1);
    for (number, operator) in ["Three", "Four", "Five", "Six", "Seven"].iter().enumerate() {
        let control = Control {
            id: format!("{operator}_tcp"),
            operator: (*operator).to_owned(),
            region: Region::Domestic,
            endpoint: Endpoint {
                id: format!("tcp://{operator}:443"),
                ..endpoint(Protocol::Tcp, 443)
            },
        };
        let check = climb_check("ground", &control.endpoint, "198.41.0.9", Role::Control);
        let lost = step(Operation::TcpConnect, Some(Failure::GenericTimeout));
        let id = format!("o{}", 3000 + number);
        world.ground.push(observation(id, check, vec![lost]));
        world.catalog.controls.push(control);
    }
    assert_eq!(world.ground().regime, Regime::Open);
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn an_address_that_is_silent_over_tcp_too_says_nothing_of_quic() {
    let mut world = world(Cell::Silence);
    own(&mut world, Cell::Silence, 1);
    for observation in &mut world.observations {
        for step in &mut observation.steps {
            if step.operation == Operation::TcpConnect {
                step.failure = Some(Failure::GenericTimeout);
            }
        }
        let steps = &mut observation.steps;
        steps.retain(|it| it.operation != Operation::TlsHandshake);
    }
    assert!(ids(&world.judge()).is_empty());
    // One that was not asked over TCP may be silent over QUIC alone.
    let is_over_tcp = |it: &Observation| it.step(Operation::TcpConnect).is_some();
    world.observations.retain(|it| !is_over_tcp(it));
    assert_eq!(ids(&world.judge()), ["quic/drop"]);
}

#[test]
fn silence_on_another_port_than_the_controls_is_not_the_lines() {
    let mut world = world(Cell::Silence);
    for control in &mut world.catalog.controls {
        if control.endpoint.protocol == Protocol::Quic {
            control.endpoint.port = 8443;
        }
    }
    own(&mut world, Cell::Silence, 1);
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_host_that_alone_is_silent_or_refuses_may_not_offer_quic() {
    for cell in [Cell::Silence, Cell::Refused] {
        let mut world = world(Cell::Answer);
        assert_eq!(world.ground().quic, Quic::Passes);
        own(&mut world, cell, 3);
        row(&mut world, Variation::ServerName, cell, 3);
        row(&mut world, Variation::Shape, cell, 3);
        row(&mut world, Variation::Both, Cell::Answer, 3);
        row(&mut world, Variation::Address, Cell::Answer, 3);
        let verdict = world.judge();
        silent(&verdict, Status::Accessible);
        assert_eq!(verdict.services[1].status, Status::Inconclusive);
        assert_eq!(verdict.confidence, Confidence::Confirmed);
    }
}

#[test]
fn a_refusal_is_no_silence_of_the_line() {
    let mut world = world(Cell::Refused);
    own(&mut world, Cell::Silence, 1);
    assert_eq!(world.ground().quic, Quic::Untold);
    silent(&world.judge(), Status::Accessible);
}

// ---- a request after the handshake -----------------------------------------------------------------------------

/// A handshake that is proven, and a request that ended so: with a head or not, acknowledged or not.
fn after_a_proof(failure: Failure, has_head: bool, acknowledged: bool) -> Vec<Step> {
    let mut shaken = Cell::Answer.step();
    let tls = shaken.tls.as_mut().unwrap();
    tls.name_matches = Some(true);
    tls.trusted_by = Some("public".to_owned());
    tls.valid_now = Some(true);
    let mut asked = step(Operation::HttpRoundTrip, Some(failure));
    asked.quic = Some(Box::new(QuicFacts {
        request_acknowledged: Some(acknowledged),
        ..QuicFacts::default()
    }));
    asked.http = has_head.then(Box::default);
    vec![shaken, asked]
}

/// The same, of a target that is nothing but QUIC.
fn only_asked(failure: Failure, has_head: bool, acknowledged: bool) -> Verdict {
    let mut world = world(Cell::Answer);
    world.push(own_check(), after_a_proof(failure, has_head, acknowledged));
    let quic = &mut world.catalog.targets[0].services[1];
    (quic.alternative, quic.essential) = (false, true);
    world.catalog.targets[0].services.remove(0);
    world.judge()
}

#[test]
fn a_proven_server_that_serves_no_page_by_http_3_works() {
    for (failure, has_head, acknowledged) in [
        (Failure::Eof, false, true),
        (Failure::Eof, true, true),
        (Failure::HttpRequestFailed, false, false),
        (Failure::ConnectionReset, false, true),
        // It has the request, and says nothing to it.
        (Failure::GenericTimeout, false, true),
    ] {
        let told = format!("{failure} {has_head} {acknowledged}");
        let verdict = only_asked(failure, has_head, acknowledged);
        assert!(ids(&verdict).is_empty(), "{told}");
        assert_eq!(verdict.status, Status::Accessible, "{told}");
        assert_eq!(verdict.confidence, Confidence::Confirmed, "{told}");
        let endpoint = &verdict.services[0].endpoints[0];
        assert_eq!(endpoint.failure, None, "{told}");
        assert!(endpoint.reason.as_ref().unwrap().contains("HTTP/3"));
    }
}

#[test]
fn a_request_over_quic_that_is_lost_on_the_way_names_nothing_and_is_told() {
    for (failure, has_head, acknowledged) in [
        // Nothing of it arrived; or the answer stopped.
        (Failure::GenericTimeout, false, false),
        (Failure::GenericTimeout, true, true),
        (Failure::HostUnreachable, false, false),
    ] {
        let verdict = only_asked(failure.clone(), has_head, acknowledged);
        assert!(ids(&verdict).is_empty());
        assert_eq!(verdict.status, Status::Inconclusive);
        let endpoint = &verdict.services[0].endpoints[0];
        assert_eq!(endpoint.failure, Some(failure));
        assert!(endpoint.reason.as_ref().unwrap().contains("HTTP step"));
    }
}

#[test]
fn a_request_that_fails_makes_no_handshake_fail() {
    // The name is silent at one address; at another its handshake is proven, and the request after it is lost.
    let scene = |second: Vec<Step>| {
        let mut world = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
        let mut check = climb_check("target", &over_quic(), "192.0.2.77", Role::Target);
        check.id = "quic/second".to_owned();
        world.push(check, second);
        world.judge()
    };
    let lost = after_a_proof(Failure::GenericTimeout, false, false);
    let whole = vec![lost[0].clone()];
    let (due, verdict) = (scene(whole), scene(lost));
    assert!(due.techniques[0].endpoints.is_empty());
    assert_eq!(verdict.techniques[0].endpoints, due.techniques[0].endpoints);
    assert_eq!(verdict.status, due.status);
}

// ---- alternatives ----------------------------------------------------------------------------------------------

#[test]
fn only_an_alternative_leaves_the_target_as_it_is() {
    let mut world = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
    assert_eq!(world.judge().status, Status::Accessible);
    assert!(world.judge().services[1].alternative);
    world.catalog.targets[0].services[1].alternative = false;
    assert_eq!(world.judge().status, Status::Degraded);
}

#[test]
fn where_nothing_but_alternatives_was_measured_they_speak_for_the_target() {
    let mut world = named(Cell::Answer, Cell::Silence, Cell::Answer, Cell::Silence);
    world.catalog.targets[0].services.remove(0);
    assert_eq!(world.judge().status, Status::Blocked);
}
