//! The field ledger: what becomes of every field of an object that a stack follows.
//!
//! A table beside each followed object lists all fields that AWS's service model has. A test
//! compares the tables with that model, so a field that AWS adds cannot be lost without a word. The
//! fact of an object records which of its fields are set and not carried, and the plan names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The page with every table, which notes refer to.
pub const PAGE: &str = "docs/reference/followed.md";

/// What becomes of a field of the primary's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The standby's object gets the same value.
    Carried,
    /// The standby's object gets a value of its own: which, and where it comes from.
    Mapped(&'static str),
    /// An object with it cannot be followed: the code of the diagnostic that says so.
    Refused(&'static str),
    /// The standby's object goes without it. The plan names it by this noun where it is set.
    NotYet(&'static str),
    /// The standby's object goes without it, and no call asks whether it is set: why.
    Unasked(&'static str),
    /// There is nothing to carry: why.
    Irrelevant(&'static str),
}

/// Where AWS's service model lists the fields of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Members of the structure of this name.
    Members(&'static str),
    /// Values of the enumeration of this name.
    Values(&'static str),
    /// Operations whose names begin with one of these words: what is read apart from the object.
    Operations(&'static [&'static str]),
}

/// The fields of one object, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// What it lists, for people.
    pub object: &'static str,
    /// The service, as botocore names its model.
    pub service: &'static str,
    /// Where the model lists the fields.
    pub model: Model,
    /// Every field with its fate. Notes name fields in this order.
    pub fields: &'static [(&'static str, Fate)],
}

impl Ledger {
    /// Returns the key of a field in facts: `AutoScalingGroup.HealthCheckType`, or the operation.
    fn key(&self, field: &str) -> String {
        match self.model {
            Model::Members(of) | Model::Values(of) => format!("{of}.{field}"),
            Model::Operations(_) => field.to_owned(),
        }
    }

    /// Returns the fields that are named where they are set, each with its noun.
    pub fn not_yet(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.fields.iter().filter_map(|(field, fate)| match fate {
            Fate::NotYet(noun) => Some((*field, *noun)),
            _ => None,
        })
    }
}

/// How a field is set in the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSetting {
    /// It is set. The value is not kept: it may be secret.
    Set,
    /// So many are set.
    Count(usize),
    /// It has this value, which is no secret.
    Value(String),
    /// The call that would tell failed: which call, and how.
    Unseen(String),
}

impl FieldSetting {
    /// Returns [`FieldSetting::Set`] if `is_set`.
    pub fn flag(is_set: bool) -> Option<Self> {
        is_set.then_some(Self::Set)
    }

    /// Returns the number of things that are set; none for 0.
    pub fn count(count: usize) -> Option<Self> {
        (count > 0).then_some(Self::Count(count))
    }

    /// Returns the value, unless it is `usual`, which the standby's object has without asking.
    pub fn unless(usual: &str, value: Option<&str>) -> Option<Self> {
        value.filter(|value| *value != usual && !value.is_empty()).map(|it| Self::Value(it.to_owned()))
    }

    fn describe(&self, noun: &str) -> String {
        match self {
            Self::Set | Self::Unseen(_) => noun.to_owned(),
            Self::Count(1) => format!("1 {noun}"),
            Self::Count(count) => format!("{count} {}", plural(noun)),
            Self::Value(value) => format!("{noun} {value}"),
        }
    }
}

/// Returns the plural of a noun of the tables.
fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// The fields of an object that are set in the primary and not carried, by their key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotCarried(BTreeMap<String, FieldSetting>);

impl NotCarried {
    /// True if nothing is lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how `field` of `ledger` is set.
    pub fn get(&self, ledger: &Ledger, field: &str) -> Option<&FieldSetting> {
        self.0.get(&ledger.key(field))
    }

