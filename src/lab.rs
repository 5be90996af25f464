//! A censored internet on loopback: honest servers, censors and the table of scenarios.
