//! The words of the field, shared by every floor: plain values without sockets, clock or printing.

pub mod catalog;
pub mod check;
pub mod custom;
pub mod failure;
pub mod line;
pub mod observation;
pub mod outline;
pub mod plain;
pub mod report;
pub mod resolution;
pub mod technique;
