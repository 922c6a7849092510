//! The check kind: a condition that has to hold in the standby region before a component that
//! failed over counts as up.
//!
//! A check has no AWS object: it is never observed or owned. Each plan in mode active creates it,
//! and a create step evaluates it once; the engine retries until it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::kind::{self, Action, Capabilities, Erased, FieldChange, Kind, Lookup, Operation, Wait};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The condition.
    pub probe: Probe,
    /// Maximum time of one attempt, in seconds.
    pub timeout: u32,
}

/// The condition of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A web server answers.
    Http {
        /// The URL to request.
        url: String,
        /// The expected status.
        status: u16,
        /// A text that the answer has to contain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
    },
    /// One host answers users' requests, wherever DNS points to.
    ///
    /// Route 53's rule counts: a status of 2xx or 3xx is a success.
    Answer {
        /// The URL that users request.
        url: String,
        /// DNS name of the host.
        host: String,
    },
    /// A table of the standby region is in service.
    Table {
        /// Its name.
        name: String,
        /// Key of an item that has to exist; empty for none.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        item: BTreeMap<String, KeyValue>,
        /// True if the item has to be writable; the check writes it.
        writable: bool,
    },
    /// A bucket of the standby region holds an object.
    Object {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// SHA-256 of its content in lower-case hex.
        sha256: String,
    },
    /// A program ends with exit code 0.
    Command(Vec<String>),
}

/// One attribute of an item's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckLive {
    /// The condition that holds.
    pub held: CheckSpec,
}

/// The check kind.
pub struct Check;

impl Kind for Check {
    const NAME: &'static str = "check";
    const SUMMARY: &'static str = "something that has to hold before what failed over counts as up";
    const LOOKUP: Lookup = Lookup::Name;
    /// A program that loads models of tens of GiB answers after minutes; one that is not up after a
    /// quarter of an hour is broken.
    const WAIT: Wait = Wait {
        deadline: Duration::from_secs(15 * 60),
        first: Duration::from_millis(500),
        slowest: Duration::from_secs(10),
    };
    const OPERATIONS: &'static [Operation] = &[
        operation("dynamodb", "DescribeTable"),
        operation("dynamodb", "GetItem"),
        operation("dynamodb", "UpdateItem"),
        operation("s3", "GetObject"),
        operation("s3", "ListBucket"),
    ];
    const CAPABILITIES: Capabilities =
        Capabilities { check: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = CheckSpec;
    type Live = CheckLive;

    fn diff(spec: &CheckSpec, live: &CheckLive) -> Vec<FieldChange> {
        FieldChange::of("held", &live.held, spec).into_iter().collect()
    }

    fn expect(spec: &CheckSpec, _id: &str) -> CheckLive {
        CheckLive { held: spec.clone() }
    }

    fn prior(_action: Action) -> Duration {
        Duration::from_secs(10)
    }
}

impl kind::Check for Check {
    fn asks_service(spec: &CheckSpec) -> bool {
        match spec.probe {
            Probe::Http { .. } | Probe::Answer { .. } | Probe::Command(_) => true,
            Probe::Table { .. } | Probe::Object { .. } => false,
        }
    }

    fn command(spec: &CheckSpec) -> Option<Vec<String>> {
        match &spec.probe {
            Probe::Command(argv) => Some(argv.clone()),
            Probe::Http { .. } | Probe::Answer { .. } | Probe::Table { .. } | Probe::Object { .. } => None,
        }
    }
}

#[cfg(feature = "aws")]
mod aws;
