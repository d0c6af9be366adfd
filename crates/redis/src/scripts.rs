//! The Lua scripts: what has to happen in one step, one purpose each.
//!
//! They are sent by their digest; a server that does not know one yet is given it. Every key is
//! passed in `KEYS`. What ends or is due does so by the server's own time; tokens of the budget and
//! questions to the CA are counted by the caller's.

use std::{sync::LazyLock, time::Duration};

use certfleet_core::Timestamp;
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
    REMOVE, "remove.lua";
    POSTPONE, "postpone.lua";
    ADVANCE, "advance.lua";
    HASTEN, "hasten.lua";
    WANT, "want.lua";
    CLAIM_QUESTIONS, "claim_questions.lua";
    SUGGEST, "suggest.lua";
    ASK_AGAIN, "ask_again.lua";
    TAKE, "take.lua";
    GIVE_BACK, "give_back.lua";
    PAUSE, "pause.lua";
    REVOKE, "revoke.lua";
    REVOKED, "revoked.lua";
    PERMISSION, "permission.lua";
    POST, "post.lua";
    WITHDRAW, "withdraw.lua";
    POSTED, "posted.lua";
    KEEP_ACCOUNT, "keep_account.lua";
    CHANGES, "changes.lua";
    BEAT, "beat.lua";
    LEAVE, "leave.lua";
}

/// A score that is a time, as it is read.
#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds since 1970 are whole numbers far below 2^53; more saturates"
)]
pub(crate) const fn timestamp(score: f64) -> Timestamp {
    Timestamp::from_millis(score as i64)
}

/// A time to live as Redis takes it: whole milliseconds, at least one.
pub(crate) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
