//! `drstack init`: writes a commented stack that validates.

use std::path::{Path, PathBuf};

use drstack_app::failure::Status;

use crate::exit::Ended;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::lines::{Line, WrittenLine};
use crate::ui::Ui;

/// The stack that `init` writes, with `NAME` for its name.
const STACK: &str = include_str!("init.toml");

/// Longest name: the names of buckets are made from it.
const LONGEST: usize = 20;

/// Write a commented stack that validates
#[derive(clap::Args)]
#[command(after_help = "Example:\n  drstack init demo && drstack validate demo")]
pub(crate) struct InitArgs {
    /// Folder to write into; created if it does not exist
    dir: PathBuf,
}

pub(super) fn run(ui: Ui, args: &InitArgs) -> Ended {
    let dir = &args.dir;
    let path = dir.join("stack.toml");
    if path.exists() {
        let hint = "name another folder, or remove the file first";
        return Err(Failure::new(Status::Usage, format!("`{}` exists", path.display()), hint));
    }
    std::fs::create_dir_all(dir).map_err(|error| files::unwritable(dir, Status::Failed, &error))?;
    let stack = STACK.replace("NAME", &name(dir));
    files::write(&path, stack.as_bytes())?;
    write_schema(dir)?;
    ui.line(&Line::Written(WrittenLine { path: path.display().to_string() }));
    ui.result(&format!(
        "Wrote `{}`, and its schema for your editor. Try it without an account:\n  drstack apply {} --cloud sim\n",
        path.display(),
        dir.display()
    ));
    Ok(Exit::Done)
}

/// Writes the schema of stacks into `dir`, for editors.
pub(super) fn write_schema(dir: &Path) -> Result<(), Failure> {
    let schema = drstack_core::stack::schema(&drstack_kinds::components());
    files::write(&dir.join("stack.schema.json"), format!("{schema:#}\n").as_bytes())
}

/// Returns a stack's name for the folder `dir`: the folder's own, as far as a stack can have it.
pub(super) fn name(dir: &Path) -> String {
    // A folder that is not there yet has its name all the same.
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let folder = path.file_name().map(|it| it.to_string_lossy().into_owned());
    let mut name = String::new();
    for c in folder.unwrap_or_default().to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name.get(..name.len().min(LONGEST)).unwrap_or_default().trim_end_matches('-');
    if name.len() < 2 { "demo".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_stack_is_named_after_its_folder() {
        let root = tempfile::tempdir().expect("a folder");
        let of = |folder: &str| {
            let dir = root.path().join(folder);
            std::fs::create_dir_all(&dir).expect("a folder");
            name(&dir)
        };
        assert_eq!(of("search"), "search");
        assert_eq!(of("Our Search (v2)"), "our-search-v2");
        assert_eq!(of("42-routes"), "routes");
        assert_eq!(of("x"), "demo");
        assert_eq!(of(&"long-".repeat(9)), "long-long-long-long");
    }
}
