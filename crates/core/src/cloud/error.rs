//! Why a call did not do what it was asked, and what to do next.

use serde::{Deserialize, Serialize};

/// Why a call did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum CloudError {
    /// The service asked for fewer calls.
    #[error("{operation} was throttled")]
    Throttled {
        /// `ec2:RunInstances`.
        operation: String,
    },
    /// The credentials may not do this.
    #[error("{operation} was denied: {message}")]
    Denied {
        /// `s3:PutBucketReplication`.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// Nothing answered.
    #[error("{operation} in {region} did not answer: {message}")]
    Unreachable {
        /// Which call.
        operation: String,
        /// Where.
        region: String,
        /// What the client saw.
        message: String,
    },
    /// The region has no such capacity now.
    #[error("{operation}: no capacity: {message}")]
    NoCapacity {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// An account limit.
    #[error("{operation}: over a quota: {message}")]
    Quota {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// Something of that name exists or is being changed.
    #[error("{operation}: conflict: {message}")]
    Conflict {
        /// Which call.
        operation: String,
        /// What AWS said.
        message: String,
    },
    /// What has to be so is not so now, and may be later: a check that does not pass.
    #[error("{operation} does not pass: {message}")]
    NotYet {
        /// Which look.
        operation: String,
        /// What was seen.
        message: String,
    },
    /// AWS will never accept this request.
    #[error("{operation} refused: {code}: {message}")]
    Invalid {
        /// Which call.
        operation: String,
        /// AWS's error code.
        code: String,
        /// What AWS said.
        message: String,
    },
    /// It was not sent: it would have left the standby region while the cloud was told to stand alone.
    #[error("{operation} was not sent to {region}: a failover calls nothing outside the standby region")]
    Forbidden {
        /// Which call.
        operation: String,
        /// Where it would have gone.
        region: String,
    },
    /// It was not sent: the lock of the run that wanted it is over.
    #[error("{operation} was not sent: this run does not hold the stack's lock any more")]
    Lapsed {
        /// Which call.
        operation: String,
    },
    /// Anything else.
    #[error("{operation} failed: {message}")]
    Other {
        /// Which call.
        operation: String,
        /// What was said.
        message: String,
    },
}

impl CloudError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. } | Self::Other { .. })
    }

    /// What to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Throttled { .. } => "run `drstack apply` again, or lower `--parallelism`".to_owned(),
            Self::Denied { operation, .. } if operation.starts_with("s3:") => {
                format!(
                    "name another bucket if this one is another account's; if not, allow `{operation}` to these credentials: `docs/iam-policy.json` lists what drstack needs"
                )
            }
            Self::Denied { operation, .. } => {
                format!(
                    "allow `{operation}` to these credentials; `docs/iam-policy.json` lists what drstack needs"
                )
            }
            Self::Unreachable { region, .. } => {
                format!("check the network and whether {region} is up, then run again")
            }
            Self::NoCapacity { .. } => "name more instance types in the pool, then run again".to_owned(),
            Self::Quota { .. } => {
                "raise the quota in Service Quotas for the standby region, then run again".to_owned()
            }
            Self::Conflict { operation, .. } | Self::Invalid { operation, .. } if !operation.contains(':') => {
                // No service said so: drstack asked something itself, and that does not hold.
                "fix what it names, then run the same command again".to_owned()
            }
            Self::Conflict { .. } => "run `drstack plan` to see what exists now".to_owned(),
            Self::NotYet { .. } => "mend what it looks at in the standby region, then run again: it looks anew".to_owned(),
            Self::Invalid { .. } => "correct the stack; `drstack validate` checks it".to_owned(),
            Self::Forbidden { .. } => {
                "run `drstack plan --mode active` to see which step needs it, and `drstack apply` once the primary answers".to_owned()
            }
            Self::Lapsed { .. } => "run `drstack plan` to see where things stand".to_owned(),
            Self::Other { .. } => "run again; `RUST_LOG=drstack=debug` says more".to_owned(),
        }
    }
}
