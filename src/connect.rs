//! Connects to clouds, with the runtime that fits each: the sim's clock stands still, AWS's does
//! not.

use std::path::Path;
use std::sync::Arc;

use drstack_app::app::Clouds;
use drstack_app::failure::{Failure, Status};
use drstack_core::cloud::{Cloud, Scope};
use drstack_core::control::ControlStore;
use drstack_core::stack::{ReadFiles, Stack};
use drstack_sim::{Sim, SimConfig};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;

use crate::args::{CloudName, Global};

use crate::files;

/// Folder of the simulated world, below the working folder.
const SIM_FOLDER: &str = ".drstack/sim";

/// Returns the runtime for `name`.
pub(crate) fn runtime(name: CloudName) -> Result<Runtime, Failure> {
    let made = match name {
        CloudName::Sim => drstack_sim::runtime(),
        CloudName::Aws => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    made.map_err(|error| {
        Failure::new(
            Status::Failed,
            format!("cannot start: {error}"),
            "free some file handles or threads, then run again",
        )
    })
}

/// The clouds that the global arguments select.
pub(crate) struct Known {
    global: Global,
}

impl Known {
    /// Selects the cloud of these arguments.
    pub(crate) fn by(global: &Global) -> Self {
        Self { global: global.clone() }
    }
}

impl Clouds for Known {
    fn connect<'a>(
        &'a self,
        stack: &'a Stack,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Arc<dyn Cloud>, Failure>> {
        async move {
            match self.global.cloud {
                CloudName::Sim => simulated(&self.global, stack, scope),
                CloudName::Aws => aws(scope).await,
            }
        }
        .boxed()
    }

    fn control<'a>(
        &'a self,
        bucket: &'a str,
        stack: &'a str,
        region: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn ControlStore>, Failure>> {
        match self.global.cloud {
            CloudName::Sim => std::future::ready(simulated_control(bucket, stack, region)).boxed(),
            CloudName::Aws => aws_control(bucket, stack, region).boxed(),
        }
    }
}

fn simulated_control(bucket: &str, stack: &str, region: &str) -> Result<Arc<dyn ControlStore>, Failure> {
    if !Path::new(SIM_FOLDER).exists() {
        let hint = "work in the folder that it was applied in: `-C DIR`";
        let message = format!("there is no simulated cloud in `{SIM_FOLDER}`");
        return Err(Failure::new(Status::Failed, message, hint));
    }
    // The sim's settings belong to the stack, which is not known yet. This sim only reads one
    // object.
    let scope = scope(stack, region);
    let kinds = drstack_kinds::kinds();
    let sim = Sim::open(Path::new(SIM_FOLDER), SimConfig::default(), kinds, &scope, Vec::new());
    Ok(sim.map_err(|error| world_failure(&error))?.control(&scope, bucket))
}

async fn aws_control(bucket: &str, stack: &str, region: &str) -> Result<Arc<dyn ControlStore>, Failure> {
    let scope = scope(stack, region);
    let cloud = aws(&scope).await?;
    // Reading one object needs no other region.
    cloud.restrict_to_standby();
    Ok(cloud.control(&scope, bucket))
}

/// Returns a [`Scope`] with the parts that are known before the bundle is read.
fn scope(stack: &str, standby: &str) -> Scope {
    // No call for this scope goes to a primary region, so the standby takes both places.
    Scope {
        stack: stack.into(),
        primary: standby.into(),
        standby: standby.into(),
        secrets: std::sync::Arc::default(),
    }
}

fn world_failure(error: &drstack_sim::WorldError) -> Failure {
    let in_use = matches!(error, drstack_sim::WorldError::InUse { .. });
    let status = if in_use { Status::Locked } else { Status::Failed };
    Failure::new(status, error, error.hint())
}

#[cfg(feature = "aws")]
async fn aws(scope: &Scope) -> Result<Arc<dyn Cloud>, Failure> {
    use drstack_core::cloud::CloudError;
    use drstack_kinds::aws::{Aws, AwsCloud};
    let aws = Aws::connect(&scope.primary, &scope.standby).await.map_err(|error| {
        let hint = match &error {
            CloudError::NoCredentials { .. }
            | CloudError::Expired { .. }
            | CloudError::Untrusted { .. }
            | CloudError::Invalid { .. } => error.hint(),
            CloudError::Denied { .. } => {
                "set `AWS_PROFILE`, or the other variables of the AWS command line; `--cloud sim` needs no account".to_owned()
            }
            _ => "set `AWS_ACCOUNT_ID` to the digits of the account, so that drstack need not ask AWS for it".to_owned(),
        };
        Failure::new(Status::Failed, error, hint)
    })?;
    Ok(Arc::new(AwsCloud::new(aws)))
}

#[cfg(not(feature = "aws"))]
async fn aws(_: &Scope) -> Result<Arc<dyn Cloud>, Failure> {
    let message = "this build cannot talk to AWS: it was made with `--no-default-features`";
    Err(Failure::new(
        Status::Usage,
        message,
        "build it whole (`cargo build --release`), or use `--cloud sim`",
    ))
}

fn simulated(global: &Global, stack: &Stack, scope: &Scope) -> Result<Arc<dyn Cloud>, Failure> {
    let settings = |error: drstack_sim::ConfigError| {
        Failure::new(
            Status::Invalid,
            error,
            "crates/sim/README.md describes every setting of the simulated cloud",
        )
    };
    let mut config = match &global.sim {
        Some(path) => {
            let text = ReadFiles::read(&files::Disk, path).map_err(|error| {
                let message = format!("cannot read `{}`: {error}", path.display());
                Failure::new(Status::Usage, message, error.hint("name a TOML file with settings of the sim"))
            })?;
            SimConfig::from_toml(&text).map_err(settings)?
        }
        None => SimConfig::from_value(&stack.sim).map_err(settings)?,
    };
    config.seed = global.sim_seed.unwrap_or(config.seed);
    let seeds = stack
        .components
        .values()
        .flat_map(|it| it.component.seeds(&it.spec, &stack.facts, &it.address))
        .collect();
    let folder = Path::new(SIM_FOLDER);
    let sim = Sim::open(folder, config, drstack_kinds::kinds(), scope, seeds)
        .map_err(|error| world_failure(&error))?;
    tokio::spawn(die_with(sim.clone()));
    Ok(Arc::new(sim))
}

/// Ends the program as `kill -9` does, when the sim stops answering as its settings demand.
async fn die_with(sim: Sim) {
    sim.stopped().await;
    std::process::exit(137);
}
