//! Arguments.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use drstack_app::accepted::{Accepted, parse, quoted};
use drstack_app::failure::{Failure, Status};
use drstack_app::open::BundleAt;
use drstack_core::keys::{KeyError, PublicKey};

/// Gives an AI system on AWS a second region to fall back to.
#[derive(Parser)]
#[command(
    name = "drstack",
    version,
    propagate_version = true,
    after_help = "Start without an account:\n  drstack init demo\n  drstack apply demo --cloud sim\n\nExit codes: 0 done, 1 failed, 2 changes (--detailed-exitcode), 3 objective missed or not ready, 4 locked or stale, 64 usage, 65 invalid stack, 130 interrupted"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(ClapArgs, Clone)]
pub(crate) struct Global {
    /// Cloud to work on: your AWS account, or a simulation kept in `.drstack/sim/`
    #[arg(long, global = true, value_enum, default_value = "aws")]
    pub(crate) cloud: CloudName,
    /// Settings of the simulated cloud, instead of the stack's `[sim]` table
    #[arg(long, global = true, value_name = "FILE.toml")]
    pub(crate) sim: Option<PathBuf>,
    /// Seed of the simulated cloud: the same seed gives the same ids and choices
    #[arg(long, global = true, value_name = "N")]
    pub(crate) sim_seed: Option<u64>,
    /// Print one JSON object a line on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only results and errors: no progress, no notes
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Print without colour, as NO_COLOR does
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Work in this folder
    #[arg(short = 'C', global = true, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// The clouds.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloudName {
    Aws,
    Sim,
}

