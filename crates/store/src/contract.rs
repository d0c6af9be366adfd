//! What every implementation of the seams must do, as one suite of tests.
//!
//! A case is an async function over a fresh [`Backend`](crate::Backend); [`contract_tests!`]
//! makes a `#[tokio::test]` of each. The suite runs in real time, because Redis does: where a
//! case is about time it uses a short time to live and polls for the end, for at most
//! [`PATIENCE`]. The cases see the seams only, and know of no implementation.
//!
//! [`contract_tests!`]: crate::contract_tests

#![expect(
    clippy::unwrap_used,
    reason = "a case is a test: whatever fails in it fails it"
)]

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use crate::feed::{Signal, Subscription};

pub mod account;
pub mod budget;
pub mod challenge;
pub mod commit;
pub mod event;
pub mod feed;
pub mod lease;
pub mod permission;
pub mod registry;
pub mod remove;
pub mod revocation;
pub mod sample;
pub mod schedule;
pub mod suggestion;
pub mod wanted;

/// How long a case waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A time to live that ends while a case waits for it.
const BRIEF: Duration = Duration::from_millis(150);

/// A time to live that no case outlives.
const LONG: Duration = Duration::from_secs(60);

/// Makes one `#[tokio::test]` of each case of the contract, in a module for each seam.
///
/// It takes an expression of a future that makes a fresh, empty backend: a pair of whatever must
/// live as long (a server, a folder) and an `Arc<dyn Backend>`. Names in the expression are looked
/// up in the module around the macro.
///
/// ```
/// # use std::sync::Arc;
/// # use certfleet_store::{Backend, SystemClock, local::Memory};
/// mod contract {
///     use super::*;
///
///     async fn fresh() -> ((), Arc<dyn Backend>) {
///         ((), Arc::new(Memory::new(Arc::new(SystemClock))))
///     }
///
///     certfleet_store::contract_tests!(fresh());
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! contract_tests {
    ($fresh:expr) => {
        $crate::contract_tests! { @of $fresh;
            lease:
                is_exclusive,
                of_another_resource_is_free,
                expires_by_itself_and_the_next_has_a_higher_token,
                extension_keeps_it_alive,
                is_extended_by_its_owner_only,
                is_released_by_its_owner_only,
                is_gone_for_its_owner_once_expired,
                holders_are_listed_in_order,
                on_certificates_are_bounded,
                that_ran_out_make_room;
            commit:
                loads_back_what_was_committed,
                ids_come_in_order,
                needs_a_live_lease,
                is_refused_after_the_lease_was_released,
                is_refused_while_another_holds_the_lease,
                needs_a_record_made_under_its_lease,
                under_an_older_token_is_fenced,
                of_an_older_or_equal_generation_is_stale,
                may_jump_generations,
                repeated_changes_nothing,
                raises_the_epoch_and_settles_the_schedule,
                of_two_at_once_both_stand;
            remove:
                takes_everything_of_a_certificate_away,
                needs_the_lease,
                of_what_is_not_there_is_no_complaint,
                is_told_to_who_catches_up,
                is_forgotten_when_the_certificate_comes_back,
                is_heard;
            feed:
                gives_everything_to_a_newcomer,
                gives_only_what_was_missed,
                gives_everything_if_the_position_cannot_be_continued,
                says_connected_and_then_each_commit,
                says_nothing_of_a_repeated_commit,
                says_due_when_hastened,
                is_heard_by_every_subscriber,
                never_waits_for_a_slow_subscriber;
            schedule:
                enters_if_absent,
                due_is_in_order_and_bounded,
                postpones_under_the_lease_only,
                hasten_makes_due_and_forgets_failures,
                advances_what_has_not_failed,
                an_attempt_comes_back_as_it_was;
            wanted:
                comes_back_in_order,
                is_due_unless_it_is_on_the_schedule,
                is_heard;
            suggestion:
                is_asked_for_once_after_a_commit,
                questions_are_claimed_in_order_and_once,
                moves_the_schedule,
                is_for_the_standing_generation_only,
                leaves_alone_what_failed_or_is_due,
                is_forgotten_with_a_commit,
                is_asked_for_again_when_told;
            budget:
                is_reckoned_as_core_does,
                is_taken_whole_or_not_at_all,
                counts_each_token_of_one_bucket,
                is_not_spent_by_a_look,
                takes_back_what_was_not_used,
                is_apart_by_issuer_kind_and_subject,
                waits_while_the_issuer_is_paused,
                gives_no_token_twice,
                is_not_emptied_by_a_clock_that_is_ahead;
            revocation:
                is_asked_for_once_for_each_generation,
                makes_due_and_is_heard,
                is_forgotten_under_the_lease_only;
            permission:
                is_asked_for_by_one_and_known_to_all,
                is_asked_for_once_by_many_at_once,
                runs_out;
            challenge:
                is_answered_until_withdrawn,
                is_replaced_by_a_second_post,
                expires_by_itself,
                lists_what_is_up_for_a_certificate,
                is_withdrawn_by_whose_it_is,
                lingers_when_told;
            account:
                is_kept_under_its_lease_only,
                is_one_for_each_issuer;
            registry:
                lists_nodes_by_name_with_their_last_words,
                forgets_a_silent_node,
                forgets_a_leaving_node;
            event:
                come_back_oldest_first,
                are_capped;
        }
    };
    (@of $fresh:expr; $($seam:ident: $($case:ident),+;)+) => {
        $(
            mod $seam {
                use super::*;

                $(
                    #[tokio::test]
                    async fn $case() {
                        let (_alive, backend) = $fresh.await;
                        $crate::contract::$seam::$case(&*backend).await;
                    }
                )+
            }
        )+
    };
}

/// Polls until `check` gives something.
async fn eventually<T>(what: impl fmt::Display, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The next signal, which must come.
async fn hear(subscription: &mut Box<dyn Subscription>) -> Signal {
    timeout(PATIENCE, subscription.next())
        .await
        .expect("a signal comes in time")
}
