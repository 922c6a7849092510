//! The bundle: all that a failover needs from the machine that prepared it, as tamper-evident
//! bytes.

pub mod commands;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cloud::{Found, sha256};
use crate::component::ComponentRegistry;
use crate::facts::Facts;
use crate::graph::Graph;
use crate::keys::NotSigned;
use crate::kind::{Action, KindRegistry, Place, Readiness, ShapeError};
use crate::observe::Look;
use crate::plan::skeleton::RehearsedPlan;
use crate::plan::{Plan, Step};
use crate::stack::{ResolvedStack, Stack, Unresolvable};
use crate::text::plain;

/// The format this build writes, and the only one it reads.
///
/// It rises when the output of older builds can no longer be read; a field that they did not know
/// may be missing.
pub const FORMAT: u32 = 1;

/// State of the stack at the last complete apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version of drstack that published it.
    pub drstack: String,
    /// Run that published it.
    pub run: String,
    /// When it was published.
    pub applied_at: Timestamp,
    /// The stack.
    pub stack: ResolvedStack,
    /// Captured facts of the live regions.
    pub facts: Facts,
    /// Last known resources of the primary region and of global services, which a failover does not
    /// observe.
    pub elsewhere: BTreeMap<Address, Found>,
    /// Data copies in the standby region that a failover leaves as they are, as observed by the
    /// last apply.
    ///
    /// A failover does not observe them either. Empty in bundles of older builds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<Address, Found>,
    /// The rehearsed failover plan; `None` in bundles of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<RehearsedPlan>,
}

