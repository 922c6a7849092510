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
    /// Which cloud: your AWS account, or a simulated one that keeps its world in `.drstack/sim/`
    #[arg(long, global = true, value_enum, default_value = "aws")]
    pub(crate) cloud: CloudName,
    /// Settings of the simulated cloud, in place of the stack's `[sim]` table
    #[arg(long, global = true, value_name = "FILE.toml")]
    pub(crate) sim: Option<PathBuf>,
    /// Seed of the simulated cloud, in place of the one in its settings: the same seed, the same ids and random choices
    #[arg(long, global = true, value_name = "N")]
    pub(crate) sim_seed: Option<u64>,
    /// One JSON object a line on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Only results and what went wrong: no progress, no notes
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// No colour, as with NO_COLOR
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
    /// A folder with a `stack.toml`, or the file itself
    #[arg(default_value = ".")]
    pub(crate) stack: PathBuf,
    /// Value of an input
    #[arg(short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) input: Vec<(String, String)>,
    /// Values of inputs, as TOML
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) inputs: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a commented stack that validates
    #[command(after_help = "Example:\n  drstack init demo && drstack validate demo")]
    Init {
        /// The folder to write into; made if need be
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
    /// Make the standby region what the stack says
    #[command(
        after_help = "Examples:\n  drstack apply stacks/fleet-routing --cloud sim --auto-approve\n  drstack apply today.plan\n  drstack apply . --signing-key signing.key   # signs the bundle it publishes"
    )]
    Apply(ApplyArgs),
    /// Take away what the stack owns; data copies stay unless named
    #[command(
        after_help = "Examples:\n  drstack destroy .\n  drstack destroy . --delete-data bucket.models --delete-data control"
    )]
    Destroy(DestroyArgs),
    /// Fail over to the standby region: no other region is called, unless it is planned
    #[command(
        after_help = "Examples:\n  drstack failover . --dry-run                     # every call it would make\n  drstack failover . --auto-approve                # from a runbook\n  drstack failover . --only pool.inference         # a part, with what it needs\n  drstack failover --bundle s3://CONTROL/STACK --region us-west-2     # in an empty folder\n  drstack failover . --planned                     # while the primary still answers: waits for replication first\n  drstack failover . --watch                       # what another operator's run is doing\n  drstack failover . --minimum 40%                 # go on with less than the minimum of the stack\n\nRun it again after any failure: it goes on from where it stands.\n\nExit codes: 0 what serves was asked and answered, within the RTO; 1 not complete, or nothing is in service; 3 later than the RTO, or no check asked what serves; 4 locked, 130 interrupted"
    )]
    Failover(FailoverArgs),
    /// Fail back to the primary region, once that answers again
    #[command(after_help = "Examples:\n  drstack failback . --dry-run\n  drstack failback .")]
    Failback(FailbackArgs),
    /// Draw the graph of resources
    #[command(
        after_help = "Examples:\n  drstack graph . --format svg > graph.svg\n  drstack graph . --format mermaid"
    )]
    Graph(GraphArgs),
    /// Break a lock that a dead run left behind
    #[command(after_help = "Example:\n  drstack unlock . --force")]
    Unlock {
        #[command(flatten)]
        stack: StackArgs,
        /// Do not ask
        #[arg(long)]
        force: bool,
    },
    /// Make and show the keys that sign bundles
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
        /// Its code
        code: String,
    },
    /// Print a script that completes commands in your shell
    #[command(after_help = "Example:\n  drstack completions bash > /etc/bash_completion.d/drstack")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  drstack man | man -l -")]
    Man,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Write a new private key that only you may read, and print its public half
    #[command(
        after_help = "Examples:\n  drstack keys new ~/.config/drstack/signing.key\n  drstack apply . --signing-key ~/.config/drstack/signing.key"
    )]
    New {
        /// The file to write; there must be none of that name
        file: PathBuf,
    },
    /// Print the public half of a private key
    #[command(after_help = "Example:\n  drstack keys show ~/.config/drstack/signing.key")]
    Show {
        /// A file that `keys new` has written
        file: PathBuf,
    },
}

/// A stack by what was published of it.
#[derive(ClapArgs, Clone)]
pub(crate) struct BundleArgs {
    /// The stack as its last apply published it, in place of STACK: no file of it is needed
    #[arg(long, value_name = "s3://CONTROL/STACK", conflicts_with_all = ["stack", "input", "inputs"])]
    pub(crate) bundle: Option<String>,
    /// Region of the control bucket, where its name (drstack-STACK-REGION) does not say it
    #[arg(long, value_name = "REGION", requires = "bundle")]
    pub(crate) region: Option<String>,
    /// Refuse a bundle that the owner of this public key has not signed
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
    /// Keep the plan in a file for `apply`
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    pub(crate) out: Option<PathBuf>,
    /// Only this address and what it needs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Data that may be deleted; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) delete_data: Vec<String>,
    /// Exit with 2 when there are changes
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
    /// Record anew which mode the stack is in, where its record is lost
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeName>,
    /// Private key that signs the bundle
    #[arg(long, value_name = "FILE", env = "DRSTACK_SIGNING_KEY")]
    pub(crate) signing_key: Option<PathBuf>,
    /// Only this address and what it needs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Data that may be deleted; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) delete_data: Vec<String>,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Only this address and what needs it; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Data that goes too; `control` is the control bucket; may be repeated
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
    /// Only this address, `tier=N` or `tag:KEY=VALUE`, with what it needs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) only: Vec<String>,
    /// Run the commands of a bundle that no key of yours and no file of yours vouches for
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// Say every step and the calls it would make, and make none of them
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// While the primary answers: wait until replication has brought everything to the standby region, then fail over
    #[arg(long)]
    pub(crate) planned: bool,
    /// How long a planned failover waits for replication; after that nothing is changed
    #[arg(long, value_name = "TIME", requires = "planned", default_value = drstack_app::ops::drain::AT_MOST)]
    pub(crate) drain_timeout: jiff::SignedDuration,
    /// What is not waited for, since you have looked at it yourself: traffic moves without it, and a planned failover does not wait for its
    /// replication; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) not_waiting_for: Vec<String>,
    /// Least capacity to go on with, in this failover: `40%` or `16` of each pool, or `pool.inference=40%` of one; may be repeated
    #[arg(long, value_name = "MINIMUM", value_parser = parse)]
    pub(crate) minimum: Vec<Accepted>,
    /// When the outage was noticed: the recovery time counts from then
    #[arg(long, value_name = "TIME", conflicts_with = "planned", value_parser = moment)]
    pub(crate) detected_at: Option<jiff::Timestamp>,
    /// Fail over although the control bucket is lost: no lock keeps others out, no journal is kept
    #[arg(long, conflicts_with_all = ["bundle", "watch"])]
    pub(crate) without_control: bool,
    /// Show what the run that holds the lock is doing
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(ClapArgs, Clone)]
pub(crate) struct FailbackArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Say every step and the calls it would make, and make none of them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a run goes.
#[derive(ClapArgs, Clone)]
pub(crate) struct RunArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Steps at work at once
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
    /// As what
    #[arg(long, value_enum, default_value = "mermaid")]
    pub(crate) format: GraphFormat,
    /// Standby, or active
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
