//! probes.toml becomes a Catalog, or an error that points at line, column and key.
