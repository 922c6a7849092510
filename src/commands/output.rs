//! `drstack output`: names and ids of the stack's AWS objects, for other tools.

use clap_complete::engine::ArgValueCompleter;
use std::collections::BTreeMap;

use drstack_app::accepted::quoted;
use drstack_app::failure::Status;
use drstack_app::ops::output::{Output, output};
use drstack_app::text::nearest;

use crate::args::{Global, StackArgs};
use crate::commands::Edge;
use crate::complete;
use crate::exit::{Ended, Exit, Failure};
use crate::lines::{Line, OutputLine, OutputValue};
use crate::ui::Ui;
use crate::views::count;

/// Print names and ids of what the stack has in AWS
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack output .\n  drstack output . pool.inference/group       # the name alone\n  drstack output . --json | jq -r 'select(.kind == \"bucket\").id'\n  eval \"$(drstack output . --env)\" && terraform plan   # TF_VAR_pool_inference_group and so on"
)]
pub(crate) struct OutputArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Print only the name or id of this resource, or what this component has
    #[arg(value_name = "ADDRESS", add = ArgValueCompleter::new(complete::address))]
    address: Option<String>,
    /// Print assignments of `TF_VAR_` variables, for a shell
    #[arg(long, conflicts_with = "address")]
    env: bool,
}

pub(super) async fn run(ui: Ui, global: &Global, args: &OutputArgs) -> Ended {
    let edge = Edge::of(ui, global, None)?;
    let mut session = edge.open(&args.stack).await?;
    let (outputs, absent) = output(&mut session).await?;
    if let Some(address) = &args.address {
        if let Some(one) = outputs.iter().find(|it| it.address.as_str() == address) {
            ui.line(&Line::Output(line(one)));
            ui.result(&format!("{}\n", one.id));
            return Ok(Exit::Done);
        }
        let of = |it: &&Output| it.address.component().is_within(address);
        let some: Vec<&Output> = outputs.iter().filter(of).collect();
        if some.is_empty() {
            return Err(unknown(address, &outputs));
        }
        some.iter().for_each(|it| ui.line(&Line::Output(line(it))));
        some.iter().for_each(|it| ui.result(&text(it)));
        return Ok(Exit::Done);
    }
    outputs.iter().for_each(|it| ui.line(&Line::Output(line(it))));
    match args.env {
        true => ui.result(&env(&outputs)?),
        false => outputs.iter().for_each(|it| ui.result(&text(it))),
    }
    if absent > 0 {
        ui.note(&format!(
            "{} of the stack do not exist yet: `drstack apply STACK` creates them.",
            count(absent, "resource")
        ));
    }
    Ok(Exit::Done)
}

fn line(it: &Output) -> OutputLine<'_> {
    let Output { address, kind, region, id, values } = it;
    let values = values.iter().map(|(name, value)| OutputValue { name, value }).collect();
    OutputLine { address, kind, region, id, values }
}

fn text(it: &Output) -> String {
    let mut out = format!("{:<40} {:<14} {}\n", it.address.as_str(), it.region, it.id);
    for (name, value) in it.values.iter().filter(|(_, value)| **value != it.id) {
        out.push_str(&format!("    {name} = {value}\n"));
    }
    out
}

/// Returns a line of a shell for each value: `export TF_VAR_pool_inference_group='...'`.
fn env(outputs: &[Output]) -> Result<String, Failure> {
    let mut all: BTreeMap<String, (&Output, &str)> = BTreeMap::new();
    for it in outputs {
        let values = it.values.iter().map(|(name, value)| (format!("{}_{name}", it.address), value.as_str()));
        for (name, value) in std::iter::once((it.address.to_string(), it.id.as_str())).chain(values) {
            let name = variable(&name);
            if let Some((other, _)) = all.insert(name.clone(), (it, value)) {
                let message = format!("{} and {} would both be `{name}`", other.address, it.address);
                return Err(Failure::new(Status::Failed, message, "use `--json`, which has their addresses"));
            }
        }
    }
    Ok(all.iter().map(|(name, (_, value))| format!("export {name}={}\n", quoted(value))).collect())
}

/// Returns the variable for `name`: letters, digits and single `_`.
fn variable(name: &str) -> String {
    let mut out = "TF_VAR".to_owned();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        out.push('_');
        out.push_str(&part.to_ascii_lowercase());
    }
    out
}

fn unknown(address: &str, outputs: &[Output]) -> Failure {
    let hint = match nearest(address, outputs.iter().map(|it| it.address.to_string())) {
        Some(it) => format!("did you mean `{it}`?"),
        None => "`drstack output STACK` lists all".to_owned(),
    };
    Failure::new(Status::Usage, format!("the stack has no `{address}` in AWS"), hint)
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn an_address_becomes_the_name_of_a_variable() {
        assert_eq!(
            variable("module.a.pool.b[\"eta-1\"]/launch-template_arn"),
            "TF_VAR_module_a_pool_b_eta_1_launch_template_arn"
        );
    }
}
