//! `engine` of a pool: EC2 Fleet instead of the group launches instances. Checks what it cannot be
//! combined with.

use drstack_core::component::Problem;

use super::{PoolTable, PurchaseOption};
use crate::services::autoscaling::group::fleet::Engine;

/// Returns the problems of `engine`.
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
            // AWS does not document the weight of an adopted instance in a group with weights.
            other_sizes,
            "a group that adopts what Fleet launched counts instances, and one with types of other sizes counts units",
            "leave out `engine`, or `larger` and `smaller`",
        ),
    ];
    let wrong = all.into_iter().filter(|(is_wrong, ..)| *is_wrong);
    wrong.map(|(_, message, help)| Problem::error("DR237", "engine", message, help)).collect()
}
