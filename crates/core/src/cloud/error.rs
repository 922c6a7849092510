//! Errors of cloud calls, and what to do next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::plain;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum CloudError {
    /// The service throttled the call.
    #[error("{operation} was throttled")]
    Throttled {
        /// `ec2:RunInstances`.
        operation: String,
    },
    /// The credentials do not permit the call.
    #[error("{operation} was denied: {}", plain(.message))]
    Denied {
        /// `s3:PutBucketReplication`.
        operation: String,
        /// Message of AWS.
        message: String,
    },
    /// There are no credentials to call AWS with.
    #[error("no credentials were found: {}", plain(.message))]
    NoCredentials {
        /// Where they were looked for, or the error of what has them.
        message: String,
    },
    /// The session of the credentials has ended.
    #[error("{operation} was refused, the credentials have expired: {}", plain(.message))]
    Expired {
        /// The call.
        operation: String,
        /// Message of AWS.
        message: String,
    },
    /// The endpoint shows a certificate of an authority that this machine does not trust.
    #[error("{operation} in {region} was not sent, its certificate is not trusted: {}", plain(.message))]
    Untrusted {
        /// The call.
        operation: String,
        /// The region.
        region: String,
        /// Error of the client.
        message: String,
    },
    /// The endpoint did not answer.
    #[error("{operation} in {region} did not answer: {}", plain(.message))]
    Unreachable {
        /// The call.
        operation: String,
        /// The region.
        region: String,
        /// Error of the client.
        message: String,
    },
    /// The region has no such capacity now.
    #[error("{operation}: no capacity: {}", plain(.message))]
    NoCapacity {
        /// The call.
        operation: String,
        /// Message of AWS.
        message: String,
    },
    /// An account quota is exceeded.
    #[error("{operation}: over a quota: {}", plain(.message))]
    Quota {
        /// The call.
        operation: String,
        /// Message of AWS.
        message: String,
    },
    /// An object of that name exists or is being changed.
    #[error("{operation}: conflict: {}", plain(.message))]
    Conflict {
        /// The call.
        operation: String,
        /// Message of AWS.
        message: String,
    },
    /// A condition does not hold yet, and may later: a check that does not pass.
    #[error("{operation} does not pass: {}", plain(.message))]
    NotYet {
        /// The check.
        operation: String,
        /// Its observation.
        message: String,
        /// What the check's command wrote: for the operator's screen alone, because it may hold
        /// anything. Journals, reports and the lines of `--json` do not have it.
        #[serde(skip)]
        output: String,
    },
    /// AWS will never accept this request.
    #[error("{operation} refused: {}: {}", plain(.code), plain(.message))]
    Invalid {
        /// The call.
        operation: String,
        /// AWS's error code.
        code: String,
        /// Message of AWS.
        message: String,
    },
    /// The call was not sent: it would have left the standby region, to which the cloud was
    /// restricted.
    #[error("{operation} was not sent to {region}: a failover calls nothing outside the standby region")]
    Forbidden {
        /// The call.
        operation: String,
        /// The region of the call.
        region: String,
    },
    /// The call was not sent: its run no longer holds the lock.
    #[error("{operation} was not sent: this run does not hold the stack's lock any more")]
    Lapsed {
        /// The call.
        operation: String,
    },
    /// Any other failure.
    #[error("{operation} failed: {}", plain(.message))]
    Other {
        /// The call.
        operation: String,
        /// The error message.
        message: String,
    },
}

impl CloudError {
    /// Returns the region that did not answer, if that is the error.
    pub fn silent_region(&self) -> Option<&str> {
        match self {
            Self::Unreachable { region, .. } => Some(region),
            _ => None,
        }
    }

    /// True if no other request of the same kind would be answered better: it is the credentials or the
    /// certificates of this machine that are refused.
    pub fn is_of_credentials(&self) -> bool {
        matches!(
            self,
            Self::Denied { .. } | Self::NoCredentials { .. } | Self::Expired { .. } | Self::Untrusted { .. }
        )
    }

    /// True if the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. } | Self::Other { .. })
    }

    /// Returns what a check's command wrote, if it wrote anything.
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::NotYet { output, .. } if !output.is_empty() => Some(output),
            _ => None,
        }
    }

    /// Returns what to do next, as an imperative sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Throttled { .. } => "run the same command again, or lower `--parallelism`".to_owned(),
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
            Self::NoCredentials { .. } => {
                "sign in as for the `aws` command line: set `AWS_PROFILE`, or run `aws configure` or `aws sso login`; `--cloud sim` needs no account".to_owned()
            }
            Self::Expired { .. } => {
                "sign in again, then run the same command; if that does not help, set the clock of this machine".to_owned()
            }
            Self::Untrusted { .. } => {
                "name the file with your network's certificate authorities in `AWS_CA_BUNDLE`, then run the same command".to_owned()
            }
            Self::Unreachable { region, .. } => {
                format!("check the network and whether {region} is up, then run again")
            }
            Self::NoCapacity { .. } => "name more instance types in the pool and run again, a failover with `--with-files`".to_owned(),
            Self::Quota { .. } => {
                "raise the quota in Service Quotas for the standby region, then run again".to_owned()
            }
            Self::Conflict { operation, .. } | Self::Invalid { operation, .. } if !operation.contains(':') => {
                // Not an error of a service: a check of drstack itself does not pass.
                "fix what it names, then run the same command again".to_owned()
            }
            Self::Conflict { .. } => "run `drstack plan STACK` to see what exists now; what is named here and not there has lost its tags, or is somebody else's".to_owned(),
            Self::NotYet { .. } => "fix what it checks in the standby region, then run the same command again".to_owned(),
            Self::Invalid { .. } => "correct the stack; `drstack validate STACK` checks it".to_owned(),
            Self::Forbidden { .. } => {
                "run `drstack plan STACK --mode active` to see which step needs it, and `drstack apply STACK` once the primary answers".to_owned()
            }
            Self::Lapsed { .. } => "run `drstack plan STACK` to see where things stand".to_owned(),
            Self::Other { .. } => "run again; `RUST_LOG=drstack=debug` says more".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B23
    #[test]
    fn without_credentials_the_hint_is_that_of_the_aws_command_line() {
        let error = CloudError::NoCredentials { message: "the SSO token has expired".to_owned() };
        assert_eq!(error.to_string(), "no credentials were found: the SSO token has expired");
        let hint = error.hint();
        assert!(["`AWS_PROFILE`", "`aws configure`", "`aws sso login`"].iter().all(|it| hint.contains(it)));
    }
}
