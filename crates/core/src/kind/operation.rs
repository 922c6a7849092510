//! What is done to a resource, and the calls that it takes.

use serde::{Deserialize, Serialize};

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Take it away.
    Delete,
}

/// One call a kind may make, for the permissions it needs and for the rule that a failover calls nothing that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Operation {
    /// IAM prefix of the service: `s3`, `ec2`.
    pub service: &'static str,
    /// IAM action: `CreateBucket`.
    pub action: &'static str,
}

impl Operation {
    /// Whether nobody calls it: other calls need it to be allowed.
    pub fn is_permission(&self) -> bool {
        matches!(
            (self.service, self.action),
            ("iam", "PassRole" | "CreateServiceLinkedRole")
                | ("ec2", "RunInstances")
                | ("logs", _)
                | ("s3", "AbortMultipartUpload" | "PutObjectAcl")
        )
    }

    /// Whether a step of this sort may make the call, by its name: what makes or takes away is not called to change.
    pub fn is_of(&self, action: Action) -> bool {
        let (makes, removes) = (self.action.starts_with("Create"), self.action.starts_with("Delete"));
        match action {
            Action::Create => !removes && self.action != "TerminateInstances",
            Action::Update => {
                // Tags and instances of what is there.
                let of_parts = matches!(self.action, "CreateFleet" | "CreateOrUpdateTags" | "CreateTags");
                !makes && !removes || of_parts
            }
            Action::Delete => !makes,
        }
    }

    /// Where the call ends that a dead region may take with it: for control planes that one region keeps for the whole partition.
    /// None for what stays in the region it is made in, and for permissions that other calls need and nobody calls.
    pub fn home(&self) -> Option<&'static str> {
        if self.is_permission() || !crate::calls::is_global(self.service, self.action) {
            return None;
        }
        Some(match self.service {
            "iam" => "IAM's control plane (us-east-1)",
            "route53" => "Route 53's control plane (us-east-1)",
            "s3" => "S3's bucket names (us-east-1)",
            _ => "a control plane of the whole partition",
        })
    }
}
