//! End-to-end tests of the program `certfleet` on real servers; they stand in `tests/`.
//!
//! Each file is one scenario of `certfleet_testkit` on a fleet of its own, so that cargo runs them
//! one after the other and `cargo xtask demo --check` runs the same ones.
