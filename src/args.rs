//! Arguments that several commands share.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;

use drstack_app::accepted::quoted;
use drstack_app::failure::{Failure, Status};
use drstack_app::freshness::{Demands, NotBefore};
use drstack_app::open::BundleAt;
use drstack_core::keys::{KeyError, PublicKey};

use crate::page::Page;

/// What every command takes.
#[derive(clap::Args, Clone)]
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
    /// Append what came of it to this file, as Markdown
    #[arg(long, global = true, value_name = "FILE.md", env = "GITHUB_STEP_SUMMARY", hide_env_values = true)]
    pub(crate) summary: Option<PathBuf>,
    /// What goes there.
    #[arg(skip)]
    pub(crate) page: Page,
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
#[derive(clap::Args, Clone)]
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

/// A stack by what was published of it.
#[derive(clap::Args, Clone)]
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
    /// Refuse a bundle that was published before this moment, or is older than this: `36h`
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<NotBefore>,
}

impl BundleArgs {
    /// Returns the bundle that the arguments name, if any.
    pub(crate) fn at(&self) -> Result<Option<BundleAt>, Failure> {
        let Some(url) = self.bundle.clone() else { return Ok(None) };
        Ok(Some(BundleAt { url, region: self.region.clone(), demands: self.demands()? }))
    }

    /// Returns the words that name the bundle and its cloud, as an operator types them; empty without one.
    pub(crate) fn typed(&self, global: &Global) -> Vec<String> {
        let Some(url) = &self.bundle else { return Vec::new() };
        let mut words = vec!["--bundle".to_owned(), quoted(url)];
        words.extend(self.region.iter().flat_map(|region| ["--region".to_owned(), region.to_owned()]));
        words.extend(global.typed());
        words
    }

    /// Returns the words that say what the bundle has to be.
    pub(crate) fn demanded(&self) -> Vec<String> {
        let key = self.verify_key.iter().flat_map(|key| ["--verify-key".to_owned(), quoted(key)]);
        let limit = self.not_before.iter();
        key.chain(limit.flat_map(|it| ["--not-before".to_owned(), quoted(&it.to_string())])).collect()
    }

    /// Returns what the bundle has to be.
    pub(crate) fn demands(&self) -> Result<Demands, Failure> {
        let key = self.verify_key.as_deref().map(str::parse).transpose();
        let verify_key: Option<PublicKey> = key.map_err(|error: KeyError| {
            let hint = drstack_core::keys::PUBLIC_KEY_HELP;
            Failure::new(Status::Usage, format!("`--verify-key`: {error}"), hint)
        })?;
        Ok(Demands { verify_key, not_before: self.not_before })
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ModeName {
    Standby,
    Active,
}

/// How a run goes.
#[derive(clap::Args, Clone)]
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

impl From<ModeName> for drstack_core::objective::Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::Standby => Self::Standby,
            ModeName::Active => Self::Active,
        }
    }
}

impl Global {
    /// Returns the words of a command line that lead to the same folder and cloud.
    pub(crate) fn typed(&self) -> Vec<String> {
        let path = |it: &PathBuf| quoted(&it.display().to_string());
        let mut words = Vec::new();
        words.extend(self.folder.iter().flat_map(|it| ["-C".to_owned(), path(it)]));
        if self.cloud == CloudName::Sim {
            words.extend(["--cloud", "sim"].map(str::to_owned));
        }
        words.extend(self.sim.iter().flat_map(|it| ["--sim".to_owned(), path(it)]));
        words.extend(self.sim_seed.iter().flat_map(|it| ["--sim-seed".to_owned(), it.to_string()]));
        words
    }
}

/// Returns the stack, its inputs and its cloud as an operator types them.
pub(crate) fn typed(global: &Global, args: &StackArgs) -> String {
    let mut words = vec![quoted(&args.stack.display().to_string())];
    for (name, value) in &args.input {
        words.extend(["-i".to_owned(), quoted(&format!("{name}={value}"))]);
    }
    if let Some(file) = &args.inputs {
        words.extend(["--inputs".to_owned(), quoted(&file.display().to_string())]);
    }
    words.extend(global.typed());
    words.join(" ")
}

/// Returns the addresses as a set.
pub(crate) fn set(addresses: &[String]) -> BTreeSet<String> {
    addresses.iter().cloned().collect()
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

pub(crate) fn parallelism(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|it| (1..=1000).contains(it)).ok_or_else(|| "a number from 1 to 1000".to_owned())
}
