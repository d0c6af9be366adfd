//! What every implementation of the seams must do, as one suite of tests.
