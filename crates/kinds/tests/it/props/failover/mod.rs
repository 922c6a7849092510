//! Properties of failovers in random disasters, and of failbacks.
//!
//! Each file is one property. This module has what they share: a world in which a stack exists in
//! standby, and the end of a failover that only had to cope with the loss of the primary.

mod deaths;
mod dips;
mod drained;
mod failed_back;
mod faults;
mod forgotten;
mod late;
mod lost;
mod old_side;
mod operators;
mod paced;
mod partial;
mod sequence;
mod shortage;
mod verdict;

use std::collections::BTreeSet;

use drstack_core::calls::Calls;
use drstack_core::cloud::Cloud;
use drstack_core::control::doubt::mode;
use drstack_core::control::mode::KeptMode;
use drstack_core::objective::Mode;
use drstack_sim::{Sim, SimConfig};

use super::desk::OperatorCloud;
use super::planted::Flaw;
use super::program::{End, scope};
use super::scene::{Case, Scene, expect_done, expect_intended, left_to_do, objects, owned};
use super::service::Service;

/// Name of a run that stops at a chosen call of an undisturbed run, and of that undisturbed run.
///
/// Both need the same name: it is part of the journal's keys, and faults are drawn by what is
/// called, so another name gives other faults and other calls.
const FIRST: &str = "failover";

/// A stack in standby whose primary is lost, with the world after an undisturbed failover.
struct Disaster {
    scene: Scene,
    flaw: Option<Flaw>,
    /// Calls of an undisturbed failover, and its duration in milliseconds.
    calls: u64,
    millis: u64,
    undisturbed: Vec<String>,
}

impl Disaster {
    async fn of(case: &Case, flaw: Option<Flaw>) -> Self {
        let scene = Scene::of(case, None).await;
        let mut disaster = Self { scene, flaw: None, calls: 0, millis: 0, undisturbed: Vec::new() };
        let sim = disaster.begin();
        let before = sim.world().age;
        expect_done(disaster.failover(&sim, FIRST).await);
        disaster.calls = sim.calls().len() as u64;
        disaster.millis = sim.world().age - before;
        disaster.undisturbed = disaster.finished(&sim).await;
        disaster.flaw = flaw;
        disaster
    }

    /// Returns the world in standby, with the primary just lost.
    fn begin(&self) -> Sim {
        self.begin_with(|_| {})
    }

    /// Returns that world with a changed configuration, such as a fault.
    fn begin_with(&self, change: impl FnOnce(&mut SimConfig)) -> Sim {
        let down = |config: &mut SimConfig| {
            config.down = self.elsewhere();
            change(config);
        };
        self.scene.after_with(&self.scene.stands, down)
    }

    /// Returns the world after `sim`, at a time when an unrenewed lock has expired. The primary is
    /// still lost.
    fn later(&self, sim: &Sim) -> Sim {
        self.scene.after_with(sim, |config| config.down = self.elsewhere())
    }

    /// Watches that the instances in service in standby do not drop.
    fn service(&self) -> Service {
        Service::of(&self.scene.stands)
    }

    fn elsewhere(&self) -> BTreeSet<String> {
        [self.scene.stack.facts.primary.clone(), "global".to_owned()].into()
    }

    fn desk(&self, sim: &Sim) -> OperatorCloud {
        OperatorCloud::at(sim, self.flaw, None)
    }

    /// Fails over from a new machine. No call leaves the region, no count dips, and every change is
    /// in the journal before it is made, whatever happens.
    async fn failover(&self, sim: &Sim, run: &str) -> End {
        self.failover_of(sim, run, &[]).await
    }

    async fn failover_of(&self, sim: &Sim, run: &str, only: &[String]) -> End {
        let service = self.service();
        let desk = self.desk(sim).watching(&service);
        let end = self.scene.program_with(&desk, run, self.flaw).failover(only).await;
        self.expect_fair(sim, &desk, &service);
        end
    }