/// A stack and its inputs.
#[derive(ClapArgs, Clone)]
pub(crate) struct StackArgs {
    /// Folder with a `stack.toml`, or the file itself
    #[arg(default_value = ".")]
    pub(crate) stack: PathBuf,
    /// Set an input (lists: a,b; repeatable)
    #[arg(short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) input: Vec<(String, String)>,
    /// Read inputs from this TOML file
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) inputs: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a commented stack that validates
    #[command(after_help = "Example:\n  drstack init demo && drstack validate demo")]
    Init {
        /// Folder to write into; created if it does not exist
        dir: PathBuf,
    },
    /// Find all problems of a stack, without a network
    #[command(after_help = "Example:\n  drstack validate stacks/fleet-routing")]
    Validate(StackArgs),
    /// Show what apply would do
    #[command(
        after_help = "Examples:\n  drstack plan stacks/fleet-routing --cloud sim\n  drstack plan . --detailed-exitcode   # exit 2 when there is something to do\n  drstack plan . --out today.plan && drstack apply today.plan\n  drstack plan . --mode active         # what a failover would change\n  drstack plan --bundle s3://acme-drstack-usw2/fleet-routing --region us-west-2 --mode active   # the same, from an empty folder"
    )]
    Plan(PlanArgs),
    /// Make the standby region match the stack
    #[command(
        after_help = "Examples:\n  drstack apply stacks/fleet-routing --cloud sim --auto-approve\n  drstack apply today.plan\n  drstack apply . --signing-key signing.key   # signs the bundle it publishes"
    )]
    Apply(ApplyArgs),
    /// Delete the stack's resources in the standby region; keep data unless named
    #[command(
        after_help = "Examples:\n  drstack destroy .\n  drstack destroy . --delete-data bucket.models --delete-data control"
    )]
    Destroy(DestroyArgs),
    /// Fail over to the standby region, calling no other unless it is planned
    #[command(
        after_help = "Examples:\n  drstack failover . --dry-run                     # every call it would make\n  drstack failover . --auto-approve                # from a runbook\n  drstack failover . --only pool.inference         # a part, with what it needs\n  drstack failover --bundle s3://CONTROL/STACK --region us-west-2     # in an empty folder\n  drstack failover . --planned                     # while the primary still answers: waits for replication first\n  drstack failover . --watch                       # what another operator's run is doing\n  drstack failover . --minimum 40%                 # go on with less than the minimum of the stack\n\nRun it again after any failure: finished steps are not repeated.\n\nExit codes: 0 what serves was asked and answered, within the RTO; 1 not complete, or nothing is in service; 3 later than the RTO, or no check asked what serves; 4 locked, 130 interrupted"
    )]
    Failover(FailoverArgs),
    /// Fail back to the primary region, once it answers again
    #[command(after_help = "Examples:\n  drstack failback . --dry-run\n  drstack failback .")]
    Failback(FailbackArgs),
    /// Draw the graph of resources
    #[command(
        after_help = "Examples:\n  drstack graph . --format svg > graph.svg\n  drstack graph . --format mermaid"
    )]
    Graph(GraphArgs),
    /// Remove the lock of a run that died
    #[command(after_help = "Example:\n  drstack unlock . --force")]
    Unlock {
        #[command(flatten)]
        stack: StackArgs,
        /// Do not ask for confirmation
        #[arg(long)]
        force: bool,
    },
    /// Create and show the keys that sign bundles
    #[command(subcommand, after_help = "Example:\n  drstack keys new ~/.config/drstack/signing.key")]
    Keys(KeysCommand),
    /// Print the JSON Schema of stack files
    #[command(after_help = "Example:\n  drstack schema > stack.schema.json")]
    Schema,
    /// List the kinds of components and resources
    #[command(after_help = "Example:\n  drstack kinds --json")]
    Kinds,
    /// Explain a diagnostic
    #[command(after_help = "Example:\n  drstack explain DR201")]
    Explain {
        /// Code of the diagnostic
        code: String,
    },
    /// Print a script that completes commands in your shell
    #[command(after_help = "Example:\n  drstack completions bash > /etc/bash_completion.d/drstack")]
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  drstack man | man -l -")]
    Man,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Write a new private key that only you can read, and print its public half
    #[command(
        after_help = "Examples:\n  drstack keys new ~/.config/drstack/signing.key\n  drstack apply . --signing-key ~/.config/drstack/signing.key"
    )]
    New {
        /// File to write; it must not exist
        file: PathBuf,
    },
    /// Print the public half of a private key
    #[command(after_help = "Example:\n  drstack keys show ~/.config/drstack/signing.key")]
    Show {
        /// File that `keys new` has written
        file: PathBuf,
    },
}

/// A stack by what was published of it.
#[derive(ClapArgs, Clone)]
pub(crate) struct BundleArgs {
    /// Use the published bundle instead of local stack files
    #[arg(long, value_name = "s3://CONTROL/STACK", conflicts_with_all = ["stack", "input", "inputs"])]
    pub(crate) bundle: Option<String>,
    /// Region of the control bucket, unless it has its default name
    #[arg(long, value_name = "REGION", requires = "bundle")]
    pub(crate) region: Option<String>,
    /// Refuse a bundle that this public key's owner has not signed
    #[arg(long, value_name = "PUBLIC_KEY", env = "DRSTACK_VERIFY_KEY")]
    pub(crate) verify_key: Option<String>,
}

impl BundleArgs {
    /// Where the bundle lies, where one is named.
    pub(crate) fn at(&self) -> Result<Option<BundleAt>, Failure> {
        let Some(url) = self.bundle.clone() else { return Ok(None) };
        Ok(Some(BundleAt { url, region: self.region.clone(), verify_key: self.verify_key()? }))
    }

    /// The key that has to have signed the bundle, where one is named.
    pub(crate) fn verify_key(&self) -> Result<Option<PublicKey>, Failure> {
        let key = self.verify_key.as_deref().map(str::parse).transpose();
        key.map_err(|error: KeyError| {
            let hint = drstack_core::keys::PUBLIC_KEY_HELP;
            Failure::new(Status::Usage, format!("`--verify-key`: {error}"), hint)
        })
    }
}

