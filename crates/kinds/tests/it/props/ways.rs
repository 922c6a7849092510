//! Whatever commands, deaths, losses and shortages have left, some command goes on: an operator who
//! follows the runbook comes back to a stack in standby with nothing left to do.

use std::collections::BTreeSet;

use drstack_app::accepted::Accepted;
use drstack_core::cloud::Cloud;
use drstack_core::control::doubt::mode;
use drstack_core::control::mode::KeptMode;
use drstack_core::minimum::Minimum;
use drstack_core::objective::Mode;
use drstack_sim::{Sim, SimConfig};
use proptest::prelude::*;
use proptest::sample::Index;

use super::planted::Flaw;
use super::program::{End, Program, scope};
use super::scene::{Case, Scene, cases, expect_done};
use super::{finds, holds, run};

/// Commands that an operator needs at most to come back to standby: a failover that goes on, a
/// failback, an apply.
const COMMANDS: usize = 3;

/// Calls after which a run may die: those of most runs of a small stack.
const CALLS: usize = 120;

#[derive(Clone, Copy, Debug)]
enum Command {
    Apply,
    Failover,
    /// Of the component with this number.
    Part(Index),
    Failback,
    Destroy,
}

/// What an operator does, and the world in which that happens.
#[derive(Clone, Copy, Debug)]
struct Event {
    command: Command,
    /// The primary is lost.
    lost: bool,
    /// The standby region has no instances beside those that run.
    short: bool,
    /// The program dies at this call.
    death: Option<Index>,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let command = prop_oneof![
        2 => Just(Command::Apply),
        3 => Just(Command::Failover),
        1 => any::<Index>().prop_map(Command::Part),
        2 => Just(Command::Failback),
        1 => Just(Command::Destroy),
    ];
    let event = (command, any::<bool>(), prop::bool::weighted(0.2), prop::option::of(any::<Index>()));
    let event = event.prop_map(|(command, lost, short, death)| Event { command, lost, short, death });
    prop::collection::vec(event, 1..5)
}

struct Walk {
    scene: Scene,
    sim: Sim,
}

impl Walk {
    async fn of(case: &Case, flaw: Option<Flaw>) -> Self {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let sim = scene.later(&scene.stands);
        Self { scene, sim }
    }

    /// Lets the lock of a dead run expire, in a world as the event has it.
    fn go_on(&mut self, change: impl FnOnce(&mut SimConfig)) {
        self.sim = self.scene.after_with(&self.sim, change);
    }

    fn elsewhere(&self) -> BTreeSet<String> {
        [self.scene.stack.facts.primary.clone(), "global".to_owned()].into()
    }

    /// Runs the command of `event` until it ends or dies.
    async fn happen(&mut self, number: usize, event: Event) {
        let elsewhere = self.elsewhere();
        self.go_on(|config| {
            if event.lost {
                config.down = elsewhere;
            }
            if event.short {
                config.capacity = ["g5.xlarge", "g6.xlarge"].map(|it| (it.to_owned(), 0)).into();
            }
            config.kill_at = event.death.map(|at| at.index(CALLS) as u64 + 1);
        });
        let desk = self.scene.desk(&self.sim, None);
        let program = self.scene.program(&desk, &format!("event-{number}"));
        tokio::select! {
            biased;
            () = self.sim.stopped() => {}
            _ = obey(&program, event.command) => {}
        }
    }

    async fn mode(&self) -> KeptMode {
        let (scope, control) = (scope(&self.scene.stack), &self.scene.stack.facts.control);
        mode(&*self.sim.control(&scope, control), &self.sim, &scope, control).await.unwrap()
    }

    /// Does what the runbook says until the stack is in standby and applied.
    async fn come_back(&mut self) {
        for number in 0..=COMMANDS {
            let kept = self.mode().await;
            let command = match (kept.standing().mode, kept.is_complete()) {
                (Mode::Standby, true) => Command::Apply,
                (Mode::Active, false) if kept.doubt.is_none() => Command::Failover,
                (Mode::Active | Mode::Standby, _) => Command::Failback,
            };
            let name = format!("back-{number}");
            // A destroy that was cut off may have taken away what would move the traffic.
            if matches!(command, Command::Failover) && self.lacks_alarm(&name).await {
                self.obeyed(&format!("{name}-back"), Command::Failback).await;
                continue;
            }
            self.obeyed(&name, command).await;
            if matches!(command, Command::Apply) {
                return;
            }
        }
        panic!("{COMMANDS} commands were not enough");
    }

