//! The suite's description of a component, as data: `crates/kinds/tests/components/NAME.toml`.
//!
//! `reference` is its table in the reference stack. `random` is a list of choices, each a line of
//! its table in a random stack, "" for none; `{name}` is the component's name. Each `sample` is a
//! spec of one of its resource kinds, with the fields whose change no difference shows, and the
//! reason.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reference: String,
    random: Vec<Vec<String>>,
    #[serde(default)]
    sample: Vec<Specified>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Specified {
    kind: String,
    spec: Value,
    #[serde(default)]
    live_unseen: BTreeMap<String, String>,
    #[serde(default)]
    spec_unseen: BTreeMap<String, String>,
}

/// The description of one component.
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) reference: String,
    pub(crate) random: Vec<Vec<String>>,
    pub(crate) samples: Vec<DescribedSample>,
}

/// A spec of one of its resource kinds, and the fields whose change no difference shows, with the
/// reason.
pub(crate) struct DescribedSample {
    pub(crate) kind: &'static str,
    pub(crate) spec: Value,
    pub(crate) live_unseen: &'static [(&'static str, &'static str)],
    pub(crate) spec_unseen: &'static [(&'static str, &'static str)],
}

/// Every described component, sorted by name.
pub(crate) static ALL: LazyLock<Vec<Described>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/components");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let file: File =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Described {
                name: leak(path.file_stem().unwrap().to_str().unwrap()),
                reference: file.reference,
                random: file.random,
                samples: file.sample.into_iter().map(sample).collect(),
            }
        })
        .collect()
});

fn sample(of: Specified) -> DescribedSample {
    let pairs = |all: BTreeMap<String, String>| -> &'static [(&'static str, &'static str)] {
        let all: Vec<_> = all.iter().map(|(field, why)| (leak(field), leak(why))).collect();
        all.leak()
    };
    DescribedSample {
        kind: leak(&of.kind),
        spec: of.spec,
        live_unseen: pairs(of.live_unseen),
        spec_unseen: pairs(of.spec_unseen),
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
