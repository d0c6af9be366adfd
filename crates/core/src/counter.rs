//! The three counters that order events in a fleet.
//!
//! They are types of their own because mixing them up is how an old certificate overwrites a
//! new one: none converts into another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The value before anything has happened.
            pub const ZERO: Self = Self(0);

            /// Wraps a raw counter value.
            #[must_use]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The raw counter value.
            #[must_use]
            pub const fn value(self) -> u64 {
                self.0
            }

            /// The value that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// How many times one certificate has been replaced; a node never goes back to a lower one.
    Generation
}
counter! {
    /// Handed out with each lease, ever rising: a commit with a lower token than the record's is refused.
    FencingToken
}
counter! {
    /// How many commits the fleet has seen, over all certificates: the truth that pub/sub only hints at.
    Epoch
}
