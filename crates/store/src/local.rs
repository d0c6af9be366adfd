//! Implementations for one node alone: in memory, and in files.
