//! Samples: specs of every kind, and the fields of a live value or spec whose change no difference
//! shows.

mod compute;
mod data;
mod failover;
mod identity;
mod network;
mod traffic;

use drstack_core::kind::Kind;
use drstack_core::link::Link;
use serde_json::Value;

use crate::described::{self, DescribedSample};

/// Fields of a live value or a spec whose change no difference shows, each with the reason.
pub(crate) type Unseen = &'static [(&'static str, &'static str)];

/// One spec of one kind.
pub(crate) struct Sample {
    pub(crate) kind: &'static str,
    pub(crate) spec: Value,
    /// The same spec, read from JSON and written again.
    pub(crate) again: Value,
    /// Fields of the live value.
    pub(crate) live_unseen: Unseen,
    /// Fields of the spec.
    pub(crate) spec_unseen: Unseen,
}

fn sample<K: Kind>(spec: &K::Spec, live_unseen: Unseen, spec_unseen: Unseen) -> Sample {
    let spec = serde_json::to_value(spec).unwrap();
    let read: K::Spec = serde_json::from_str(&spec.to_string()).unwrap();
    let again = serde_json::to_value(read).unwrap();
    Sample { kind: K::NAME, spec, again, live_unseen, spec_unseen }
}

const NAMED: &str = "the name by which it is looked up: another name is another resource";
const STATE: &str = "whether it is ready, which nobody wants one way or the other";
const GIVEN: &str = "AWS gives it";

/// Specs of every kind, with each optional field given and left out.
pub(crate) fn samples() -> Vec<Sample> {
    let all = [
        data::samples(),
        network::samples(),
        compute::samples(),
        identity::samples(),
        failover::samples(),
        traffic::samples(),
    ];
    all.into_iter().flatten().chain(described()).collect()
}

fn described() -> Vec<Sample> {
    let sample = |it: &DescribedSample| Sample {
        kind: it.kind,
        spec: it.spec.clone(),
        again: drstack_kinds::resources::written_again(it.kind, &it.spec).unwrap(),
        live_unseen: it.live_unseen,
        spec_unseen: it.spec_unseen,
    };
    described::ALL.iter().flat_map(|it| &it.samples).map(sample).collect()
}

fn known(id: &str) -> Link {
    Link::Known(id.to_owned())
}
