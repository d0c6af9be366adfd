//! `certfleet dev`: https://localhost with nothing set up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use certfleet_testkit::{
    client::Client,
    http,
    process::{Process, START_LIMIT, TestDir, free_address},
};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(10);

struct Dev {
    process: Process,
    https: std::net::SocketAddr,
    http: std::net::SocketAddr,
    admin: std::net::SocketAddr,
}

impl Dev {
    /// Starts it in `dir`, in a shell that is set up for some real fleet, and waits until it is
    /// ready.
    async fn start(dir: &TestDir) -> Self {
        let [https, http, admin] = [(); 3].map(|()| free_address().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_certfleet"));
        command
            .env_clear()
            .env("CERTFLEET_REDIS_URL", "redis://redis.example")
            .env("CERTFLEET_DOMAINS", "shop.example")
            .arg("dev")
            .arg("--data-dir")
            .arg(dir.path())
            .args(["--https-addr", &https.to_string()])
            .args(["--http-addr", &http.to_string()])
            .args(["--admin-addr", &admin.to_string()]);
        let log = dir.path().join("dev.log");
        let process = Process::start("certfleet dev", "", command, &log).unwrap();
        let mut dev = Self {
            process,
            https,
            http,
            admin,
        };
        dev.process.listening(admin).await.unwrap();
        let end = Instant::now() + START_LIMIT;
        while http::get(admin, "/readyz")
            .await
            .map(|(status, _)| status)
            .ok()
            != Some(200)
        {
            assert!(Instant::now() < end, "{}", dev.process.last_words());
            sleep(Duration::from_millis(20)).await;
        }
        dev
    }

    fn log(&self) -> String {
        fs::read_to_string(self.process.log()).unwrap()
    }
}

#[tokio::test]
async fn serves_localhost_to_who_trusts_its_root() {
    let dir = TestDir::new("dev").unwrap();
    let mut dev = Dev::start(&dir).await;
    let root_path = dir.path().join("ca/root.pem");
    let root = fs::read_to_string(&root_path).unwrap();
    let client = Client::trusting(&root).unwrap();
    let answer = client.get(dev.https, "localhost").await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .body
            .contains(&format!("serial: {}\n", answer.serial)),
        "{}",
        answer.body
    );
    assert!(answer.body.starts_with("node: "), "{}", answer.body);

    // The words at the start name what a user needs next.
    let log = dev.log();
    for word in [
        format!("https://localhost:{}", dev.https.port()),
        root_path.display().to_string(),
        format!("http://{}/readyz", dev.admin),
    ] {
        assert!(log.contains(&word), "{word:?} in {log}");
    }
    let key = dir.path().join("master.key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let secret = fs::read_to_string(&key).unwrap();
    assert!(!log.contains(secret.trim()));

    let (status, health) = http::get(dev.admin, "/healthz").await.unwrap();
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (200, &"alive".into()));
    let (_, ready) = http::get(dev.admin, "/readyz").await.unwrap();
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["certificates"][0]["serial"], answer.serial.as_str());
    // Plain HTTP answers; a loopback address is no name to redirect to, so it says so.
    let (status, _) = http::get(dev.http, "/").await.unwrap();
    assert_eq!(status, 400);
    let (_, metrics) = http::get(dev.admin, "/metrics").await.unwrap();
    assert!(metrics.contains("certificate_expiry_seconds{"), "{metrics}");

    // A command cannot look into the files of a running node, and says where to look.
    let said = Command::new(env!("CARGO_BIN_EXE_certfleet"))
        .env_clear()
        .env("CERTFLEET_DATA_DIR", dir.path())
        .env("CERTFLEET_DOMAINS", "localhost")
        .env("CERTFLEET_ACME_DIRECTORY", "built-in")
        .env("CERTFLEET_MASTER_KEY_FILE", &key)
        .arg("list")
        .output()
        .unwrap();
    let error = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{error}");
    assert!(error.contains("belongs to a node that runs"), "{error}");

    assert_eq!(dev.process.terminate(LIMIT).unwrap(), Some(0));

    // Started again it serves the same certificate under the same root.
    let mut again = Dev::start(&dir).await;
    let second = client.get(again.https, "localhost").await.unwrap();
    assert_eq!(second.serial, answer.serial);
    assert_eq!(again.process.terminate(LIMIT).unwrap(), Some(0));
}
