//! The burst of a failover, launched by EC2 Fleet.
//!
//! One request of type `instant` returns the instances, and an error for each capacity pool without
//! capacity. The group adopts the instances; the result is the same as if the group had launched
//! them.
//!
//! The update is called until nothing is left for Fleet; [`next`] returns the next action. Launched
//! instances are found by their tag, so a run after an interrupted one adopts them and launches
//! only what is then missing.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use drstack_core::cloud::sha256;
use drstack_core::kind::{Limit, Shortage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupSpec, Step};

/// The tag of launched instances. Its value is the address of their group.
pub const BURST: &str = "drstack:burst";

/// Who launches the instances that a failover lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The Auto Scaling group, which tries again by itself.
    #[default]
    Group,
    /// EC2 Fleet, at once; the group adopts them.
    Fleet,
}

impl Engine {
    /// True if this is the default engine.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How long an identical request counts as a repetition, which EC2 answers with the instances of
/// the first.
///
/// Instances of an interrupted run become visible well within it; a failover that is tried again
/// later needs a new answer.
const REPETITION: Duration = Duration::from_secs(5 * 60);

/// An instance that Fleet launched for a group and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Its id.
    pub id: String,
    /// Its stage.
    pub stage: Stage,
}

/// Stage of an instance that Fleet launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It cannot join yet: Auto Scaling accepts running instances only.
    Starting,
    /// It runs outside the group.
    Running,
    /// It is in the group.
    Joined,
    /// It serves in the group.
    Serving,
}

/// Fleet's response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Ids of the launched instances.
    pub instances: Vec<String>,
    /// Errors of the capacity pools that had none.
    pub errors: Vec<Refusal>,
}

/// Fleet's error for one capacity pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit that was reached, if known.
    pub limit: Option<Limit>,
    /// Error code and message.
    pub message: String,
}

impl Answer {
    /// Returns the shortage that the errors describe.
    ///
    /// If one pool does not support the request but another may, the region is short of capacity.
    fn shortage(&self) -> Option<Shortage> {
        let of = |limit: Limit| self.errors.iter().find(|it| it.limit == Some(limit));
        let found = of(Limit::Capacity).or_else(|| of(Limit::Quota)).or_else(|| of(Limit::Never))?;
        Some(Shortage { limit: found.limit?, message: found.message.clone() })
    }
}

/// The next action of a burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Request this many instances from Fleet.
    Launch(u32),
    /// Attach these instances to the group.
    Adopt(Vec<String>),
    /// Wait: an earlier action is still in progress.
    Wait(String),
    /// Fleet launched too few; the next rung covers the rest.
    Short(Shortage),
    /// The group continues by itself.
    Nothing,
}

/// Returns the next action while the group lacks `missing` instances, not counting the `launched`
/// ones already in it.
///
/// Fleet is asked once. After its `answer` to this run, the next rung covers the rest, or the group
/// does if no limit was named.
pub fn next(missing: u32, launched: &[Launched], answer: Option<&Answer>) -> Next {
    let at = |stage: Stage| launched.iter().filter(move |it| it.stage == stage);
    let (starting, running) = (at(Stage::Starting).count(), at(Stage::Running).count());
    let loose = u32::try_from(starting + running).unwrap_or(u32::MAX);
    if answer.is_none() && loose < missing {
        return Next::Launch(missing - loose);
    }
    if running > 0 {
        return Next::Adopt(at(Stage::Running).map(|it| it.id.clone()).collect());
    }
    if starting > 0 {
        return Next::Wait(format!("{starting} launched instances do not run yet"));
    }
    match answer.and_then(Answer::shortage) {
        Some(_) if missing > 0 && at(Stage::Joined).count() > 0 => {
            // The next rung builds on the serving capacity.
            Next::Wait("launched instances join the group".to_owned())
        }
        Some(why) if missing > 0 => Next::Short(why),
        _ => Next::Nothing,
    }
}

/// A subnet, its zone, and its number of free addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Number of free addresses.
    pub free: i32,
}

/// Returns the capacity pools in order of use: type, subnet and priority, lowest number first.
///
/// Fleet takes one subnet per zone
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-ec2-fleet.html>): the one with the
/// most free addresses.
pub fn pools(types: &[String], subnets: &[Subnet]) -> Vec<(String, String, u32)> {
    let mut zones: BTreeMap<&str, &Subnet> = BTreeMap::new();
    for subnet in subnets {
        let best = zones.entry(&subnet.zone).or_insert(subnet);
        if (subnet.free, &best.id) > (best.free, &subnet.id) {
            *best = subnet;
        }
    }
    let of = |(priority, of): (u32, &String)| -> Vec<(String, String, u32)> {
        zones.values().map(|subnet| (of.clone(), subnet.id.clone(), priority)).collect()
    };
    (0..).zip(types).flat_map(of).collect()
}

/// Returns the token that makes repeated requests one: same step, spec and count within
/// [`REPETITION`].
pub fn token(step: &str, spec: &GroupSpec, count: u32, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let turn = since.as_secs() / REPETITION.as_secs();
    let wanted = serde_json::to_string(spec).unwrap_or_default();
    sha256(format!("{step}\n{wanted}\n{count}\n{turn}").as_bytes())
}

