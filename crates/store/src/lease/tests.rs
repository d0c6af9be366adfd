//! [`hold`] on paused time: a lease of 30 s, so a third is 10 s and 27 s are sure.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use certfleet_core::Timestamp;
use tokio::time::{advance, sleep};

use super::*;
use crate::{Clock, local::Memory};

/// What the store does when it is asked to extend.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Yes,
    /// Yes, but only after so many seconds.
    YesAfter(u64),
    No,
    Away,
    Never,
}
use Reply::{Away, Never, No, Yes, YesAfter};

/// Answers by script, the last answer for ever, and writes down when it was asked.
struct Script {
    begun: Instant,
    replies: Vec<Reply>,
    asked: Mutex<Vec<u64>>,
}

impl Script {
    fn new(replies: &[Reply]) -> Self {
        Self {
            begun: Instant::now(),
            replies: replies.to_vec(),
            asked: Mutex::default(),
        }
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Leases for Script {
    async fn extend(&self, _: &Lease) -> Result<bool, StoreError> {
        let turn = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(self.begun.elapsed().as_secs());
            asked.len() - 1
        };
        match *self
            .replies
            .get(turn)
            .or_else(|| self.replies.last())
            .unwrap()
        {
            Yes => Ok(true),
            YesAfter(seconds) => {
                sleep(Duration::from_secs(seconds)).await;
                Ok(true)
            }
            No => Ok(false),
            Away => Err(StoreError::Unavailable {
                store: "the script".to_owned(),
                operation: "extend",
                source: "it says so".into(),
            }),
            Never => pending().await,
        }
    }

    async fn acquire_within(
        &self,
        _: &Resource,
        _: &NodeId,
        _: Duration,
        _: u32,
    ) -> Result<Grant, StoreError> {
        unreachable!("hold does not acquire")
    }

    async fn release(&self, _: &Lease) -> Result<bool, StoreError> {
        unreachable!("hold does not release")
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        unreachable!("hold does not look")
    }
}

fn lease() -> Lease {
    Lease {
        resource: Resource::Account("ca".to_owned()),
        owner: "node-a/0".to_owned(),
        fencing: FencingToken::new(1),
        ttl: Duration::from_secs(30),
    }
}

/// When it ended, whether the work was done, and when the store was asked, all in seconds.
type Outcome<'a> = (u64, bool, &'a [u64]);

/// Does so many seconds of work against a script.
async fn run(work: u64, replies: &[Reply]) -> (u64, bool, Vec<u64>) {
    let script = Script::new(replies);
    let result = hold(&script, &lease(), sleep(Duration::from_secs(work))).await;
    let ended = script.begun.elapsed().as_secs();
    (ended, result.is_ok(), script.asked())
}

#[tokio::test(start_paused = true)]
async fn holds_as_long_as_the_store_lets_it() {
    let cases: &[(u64, &[Reply], Outcome<'_>)] = &[
        // Work that is done first is done, and nothing was asked.
        (9, &[No], (9, true, &[])),
        // Extended at each third.
        (45, &[Yes], (45, true, &[10, 20, 30, 40])),
        // Refused: lost at once.
        (45, &[No], (10, false, &[10])),
        (45, &[Yes, No], (20, false, &[10, 20])),
        // Away all the time: asked again and again, lost before it expires.
        (45, &[Away], (27, false, &[10, 20, 27])),
        (45, &[Yes, Yes, Away], (45, true, &[10, 20, 30, 40])),
        (60, &[Yes, Yes, Away], (47, false, &[10, 20, 30, 40, 47])),
        // Away for a while: held, and sure from when it was asked.
        (45, &[Away, Away, Yes], (45, true, &[10, 20, 27, 37])),
        // A question that hangs is asked again, and does not outlive what is sure.
        (45, &[Never], (27, false, &[10, 20])),
        (35, &[Never, Yes], (35, true, &[10, 20, 30])),
        // A late answer counts from when the question was asked.
        (60, &[YesAfter(5), Away], (37, false, &[10, 20, 30, 37])),
    ];
    for (work, replies, (ended, done, asked)) in cases {
        let wanted = (*ended, *done, asked.to_vec());
        assert_eq!(run(*work, replies).await, wanted, "{work} s, {replies:?}");
    }
}

/// Says when it is dropped.
struct Alarm(Arc<Mutex<Option<Instant>>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = Some(Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_dropped_with_the_lease() {
    let script = Script::new(&[Yes, No]);
    let dropped = Arc::new(Mutex::new(None));
    let alarm = Alarm(Arc::clone(&dropped));
    let work = async move {
        let _alarm = alarm;
        pending::<()>().await;
    };
    let lost = hold(&script, &lease(), work).await.unwrap_err();
    assert_eq!(lost, Lost(lease().resource));
    assert_eq!(lost.to_string(), "the lease on account:ca was lost");
    let dropped = dropped.lock().unwrap().expect("the work is dropped");
    assert_eq!((dropped - script.begun).as_secs(), 20);
}

/// The whole process was stopped beyond the lease's end: the work may not go on for one step.
#[tokio::test(start_paused = true)]
async fn work_takes_no_step_after_a_pause_past_the_end() {
    let script = Script::new(&[Never]);
    let lease = lease();
    let mut steps = 0;
    let held = hold(&script, &lease, async {
        loop {
            sleep(Duration::from_secs(1)).await;
            steps += 1;
        }
    });
    let mut held = Box::pin(held);
    assert!(is_pending(held.as_mut()).await);
    advance(Duration::from_secs(60)).await;
    let lost: Result<(), Lost> = held.await;
    assert!(lost.is_err());
    assert_eq!(steps, 0);
}

/// Polls once and says whether there is more to come.
async fn is_pending(mut future: std::pin::Pin<&mut impl Future>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Tells the time of tokio, which tests pause.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.after(self.0.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_store_away_for_a_while_keeps_the_lease() {
    let store = Memory::new(Arc::new(Virtual(Instant::now())));
    let node = "node-a".parse().unwrap();
    let ttl = Duration::from_secs(30);
    let wanted = lease().resource;
    let lease = store.acquire(&wanted, &node, ttl).await.unwrap().unwrap();
    let work = async {
        sleep(Duration::from_secs(15)).await;
        store.set_available(false);
        sleep(Duration::from_secs(12)).await;
        store.set_available(true);
        sleep(Duration::from_secs(300)).await;
    };
    assert_eq!(hold(&store, &lease, work).await, Ok(()));

    let work = async {
        store.set_available(false);
        sleep(Duration::from_secs(300)).await;
    };
    let begun = Instant::now();
    assert!(hold(&store, &lease, work).await.is_err());
    assert!(begun.elapsed() < ttl, "lost before another may have it");
    let other = store.link();
    sleep(ttl).await;
    let next = other.acquire(&wanted, &node, ttl).await.unwrap().unwrap();
    assert!(next.fencing > lease.fencing);
}
