//! A CA in memory: it issues certificates signed by nobody, keeps books of its own, and can be told
//! to fail, to hang, and to limit rates.
//!
//! Its limits are its own token buckets, so that a fleet that goes beyond what it may is found out
//! by the other side.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use certfleet_acme::{
    FailedName, IssueError, Issuer, Key, Order, Problem, RenewalInfo, Revocation, Step,
};
use certfleet_core::{
    Answer, Bundle, CertificateId, ChallengeKind, Leaf, NameSet, Timestamp,
    ari::Window,
    budget::{LimitKind, Limits, Purpose},
};
use certfleet_store::Clock;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A moment in the life of an order, at which a node may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Point {
    Leased,
    Ordered,
    Presented,
    Confirmed,
    Told,
    Validated,
    Finalizing,
    Issued,
}

impl Point {
    pub(crate) const ALL: [Self; 8] = [
        Self::Leased,
        Self::Ordered,
        Self::Presented,
        Self::Confirmed,
        Self::Told,
        Self::Validated,
        Self::Finalizing,
        Self::Issued,
    ];
}

/// What the CA does with orders.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Issues after three seconds.
    Issue,
    /// Goes no further with the next order that comes to this point; others are issued.
    HangAt(Point),
    /// Refuses every order, with an error of this kind.
    Fail {
        kind: &'static str,
        retry_after: Option<Duration>,
    },
    /// Finds this way of validation wanting.
    FailChallenge(ChallengeKind),
}

/// The CA.
#[derive(Debug)]
pub(crate) struct Ca {
    name: &'static str,
    clock: Arc<dyn Clock>,
    /// The key of every certificate; making keys is not what is simulated.
    key: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    limits: Limits,
    /// One in so many orders fails; none with 0.
    fails_one_in: u64,
    random: u64,
    books: Books,
    buckets: HashMap<(LimitKind, String), Timestamp>,
    lifetimes: BTreeMap<CertificateId, Duration>,
    /// When the newest certificate for these names is over.
    ends: HashMap<CertificateId, Timestamp>,
    windows: HashMap<CertificateId, Window>,
    skew: Option<i64>,
    challenges: bool,
}

/// What the CA has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) orders: usize,
    pub(crate) issued: usize,
    pub(crate) refused: usize,
    /// Orders that went beyond a limit.
    pub(crate) over_limit: Vec<String>,
    /// Orders that were made while another for the same names was open.
    pub(crate) doubles: Vec<String>,
    pub(crate) open: BTreeMap<CertificateId, usize>,
    pub(crate) replaced: usize,
    pub(crate) questions: usize,
    pub(crate) revoked: Vec<String>,
    pub(crate) last_challenge: Option<ChallengeKind>,
    pub(crate) reached: Vec<Point>,
    pub(crate) last_order_at: Option<Timestamp>,
    pub(crate) reused_keys: usize,
    /// Certificates whose successor came after their end.
    pub(crate) late: Vec<String>,
}

/// The books in short.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) orders: usize,
    pub(crate) issued: usize,
    pub(crate) refused: usize,
    /// Whatever was not to be: orders beyond a limit, two at once, certificates that expired.
    pub(crate) wrong: Vec<String>,
}

