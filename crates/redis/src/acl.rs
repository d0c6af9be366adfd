//! The rights a node needs in Redis, and no more.

use certfleet_core::FleetName;

use crate::keys::prefix;

/// Every command this crate sends, as an ACL names it; beside these, only `AUTH`, which needs no
/// right, and `SELECT`, if the URL names another database than 0.
///
/// Those in the second half are sent by scripts; Redis asks for the same right there.
pub const COMMANDS: &[&str] = &[
    "ping",
    "subscribe",
    "evalsha",
    "script|load",
    "hgetall",
    "zscore",
    "xadd",
    "xrevrange",
    // Sent by scripts, some of them elsewhere too.
    "time",
    "exists",
    "get",
    "set",
    "incr",
    "del",
    "pexpire",
    "pttl",
    "hget",
    "hmget",
    "hset",
    "hdel",
    "zadd",
    "zcard",
    "zmscore",
    "zrem",
    "zrange",
    "zrangebyscore",
    "zremrangebyrank",
    "zremrangebyscore",
    "publish",
];

/// The rules of an ACL user for the nodes of `fleet`, to follow `ACL SETUSER name on >password`.
///
/// They let it use [`COMMANDS`] on the fleet's keys and channel, and nothing else.
#[must_use]
pub fn rules(fleet: &FleetName) -> Vec<String> {
    let prefix = prefix(fleet);
    let reset = ["resetkeys", "resetchannels", "-@all"].map(str::to_owned);
    let places = [format!("~{prefix}*"), format!("&{prefix}feed")];
    let commands = COMMANDS.iter().map(|command| format!("+{command}"));
    reset.into_iter().chain(places).chain(commands).collect()
}
