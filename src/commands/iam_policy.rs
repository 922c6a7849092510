//! `drstack iam-policy`: the permissions that a role of the operator needs.

use std::path::PathBuf;

use clap::ValueEnum;
use drstack_app::failure::Status;
use drstack_kinds::policy::{MOST_CHARACTERS, Role, characters, parts, policy};

use crate::args::StackArgs;
use crate::exit::{Ended, Exit, Failure};
use crate::loading::load_stack;
use crate::ui::Ui;
use crate::views::count;

/// Print the IAM policy that plan, sync, apply or failover needs
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  drstack iam-policy --role read                 # for every stack\n  drstack iam-policy . --role failover > failover.json\n  aws iam create-policy --policy-name drstack-failover --policy-document file://failover.json"
)]
pub(crate) struct IamPolicyArgs {
    /// Folder with a `stack.toml`: limits the policy to its kinds, names and regions
    stack: Option<PathBuf>,
    /// Commands to allow: those that only read, `sync`, those that change both regions, or `failover`
    #[arg(long, value_enum)]
    role: RoleName,
    /// Print only this part, small enough for a managed policy; attach all parts
    #[arg(long, value_name = "N")]
    part: Option<usize>,
    /// Set an input (lists: a,b; repeatable)
    #[arg(short, value_name = "NAME=VALUE", value_parser = crate::args::pair, requires = "stack")]
    input: Vec<(String, String)>,
    /// Read inputs from this TOML file
    #[arg(long, value_name = "FILE.toml", requires = "stack")]
    inputs: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Read,
    Sync,
    Apply,
    Failover,
}

pub(super) fn run(ui: Ui, args: &IamPolicyArgs) -> Ended {
    let role = match args.role {
        RoleName::Read => Role::Read,
        RoleName::Sync => Role::Sync,
        RoleName::Apply => Role::Apply,
        RoleName::Failover => Role::Failover,
    };
    let stack = args.stack.clone().map(|stack| {
        load_stack(ui, &StackArgs { stack, input: args.input.clone(), inputs: args.inputs.clone() })
    });
    let policy = policy(role, stack.transpose()?.as_ref());
    let parts = parts(&policy);
    let Some(number) = args.part else {
        if parts.len() > 1 {
            ui.note(&format!(
                "The policy has {} characters, and a managed policy takes {MOST_CHARACTERS}: print its {} parts with `--part 1` and so on, and attach all.",
                characters(&policy),
                parts.len()
            ));
        }
        ui.raw(&format!("{policy:#}\n"));
        return Ok(Exit::Done);
    };
    let Some(part) = number.checked_sub(1).and_then(|it| parts.get(it)) else {
        let message = format!("`--part {number}`: the policy has {}", count(parts.len(), "part"));
        return Err(Failure::new(Status::Usage, message, "count the parts from 1"));
    };
    ui.raw(&format!("{part:#}\n"));
    Ok(Exit::Done)
}