#[derive(ClapArgs, Clone)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) bundle: BundleArgs,
    /// Mode to plan for [default: the current one]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeName>,
    /// Write the plan to a file for `apply`
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    pub(crate) out: Option<PathBuf>,
    /// Plan only this address and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Also delete this data, if a change has to (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) delete_data: Vec<String>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ModeName {
    Standby,
    Active,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Record the stack's mode again, if its record is lost
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeName>,
    /// Sign the bundle with this private key
    #[arg(long, value_name = "FILE", env = "DRSTACK_SIGNING_KEY")]
    pub(crate) signing_key: Option<PathBuf>,
    /// Plan only this address and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Also delete this data, if a change has to (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) delete_data: Vec<String>,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Delete only this address and what needs it (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Also delete this data; `control` is the control bucket (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) delete_data: Vec<String>,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct FailoverArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) bundle: BundleArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Fail over only this address, `tier=N` or `tag:KEY=VALUE`, and what it needs (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) only: Vec<String>,
    /// Run a bundle's commands that neither your key nor your files vouch for
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// Print the plan and the AWS calls it would make; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// While the primary answers: wait for replication, then fail over
    #[arg(long)]
    pub(crate) planned: bool,
    /// Give up without a change if replication takes longer
    #[arg(long, value_name = "TIME", requires = "planned", default_value = drstack_app::ops::drain::AT_MOST)]
    pub(crate) drain_timeout: jiff::SignedDuration,
    /// Do not wait for this: move traffic without it, or without its replication (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) not_waiting_for: Vec<String>,
    /// Accept less capacity in this failover: `40%`, `16`, or `pool.inference=40%` (repeatable)
    #[arg(long, value_name = "MINIMUM", value_parser = parse)]
    pub(crate) minimum: Vec<Accepted>,
    /// Count the recovery time from this moment, when the outage was noticed
    #[arg(long, value_name = "TIME", conflicts_with = "planned", value_parser = moment)]
    pub(crate) detected_at: Option<jiff::Timestamp>,
    /// Fail over without the control bucket, if it is lost: no lock, no journal
    #[arg(long, conflicts_with_all = ["bundle", "watch"])]
    pub(crate) without_control: bool,
    /// Follow the run that holds the lock
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct FailbackArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print the plan and the AWS calls it would make; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a run goes.
#[derive(ClapArgs, Clone)]
pub(crate) struct RunArgs {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Run this many steps at once
    #[arg(long, value_name = "N", default_value_t = drstack_core::engine::execute::PARALLELISM, value_parser = parallelism)]
    pub(crate) parallelism: usize,
    /// Draw when each step ran, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) timings: Option<PathBuf>,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "mermaid")]
    pub(crate) format: GraphFormat,
    /// Mode to draw
    #[arg(long, value_enum, default_value = "standby")]
    pub(crate) mode: ModeName,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum GraphFormat {
    Dot,
    Mermaid,
    Json,
    Svg,
}

impl From<ModeName> for drstack_core::objective::Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Standby => Self::Standby,
            ModeName::Active => Self::Active,
        }
    }
}

/// The stack and its inputs, as one types them.
pub(crate) fn typed(args: &StackArgs) -> String {
    let mut words = vec![quoted(&args.stack.display().to_string())];
    for (name, value) in &args.input {
        words.extend(["-i".to_owned(), quoted(&format!("{name}={value}"))]);
    }
    if let Some(file) = &args.inputs {
        words.extend(["--inputs".to_owned(), quoted(&file.display().to_string())]);
    }
    words.join(" ")
}

/// The addresses as a set.
pub(crate) fn set(addresses: &[String]) -> BTreeSet<String> {
    addresses.iter().cloned().collect()
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

fn parallelism(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|it| (1..=1000).contains(it)).ok_or_else(|| "a number from 1 to 1000".to_owned())
}

/// When the outage was noticed.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "write it as 2026-11-24T03:00:00Z".to_owned())
}
