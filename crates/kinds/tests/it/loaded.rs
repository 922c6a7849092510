//! Stacks from TOML text through the real loader, and the regions that the simulator creates for
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drstack_core::component::Seed;
use drstack_core::diagnostic::render;
use drstack_core::facts::{Fact, Facts};
use drstack_core::stack::{FileError, InputValues, ReadFiles, Stack, load};
use jiff::Timestamp;

/// Files by path.
pub(crate) struct Files(pub(crate) BTreeMap<PathBuf, String>);

impl ReadFiles for Files {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        self.0.get(path).cloned().ok_or(FileError::Missing)
    }
}

const MODULE: &str = r#"
[inputs]
bucket = { type = "string" }

[bucket.checkpoints]
name  = "${input.bucket}"
holds = "checkpoints"
tier  = 3

[outputs]
checkpoints = "@bucket.checkpoints"
"#;

/// Loads `text`, with the module `training` beside it. A refused stack ends the test with its
/// problems.
pub(crate) fn stack(text: &str) -> Stack {
    let files = [("stack.toml", text), ("training/module.toml", MODULE)];
    let files = Files(files.map(|(path, text)| (PathBuf::from(path), text.to_owned())).into());
    match load(Path::new("stack.toml"), &InputValues::new(), &drstack_kinds::components(), &files) {
        Ok(loaded) => loaded.stack,
        Err(failed) => panic!("{}\n{text}", render(&failed.problems, &failed.sources, false)),
    }
}

/// Returns the initial contents of the simulated regions.
pub(crate) fn seeds(stack: &Stack) -> Vec<Seed> {
    let all = stack.components.values();
    all.flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address)).collect()
}

/// Returns the answers of the simulated regions.
pub(crate) fn facts(stack: &Stack) -> Facts {
    let answer = |seed| match seed {
        Seed::Fact { query, value } => Some((query.key(), Fact::new(Timestamp::UNIX_EPOCH, value))),
        Seed::Resource { .. } => None,
    };
    Facts { answers: seeds(stack).into_iter().filter_map(answer).collect(), ..Facts::default() }
}
