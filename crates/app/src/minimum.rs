//! `--minimum`: the least capacity that an operator accepts for one failover, and the command that
//! accepts the instances in service.

use std::fmt::Write;

use drstack_core::kind::Readiness;
use drstack_core::minimum::{Minimum, Minimums};
use drstack_core::objective::{Mode, Standing};
use drstack_core::observe::Look;
use drstack_core::verdict::{Pool, pools};

use crate::accepted::{Accepted, quoted};
use crate::failure::{Failure, Status};
use crate::planned::PlanOutcome;
use crate::session::Session;
use crate::text;

impl Session {
    /// Accepts these minimums for this session's failover. Each has to name a pool of the stack, or
    /// none.
    pub(crate) fn accept(&mut self, all: &[Accepted]) -> Result<(), Failure> {
        let is_pool = |name: &str| {
            let mut components = self.stack.components.values();
            components.any(|it| it.component.runs_instances() && it.address.is_within(name))
        };
        if let Some(pool) = all.iter().filter_map(|it| it.pool.as_deref()).find(|pool| !is_pool(pool)) {
            let known = self.stack.components.values().filter(|it| it.component.runs_instances());
            let hint = match text::nearest(pool, known.map(|it| it.address.to_string())) {
                Some(it) => format!("did you mean `{it}`?"),
                None => "`drstack graph STACK` shows the addresses of the stack".to_owned(),
            };
            return Err(Failure::new(
                Status::Usage,
                format!("--minimum: `{pool}` names no pool of this stack"),
                hint,
            ));
        }
        let mut accepted = Minimums::default();
        let (of_all, own): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.pool.is_none());
        of_all.into_iter().chain(own).for_each(|it| accepted.accept(it.pool.as_deref(), it.minimum));
        self.decisions.accepted = accepted;
        Ok(())
    }

    /// Adds the minimums that this run accepts to the standing of a failover.
    pub(crate) fn accepting(&self, mut standing: Standing) -> Standing {
        if standing.mode == Mode::Active {
            standing.minimum.accept_all(&self.decisions.accepted);
        }
        standing
    }

    /// Returns the hint that goes on with an unfinished failover: the command alone, or with
    /// minimums that accept what `planned` observed in service.
    pub(crate) fn way_on(&self, planned: &PlanOutcome, command: &str) -> String {
        let standing = planned.mode.standing();
        let pools = pools(&planned.compiled.graph, &standing, &self.kinds, &planned.seen).unwrap_or_default();
        // Instances that nobody has asked for yet are no shortage to accept.
        let is_short = pools.iter().any(|pool| !pool.is_up && self.found_no_more(planned, pool));
        match with_minimum(command, &pools).filter(|_| is_short) {
            Some(command) => {
                format!("run `{command}`: it goes on with the instances that are in service")
            }
            None => format!("run `{command}` again: it goes on from there"),
        }
    }

    /// True if the region, or the account, had no more for `pool` when it was last asked.
    fn found_no_more(&self, planned: &PlanOutcome, pool: &Pool) -> bool {
        let resource = planned.compiled.graph.resources.get(&pool.address);
        let (Some(resource), Some(Look::Present(found))) = (resource, planned.seen.get(&pool.address)) else {
            return false;
        };
        let kind = self.kinds.get(&resource.kind);
        let compared = kind.and_then(|it| it.compare(&resource.spec, &found.id, &found.live).ok());
        compared.is_some_and(|it| matches!(it.ready, Readiness::Short(_) | Readiness::Failed(_)))
    }
}

/// Adds the minimums to `command` that let a failover go on with what is in service.
///
/// Returns `None` if no pool is short of its minimum with something in service: for one with nothing no
/// minimum helps.
pub(crate) fn with_minimum(command: &str, pools: &[Pool]) -> Option<String> {
    let short: Vec<(&Pool, Minimum)> =
        pools.iter().filter_map(|pool| Some((pool, pool.acceptable()?))).collect();
    let mut text = command.to_owned();
    for (pool, minimum) in &short {
        match pools.len() {
            1 => write!(text, " --minimum {minimum}"),
            _ => write!(text, " --minimum {}", quoted(&format!("{}={minimum}", pool.component()))),
        }
        .ok()?;
    }
    (!short.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use drstack_core::address::{Address, ComponentAddress};

    use super::*;

    fn pool(address: &str, in_service: u32, is_up: bool) -> Pool {
        let address = Address::new(&ComponentAddress::new(address), "group");
        Pool { address, wanted: 40, in_service: Some(in_service), is_up }
    }

    #[test]
    fn the_command_accepts_what_is_in_service_in_each_pool_that_is_short() {
        let one = [pool("pool.a", 21, false)];
        assert_eq!(
            with_minimum("drstack failover s", &one).as_deref(),
            Some("drstack failover s --minimum 52%")
        );
        let several = [pool("pool.a[\"x\"]", 21, false), pool("pool.b", 40, true)];
        assert_eq!(
            with_minimum("drstack failover s", &several).as_deref(),
            Some("drstack failover s --minimum 'pool.a[\"x\"]=52%'")
        );
        assert_eq!(with_minimum("drstack failover s", &[pool("pool.a", 24, true)]), None);
        assert_eq!(with_minimum("drstack failover s", &[pool("pool.a", 0, false)]), None);
        let empty = [pool("pool.a", 21, false), pool("pool.b", 0, false), pool("pool.c", 10, false)];
        assert_eq!(
            with_minimum("drstack failover s", &empty).as_deref(),
            Some("drstack failover s --minimum pool.a=52% --minimum pool.c=25%")
        );
    }
}
