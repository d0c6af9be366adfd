//! What is due and not yet begun on this node, and what is to be left alone for a while.
//!
//! A batch is shuffled, so that nodes seldom meet at one certificate, and those that serve already
//! go before new ones: they have something to lose.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use certfleet_core::{CertificateId, Generation};
use tokio::time::Instant;

/// How long a batch is worked on before what is due is looked up anew.
const STALE: Duration = Duration::from_secs(2);

/// Something due, and which generation this node served when that was found; none is zero.
pub(super) type Due = (CertificateId, Generation);

/// The queue of one node.
#[derive(Default)]
pub(super) struct Queue {
    ids: VecDeque<Due>,
    looked_at: Option<Instant>,
    /// Whether there may be more due than the last look gave.
    more: bool,
    in_hand: HashSet<CertificateId>,
    /// Not to be begun before these times.
    resting: HashMap<CertificateId, Instant>,
    /// Due, but not wanted by this node, until they are looked up again.
    foreign: HashMap<CertificateId, Instant>,
    /// Nothing is begun before this time.
    paused: Option<Instant>,
}

impl Queue {
    /// What is due must be looked up before anything else is begun.
    pub(super) fn forget_look(&mut self) {
        self.looked_at = None;
    }

    /// Whether it is time to look.
    pub(super) fn wants_look(&self, now: Instant) -> bool {
        if self.paused.is_some_and(|end| end > now) {
            return false;
        }
        match self.looked_at {
            None => true,
            Some(at) if self.ids.is_empty() => self.more && at < now,
            Some(at) => now.saturating_duration_since(at) > STALE,
        }
    }

    /// Takes in what was found due.
    pub(super) fn fill(&mut self, mut ready: Vec<Due>, more: bool, now: Instant) {
        shuffle(&mut ready);
        ready.sort_by_key(|(_, served)| *served == Generation::ZERO);
        self.ids = ready.into();
        self.more = more;
        self.looked_at = Some(now);
    }

    /// The next to begin; it is in hand from now on.
    pub(super) fn take(&mut self) -> Option<Due> {
        let due = self.ids.pop_front()?;
        self.in_hand.insert(due.0.clone());
        Some(due)
    }

    /// It is in hand no longer, and not to be begun before `rest`.
    pub(super) fn put_back(&mut self, id: &CertificateId, rest: Option<Instant>) {
        self.in_hand.remove(id);
        if let Some(end) = rest {
            self.resting.insert(id.clone(), end);
        }
    }

    /// Nothing is in hand.
    pub(super) fn forget_in_hand(&mut self) {
        self.in_hand.clear();
    }

    /// Begins nothing before `end`.
    pub(super) fn pause(&mut self, end: Instant) {
        self.ids.clear();
        self.looked_at = None;
        self.paused = Some(end);
    }

    /// This node does not want it; it is looked up again after `end`.
    pub(super) fn refuse(&mut self, id: CertificateId, end: Instant) {
        self.foreign.insert(id, end);
    }

    /// How many of what is due this node is known not to want.
    pub(super) fn foreign(&mut self, now: Instant) -> usize {
        self.foreign.retain(|_, end| *end > now);
        self.foreign.len()
    }

    /// Whether a due certificate is not to be begun.
    pub(super) fn is_taken(&self, id: &CertificateId, now: Instant) -> bool {
        self.in_hand.contains(id)
            || self.foreign.contains_key(id)
            || self.resting.get(id).is_some_and(|end| *end > now)
    }

    /// When something that rests may be begun again.
    pub(super) fn next_rest_ends(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.resting.retain(|_, end| *end > now);
        let paused = self.paused.filter(|end| *end > now);
        self.resting.values().copied().chain(paused).min()
    }
}

/// Any order; where the system has no randomness to give, the one it was in.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let random = getrandom::u32().unwrap_or(u32::MAX) as usize;
        items.swap(last, random % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> CertificateId {
        format!("a{number}.example").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_serves_goes_first_and_what_rests_is_left_alone() {
        let now = Instant::now();
        let mut queue = Queue::default();
        assert!(queue.wants_look(now));
        let generation = |n: usize| Generation::new(1 - n as u64 % 2);
        queue.fill(
            (0..20).map(|n| (id(n), generation(n))).collect(),
            false,
            now,
        );
        assert!(!queue.wants_look(now));
        let order: Vec<_> = std::iter::from_fn(|| queue.take())
            .map(|(id, _)| id)
            .collect();
        assert_eq!(order.len(), 20);
        let serving: HashSet<_> = (0..20).step_by(2).map(id).collect();
        assert!(order[..10].iter().all(|id| serving.contains(id)));
        assert!(!queue.wants_look(now), "nothing else is due");

        let later = now + Duration::from_secs(1);
        assert!(queue.is_taken(&id(0), now));
        queue.put_back(&id(0), Some(later));
        queue.put_back(&id(1), None);
        assert!(queue.is_taken(&id(0), now) && !queue.is_taken(&id(0), later));
        assert!(!queue.is_taken(&id(1), now));
        assert_eq!(queue.next_rest_ends(), Some(later));
        queue.refuse(id(30), later);
        assert_eq!(queue.foreign(now), 1);
        assert_eq!(queue.foreign(later), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_everything() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.fill(vec![(id(0), Generation::ZERO)], true, now);
        let end = now + Duration::from_secs(1);
        queue.pause(end);
        assert!(queue.take().is_none() && !queue.wants_look(now));
        assert!(queue.wants_look(end));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_batch_is_looked_up_anew() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.fill(vec![(id(0), Generation::ZERO)], false, now);
        assert!(!queue.wants_look(now + STALE));
        assert!(queue.wants_look(now + STALE * 2));
    }
}
