//! Calls of a role: which operations its commands run, and in which region.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::kind::{Action, DynKind, Operation, Place, Side};

use super::role::Role;
use crate::facts;
use crate::services::operation;

/// Operations that the control bucket needs in addition to those of standby buckets.
pub const CONTROL: &[Operation] =
    &[operation("s3", "DeleteObject"), operation("s3", "GetObject"), operation("s3", "PutObject")];

/// Operations that compare the two sides of data.
pub const SIDES: &[Operation] = &[
    operation("cloudwatch", "GetMetricData"),
    operation("dynamodb", "DescribeTable"),
    operation("dynamodb", "Scan"),
    operation("s3", "ListBucketVersions"),
];

/// Operations that ask what the standby region has for a failover.
pub const SUPPLY: &[Operation] = &[
    operation("ec2", "DescribeInstanceTypeOfferings"),
    operation("ec2", "DescribeInstanceTypes"),
    operation("ec2", "DescribeInstances"),
    operation("ec2", "DescribeSubnets"),
    operation("servicequotas", "GetAWSDefaultServiceQuota"),
    operation("servicequotas", "GetServiceQuota"),
];

/// Where a role makes a call, and what for.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// Regions that the call goes to.
    pub(super) places: BTreeSet<Place>,
    /// True if the call changes something.
    pub(super) changes: bool,
}

/// The calls of a role, by service and action.
pub(super) struct Calls(pub(super) BTreeMap<(&'static str, &'static str), Call>);

impl Calls {
    /// Collects the calls of `role`. Those that change something belong to `kinds`, if some are
    /// named: a plan lists what the stack owns of every kind.
    pub(super) fn of(role: Role, kinds: Option<&BTreeSet<String>>) -> Self {
        let mut calls = Self(BTreeMap::new());
        for kind in crate::kinds().iter() {
            let is_named = kinds.is_none_or(|named| named.contains(kind.name()));
            for operation in kind.operations() {
                if operation.reads() || is_named {
                    calls.add(operation, places(kind, operation, role));
                }
            }
        }
        let of_facts = facts::ALL.iter().zip(facts::PLACES);
        for ((_, operations), place) in of_facts.filter(|_| role != Role::Failover) {
            operations.iter().for_each(|it| calls.add(it, [*place].into()));
        }
        for operation in SIDES.iter().filter(|_| !matches!(role, Role::Failover | Role::Sync)) {
            calls.add(operation, [Place::Primary, Place::Standby].into());
        }
        // `status` asks what the region has for a failover; a pipeline runs it after its sync.
        for operation in SUPPLY.iter().filter(|_| role != Role::Failover) {
            calls.add(operation, [Place::Standby].into());
        }
        for operation in CONTROL.iter().filter(|it| role != Role::Read || it.reads()) {
            calls.add(operation, [Place::Standby].into());
        }
        // Every run asks for the account, and looks for its control bucket.
        for (service, action) in [("sts", "GetCallerIdentity"), ("s3", "ListBucket")] {
            calls.add(&Operation::new(service, action), [Place::Standby].into());
        }
        calls
    }

    fn add(&mut self, operation: &Operation, places: BTreeSet<Place>) {
        if places.is_empty() {
            return;
        }
        let call = self.0.entry((operation.service, operation.action)).or_default();
        call.places.extend(places);
        call.changes |= !operation.reads();
    }
}

/// True if a creation or a change makes the call.
fn is_made(operation: &Operation) -> bool {
    [Action::Create, Action::Update].iter().any(|step| operation.is_of(*step))
}

/// Returns where `role` makes a call of `kind`; nowhere if its commands do not make it.
pub(super) fn places(kind: &dyn DynKind, operation: &Operation, role: Role) -> BTreeSet<Place> {
    let own = || kind.places().iter().copied();
    let places: BTreeSet<Place> = match operation.side() {
        Side::OfKind => own().collect(),
        Side::AlsoPrimary => own().chain([Place::Primary]).collect(),
        Side::Standby | Side::ThroughPrimary => [Place::Standby].into(),
    };
    match role {
        Role::Apply => places,
        // No plan runs a check.
        Role::Read if operation.reads() && kind.check().is_none() => places,
        Role::Read => BTreeSet::new(),
        // A sync asks no check, and its plan has no deletion.
        Role::Sync => match kind.check().is_none() && (operation.reads() || is_made(operation)) {
            true => places,
            false => BTreeSet::new(),
        },
        Role::Failover => {
            let is_near = own().any(|it| it == Place::Standby) && operation.home().is_none();
            let may_be =
                (operation.reads() || is_made(operation)) && operation.side() != Side::ThroughPrimary;
            places.into_iter().filter(|it| *it == Place::Standby && is_near && may_be).collect()
        }
    }
}
