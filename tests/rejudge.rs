//! Saved reports, judged again: the same observations, the same verdict; and what another vantage's report settles.

#[path = "rejudge/any_input.rs"]
mod any_input;
#[path = "rejudge/pair.rs"]
mod pair;
#[path = "rejudge/played.rs"]
mod played;
#[expect(
    dead_code,
    reason = "it is the world of tests/judgement.rs, of which this needs a part"
)]
#[path = "judgement/world.rs"]
mod world;
