//! `drstack discover`: writes a first stack from what exists.

use std::io::Read;
use std::path::{Path, PathBuf};

use drstack_app::failure::Status;
use drstack_core::compile::check;
use drstack_core::diagnostic::Severity;
use drstack_core::stack::{FileError, InputValues, ReadFiles, is_region, load};
use drstack_kinds::discover::{Composed, Target, Thing, compose, merge, region, tfstate};

use crate::commands::init;
use crate::exit::{Ended, Exit, Failure};
use crate::files;
use crate::lines::{Line, WrittenLine};
use crate::ui::Ui;
use crate::views;

/// Write a stack from what exists, and say what it would not bring back
///
/// Reads the states of Terraform or OpenTofu, versions 3 and 4, and asks no cloud. Writes a commented stack of what drstack protects, with the fields left out that it follows, and lists everything that it saw: protected, partly, or not, and why. In a folder that has a stack it adds what is new at the end, and changes nothing else. No secret of a state is in any output.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack discover --tfstate terraform.tfstate --standby us-west-2 stacks/mine\n  terraform state pull | drstack discover --tfstate - --standby us-west-2 stacks/mine\n  drstack plan stacks/mine --cloud sim"
)]
pub(crate) struct DiscoverArgs {
    /// Folder of the stack; created if it does not exist
    dir: PathBuf,
    /// A state file (repeatable); `-` reads one from the standard input
    #[arg(long, value_name = "FILE", required = true)]
    tfstate: Vec<PathBuf>,
    /// The region to fall back to; needed for a new stack
    #[arg(long, value_name = "REGION")]
    standby: Option<String>,
    /// The region that serves; default: the one that most of the objects are in
    #[arg(long, value_name = "REGION")]
    primary: Option<String>,
}

pub(super) fn run(ui: Ui, args: &DiscoverArgs) -> Ended {
    let mut things = Vec::new();
    for path in &args.tfstate {
        things.extend(read(path)?);
    }
    let path = args.dir.join("stack.toml");
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let target = target(args, before.as_deref(), &things)?;
    let (here, elsewhere): (Vec<Thing>, Vec<Thing>) =
        things.into_iter().partition(|it| it.region.as_ref().is_none_or(|it| *it == target.primary));
    let composed = match &before {
        None => compose(&target, &here),
        Some(text) => merge(&target, text, &here).map_err(|error| {
            let message = format!("`{}` is not TOML: {}", path.display(), error.message());
            Failure::new(Status::Invalid, message, "run `drstack validate` on it first")
        })?,
    };
    expect_valid(&path, before.as_deref(), &composed)?;
    if write(&args.dir, &path, before.as_deref(), &composed)? {
        ui.line(&Line::Written(WrittenLine { path: path.display().to_string() }));
    }
    views::discover::show(ui, &here, &elsewhere, &target);
    let wrote = match (&before, composed.components.is_empty()) {
        (None, _) => format!("Wrote `{}` and its schema for your editor.", path.display()),
        (Some(_), true) => format!("`{}` has all of it already, and stays as it is.", path.display()),
        (Some(_), false) => {
            format!("Added to `{}`: {}.", path.display(), composed.components.join(", "))
        }
    };
    ui.result(&format!(
        "\n{wrote} Read it, then try it without an account:\n  drstack plan {} --cloud sim\n",
        args.dir.display()
    ));
    Ok(Exit::Done)
}

/// Reads the objects of a state.
fn read(path: &Path) -> Result<Vec<Thing>, Failure> {
    let mut text = Vec::new();
    match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut text).map(drop),
        false => std::fs::read(path).map(|it| text = it),
    }
    .map_err(|error| unreadable(path, &error))?;
    tfstate::read(&text).map_err(|error| {
        let hint =
            "name a state of Terraform or OpenTofu; `terraform state pull` prints that of a remote backend";
        Failure::new(Status::Usage, format!("`{}` cannot be read: {error}", path.display()), hint)
    })
}

