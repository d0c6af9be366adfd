//! The Lua scripts: what has to happen in one step, one purpose each.
//!
//! They are sent by their digest; a server that does not know one yet is given it. Every key is
//! passed in `KEYS`, and time is the server's own.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident, $file:literal;)*) => {
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file))));)*
    };
}

scripts! {
    ACQUIRE, "acquire.lua";
    EXTEND, "extend.lua";
    RELEASE, "release.lua";
    COMMIT, "commit.lua";
    POSTPONE, "postpone.lua";
    HASTEN, "hasten.lua";
    KEEP_ACCOUNT, "keep_account.lua";
    CHANGES, "changes.lua";
    BEAT, "beat.lua";
    LEAVE, "leave.lua";
}

/// A time to live as Redis takes it: whole milliseconds, at least one.
pub(crate) fn millis(ttl: std::time::Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