    /// Adds those of `fields` of `ledger` that are set.
    pub fn add(
        &mut self,
        ledger: &Ledger,
        fields: impl IntoIterator<Item = (&'static str, Option<FieldSetting>)>,
    ) {
        let set = fields.into_iter().filter_map(|(field, setting)| Some((ledger.key(field), setting?)));
        self.0.extend(set);
    }

    /// Returns what to tell about the object `of`, whose tables are `ledgers`: what is lost, and
    /// what could not be seen.
    ///
    /// A field that an older version recorded and that is carried by now is left out.
    pub fn sentences(&self, of: &str, ledgers: &[&Ledger]) -> Vec<String> {
        if self.is_empty() {
            return Vec::new();
        }
        let (mut lost, mut unseen) = (Vec::new(), Vec::new());
        for ledger in ledgers {
            for (field, noun) in ledger.not_yet() {
                match self.0.get(&ledger.key(field)) {
                    Some(FieldSetting::Unseen(why)) => unseen.push(format!("{} ({why})", plural(noun))),
                    Some(setting) => lost.push(setting.describe(noun)),
                    None => {}
                }
            }
        }
        let lost = (!lost.is_empty()).then(|| format!("not carried from {of}: {} ({PAGE})", lost.join(", ")));
        let unseen = (!unseen.is_empty()).then(|| {
            format!(
                "could not see of {of}: {}; docs/iam-policy.json lists what drstack needs",
                unseen.join(", ")
            )
        });
        lost.into_iter().chain(unseen).collect()
    }
}

#[cfg(feature = "aws")]
impl FieldSetting {
    /// Returns that the call of `error` failed.
    pub(crate) fn unseen(error: &drstack_core::cloud::CloudError) -> Self {
        use drstack_core::cloud::CloudError;
        Self::Unseen(match error {
            CloudError::Denied { operation, .. } => format!("{operation} was denied"),
            CloudError::Expired { operation, .. } => {
                format!("{operation} was refused: the credentials have expired")
            }
            CloudError::Unreachable { operation, .. } => format!("{operation} did not answer"),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GROUP: Ledger = Ledger {
        object: "group",
        service: "autoscaling",
        model: Model::Members("Group"),
        fields: &[
            ("HealthCheckType", Fate::NotYet("health check")),
            ("Name", Fate::Carried),
            ("Policies", Fate::NotYet("scaling policy")),
            ("Processes", Fate::NotYet("suspended process")),
            ("KeyName", Fate::NotYet("key pair")),
            ("Hooks", Fate::NotYet("lifecycle hook")),
        ],
    };

    fn found() -> NotCarried {
        let mut found = NotCarried::default();
        found.add(
            &GROUP,
            [
                ("Policies", FieldSetting::count(3)),
                ("Processes", FieldSetting::count(1)),
                ("HealthCheckType", FieldSetting::unless("EC2", Some("ELB"))),
                ("KeyName", FieldSetting::flag(true)),
            ],
        );
        found
    }

    #[test]
    fn what_is_lost_is_one_sentence_in_the_order_of_the_table() {
        assert_eq!(
            found().sentences("group web", &[&GROUP]),
            [
                "not carried from group web: health check ELB, 3 scaling policies, 1 suspended process, key pair \
             (docs/reference/followed.md)"
            ]
        );
    }

    #[test]
    fn what_is_usual_is_not_lost() {
        let mut found = NotCarried::default();
        found.add(
            &GROUP,
            [
                ("Policies", FieldSetting::count(0)),
                ("HealthCheckType", FieldSetting::unless("EC2", Some("EC2"))),
                ("KeyName", FieldSetting::flag(false)),
            ],
        );
        assert!(found.is_empty());
        assert_eq!(found.sentences("group web", &[&GROUP]), Vec::<String>::new());
    }

    #[test]
    fn what_could_not_be_seen_is_named_with_the_call() {
        let mut found = NotCarried::default();
        let why = "autoscaling:DescribeLifecycleHooks was denied".to_owned();
        found.add(&GROUP, [("Hooks", Some(FieldSetting::Unseen(why)))]);
        assert_eq!(
            found.sentences("group web", &[&GROUP]),
            ["could not see of group web: lifecycle hooks (autoscaling:DescribeLifecycleHooks was denied); \
             docs/iam-policy.json lists what drstack needs"]
        );
    }

    #[test]
    fn a_field_that_is_carried_by_now_is_not_named() {
        let older = json!({"Group.Name": "set", "Group.Gone": {"count": 2}, "Group.KeyName": "set"});
        let older = NotCarried::deserialize(&older).unwrap();
        assert_eq!(
            older.sentences("group web", &[&GROUP]),
            ["not carried from group web: key pair (docs/reference/followed.md)"]
        );
    }

    #[test]
    fn it_is_stored_as_it_is_read() {
        let stored = json!({
            "Group.HealthCheckType": {"value": "ELB"}, "Group.KeyName": "set",
            "Group.Policies": {"count": 3}, "Group.Processes": {"count": 1},
        });
        assert_eq!(serde_json::to_value(found()).unwrap(), stored);
        assert_eq!(NotCarried::deserialize(&stored).unwrap(), found());
    }
}
