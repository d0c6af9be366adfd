//! End-to-end tests of the program `certfleet` on real servers; they stand in `tests/`.
//!
//! Each file is one subject on fleets of its own, and cargo runs them one after the other. Some run
//! a scenario of `certfleet_testkit`, which `cargo xtask demo --check` runs as well.
