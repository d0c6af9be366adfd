//! Redis behind TLS, with a private root.

use certfleet_redis::Redis;
use certfleet_store::{ChangeFeed, feed::Signal};
use certfleet_testkit::{
    process::TestDir,
    redis::{Options, RedisServer},
};

use crate::fixture::{config, next};

#[tokio::test]
async fn a_private_root_is_trusted_when_given_and_only_then() {
    let dir = TestDir::new("redis-tls").unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(path("cert.pem"), certificate.pem()).unwrap();
    let tls = certfleet_testkit::process::free_address().unwrap();
    let server = RedisServer::start_with(Options {
        password: None,
        config: vec![
            format!("tls-port {}", tls.port()),
            format!("tls-cert-file {}", path("cert.pem")),
            format!("tls-key-file {}", path("key.pem")),
            "tls-auth-clients no".to_owned(),
            format!("tls-ca-cert-file {}", path("cert.pem")),
        ],
    })
    .await
    .unwrap();
    assert_ne!(server.address(), tls);

    let mut trusting = config(&format!("rediss://{tls}"));
    let strange = Redis::new(trusting.clone()).unwrap();
    let error = strange.ping().await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");

    trusting.root_certificates = Some(certificate.pem().into_bytes());
    let redis = Redis::new(trusting).unwrap();
    redis.ping().await.unwrap();
    let mut feed = redis.subscribe().await;
    assert!(matches!(next(&mut feed).await, Signal::Connected));
}
