//! Tells what was found, one file per format.
