//! Whether a stack could fail over now: what was found, how much each finding weighs, and how each
//! component stands.

use std::collections::BTreeMap;

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::objective::Posture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::report::data::Data;

/// How much a finding weighs, the heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A failover now would lack something.
    NotReady,
    /// It could not be looked at, so nobody knows.
    Unknown,
    /// Something to know. It keeps no stack from being ready.
    Note,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Which region serves, and whether the change to it is complete.
    Mode,
    /// The bundle that a failover works from.
    Bundle,
    /// The files of the stack, beside what was applied.
    Files,
    /// What a failover may not do, or could not.
    Blocked,
    /// A pool that serves with less than it should.
    Degraded,
    /// What is not in line with the primary, and what a sync or an apply brings over.
    Behind,
    /// What only a person brings over.
    Person,
    /// What exists, and is not ready yet.
    Waiting,
    /// What an earlier failover has restored, so that the next one restores nothing newer.
    Restored,
    /// The predicted failover beside the RTOs.
    Objective,
    /// What the standby region has for the instances of a failover: types, quotas and addresses.
    Supply,
    /// Data that a failover would lose now, or of which nobody knows.
    Data,
    /// What no check asks after a failover, so that none is known to have recovered it.
    Unasked,
    /// What did not answer.
    Unanswered,
    /// The lock.
    Lock,
    /// The credentials and settings of this machine, were the primary lost.
    Environment,
    /// What the primary has and the standby region does not get.
    NotCarried,
}

impl Check {
    /// Returns the name, as JSON has it.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            // A variant without fields is always a string.
            _ => String::new(),
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is about.
    pub check: Check,
    /// The component, the resource or the region.
    pub address: String,
    /// What was found.
    pub text: String,
    /// The command that leads on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub next: Option<String>,
}

/// Returns the heaviest of `findings`, which are sorted, about each component. Notes weigh nothing.
pub fn heaviest(findings: &[Finding]) -> BTreeMap<ComponentAddress, (Check, Weight)> {
    let mut of = BTreeMap::new();
    for it in findings.iter().filter(|it| it.weight != Weight::Note) {
        let resource = Address::parse(&it.address);
        let component =
            resource.map_or_else(|| ComponentAddress::new(&it.address), |address| address.component());
        of.entry(component).or_insert((it.check, it.weight));
    }
    of
}

/// How a component stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComponentState {
    /// The component.
    pub address: ComponentAddress,
    /// Its posture.
    pub posture: Posture,
    /// The heaviest finding about it; none if it is in line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Check")]
    pub check: Option<Check>,
    /// How much that weighs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Weight")]
    pub weight: Option<Weight>,
    /// When it serves in a failover, by the prediction, in seconds since its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    pub serves_seconds: Option<f64>,
}

/// The published bundle, which a failover works from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Published {
    /// When it was published.
    pub at: Timestamp,
    /// The run that published it.
    pub run: String,
    /// The key that has to have signed it; none if the stack demands no signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub signed_by: Option<String>,
}

/// Whether a stack could fail over now.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Readiness {
    /// True if nothing was found that a failover would lack, and all was looked at.
    pub ready: bool,
    /// Number of findings by which a failover would lack something.
    pub not_ready: usize,
    /// Number of findings by which nobody knows.
    pub unknown: usize,
    /// Number of resources that are in line.
    pub in_line: usize,
    /// The bundle, if there is one that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Published")]
    pub bundle: Option<Published>,
    /// The findings, the heaviest first.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// The components, those with the heaviest findings first.
    #[serde(skip)]
    pub components: Vec<ComponentState>,
    /// Both sides of the replicated data; none if they were not compared.
    #[serde(skip)]
    pub data: Option<Vec<Data>>,
}

impl Readiness {
    /// Sums up `findings`.
    pub fn of(mut findings: Vec<Finding>, in_line: usize, bundle: Option<Published>) -> Self {
        findings.sort_by_key(|it| (it.weight, it.check));
        let with = |weight| findings.iter().filter(|it| it.weight == weight).count();
        let (not_ready, unknown) = (with(Weight::NotReady), with(Weight::Unknown));
        let ready = (not_ready, unknown) == (0, 0);
        Self { ready, not_ready, unknown, in_line, bundle, findings, components: Vec::new(), data: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(weight: Weight, check: Check, address: &str) -> Finding {
        Finding { weight, check, address: address.to_owned(), text: String::new(), next: None }
    }

    #[test]
    fn a_stack_is_ready_only_if_all_was_looked_at_and_nothing_lacks() {
        let of = |weights: &[Weight]| {
            let findings = weights.iter().map(|it| finding(*it, Check::Behind, "pool.a"));
            let it = Readiness::of(findings.collect(), 3, None);
            (it.ready, it.not_ready, it.unknown)
        };
        assert_eq!(of(&[]), (true, 0, 0));
        assert_eq!(of(&[Weight::Note]), (true, 0, 0));
        assert_eq!(of(&[Weight::Unknown]), (false, 0, 1));
        assert_eq!(of(&[Weight::Note, Weight::NotReady, Weight::Unknown]), (false, 1, 1));
    }

    #[test]
    fn a_component_has_the_heaviest_finding_of_its_own_and_no_notes() {
        let all = vec![
            finding(Weight::Note, Check::NotCarried, "pool.c"),
            finding(Weight::Unknown, Check::Unanswered, "pool.a/group"),
            finding(Weight::NotReady, Check::Behind, "pool.a/launch-template"),
            finding(Weight::NotReady, Check::Blocked, "pool.ab"),
        ];
        let all = Readiness::of(all, 0, None).findings;
        let all = heaviest(&all);
        let of = |name: &str| all.get(&ComponentAddress::new(name)).copied();
        assert_eq!(of("pool.a"), Some((Check::Behind, Weight::NotReady)));
        assert_eq!(of("pool.ab"), Some((Check::Blocked, Weight::NotReady)));
        assert_eq!((of("pool.b"), of("pool.c")), (None, None));
    }
}