impl GroupSpec {
    /// True if Fleet launches the missing instances. On a lower rung the group launches them.
    pub fn is_launched_by_fleet(&self) -> bool {
        self.by_fleet
            && self.failover.is_some_and(|it| it.rung == Step::Whole)
            && self.on_demand_percentage == 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(stages: &[Stage]) -> Vec<Launched> {
        let one = |(at, stage): (usize, &Stage)| Launched { id: format!("i-{at}"), stage: *stage };
        stages.iter().enumerate().map(one).collect()
    }

    fn refused(limits: &[Option<Limit>]) -> Answer {
        let one = |limit: &Option<Limit>| Refusal { limit: *limit, message: format!("{limit:?}") };
        Answer { instances: Vec::new(), errors: limits.iter().map(one).collect() }
    }

    #[test]
    fn a_burst_is_launched_once_and_adopted_as_it_comes() {
        use Stage::{Joined, Running, Serving, Starting};
        let answer = Answer::default();
        assert_eq!(next(3, &[], None), Next::Launch(3));
        let starting = some(&[Starting, Starting, Starting]);
        assert!(matches!(next(3, &starting, Some(&answer)), Next::Wait(_)));
        // A running instance joins at once, independent of the others.
        let some_run = some(&[Running, Starting, Running]);
        assert_eq!(next(3, &some_run, Some(&answer)), Next::Adopt(vec!["i-0".to_owned(), "i-2".to_owned()]));
        let one_left = some(&[Joined, Starting, Serving]);
        assert!(matches!(next(1, &one_left, Some(&answer)), Next::Wait(_)));
        assert_eq!(next(0, &some(&[Joined, Joined, Serving]), Some(&answer)), Next::Nothing);
        // The group replaces instances that ended meanwhile.
        assert_eq!(next(1, &some(&[Joined, Serving]), Some(&answer)), Next::Nothing);
    }

    #[test]
    fn who_comes_after_a_run_that_was_cut_off_launches_only_what_is_missing() {
        use Stage::{Joined, Running, Starting};
        assert!(matches!(next(3, &some(&[Starting, Starting, Starting]), None), Next::Wait(_)));
        assert_eq!(next(3, &some(&[Running, Starting]), None), Next::Launch(1));
        // The group counts the instances that it has adopted.
        assert_eq!(next(1, &some(&[Joined, Running]), None), Next::Adopt(vec!["i-1".to_owned()]));
        assert_eq!(next(0, &some(&[Joined, Joined]), None), Next::Nothing);
    }

    #[test]
    fn what_fleet_did_not_get_is_a_shortage_once_what_it_got_serves() {
        let short = refused(&[None, Some(Limit::Never), Some(Limit::Quota), Some(Limit::Capacity)]);
        assert_eq!(next(2, &some(&[Stage::Running]), Some(&short)), Next::Adopt(vec!["i-0".to_owned()]));
        assert!(matches!(next(2, &some(&[Stage::Joined]), Some(&short)), Next::Wait(_)));
        let Next::Short(why) = next(2, &some(&[Stage::Serving]), Some(&short)) else { panic!("short") };
        assert_eq!(why.limit, Limit::Capacity);
        // Pools without capacity do not matter if others had enough.
        assert_eq!(next(0, &some(&[Stage::Joined]), Some(&short)), Next::Nothing);
        let of = |limits: &[Option<Limit>]| match next(1, &[], Some(&refused(limits))) {
            Next::Short(why) => Some(why.limit),
            other => {
                assert_eq!(other, Next::Nothing);
                None
            }
        };
        assert_eq!(of(&[Some(Limit::Never), Some(Limit::Quota)]), Some(Limit::Quota));
        assert_eq!(of(&[Some(Limit::Never)]), Some(Limit::Never));
        // Unknown cause: the group tries, and reports it.
        assert_eq!(of(&[None]), None);
    }

    #[test]
    fn types_go_before_zones_and_a_zone_has_one_subnet() {
        let subnet = |id: &str, zone: &str, free| Subnet { id: id.to_owned(), zone: zone.to_owned(), free };
        let subnets =
            [subnet("s-1", "b", 5), subnet("s-3", "a", 9), subnet("s-2", "b", 90), subnet("s-0", "a", 9)];
        let pool = |of: &str, subnet: &str, priority| (of.to_owned(), subnet.to_owned(), priority);
        assert_eq!(
            pools(&["g6.xlarge".to_owned(), "g5.xlarge".to_owned()], &subnets),
            [
                pool("g6.xlarge", "s-0", 0),
                pool("g6.xlarge", "s-2", 0),
                pool("g5.xlarge", "s-0", 1),
                pool("g5.xlarge", "s-2", 1),
            ]
        );
    }

    #[test]
    fn a_request_is_the_same_for_a_while() {
        let spec = |by_fleet: bool| -> GroupSpec {
            serde_json::from_value(serde_json::json!({
                "name": "g", "template": "lt-1", "template_version": "1", "subnets": [], "types": ["g5.xlarge"],
                "min": 4, "max": 4, "desired": 4, "on_demand_percentage": 100,
                "by_fleet": by_fleet, "failover": { "minimum": 2 },
            }))
            .unwrap()
        };
        assert!(spec(true).is_launched_by_fleet() && !spec(false).is_launched_by_fleet());
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let first = token("step", &spec(true), 3, at(1_000));
        assert_eq!(first.len(), 64);
        assert_eq!(token("step", &spec(true), 3, at(1_100)), first);
        let part = spec(true).raised_by(None, 2);
        for other in [
            token("other", &spec(true), 3, at(1_000)),
            token("step", &part, 3, at(1_000)),
            token("step", &spec(true), 2, at(1_000)),
            token("step", &spec(true), 3, at(2_000)),
        ] {
            assert_ne!(other, first);
        }
    }
}
