//! Servers and resolvers that mean harm: what they do must end within the limits.

use super::{Expected, NOBODY_ACCUSED, Scenario, innocent};
use crate::lab::censor::Resolvers;
use crate::lab::fault::{Aim, Fault};
use crate::lab::hostile::{Hostility, Malice};

const SURVIVED: Expected = Expected {
    regime: None,
    targets: NOBODY_ACCUSED,
    resolver_techniques: &[],
};

const fn server(name: &'static str, about: &'static str, faults: &'static [Fault]) -> Scenario {
    innocent(name, about, faults, SURVIVED)
}

/// Every door of every target and control is hostile, or every resolver.
pub const HOSTILE: &[Scenario] = &[
    server(
        "hostile_endless_head",
        "Every server sends header lines without end",
        &[Fault::Hostile(Aim::Everybody, Hostility::EndlessHead)],
    ),
    server(
        "hostile_endless_body",
        "Every server sends a body of ten gigabytes",
        &[Fault::Hostile(Aim::Everybody, Hostility::EndlessBody)],
    ),
    server(
        "hostile_gzip_bomb",
        "Every server sends a body that is a thousand times as large unpacked",
        &[Fault::Hostile(Aim::Everybody, Hostility::GzipBomb)],
    ),
    server(
        "hostile_redirect_loop",
        "Every server redirects to itself",
        &[Fault::Hostile(Aim::Everybody, Hostility::RedirectLoop)],
    ),
    server(
        "hostile_drip",
        "Every server answers one byte a second",
        &[Fault::Hostile(Aim::Everybody, Hostility::Drip)],
    ),
    server(
        "hostile_drip_hello",
        "Every server answers one byte a second in place of a handshake",
        &[Fault::Hostile(Aim::Everybody, Hostility::DripHello)],
    ),
    server(
        "hostile_malformed_records",
        "Every server sends records that are none",
        &[Fault::Hostile(Aim::Everybody, Hostility::MalformedRecords)],
    ),
    server(
        "hostile_control_characters",
        "Every server sends control characters in every text field",
        &[Fault::Hostile(Aim::Everybody, Hostility::ControlCharacters)],
    ),
    server(
        "hostile_dns_loop",
        "Every resolver answers with names that point at themselves",
        &[Fault::HostileResolver(
            Resolvers::All,
            Malice::CompressionLoop,
        )],
    ),
    server(
        "hostile_dns_flood",
        "Every resolver sends two hundred answers to one query",
        &[Fault::HostileResolver(Resolvers::All, Malice::Flood)],
    ),
    server(
        "hostile_dns_noise",
        "Every resolver answers with noise",
        &[Fault::HostileResolver(Resolvers::All, Malice::Noise)],
    ),
    server(
        "hostile_dns_control_characters",
        "Every resolver sends control characters in names and texts",
        &[Fault::HostileResolver(
            Resolvers::All,
            Malice::ControlCharacters,
        )],
    ),
    server(
        "hostile_dns_fat",
        "Every resolver sends as many records as a message can hold",
        &[Fault::HostileResolver(Resolvers::All, Malice::Fat)],
    ),
];
