//! Actions on a resource, and the calls that they take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Create it.
    Create,
    /// Update it in place.
    Update,
    /// Delete it.
    Delete,
}

impl Action {
    /// Returns its verb: what a plan does with the resource.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "change",
            Self::Delete => "delete",
        }
    }
}

/// Region of a call, beside what the places of its kind say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The places of its kind.
    OfKind,
    /// The places of its kind, and the primary region.
    AlsoPrimary,
    /// The standby region, whatever the place of its kind.
    Standby,
    /// Checked by AWS in the standby region, for a call that is sent to the primary or reads from it.
    ThroughPrimary,
}

/// One call that a kind may make. IAM permissions follow from it, and the rule that a failover calls nothing that may have
/// failed with the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Operation {
    /// IAM prefix of the service: `s3`, `ec2`.
    pub service: &'static str,
    /// IAM action: `CreateBucket`.
    pub action: &'static str,
    /// The control plane that one region keeps for the whole partition, if the call goes to one.
    #[serde(skip)]
    home: Option<&'static str>,
    /// True for a permission that other calls need, and that is never called itself.
    #[serde(skip)]
    is_implied: bool,
    #[serde(skip)]
    creates: bool,
    #[serde(skip)]
    updates: bool,
    #[serde(skip)]
    deletes: bool,
    #[serde(skip)]
    side: Side,
}

/// Starts of the names of actions that only read.
const READS: [&str; 5] = ["Describe", "Get", "List", "Query", "Scan"];

impl Operation {
    /// Declares the call. Its name says which steps make it: `Create...` no update and no deletion, `Delete...` nothing
    /// but deletions, any other all of them.
    pub const fn new(service: &'static str, action: &'static str) -> Self {
        let (is_create, is_delete) = (starts_with(action, "Create"), starts_with(action, "Delete"));
        Self {
            service,
            action,
            home: None,
            is_implied: false,
            creates: !is_delete,
            updates: !is_create && !is_delete,
            deletes: !is_create,
            side: Side::OfKind,
        }
    }

    /// A permission that other calls need, and that is never called itself.
    pub const fn implied(self) -> Self {
        Self { is_implied: true, ..self }
    }

    /// A call that updates make too, whatever its name says: it creates a part of what exists.
    pub const fn also_updates(self) -> Self {
        Self { updates: true, ..self }
    }

    /// A call that no creation makes, whatever its name says.
    pub const fn never_creates(self) -> Self {
        Self { creates: false, ..self }
    }

    /// A call that nothing but creations make, whatever its name says.
    pub const fn only_creates(self) -> Self {
        Self { creates: true, updates: false, deletes: false, ..self }
    }

    /// A call that nothing but deletions make, whatever its name says.
    pub const fn only_deletes(self) -> Self {
        Self { creates: false, updates: false, deletes: true, ..self }
    }

    /// A call whose region does not follow from the places of its kind.
    pub const fn on(self, side: Side) -> Self {
        Self { side, ..self }
    }

    /// A call to a control plane that one region keeps for the whole partition, named for people.
    pub const fn at(self, home: &'static str) -> Self {
        Self { home: Some(home), ..self }
    }

    /// True if a step with this action may make the call.
    pub fn is_of(&self, action: Action) -> bool {
        match action {
            Action::Create => self.creates,
            Action::Update => self.updates,
            Action::Delete => self.deletes,
        }
    }

    /// True if the call only reads. What AWS demands for another call belongs to that call.
    pub fn reads(&self) -> bool {
        let is_called = !self.is_implied && self.side != Side::ThroughPrimary;
        is_called && READS.iter().any(|start| self.action.starts_with(start))
    }

    /// Its region, beside what the places of its kind say.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The control plane of the whole partition that the call goes to, which a dead region may take with it; `None` if the
    /// call stays in its region, or is never made.
    pub fn home(&self) -> Option<&'static str> {
        self.home.filter(|_| !self.is_implied)
    }
}

const fn starts_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    if text.len() < start.len() {
        return false;
    }
    let mut at = 0;
    while at < start.len() {
        if text[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_makes_the_calls_that_their_names_or_flags_say() {
        let steps =
            |it: Operation| [Action::Create, Action::Update, Action::Delete].map(|step| it.is_of(step));
        assert_eq!(steps(Operation::new("s3", "CreateBucket")), [true, false, false]);
        assert_eq!(steps(Operation::new("s3", "DeleteBucket")), [false, false, true]);
        assert_eq!(steps(Operation::new("s3", "PutBucketPolicy")), [true, true, true]);
        assert_eq!(steps(Operation::new("ec2", "CreateTags").also_updates()), [true, true, false]);
        assert_eq!(steps(Operation::new("ec2", "TerminateInstances").never_creates()), [false, true, true]);
        assert_eq!(steps(Operation::new("ec2", "DeregisterImage").only_deletes()), [false, false, true]);
        assert_eq!(steps(Operation::new("ec2", "CopyImage").only_creates()), [true, false, false]);
        let pass = Operation::new("iam", "PassRole").at("IAM");
        assert_eq!((pass.home(), pass.implied().home()), (Some("IAM"), None));
    }
}
