//! Summary of the rehearsed failover plan, small enough to be stored beside the stack.
//!
//! The rehearsal ran while the primary was healthy.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Gate, Plan};
use crate::address::Address;
use crate::kind::Action;

/// Steps that a sentence names before it only counts them: as many as fit into two terminal lines.
const NAMED: usize = 5;

/// Steps of a rehearsed plan in topological order, without their specs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsedPlan {
    /// The steps.
    pub steps: Vec<RehearsedStep>,
    /// Predicted time ([`crate::forecast`]), in seconds.
    pub estimate: f64,
    /// Dependencies that many steps share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
}

/// One step of a rehearsed plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsedStep {
    /// The action.
    pub action: Action,
    /// The resource.
    pub address: Address,
    /// Name of its kind.
    pub kind: String,
    /// The region, as AWS names it.
    pub region: String,
    /// Steps that have ended when it starts, by index in the skeleton, beside those in front of its
    /// gates.
    pub before: Vec<usize>,
    /// Predicted time, in seconds.
    pub estimate: f64,
}

impl RehearsedPlan {
    /// Summarizes `plan`, which is a failover and is predicted to take `total`.
    pub fn of(plan: &Plan, total: Duration) -> Self {
        let bone = |step: &super::Step| RehearsedStep {
            action: step.action,
            address: step.address.clone(),
            kind: step.kind.clone(),
            region: step.region.clone(),
            before: step.before().collect::<BTreeSet<_>>().into_iter().collect(),
            estimate: step.estimate,
        };
        Self {
            steps: plan.steps.iter().map(bone).collect(),
            estimate: total.as_secs_f64(),
            gates: plan.gates.clone(),
        }
    }

    /// True if both have the same steps, whatever their estimates.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let timeless = |it: &Self| -> Vec<RehearsedStep> {
            it.steps.iter().map(|bone| RehearsedStep { estimate: 0.0, ..bone.clone() }).collect()
        };
        timeless(self) == timeless(other) && self.gates == other.gates
    }

    /// Describes how `plan` differs from the rehearsed one; `None` if it does not.
    ///
    /// Steps that `plan` no longer needs count only if `plan` is `whole`.
    pub fn differences(&self, plan: &Plan, whole: bool) -> Option<String> {
        let rehearsed: BTreeSet<_> = self.steps.iter().map(|bone| (&bone.address, bone.action)).collect();
        let now: BTreeSet<_> = plan.steps.iter().map(|step| (&step.address, step.action)).collect();
        let new: Vec<_> = now.difference(&rehearsed).copied().collect();
        let gone: Vec<_> = rehearsed.difference(&now).copied().filter(|_| whole).collect();
        if new.is_empty() && gone.is_empty() {
            return None;
        }
        let mut text = match self.steps.len() {
            1 => "expected 1 step".to_owned(),
            steps => format!("expected {steps} steps"),
        };
        for (what, steps) in [("new", new), ("not needed now", gone)] {
            if !steps.is_empty() {
                text.push_str(&format!("; {} {what}: {}", steps.len(), named(&steps)));
            }
        }
        Some(text)
    }
}

fn named(steps: &[(&Address, Action)]) -> String {
    let name = |(address, action): &(&Address, Action)| {
        let verb = match action {
            Action::Create => "create",
            Action::Update => "change",
            Action::Delete => "delete",
        };
        format!("{verb} {address}")
    };
    let names: Vec<String> = steps.iter().take(NAMED).map(name).collect();
    let more = if steps.len() > NAMED { ", and more" } else { "" };
    names.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Place;
    use crate::plan::Step;

    fn plan(steps: &[(&str, Action)]) -> Plan {
        let step = |(number, (address, action)): (usize, &(&str, Action))| Step {
            address: Address::parse(address).unwrap(),
            kind: "group".to_owned(),
            place: Place::Standby,
            region: "us-west-2".to_owned(),
            action: *action,
            reason: "because".to_owned(),
            changes: Vec::new(),
            spec: serde_json::json!({"secret": true}),
            id: None,
            needs: (0..number).collect(),
            after: (0..number).collect(),
            replaces: false,
            estimate: 10.0,
            raise: None,
            token: "t".to_owned(),
            tier: 1,
        };
        Plan { steps: steps.iter().enumerate().map(step).collect(), ..Plan::default() }
    }

    #[test]
    fn it_keeps_the_order_and_nothing_that_is_written() {
        let two = plan(&[("pool.a/group", Action::Update), ("pool.b/group", Action::Create)]);
        let two = RehearsedPlan::of(&two, Duration::from_secs(20));
        assert_eq!((two.steps[1].before.clone(), two.estimate), (vec![0], 20.0));
        let text = serde_json::to_string(&two).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(serde_json::from_str::<RehearsedPlan>(&text).unwrap(), two);
    }

    #[test]
    fn only_steps_make_another_one() {
        let one = RehearsedPlan::of(&plan(&[("pool.a/group", Action::Update)]), Duration::ZERO);
        let mut slower = one.clone();
        (slower.estimate, slower.steps[0].estimate) = (99.0, 99.0);
        assert!(slower.says_the_same_as(&one));
        slower.steps[0].action = Action::Create;
        assert!(!slower.says_the_same_as(&one));
    }

    #[test]
    fn what_differs_is_named_and_a_part_lacks_nothing() {
        let [a, b] = [("pool.a/group", Action::Update), ("pool.b/group", Action::Update)];
        let rehearsed = RehearsedPlan::of(&plan(&[a, b]), Duration::ZERO);
        let said = |steps: &[(&str, Action)], whole| rehearsed.differences(&plan(steps), whole);
        assert_eq!(said(&[a, b], true), None);
        assert_eq!(said(&[a], false), None);
        assert_eq!(said(&[a], true).unwrap(), "expected 2 steps; 1 not needed now: change pool.b/group");
        assert_eq!(
            said(&[a, ("pool.b/group", Action::Create)], true).unwrap(),
            "expected 2 steps; 1 new: create pool.b/group; 1 not needed now: change pool.b/group"
        );
        let names: Vec<String> = (0..7).map(|number| format!("pool.n{number}/group")).collect();
        let many: Vec<_> = names.iter().map(|name| (&**name, Action::Create)).collect();
        assert!(said(&many, false).unwrap().ends_with("create pool.n4/group, and more"));
    }
}