    fn expect_fair(&self, sim: &Sim, desk: &OperatorCloud, service: &Service) {
        expect_intended(desk);
        // A failover captures no facts, so it stores none.
        let facts: Vec<_> = desk.writes().into_iter().filter(|(_, key)| key == "facts.json").collect();
        assert!(facts.is_empty(), "{facts:?}");
        service.expect_no_dip();
        expect_alone(sim);
    }

    /// Asserts that the failover of `sim` is complete: nothing is left to do, no resource exists
    /// twice, all data still exists, and the epoch rose once. Returns all resources.
    async fn finished(&self, sim: &Sim) -> Vec<String> {
        let now = self.later(sim);
        let desk = self.desk(&now);
        let program = self.scene.program_with(&desk, "look", None);
        let planned = program.plan_failover(&[]).await.unwrap_or_else(|end| panic!("{end:?}"));
        assert_eq!(left_to_do(&planned.plan), [""; 0], "left to do");
        assert_eq!((&planned.report.blocked, &planned.report.waiting), (&vec![], &vec![]));
        let kept = self.mode(&now).await;
        let standing = kept.standing();
        assert_eq!((standing.mode, standing.epoch, kept.is_complete()), (Mode::Active, 1, true));
        self.expect_nothing_lost(&now);
        self.scene.settled(&now).iter().map(|it| without_most(it)).collect()
    }

    /// Asserts that every resource of mode standby still exists, exactly once.
    fn expect_nothing_lost(&self, now: &Sim) {
        let (before, world) = (self.scene.stands.world(), now.world());
        for (address, count) in owned(&world) {
            let before = owned(&before).get(&address).copied();
            assert!(
                before.is_none_or(|before| before == count) && (before.is_some() || count == 1),
                "{count} of {address}"
            );
        }
        let kinds = drstack_kinds::kinds();
        for (kind, region, id, _) in objects(&before) {
            let holds = kinds.get(kind).unwrap().role().holds_data();
            let stands = world.objects[kind].get(region).is_some_and(|it| it.contains_key(id));
            assert!(stands || !holds, "{kind} {id} in {region} holds data and is gone");
            assert!(stands, "{kind} {id} in {region} is gone");
        }
        assert_eq!(self.scene.foreign(now), self.scene.foreign(&self.scene.stands), "what belongs to others");
    }

    /// Asserts that the world of `sim` is the one that an undisturbed failover leaves.
    async fn expect_same(&self, sim: &Sim) {
        self.expect_same_but(sim, str::to_owned).await;
    }

    /// As [`Self::expect_same`], of what `kept` keeps of each resource.
    async fn expect_same_but(&self, sim: &Sim, kept: fn(&str) -> String) {
        let of = |all: &[String]| all.iter().map(|it| kept(it)).collect::<Vec<_>>();
        let (there, undisturbed) = (of(&self.finished(sim).await), of(&self.undisturbed));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|it| !those.contains(it)).cloned().collect()
        };
        let (more, less) = (only(&there, &undisturbed), only(&undisturbed, &there));
        assert!(there == undisturbed, "there is {more:#?}\nthere should be {less:#?}");
    }

    async fn mode(&self, sim: &Sim) -> KeptMode {
        let facts = &self.scene.stack.facts;
        let scope = scope(&self.scene.stack);
        mode(&*sim.control(&scope, &facts.control), sim, &scope, &facts.control).await.unwrap()
    }
}

/// Asserts that no call was sent out of the standby region, or tried, since the cloud was
/// restricted to it.
fn expect_alone(sim: &Sim) {
    assert_eq!(sim.refused(), [], "not to be called in a failover");
    let home = "us-west-2";
    let away: Vec<_> = sim.calls().into_iter().filter(|call| call.region != home).collect();
    assert!(away.is_empty(), "called in a failover: {away:#?}");
}

/// Removes the maximum size of a group, which only rises in a failover.
pub(super) fn without_most(text: &str) -> String {
    match text.split_once("\"max\":") {
        Some((before, after)) => {
            format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ','))
        }
        None => text.to_owned(),
    }
}
