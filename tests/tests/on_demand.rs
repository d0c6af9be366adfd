//! Certificates at the first handshake: however many clients come to however many nodes at once,
//! the permission service is asked once and one certificate is ordered; a name that is not permitted
//! costs one question.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use certfleet_testkit::{
    fleet::{LocalFleet, Options},
    process::free_address,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Barrier,
    task::JoinSet,
    time::{Instant, timeout},
};

const CLIENTS: usize = 500;
const DENIED: usize = 100;
/// How long a handshake may take that waits for its certificate.
const LIMIT: Duration = Duration::from_secs(40);
const PERMITTED: &str = "new.certfleet.test";
const FORBIDDEN: &str = "forbidden.certfleet.test";

/// How often the service was asked for each name.
type Asked = Arc<Mutex<BTreeMap<String, usize>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_and_one_order_for_all_first_handshakes() -> Result<()> {
    let asked = Asked::default();
    let service = permission_service(Arc::clone(&asked)).await?;
    let url = format!("http://{service}/may");
    let fleet = LocalFleet::serving(Options {
        certificates: vec!["base.certfleet.test"],
        environment: BTreeMap::from([("CERTFLEET_ON_DEMAND_PERMISSION_URL", url)]),
        ..Options::default()
    })
    .await?;
    let orders = fleet.pebble.orders();

    let start = Instant::now();
    let outcomes = handshakes(&fleet, PERMITTED, CLIENTS).await?;
    let took = start.elapsed();
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|one| one.as_ref().err())
        .collect();
    ensure!(
        failed.is_empty(),
        "{} of {CLIENTS} failed, the first: {:#}",
        failed.len(),
        failed[0]
    );
    let used = fleet.pebble.orders() - orders;
    ensure!(used == 1, "{used} orders for one name");
    let listed = fleet.nodes[0].run(&["list", "--json"]).await?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let on_demand = listed["certificates"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["on_demand"] == true)
        .context("no certificate is listed as on demand")?;
    ensure!(on_demand["id"] == PERMITTED, "{on_demand}");

    let outcomes = handshakes(&fleet, FORBIDDEN, DENIED).await?;
    let served = outcomes.iter().filter(|one| one.is_ok()).count();
    ensure!(served == 0, "{served} handshakes for {FORBIDDEN} succeeded");
    ensure!(
        fleet.pebble.orders() == orders + 1,
        "ordered for {FORBIDDEN}"
    );

    let asked = asked.lock().expect("nobody panics with it");
    let wanted = [(FORBIDDEN.to_owned(), 1), (PERMITTED.to_owned(), 1)];
    ensure!(*asked == BTreeMap::from(wanted), "asked: {asked:?}");
    println!(
        "on demand: {CLIENTS} first handshakes in {:.1} s by 1 order and 1 question; {DENIED} for a \
         name that is not permitted: 1 question",
        took.as_secs_f64()
    );
    Ok(())
}

/// As many handshakes for `name` at the same moment, through the balancer.
async fn handshakes(
    fleet: &LocalFleet,
    name: &'static str,
    count: usize,
) -> Result<Vec<Result<()>>> {
    let barrier = Arc::new(Barrier::new(count));
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let (client, barrier) = (fleet.client.clone(), Arc::clone(&barrier));
        let address = fleet.haproxy.https();
        clients.spawn(async move {
            barrier.wait().await;
            let connected = timeout(LIMIT, client.connect(address, name)).await;
            connected.context("no handshake in time")?.map(drop)
        });
    }
    Ok(clients.join_all().await)
}

/// Permits [`PERMITTED`] alone, by `GET /may?domain=NAME`.
async fn permission_service(asked: Asked) -> Result<SocketAddr> {
    let address = free_address()?;
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&asked)));
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream, asked: Asked) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        ensure!(request.len() < 4096, "the request is too long");
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request);
    let name = request
        .strip_prefix("GET /may?domain=")
        .and_then(|rest| rest.split(' ').next())
        .context("another request was wanted")?;
    *asked
        .lock()
        .expect("nobody panics with it")
        .entry(name.to_owned())
        .or_default() += 1;
    let status = if name == PERMITTED {
        "200 OK"
    } else {
        "403 Forbidden"
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    Ok(stream.write_all(answer.as_bytes()).await?)
}
