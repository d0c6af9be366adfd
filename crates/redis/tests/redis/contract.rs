//! The contract of all stores, by a user that has the documented rights and no more.

use std::sync::Arc;

use certfleet_redis::{Redis, acl};
use certfleet_store::Backend;
use certfleet_testkit::redis::RedisServer;

use crate::fixture::config;

async fn fresh() -> (RedisServer, Arc<dyn Backend>) {
    let server = RedisServer::start().await.unwrap();
    let url = least_privileged(&server).await;
    (server, Arc::new(Redis::new(config(&url)).unwrap()))
}

/// Makes a user for the fleet `test`, and the URL it comes with.
pub(crate) async fn least_privileged(server: &RedisServer) -> String {
    let rules = acl::rules(&"test".parse().unwrap());
    let mut setuser = vec!["ACL", "SETUSER", "node", "on", ">sesame"];
    setuser.extend(rules.iter().map(String::as_str));
    server.cli(&setuser).await.unwrap();
    format!("redis://node:sesame@{}", server.address())
}

certfleet_store::contract_tests!(fresh());
