//! Values that a shell completes: addresses of the stack on the line, and codes of diagnostics.
//!
//! The script that `drstack completions` prints asks this program, so what it offers is the stack's.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use drstack_core::stack::load;

use crate::args::{StackArgs, pair};
use crate::commands::Args;
use crate::files;

/// Variable with which the script asks.
pub(crate) const VARIABLE: &str = "COMPLETE";

/// Answers the shell and ends the program, if it is the shell that asks.
pub(crate) fn answer() {
    CompleteEnv::with_factory(Args::command).var(VARIABLE).complete();
}

/// Completes the address of a component.
pub(crate) fn address(current: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|it| it != "--").skip(2).collect();
    let addresses = stack_on(&words).and_then(|args| components(&args)).unwrap_or_default();
    let start = current.to_string_lossy();
    addresses.into_iter().filter(|it| it.starts_with(&*start)).map(CompletionCandidate::new).collect()
}

/// Completes the code of a diagnostic.
pub(crate) fn code(current: &OsStr) -> Vec<CompletionCandidate> {
    let start = current.to_string_lossy().to_ascii_uppercase();
    let codes = drstack_kinds::components().codes();
    let fitting = codes.iter().filter(|(code, ..)| code.starts_with(&start));
    fitting.map(|(code, title, _)| CompletionCandidate::new(*code).help(Some((*title).into()))).collect()
}

/// Returns the stack that the words name, with its inputs; the folder itself if they name none.
fn stack_on(words: &[OsString]) -> Option<StackArgs> {
    let after = |names: &[&str]| {
        let found = words.windows(2).filter(|it| names.iter().any(|name| it[0] == **name));
        found.map(|it| it[1].clone()).collect::<Vec<_>>()
    };
    let folder = after(&["-C"]).pop().map_or_else(PathBuf::new, PathBuf::from);
    let inputs = after(&["--inputs"]).pop().map(|it| folder.join(it));
    let input = after(&["-i", "--input"]).iter().filter_map(|it| pair(it.to_str()?).ok()).collect();
    let is_stack = |it: &PathBuf| files::entry(it).is_file();
    let named = words.iter().filter(|it| !it.is_empty()).map(|it| folder.join(it)).find(is_stack);
    let stack = named.or_else(|| Some(folder.join(Path::new("."))).filter(is_stack))?;
    Some(StackArgs { stack, input, inputs })
}

/// Returns the addresses of the components of a stack; `None` if it does not load.
fn components(args: &StackArgs) -> Option<Vec<String>> {
    let inputs = files::inputs(args).ok()?;
    let loaded =
        load(&files::entry(&args.stack), &inputs, &drstack_kinds::components(), &files::Disk).ok()?;
    Some(loaded.stack.components.keys().map(ToString::to_string).collect())
}
