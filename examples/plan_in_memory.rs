//! A stack from text, planned against a simulated world in memory: no file, no account, no command line.
//!
//! `cargo run --no-default-features --example plan_in_memory`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use drstack_core::cloud::{Scope, Secrets};
use drstack_core::compile::{compile, queries};
use drstack_core::diagnostic::render;
use drstack_core::facts::Facts;
use drstack_core::objective::Mode;
use drstack_core::observe::{capture, observe};
use drstack_core::plan::{Intent, Options, Plan, plan};
use drstack_core::stack::{FileError, InputValues, ReadFiles, Stack, load};
use drstack_kinds::facts::keep;
use drstack_sim::{Sim, SimConfig};

/// What would stand in `stack.toml`.
const STACK: &str = r#"
[stack]
name    = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "pilot-light"

[bucket.models]
name = "acme-models"

[table.features]
name = "acme-features"
"#;

/// The loader asks for files by path; here there is one, and it is a constant.
struct Text;

impl ReadFiles for Text {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        if path == Path::new("stack.toml") { Ok(STACK.to_owned()) } else { Err(FileError::Missing) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in steps()? {
        println!("{line}");
    }
    Ok(())
}

/// The steps of the plan, one a line.
pub(crate) fn steps() -> Result<Vec<String>, Box<dyn Error>> {
    let stack = loaded()?;
    // The sim's clock stands still while anybody works; its calls need its runtime.
    let plan = drstack_sim::runtime()?.block_on(planned(&stack))?;
    let steps = plan.steps.iter().enumerate();
    let line = |(id, step): (usize, &drstack_core::plan::Step)| {
        format!(
            "{id}: {:?} {} in {}, after {:?}: {}",
            step.action, step.address, step.region, step.needs, step.reason
        )
    };
    Ok(steps.map(line).collect())
}

/// Either a whole stack, or every problem of its text at once.
fn loaded() -> Result<Stack, String> {
    let components = drstack_kinds::components();
    match load(Path::new("stack.toml"), &InputValues::new(), &components, &Text) {
        Ok(loaded) => Ok(loaded.stack),
        Err(failed) => Err(render(&failed.problems, &failed.sources, false)),
    }
}

/// Look, compile, compare. Everything but the looking is pure.
async fn planned(stack: &Stack) -> Result<Plan, Box<dyn Error>> {
    let kinds = drstack_kinds::kinds();
    let scope = Scope {
        stack: stack.facts.name.as_str().into(),
        primary: stack.facts.primary.as_str().into(),
        standby: stack.facts.standby.as_str().into(),
        secrets: Arc::new(Secrets::default()),
    };
    // Each component knows what the primary has to hold for it.
    let declared = stack.components.values();
    let seeds = declared.flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address)).collect();
    let cloud = Sim::in_memory(SimConfig::default(), kinds.clone(), &scope, seeds)?;

    let said = capture(&cloud, &scope, &queries(stack), Facts::default(), keep).await;
    let want = compile(stack, &said.facts, Mode::Standby);
    if want.has_errors() {
        return Err(render(&want.problems, &stack.sources, false).into());
    }
    let seen = observe(&cloud, &kinds, &scope, &want.graph).await;
    let options = Options {
        intent: Intent::Converge,
        mode: Mode::Standby,
        targets: Vec::new(),
        delete_data: Default::default(),
    };
    let (plan, _report) = plan(&want.graph, &seen, &kinds, &stack.facts, &options)?;
    Ok(plan)
}