impl Ca {
    pub(crate) fn new(name: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            name,
            clock,
            key: rcgen::KeyPair::generate().unwrap().serialize_der(),
            state: Mutex::new(State {
                plan: Plan::Issue,
                limits: Limits::default(),
                fails_one_in: 0,
                random: 0x9e37_79b9_7f4a_7c15,
                books: Books::default(),
                buckets: HashMap::new(),
                lifetimes: BTreeMap::new(),
                ends: HashMap::new(),
                windows: HashMap::new(),
                skew: None,
                challenges: true,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    pub(crate) fn books(&self) -> Books {
        self.state().books.clone()
    }

    /// What a long run looks at again and again.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.state();
        let books = &state.books;
        Counts {
            orders: books.orders,
            issued: books.issued,
            refused: books.refused,
            wrong: [&books.over_limit, &books.doubles, &books.late]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        }
    }

    pub(crate) fn orders(&self) -> usize {
        self.state().books.orders
    }

    pub(crate) fn issued(&self) -> usize {
        self.state().books.issued
    }

    pub(crate) fn reached(&self, point: Point) -> bool {
        self.state().books.reached.contains(&point)
    }

    /// Limits orders, as a real CA would.
    pub(crate) fn limit(&self, limits: Limits) {
        self.state().limits = limits;
    }

    /// Has one in so many orders fail.
    pub(crate) fn fail_one_in(&self, count: u64) {
        self.state().fails_one_in = count;
    }

    /// Validates nothing: what is simulated is something else.
    pub(crate) fn skip_challenges(&self) {
        self.state().challenges = false;
    }

    /// How long certificates for these names are valid, instead of 90 days.
    pub(crate) fn lifetime(&self, id: CertificateId, lifetime: Duration) {
        self.state().lifetimes.insert(id, lifetime);
    }

    /// Suggests when to renew.
    pub(crate) fn suggest(&self, id: CertificateId, start: Timestamp, end: Timestamp) {
        let window = Window {
            start,
            end,
            explanation: None,
        };
        self.state().windows.insert(id, window);
    }

    /// Says how far the clock of whoever asks is behind.
    pub(crate) fn skew(&self, seconds: i64) {
        self.state().skew = Some(seconds);
    }

    /// Goes no further, if that is the plan for here.
    async fn arrive(&self, point: Point) {
        let hangs = {
            let mut state = self.state();
            if !state.books.reached.contains(&point) {
                state.books.reached.push(point);
            }
            let hangs = matches!(state.plan, Plan::HangAt(at) if at == point);
            if hangs {
                state.plan = Plan::Issue;
            }
            hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    fn place(&self, order: &Order<'_>) -> Result<(), IssueError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.books.orders += 1;
        state.books.last_order_at = Some(now);
        state.books.reused_keys += usize::from(matches!(order.key, Key::Given(_)));
        let purpose = match order.replaces {
            Some(leaf) if state.suggests(leaf, now) => Purpose::Suggested,
            Some(_) => Purpose::Renewal,
            None => Purpose::New,
        };
        state.books.replaced += usize::from(purpose == Purpose::Suggested);
        state.charge(order.names, purpose, now);
        let unlucky = state.is_unlucky();
        let failing = match &state.plan {
            Plan::Fail { kind, retry_after } => Some((*kind, *retry_after)),
            _ if unlucky => Some(("serverInternal", None)),
            _ => None,
        };
        if let Some((kind, retry_after)) = failing {
            state.books.refused += 1;
            return Err(IssueError::Refused {
                ca: self.name.into(),
                operation: "create the order",
                status: Some(if kind == "rateLimited" { 429 } else { 500 }),
                problem: Box::new(problem(kind)),
                retry_after,
                doubtful: false,
            });
        }
        Ok(())
    }

    async fn validate(&self, order: &Order<'_>) -> Result<Vec<Answer>, IssueError> {
        let mut answers = Vec::new();
        for identifier in order.names {
            let kind = ChallengeKind::choose(
                order.challenges,
                identifier,
                &ChallengeKind::ALL,
                order.failed_challenges,
            )
            .expect("the terms have a way that fits");
            let number = {
                let mut state = self.state();
                state.books.last_challenge = Some(kind);
                state.next_random()
            };
            answers.push(Answer {
                kind,
                identifier: identifier.clone(),
                token: format!("token-{number:016x}"),
                key_authorization: format!("token-{number:016x}.thumbprint"),
            });
        }
        for answer in &answers {
            let presented = order.answers.present(answer).await;
            presented.map_err(|source| IssueError::NotPresented {
                names: vec![answer.identifier.to_string()],
                kinds: vec![answer.kind],
                source,
            })?;
        }
        self.arrive(Point::Presented).await;
        let confirmed = order.answers.confirm(&answers).await;
        confirmed.map_err(|source| IssueError::NotPresented {
            names: vec![order.names.to_string()],
            kinds: vec![],
            source,
        })?;
        self.arrive(Point::Confirmed).await;
        self.arrive(Point::Told).await;
        if let Plan::FailChallenge(kind) = self.state().plan
            && let Some(answer) = answers.iter().find(|answer| answer.kind == kind)
        {
            return Err(IssueError::Challenge {
                ca: self.name.into(),
                failures: vec![FailedName {
                    name: answer.identifier.to_string(),
                    challenge: Some(kind),
                    problem: problem("unauthorized"),
                }],
            });
        }
        Ok(answers)
    }

    async fn process(&self, order: &Order<'_>) -> Result<Bundle, IssueError> {
        self.arrive(Point::Leased).await;
        self.place(order)?;
        order.progress.step(Step::OrderCreated {
            url: "https://simulated/order".into(),
            names: order.names.len(),
        });
        self.arrive(Point::Ordered).await;
        let answers = if self.state().challenges {
            self.validate(order).await?
        } else {
            Vec::new()
        };
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.arrive(Point::Validated).await;
        order.progress.step(Step::Finalizing);
        self.arrive(Point::Finalizing).await;
        let bundle = self.bundle(order.names);
        self.state().books.issued += 1;
        self.arrive(Point::Issued).await;
        for answer in &answers {
            order.answers.withdraw(answer).await;
        }
        Ok(bundle)
    }

    fn bundle(&self, names: &NameSet) -> Bundle {
        let id = names.id();
        let now = self.clock.now();
        let lifetime = {
            let mut state = self.state();
            let known = state.lifetimes.get(&id).copied();
            let lifetime = known.unwrap_or(Duration::from_secs(90 * 86_400));
            let before = state.ends.insert(id, now.after(lifetime));
            if before.is_some_and(|end| end <= now) {
                state.books.late.push(names.to_string());
            }
            lifetime
        };
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        let start = std::time::UNIX_EPOCH + now.since(Timestamp::UNIX_EPOCH);
        params.not_before = start.into();
        params.not_after = (start + lifetime).into();
        let der = PrivatePkcs8KeyDer::from(self.key.clone());
        let key = rcgen::KeyPair::try_from(&der).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Bundle::new(vec![certificate.der().clone()], der).unwrap()
    }
}

impl State {
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn is_unlucky(&mut self) -> bool {
        self.fails_one_in > 0 && self.next_random().is_multiple_of(self.fails_one_in)
    }

    fn suggests(&self, leaf: &CertificateDer<'_>, now: Timestamp) -> bool {
        let id = id_of(leaf);
        self.windows
            .get(&id)
            .is_some_and(|window| window.start <= now)
    }

    /// Takes what the order costs from the CA's own buckets, and writes down what was not there.
    fn charge(&mut self, names: &NameSet, purpose: Purpose, now: Timestamp) {
        for charge in self.limits.charges(names, purpose) {
            let limit = self.limits.of(charge.kind).unwrap();
            let bucket = (charge.kind, charge.subject.clone());
            match limit.take(self.buckets.get(&bucket).copied(), 0, now) {
                Ok(full) => {
                    self.buckets.insert(bucket, full);
                }
                Err(until) => self
                    .books
                    .over_limit
                    .push(format!("{names} at {now}: {charge:?} not before {until}")),
            }
        }
    }
}

fn id_of(leaf: &CertificateDer<'_>) -> CertificateId {
    let names = Leaf::parse(leaf).unwrap().names;
    NameSet::new(names).unwrap().id()
}

fn problem(kind: &str) -> Problem {
    Problem {
        kind: kind.to_owned(),
        detail: "as planned".to_owned(),
        ..Problem::default()
    }
}

/// Counts an order as open until it is dropped.
struct Open<'a>(&'a Ca, CertificateId);

impl<'a> Open<'a> {
    fn new(ca: &'a Ca, id: CertificateId) -> Self {
        let mut state = ca.state();
        let open = state.books.open.entry(id.clone()).or_default();
        *open += 1;
        if *open > 1 {
            state.books.doubles.push(id.to_string());
        }
        Self(ca, id)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let open = state.books.open.get_mut(&self.1).unwrap();
        *open -= 1;
        if *open == 0 {
            state.books.open.remove(&self.1);
        }
    }
}

#[async_trait]
impl Issuer for Ca {
    fn name(&self) -> &str {
        self.name
    }

    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError> {
        let _open = Open::new(self, order.names.id());
        self.process(&order).await
    }

    async fn renewal_info(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<RenewalInfo, IssueError> {
        let mut state = self.state();
        state.books.questions += 1;
        let window = state.windows.get(&id_of(certificate)).cloned();
        Ok(
            window.map_or(RenewalInfo::Unsupported, |window| RenewalInfo::Suggested {
                window,
                retry_after: Some(Duration::from_secs(6 * 3600)),
            }),
        )
    }

    async fn revoke(&self, revocation: Revocation<'_>) -> Result<(), IssueError> {
        let leaf = Leaf::parse(revocation.certificate).unwrap();
        let entry = format!("{} {}", leaf.serial, revocation.reason);
        self.state().books.revoked.push(entry);
        Ok(())
    }

    fn clock_skew(&self) -> Option<i64> {
        self.state().skew
    }
}
