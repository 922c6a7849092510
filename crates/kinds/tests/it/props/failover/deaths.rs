//! A program that dies at any call of a failover ends, when another machine runs it again, as if
//! nothing had happened.

use drstack_core::cloud::Cloud;
use drstack_core::control::lock::break_lock;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Disaster, FIRST, expect_alone};
use crate::props::planted::Flaw;
use crate::props::program::scope;
use crate::props::scene::{Case, cases, expect_done, expect_intended};
use crate::props::{finds, holds, run};

/// How the program dies and its lock is removed.
///
/// The first is true if it dies after the call's effect, not before. The second is true if
/// `drstack unlock` breaks the lock at once; otherwise the next run waits for it to expire.
type Death = (bool, bool);

fn deaths() -> impl Strategy<Value = (Case, Index, Death)> {
    (cases(), any::<Index>(), any::<Death>())
}

fn check((case, at, (after, unlock)): (Case, Index, Death), flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(&case, flaw).await;
        let at = Some(at.index(usize::try_from(disaster.calls).unwrap()) as u64 + 1);
        let sim = disaster.begin_with(|config| {
            *(if after { &mut config.kill_after } else { &mut config.kill_at }) = at;
        });
        let service = disaster.service();
        let desk = disaster.desk(&sim).watching(&service);
        tokio::select! {
            biased;
            () = sim.stopped() => {}
            end = async { disaster.scene.program_with(&desk, FIRST, flaw).failover(&[]).await } => {
                panic!("not killed: {end:?}")
            }
        }
        expect_intended(&desk);
        service.expect_no_dip();
        expect_alone(&sim);
        let next = disaster.later(&sim);
        if unlock {
            let facts = &disaster.scene.stack.facts;
            break_lock(&*next.control(&scope(&disaster.scene.stack), &facts.control), "unlock")
                .await
                .unwrap();
        }
        expect_done(disaster.failover(&next, "next").await);
        disaster.expect_same(&next).await;
    });
}

#[test]
fn a_failover_killed_at_any_call_is_finished_by_the_next() {
    holds(deaths(), |case| check(case, None));
}

#[test]
fn a_journal_that_is_written_late_is_found_by_the_property_of_deaths_in_a_failover() {
    finds(deaths(), |case| check(case, Some(Flaw::LateJournal)));
}