/// Returns the ready data in the standby region that `failover` leaves as it is.
///
/// That is data that was `seen` and that `plan` left alone, or that the run `made`.
///
/// # Errors
/// A spec or live value that does not have its kind's shape.
pub fn untouched(
    graph: &Graph,
    seen: &BTreeMap<Address, Look>,
    plan: &Plan,
    made: &BTreeMap<Address, Found>,
    failover: &RehearsedPlan,
    kinds: &KindRegistry,
) -> Result<BTreeMap<Address, Found>, ShapeError> {
    // An older copy that goes has the address of the one that stays.
    let changes = |step: &Step, found: &Found| {
        step.action != Action::Delete || step.id.as_deref() == Some(found.id.as_str())
    };
    let mut steps: BTreeMap<&Address, Vec<&Step>> = BTreeMap::new();
    plan.steps.iter().for_each(|step| steps.entry(&step.address).or_default().push(step));
    let is_changed = |address: &Address, found: &Found| {
        steps.get(address).is_some_and(|all| all.iter().any(|step| changes(step, found)))
    };
    let taken: BTreeSet<&Address> = failover.steps.iter().map(|bone| &bone.address).collect();
    let mut untouched = BTreeMap::new();
    for resource in graph.resources.values() {
        let address = &resource.address;
        let Some(kind) = kinds.get(&resource.kind).filter(|it| it.role().holds_data()) else {
            continue;
        };
        let found = match (made.get(address), seen.get(address)) {
            (Some(found), _) => found,
            (None, Some(Look::Present(found))) if !is_changed(address, found) => found,
            _ => continue,
        };
        let is_ready = kind.ready(&resource.spec, &found.live)? == Readiness::Ready;
        if resource.place == Place::Standby && is_ready && !taken.contains(address) {
            untouched.insert(address.clone(), found.clone());
        }
    }
    Ok(untouched)
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bytes are not a bundle.
    #[error("not a drstack bundle: {}", plain(&.0.to_string()))]
    Broken(#[from] serde_json::Error),
    /// The bytes start as a bundle and end too early.
    #[error("cut short: it ends after {0} bytes, in the middle of the bundle")]
    Cut(usize),
    /// Another version of drstack wrote it.
    #[error("the bundle's format is {found}, this drstack reads {FORMAT}")]
    Format {
        /// Format in the bytes.
        found: u32,
    },
    /// The content does not have the hash that the bundle names.
    #[error(
        "the bundle was changed after it was published: its content does not have the hash that it names"
    )]
    Changed,
    /// This build cannot use its stack.
    #[error("the bundle's stack cannot be used: {0}")]
    Stack(#[from] Unresolvable),
    /// It is the bundle of another stack.
    #[error("the bundle is of stack `{}` with control bucket `{}`", plain(.stack), plain(.control))]
    Other {
        /// Its stack.
        stack: String,
        /// Its control bucket.
        control: String,
    },
    /// A required signature is missing or invalid.
    #[error("the bundle is refused: {0}")]
    NotSigned(#[from] NotSigned),
}

/// Returns the first bytes of a bundle, up to its body.
fn head(hash: &str) -> String {
    format!("{{\"format\":{FORMAT},\"hash\":\"{hash}\",\"bundle\":")
}

impl Bundle {
    /// Serializes the bundle: format and SHA-256 of the body, then the body.
    ///
    /// # Errors
    /// None in practice: all parts have a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        let body = serde_json::to_vec(self)?;
        Ok([head(&sha256(&body)).as_bytes(), &body, b"}"].concat())
    }

    /// Parses a bundle; detects any changed byte.
    ///
    /// # Errors
    /// [`BundleError::Broken`], [`BundleError::Cut`], [`BundleError::Format`] and
    /// [`BundleError::Changed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let broken = |error: serde_json::Error| match error.is_eof() && bytes.starts_with(b"{\"format\":") {
            true => BundleError::Cut(bytes.len()),
            false => error.into(),
        };
        let found: Head = serde_json::from_slice(bytes).map_err(broken)?;
        if found.format != FORMAT {
            return Err(BundleError::Format { found: found.format });
        }
        // Hash the bytes themselves, not their meaning: a number may be serialized in another
        // spelling.
        let length = head(&sha256(b"")).len();
        let body = bytes.strip_suffix(b"}").and_then(|it| it.get(length..)).ok_or(BundleError::Changed)?;
        if bytes[..length] != *head(&sha256(body)).as_bytes() {
            return Err(BundleError::Changed);
        }
        Ok(serde_json::from_slice(body)?)
    }

    /// Checks that it belongs to this stack with this control bucket.
    ///
    /// Another stack's bundle, put in its place, is as well signed as its own.
    ///
    /// # Errors
    /// [`BundleError::Other`].
    pub fn is_of(&self, stack: &str, control: &str) -> Result<(), BundleError> {
        let facts = &self.stack.facts;
        match facts.name == stack && facts.control == control {
            true => Ok(()),
            false => Err(BundleError::Other { stack: facts.name.clone(), control: facts.control.clone() }),
        }
    }

    /// True if a failover from `other` would be the same: compares all but publisher, times and
    /// capture times.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let values = |facts: &Facts| -> Vec<_> {
            facts.answers.iter().map(|(key, fact)| (key.clone(), fact.value.clone())).collect()
        };
        self.drstack == other.drstack
            && self.stack == other.stack
            && self.elsewhere == other.elsewhere
            && self.data == other.data
            && values(&self.facts) == values(&other.facts)
            && match (&self.rehearsed, &other.rehearsed) {
                (Some(one), Some(other)) => one.says_the_same_as(other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }

    /// Returns the stack as it was when the bundle was published.
    ///
    /// # Errors
    /// [`BundleError::Stack`].
    pub fn stack(&self, registry: &ComponentRegistry) -> Result<Stack, BundleError> {
        Ok(self.stack.clone().into_stack(registry)?)
    }
}

impl BundleError {
    /// Returns what to do next, as an imperative sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Format { .. } | Self::Stack(_) => {
                "use the drstack that published it: `drstack` in the bundle says which, and the control bucket keeps its older versions"
            }
            Self::Broken(_) | Self::Cut(_) | Self::Changed => {
                "bring back an older version of `bundle.json` in the control bucket; or run `drstack failover STACK --unsigned`, which raises what it can with the files alone; the next complete `drstack apply STACK` publishes it anew"
            }
            Self::Other { .. } => "name the control bucket and the stack: `s3://CONTROL/STACK`",
            Self::NotSigned(_) => {
                "bring back a version of `bundle.json` and `bundle.json.sig` that belong together, or run `drstack failover STACK --unsigned`, with files that you trust; the next `drstack apply STACK` with the stack's signing key signs it anew"
            }
        }
    }
}
