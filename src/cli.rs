//! The command line: arguments, exit status, one file per subcommand.
