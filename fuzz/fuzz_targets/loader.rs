//! A stack and a module: loading, checking and rendering end in a stack or in errors with a place and help.

#![no_main]

use std::path::Path;

use drstack_core::compile::check;
use drstack_core::diagnostic::render;
use drstack_core::stack::{FileError, InputValues, ReadFiles, load};
use libfuzzer_sys::fuzz_target;

/// What divides the stack's text from the module's.
const CUT: &str = "\n---\n";

struct Two<'a>(&'a str, &'a str);

impl ReadFiles for Two<'_> {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        match path.file_name().and_then(|it| it.to_str()) {
            Some("stack.toml") => Ok(self.0.to_owned()),
            Some("module.toml") => Ok(self.1.to_owned()),
            _ => Err(FileError::Missing),
        }
    }
}

fuzz_target!(|text: &str| {
    let (stack, module) = text.split_once(CUT).unwrap_or((text, ""));
    let components = drstack_kinds::components();
    match load(Path::new("stack.toml"), &InputValues::new(), &components, &Two(stack, module)) {
        Ok(loaded) => {
            let problems = check(&loaded.stack);
            render(&problems, &loaded.stack.sources, false);
        }
        Err(failed) => {
            assert!(!failed.problems.is_empty());
            assert!(failed.problems.iter().all(|it| it.help.is_some() && !it.labels.is_empty()));
            render(&failed.problems, &failed.sources, true);
        }
    }
});
