//! Answers that are lost on the way: the CA has acted, and the client does not know.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use certfleet_acme::{Acme, AcmeConfig, Issuer, Order, Progress, Step};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use crate::world::{World, names, open_account, verify};

/// Stands before the CA, and cuts the connection in place of the next answer when told to.
#[derive(Clone, Default)]
struct Scissors {
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
}

impl Scissors {
    async fn before(&self, ca: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.relay(client, ca).await });
            }
        });
        address
    }

    async fn relay(&self, mut client: TcpStream, ca: SocketAddr) {
        let mut ca = TcpStream::connect(ca).await.unwrap();
        let (mut from_client, mut to_client) = client.split();
        let (mut from_ca, mut to_ca) = ca.split();
        let answers = async {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(length @ 1..) = from_ca.read(&mut buffer).await {
                if self.armed.swap(false, Ordering::SeqCst) {
                    self.cuts.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if to_client.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = answers => {}
            _ = copy(&mut from_client, &mut to_ca) => {}
        }
    }
}

type Such = fn(&Step) -> bool;

/// Arms the scissors at the first step that is such.
struct ArmedAt {
    such: Such,
    scissors: Scissors,
    done: AtomicBool,
}

impl Progress for ArmedAt {
    fn step(&self, step: Step) {
        if (self.such)(&step) && !self.done.swap(true, Ordering::SeqCst) {
            self.scissors.armed.store(true, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn an_order_survives_them_and_is_made_once() {
    let stages: [(&str, Such); 5] = [
        ("authorization", |s| matches!(s, Step::OrderCreated { .. })),
        ("first validation", |s| {
            matches!(s, Step::ChallengePresented { .. })
        }),
        ("next validation", |s| {
            matches!(s, Step::ChallengeReady { .. })
        }),
        ("finalize", |s| matches!(s, Step::Validated { .. })),
        ("certificate", |s| matches!(s, Step::Finalized)),
    ];
    let world = World::new(|options| options.authz_reuse = 0).await;
    let root = world.pebble.issuing_root_pem().await.unwrap();
    let scissors = Scissors::default();
    let proxy = scissors.before(world.pebble.address()).await;
    // Pebble's URLs follow the host it is asked at, so all traffic goes this way.
    let acme = Acme::new(AcmeConfig {
        ca_file: Some(world.pebble.ca_file()),
        ..AcmeConfig::new(format!("https://{proxy}/dir").parse().unwrap())
    })
    .unwrap();
    let credentials = open_account(&acme).await.unwrap();
    let issuer = acme.sign_in(&credentials).await.unwrap();
    let names = names("a.example+b.example");
    for (i, (stage, such)) in stages.into_iter().enumerate() {
        let progress = ArmedAt {
            such,
            scissors: scissors.clone(),
            done: AtomicBool::new(false),
        };
        let order = Order {
            progress: &progress,
            ..world.order(&names)
        };
        let bundle = issuer
            .issue(order)
            .await
            .unwrap_or_else(|error| panic!("{stage}: {error}"));
        verify(&bundle, &names, &root).unwrap();
        let (orders, issued) = (world.pebble.orders(), world.pebble.issued());
        let cuts = scissors.cuts.load(Ordering::SeqCst);
        assert_eq!((orders, issued, cuts), (i + 1, i + 1, i + 1), "{stage}");
        assert_eq!(world.board.len(), 0);
    }
}
