//! Lifecycle hooks of a group, which a pool carries from the primary's group: a launching hook is
//! what makes "in service" mean that an instance has loaded what it serves.

use serde::{Deserialize, Serialize};

/// A lifecycle hook that notifies nobody: what completes it runs on the instance, or follows events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// `autoscaling:EC2_INSTANCE_LAUNCHING` or `autoscaling:EC2_INSTANCE_TERMINATING`.
    pub transition: String,
    /// Seconds until it counts as completed with the default result.
    pub heartbeat: i32,
    /// `ABANDON` or `CONTINUE`.
    pub default_result: String,
    /// What the event of the hook says, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

impl Hook {
    /// True if an instance that nothing completes the hook for is ended, and never in service.
    pub fn abandons_launches(&self) -> bool {
        self.transition == "autoscaling:EC2_INSTANCE_LAUNCHING" && self.default_result == "ABANDON"
    }
}

/// Hooks by what becomes of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Those that are carried, by name.
    pub carried: Vec<Hook>,
    /// The number of those that notify a queue or topic, which belongs to a region and has a role.
    pub notifying: usize,
}

impl Hooks {
    /// Sorts hooks, each with the ARN that it notifies.
    pub fn of(all: impl IntoIterator<Item = (Hook, Option<String>)>) -> Self {
        let mut hooks = Self::default();
        for (hook, target) in all {
            match target.filter(|it| !it.is_empty()) {
                Some(_) => hooks.notifying += 1,
                None => hooks.carried.push(hook),
            }
        }
        hooks.carried.sort();
        hooks
    }
}

/// What has to be done to the hooks of a group.
#[derive(Debug, PartialEq, Eq)]
pub struct HookChanges<'a> {
    /// Hooks to put.
    pub put: Vec<&'a Hook>,
    /// Names of hooks to delete.
    pub delete: Vec<&'a str>,
}

impl<'a> HookChanges<'a> {
    /// Compares the hooks that the pool carries with those of the `live` group.
    pub fn between(wanted: &'a [Hook], live: &'a [Hook]) -> Self {
        let is_wanted = |it: &&Hook| wanted.iter().any(|other| other.name == it.name);
        Self {
            put: wanted.iter().filter(|it| !live.contains(it)).collect(),
            delete: live.iter().filter(|it| !is_wanted(it)).map(|it| it.name.as_str()).collect(),
        }
    }
}

#[cfg(feature = "aws")]
pub(crate) mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, heartbeat: i32) -> Hook {
        Hook {
            name: name.to_owned(),
            transition: "autoscaling:EC2_INSTANCE_LAUNCHING".to_owned(),
            heartbeat,
            default_result: "ABANDON".to_owned(),
            metadata: None,
        }
    }

    /// C1
    #[test]
    fn a_hook_that_notifies_a_target_of_the_primary_is_not_carried() {
        let topic = Some("arn:aws:sns:us-east-1:111122223333:warm".to_owned());
        let all =
            [(hook("load", 900), None), (hook("warm", 60), topic), (hook("drain", 60), Some(String::new()))];
        let hooks = Hooks::of(all);
        assert_eq!(hooks, Hooks { carried: vec![hook("drain", 60), hook("load", 900)], notifying: 1 });
    }

    /// C1
    #[test]
    fn hooks_that_differ_are_put_and_others_deleted() {
        let (wanted, live) = ([hook("load", 900), hook("new", 60)], [hook("load", 600), hook("old", 60)]);
        let changes = HookChanges::between(&wanted, &live);
        assert_eq!((changes.put, changes.delete), (vec![&wanted[0], &wanted[1]], vec!["old"]));
        let none = HookChanges::between(&live, &live);
        assert_eq!((none.put, none.delete), (vec![], vec![]));
    }
}