/// Returns what the stack is to be, by the options, the stack that is there and what was found.
fn target(args: &DiscoverArgs, before: Option<&str>, things: &[Thing]) -> Result<Target, Failure> {
    let stack = before.and_then(|text| text.parse::<toml::Table>().ok());
    let said = |field: &str| {
        let text = stack.as_ref()?.get("stack")?.get(field)?.as_str()?;
        (!text.contains("${")).then(|| text.to_owned())
    };
    let usage = |message: &str, hint: &str| Failure::new(Status::Usage, message, hint);
    let primary = args.primary.clone().or_else(|| said("primary")).or_else(|| region(things));
    let primary = primary.ok_or_else(|| {
        usage(
            "nothing of what was found says its region",
            "name the region that serves: `--primary us-east-1`",
        )
    })?;
    let standby = args.standby.clone().or_else(|| said("standby")).ok_or_else(|| {
        usage("a new stack needs the region to fall back to", "name it: `--standby us-west-2`")
    })?;
    if let Some(other) = [&primary, &standby].into_iter().find(|it| !is_region(it)) {
        return Err(usage(&format!("`{other}` is not the name of a region"), "write it as `us-west-2`"));
    }
    if primary == standby {
        let message =
            format!("{primary} cannot be the standby region of itself: most of what was found is there");
        return Err(usage(&message, "name another one, or say with `--primary` which region serves"));
    }
    Ok(Target { name: init::name(&args.dir), primary, standby })
}

/// The stack as it would be, and all other files as they are.
struct Overlay<'a> {
    path: &'a Path,
    text: String,
}

impl ReadFiles for Overlay<'_> {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        if path == self.path { Ok(self.text.clone()) } else { files::Disk.read(path) }
    }
}

/// Fails if the stack would not be valid with what is added, and is now.
fn expect_valid(path: &Path, before: Option<&str>, composed: &Composed) -> Result<(), Failure> {
    let components = drstack_kinds::components();
    let errors =
        |text: String| match load(path, &InputValues::default(), &components, &Overlay { path, text }) {
            Ok(loaded) => {
                let problems = check(&loaded.stack);
                problems.into_iter().find(|it| it.severity == Severity::Error).map(|it| it.message)
            }
            Err(failed) => failed.problems.into_iter().map(|it| it.message).next(),
        };
    let Some(problem) = errors(whole(before, composed)) else { return Ok(()) };
    // It may be invalid already, or need inputs: then nobody knows what is added to it.
    if before.is_some_and(|text| errors(text.to_owned()).is_some()) {
        return Ok(());
    }
    let message = format!("with what was found the stack would not be valid: {problem}; nothing was written");
    let hint = format!("add by hand what you need of it:\n{}", composed.text);
    Err(Failure::new(Status::Invalid, message, hint))
}

/// Returns the text of the stack with what is added.
fn whole(before: Option<&str>, composed: &Composed) -> String {
    let before = before.unwrap_or_default();
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    format!("{before}{end}{}", composed.text)
}

/// Writes the stack, or adds to the one that is there. Returns whether there was something to write.
fn write(dir: &Path, path: &Path, before: Option<&str>, composed: &Composed) -> Result<bool, Failure> {
    if before.is_none() {
        std::fs::create_dir_all(dir).map_err(|error| files::unwritable(dir, Status::Failed, &error))?;
        files::write(path, composed.text.as_bytes())?;
        return init::write_schema(dir).map(|()| true);
    }
    if composed.components.is_empty() {
        return Ok(false);
    }
    // A link stays one, and the file keeps its mode.
    let file = path.canonicalize().map_err(|error| files::unwritable(path, Status::Failed, &error))?;
    let mode = std::fs::metadata(&file).map(|it| it.permissions());
    files::write(&file, whole(before, composed).as_bytes())?;
    let kept = mode.and_then(|mode| std::fs::set_permissions(&file, mode));
    kept.map(|()| true).map_err(|error| files::unwritable(path, Status::Failed, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Status::Usage,
        format!("cannot read `{}`: {error}", path.display()),
        "name a file that can be read",
    )
}
