//! `larger` and `smaller` of a pool: types of other sizes that replace the usual ones if those have
//! no capacity.

use std::collections::BTreeMap;

use drstack_core::component::Problem;

use super::{PoolTable, no_type};
use crate::services::autoscaling::group::sizes::Sizes;

/// Maximum number of units of an instance, which Auto Scaling accepts as `WeightedCapacity`
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LaunchTemplateOverrides.html>).
const MOST: u32 = 999;
/// Help for types of other sizes.
const FORMS: &str = "write how many: `larger = { \"g5.2xlarge\" = 2 }` does the work of two, and of `smaller = { \"g5.large\" = 2 }` two do the work of one";

/// Returns the problems of `larger` and `smaller`.
pub(super) fn problems(spec: &PoolTable) -> Vec<Problem> {
    let mut out = Vec::new();
    let mut before = spec.instance_types.clone();
    for (field, sizes) in [("larger", &spec.larger), ("smaller", &spec.smaller)] {
        for (of, count) in sizes {
            let message = match no_type(&before, of) {
                Some(_) if before.contains(of) => format!("`{of}` stands elsewhere in the pool already"),
                Some(problem) => problem.message,
                None if *count < 2 => {
                    format!("`{of}` = {count}: what counts as one usual instance stands in `instance_types`")
                }
                None => continue,
            };
            out.push(Problem::error("DR236", field, message, FORMS));
        }
        before.extend(sizes.keys().cloned());
    }
    let unit = unit(spec);
    let largest = spec.larger.values().map(|count| unit.saturating_mul(u64::from(*count))).max();
    let most = largest.unwrap_or(0).max(unit);
    if out.is_empty() && most > u64::from(MOST) {
        let message = format!(
            "the largest type counts {most} units of the smallest, and Auto Scaling takes {MOST} at most"
        );
        let field = if spec.larger.is_empty() { "smaller" } else { "larger" };
        out.push(Problem::error("DR236", field, message, "leave out the smallest or the largest of them"));
    }
    out
}

/// Returns the units of one usual instance: the smallest number that each count of `smaller`
/// divides.
fn unit(spec: &PoolTable) -> u64 {
    let common = |one: u64, other: u64| one.saturating_mul(other) / divisor(one, other);
    spec.smaller.values().map(|count| u64::from((*count).max(1))).fold(1, common)
}

fn divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one.max(1) } else { divisor(other, one % other) }
}

/// Returns the units of one usual instance, and the other sizes for its group; none if the pool
/// names none.
pub(super) fn sizes(spec: &PoolTable, types: &[String]) -> (u32, Option<Sizes>) {
    if spec.larger.is_empty() && spec.smaller.is_empty() {
        return (1, None);
    }
    let unit = u32::try_from(unit(spec)).unwrap_or(MOST);
    let mut units: BTreeMap<String, u32> = types.iter().map(|of| (of.clone(), unit)).collect();
    // The nearest in size come first, and larger ones before smaller ones, because they take fewer
    // launches.
    let mut others: Vec<(bool, u32, &String)> =
        spec.larger.iter().map(|(of, count)| (false, *count, of)).collect();
    others.extend(spec.smaller.iter().map(|(of, count)| (true, *count, of)));
    others.sort();
    for (is_smaller, count, of) in &others {
        let counts = if *is_smaller { unit / (*count).max(1) } else { unit.saturating_mul(*count) };
        units.entry((*of).clone()).or_insert(counts.max(1));
    }
    // The primary's group may run one of them by now.
    let others = others.into_iter().map(|(.., of)| of.clone()).filter(|of| !types.contains(of)).collect();
    (unit, Some(Sizes { others, units, in_use: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(larger: &[(&str, u32)], smaller: &[(&str, u32)]) -> PoolTable {
        let map = |these: &[(&str, u32)]| these.iter().map(|(of, n)| ((*of).to_owned(), *n)).collect();
        PoolTable { larger: map(larger), smaller: map(smaller), ..crate::components::pool::tests::plain() }
    }

    #[test]
    fn usual_instances_count_what_the_smallest_divide() {
        let types = ["g5.2xlarge".to_owned()];
        let (unit, sizes) =
            super::sizes(&pool(&[("g5.8xlarge", 4)], &[("g5.xlarge", 2), ("g6.large", 3)]), &types);
        let sizes = sizes.unwrap();
        assert_eq!(unit, 6);
        assert_eq!(sizes.others, ["g5.8xlarge", "g5.xlarge", "g6.large"]);
        let counts = |of: &str| sizes.units[of];
        assert_eq!(["g5.2xlarge", "g5.8xlarge", "g5.xlarge", "g6.large"].map(counts), [6, 24, 3, 2]);
        assert_eq!(super::sizes(&pool(&[], &[]), &types), (1, None));
        assert_eq!(super::sizes(&pool(&[("g5.4xlarge", 2)], &[]), &types).0, 1);
    }
}
