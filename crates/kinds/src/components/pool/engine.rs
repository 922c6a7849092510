//! `engine` of a pool: EC2 Fleet in the place of the group's own launching, and what it does not go with.

use drstack_core::component::Problem;

use super::{PoolTable, PurchaseOption};
use crate::services::autoscaling::group::fleet::Engine;

/// What is wrong with it.
pub(super) fn problems(spec: &PoolTable) -> Vec<Problem> {
    if spec.engine != Engine::Fleet {
        return Vec::new();
    }
    let other_sizes = !spec.larger.is_empty() || !spec.smaller.is_empty();
    let all = [
        (
            spec.purchase.active == PurchaseOption::Spot,
            "Fleet launches on-demand instances, and this pool fails over on spot",
            "leave out `engine`, or the `active` of `purchase`",
        ),
        (
            !spec.reservations.is_empty(),
            "reserved capacity is used by what the group launches, and Fleet launches in its place",
            "leave out `engine`, or `reservations`",
        ),
        (
            // What an adopted instance counts in a group with weights is not documented.
            other_sizes,
            "a group that adopts what Fleet launched counts instances, and one with types of other sizes counts units",
            "leave out `engine`, or `larger` and `smaller`",
        ),
    ];
    let wrong = all.into_iter().filter(|(is_wrong, ..)| *is_wrong);
    wrong.map(|(_, message, help)| Problem::error("DR237", "engine", message, help)).collect()
}
