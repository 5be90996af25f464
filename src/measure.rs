//! Runs checks and yields observations: the only room that talks to the measured network.
