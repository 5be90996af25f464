//! Observations become verdicts. Pure: no sockets, no clock.
