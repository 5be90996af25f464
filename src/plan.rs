//! What was seen becomes the next round of checks. Pure.
