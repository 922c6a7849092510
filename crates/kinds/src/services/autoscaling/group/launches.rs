//! The number of instances that a failover launches, and the size of a group while the launch
//! budget limits it.

use super::{Failover, GroupLive, GroupSpec, Step};

impl GroupSpec {
    /// Returns the size that an update sets beside `live`.
    ///
    /// While spot instances still serve, the new instances come on top of them.
    pub(super) fn size_beside(&self, live: Option<&GroupLive>) -> u32 {
        let all = match (self.failover, live) {
            (Some(Failover { rung: Step::Whole, .. }), Some(live)) => self.desired + self.surplus(live),
            _ => self.desired,
        };
        all.min(self.failover.and_then(|it| it.up_to).unwrap_or(u32::MAX))
    }

    /// Returns the largest number of instances that Auto Scaling is asked to launch.
    pub(super) fn launches_beside(&self, live: Option<&GroupLive>) -> u32 {
        let live = live.map(|live| live.counted_for(self));
        let live = live.as_ref();
        if self.failover.is_none() || live.is_some_and(|live| self.is_served_by(live)) {
            return 0;
        }
        self.size_beside(live).saturating_sub(self.there(live)).div_ceil(self.least_of_a_launch())
    }

    /// Returns this spec, raised by at most `launches` instances.
    pub(super) fn raised_by(&self, live: Option<&GroupLive>, launches: u32) -> Self {
        let more = launches.saturating_mul(self.least_of_a_launch());
        let live = live.map(|live| live.counted_for(self));
        let up_to = Some(self.there(live.as_ref()).saturating_add(more));
        Self { failover: self.failover.map(|it| Failover { up_to, ..it }), ..self.clone() }
    }

    /// Returns the capacity that needs no launch. On a lower rung, capacity requested earlier did
    /// not arrive.
    fn there(&self, live: Option<&GroupLive>) -> u32 {
        match live {
            None => 0,
            Some(live) if self.is_lowered() => live.in_service(),
            Some(live) => live.in_service().max(live.desired),
        }
    }

    /// Returns the least capacity that one launch adds.
    fn least_of_a_launch(&self) -> u32 {
        self.weights().into_values().min().unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use drstack_core::kind::{Capacity, Kind, Revised};
    use serde_json::json;

    use super::*;
    use crate::resources::Group;

    fn spec() -> GroupSpec {
        serde_json::from_value(json!({
            "name": "g", "template": "lt-1", "template_version": "1", "subnets": [], "types": ["g5.xlarge"],
            "min": 1500, "max": 1500, "desired": 1500, "on_demand_percentage": 100,
            "failover": { "minimum": 900 },
        }))
        .unwrap()
    }

    fn warm(spot: u32) -> GroupLive {
        GroupLive { desired: spot, on_demand: 0, spot, ..Group::expect(&spec(), "g") }
    }

    #[test]
    fn a_part_is_raised_beside_the_spot_instances_and_lets_none_go() {
        let (spec, live) = (spec(), warm(375));
        assert_eq!(spec.launches_beside(Some(&live)), 1500);
        let part = spec.raised_by(Some(&live), 1000);
        let there = Group::expect_after(&part, "g", &live);
        assert_eq!((there.desired, there.on_demand, there.spot), (1375, 1000, 375));
        // Fewer on-demand instances than desired do not retire the spot ones.
        assert_eq!(Group::expect_after(&part, "g", &there).spot, 375);
        assert_eq!(spec.launches_beside(Some(&there)), 500);
    }

    #[test]
    fn what_serves_is_launched_by_nobody() {
        let spec = spec();
        let full = GroupLive { on_demand: 1500, spot: 0, ..warm(0) };
        assert_eq!(spec.launches_beside(Some(&full)), 0);
        assert_eq!(spec.launches_beside(None), 1500);
        assert_eq!(GroupSpec { failover: None, ..spec }.launches_beside(None), 0);
    }

    /// After a failback, a group of standby size is ready at once: on-demand instances stay until
    /// spot ones serve.
    #[test]
    fn on_demand_instances_that_a_failover_left_count_as_serving_and_are_told() {
        let standby =
            GroupSpec { failover: None, on_demand_percentage: 0, min: 375, max: 375, desired: 375, ..spec() };
        for (on_demand, spot) in [(1500, 0), (375, 0), (200, 175), (0, 375)] {
            let live = GroupLive { on_demand, spot, ..Group::expect(&standby, "g") };
            assert_eq!(Group::ready(&standby, &live), drstack_core::kind::Readiness::Ready);
            assert_eq!(Group::left_on_demand(&standby, &live), on_demand);
            assert_eq!(Group::left_on_demand(&spec(), &live), 0, "a failover wants them");
        }
    }
}