    /// True if a failover says that it cannot move the traffic.
    async fn lacks_alarm(&mut self, name: &str) -> bool {
        let desk = self.scene.desk(&self.sim, None);
        let end = obey(&self.scene.program(&desk, &format!("{name}-look")), Command::Failover).await;
        self.go_on(|_| {});
        matches!(end, End::Failed(why) if why.contains("nothing reads it that leads users"))
    }

    /// Runs a command, which has to succeed.
    async fn obeyed(&mut self, name: &str, command: Command) {
        let desk = self.scene.desk(&self.sim, None);
        let end = obey(&self.scene.program(&desk, name), command).await;
        assert!(matches!(end, End::Done(_)), "{command:?}: {end:?}");
        self.go_on(|_| {});
    }
}

async fn obey(program: &Program<'_>, command: Command) -> End {
    match command {
        Command::Apply => program.apply().await,
        Command::Failover => program.failover(&[]).await,
        Command::Part(which) => {
            let all: Vec<String> = program.stack.components.keys().map(ToString::to_string).collect();
            program.failover(&[all[which.index(all.len())].clone()]).await
        }
        Command::Failback => program.failback().await,
        Command::Destroy => program.destroy().await,
    }
}

fn check(case: &Case, events: &[Event], flaw: Option<Flaw>) {
    run(async {
        let mut walk = Walk::of(case, flaw).await;
        for (number, event) in events.iter().enumerate() {
            walk.happen(number, *event).await;
        }
        // The primary is lost for good: what was ever applied, and not destroyed, comes up.
        if !events.iter().any(|it| matches!(it.command, Command::Destroy)) {
            let elsewhere = walk.elsewhere();
            walk.go_on(|config| config.down = elsewhere);
            let desk = walk.scene.desk(&walk.sim, None);
            expect_done(walk.scene.program(&desk, "last").failover(&[]).await);
        }
        walk.go_on(|_| {});
        walk.come_back().await;
        walk.scene.finished(&walk.sim).await;
        walk.obeyed("destroy", Command::Destroy).await;
        walk.obeyed("again", Command::Apply).await;
        walk.scene.finished(&walk.sim).await;
    });
}

/// A failover that is short goes on with whatever is in service, once that is accepted.
fn check_short(case: &Case, events: &[Event], flaw: Option<Flaw>) {
    run(async {
        let mut walk = Walk::of(case, flaw).await;
        for (number, event) in events.iter().enumerate() {
            walk.happen(number, Event { short: true, lost: true, ..*event }).await;
        }
        let elsewhere = walk.elsewhere();
        walk.go_on(|config| {
            config.down = elsewhere;
            config.capacity = ["g5.xlarge", "g6.xlarge"].map(|it| (it.to_owned(), 3)).into();
        });
        let desk = walk.scene.desk(&walk.sim, None);
        let accepting = vec![Accepted { pool: None, minimum: Minimum::Instances(1) }];
        let program = Program { minimum: accepting, ..walk.scene.program(&desk, "accepting") };
        let destroyed = events.iter().any(|it| matches!(it.command, Command::Destroy));
        let end = program.failover(&[]).await;
        let judged = program.judged.lock().unwrap().take();
        let is_empty = judged.is_some_and(|(_, it)| it.pools.iter().any(|pool| pool.is_empty()));
        assert!(destroyed || is_empty || matches!(end, End::Done(_)), "{end:?}");
    });
}

#[test]
fn from_every_state_some_command_goes_on_until_the_stack_is_in_standby_again() {
    holds((cases(), events()), |(case, events)| check(&case, &events, None));
}

#[test]
fn what_is_accepted_goes_on_in_every_shortage() {
    holds((cases(), events()), |(case, events)| check_short(&case, &events, None));
}

#[test]
fn a_lock_that_never_ends_is_found_by_the_property_of_ways() {
    finds((cases(), events()), |(case, events)| check(&case, &events, Some(Flaw::EndlessLock)));
}

#[test]
fn a_minimum_that_is_not_heeded_is_found_by_the_property_of_ways() {
    finds((cases(), events()), |(case, events)| check_short(&case, &events, Some(Flaw::ForgetsMinimum)));
}
