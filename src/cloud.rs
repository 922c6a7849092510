//! Which cloud, and the runtime that fits it: the sim's clock stands still, AWS's does not.

use std::path::Path;
use std::sync::Arc;

use drstack_core::cloud::{Cloud, Scope};
use drstack_core::control::ControlStore;
use drstack_core::kind::KindRegistry;
use drstack_core::stack::{ReadFiles, Stack};
use drstack_sim::{Sim, SimConfig};
use tokio::runtime::Runtime;

use crate::args::{CloudName, Global};
use crate::exit::{Exit, Failure};
use crate::files;

/// Where the simulated world is kept, below the working folder.
const SIM_FOLDER: &str = ".drstack/sim";

/// A cloud to work on.
pub(crate) struct Connected {
    /// The cloud.
    pub(crate) cloud: Arc<dyn Cloud>,
    /// Whether its time is not real.
    pub(crate) simulated: bool,
}

/// The runtime for `name`.
pub(crate) fn runtime(name: CloudName) -> Result<Runtime, Failure> {
    let made = match name {
        CloudName::Sim => drstack_sim::runtime(),
        CloudName::Aws => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    made.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot start: {error}"),
            "free some file handles or threads, then run again",
        )
    })
}

/// Connects to the cloud that the arguments name.
pub(crate) async fn connect(
    global: &Global,
    stack: &Stack,
    scope: &Scope,
    kinds: &KindRegistry,
) -> Result<Connected, Failure> {
    match global.cloud {
        CloudName::Sim => simulated(global, stack, scope, kinds),
        CloudName::Aws => aws(scope).await,
    }
}

/// The control bucket `bucket` of the stack named `stack`, before anything else of that stack is known. `region` is where
/// it lies, if the caller knows: nobody is asked, since whoever answered may be the region that is lost.
pub(crate) async fn control_store(
    global: &Global,
    bucket: &str,
    stack: &str,
    region: Option<&str>,
) -> Result<Arc<dyn ControlStore>, Failure> {
    match global.cloud {
        CloudName::Sim => {
            if !Path::new(SIM_FOLDER).exists() {
                let hint = "work in the folder that it was applied in: `-C DIR`";
                let message = format!("there is no simulated cloud in `{SIM_FOLDER}`");
                return Err(Failure::new(Exit::Failed, message, hint));
            }
            // Its settings are the stack's, and come with it: this is to read one object.
            let scope = scope(stack, region.unwrap_or_default());
            let kinds = drstack_kinds::kinds();
            let sim = Sim::open(Path::new(SIM_FOLDER), SimConfig::default(), kinds, &scope, Vec::new());
            Ok(sim.map_err(|error| world_failure(&error))?.control(&scope, bucket))
        }
        CloudName::Aws => {
            let region = region.ok_or_else(|| {
                let hint = "name the standby region, where the control bucket lies: `--region us-west-2`";
                Failure::new(Exit::Usage, format!("the name of `{bucket}` does not say its region"), hint)
            })?;
            let scope = scope(stack, region);
            let cloud = aws(&scope).await?.cloud;
            // To read an object takes no other region.
            cloud.stand_alone();
            Ok(cloud.control(&scope, bucket))
        }
    }
}

/// The parts of a [`Scope`] that are known before the bundle is read.
fn scope(stack: &str, standby: &str) -> Scope {
    // No call for this scope goes to a primary region: it is the standby's twice.
    Scope {
        stack: stack.into(),
        primary: standby.into(),
        standby: standby.into(),
        secrets: std::sync::Arc::default(),
    }
}

fn world_failure(error: &drstack_sim::WorldError) -> Failure {
    let in_use = matches!(error, drstack_sim::WorldError::InUse { .. });
    let exit = if in_use { Exit::Locked } else { Exit::Failed };
    Failure::new(exit, error, error.hint())
}

#[cfg(feature = "aws")]
async fn aws(scope: &Scope) -> Result<Connected, Failure> {
    use drstack_core::cloud::CloudError;
    use drstack_kinds::aws::{Aws, AwsCloud};
    let aws = Aws::connect(&scope.primary, &scope.standby).await.map_err(|error| {
        let hint = match error {
            CloudError::Denied { .. } => {
                "set `AWS_PROFILE`, or the other variables of the AWS command line; `--cloud sim` needs no account"
            }
            _ => "set `AWS_ACCOUNT_ID` to the digits of the account, so that nobody has to be asked for it",
        };
        Failure::new(Exit::Failed, error, hint)
    })?;
    Ok(Connected { cloud: Arc::new(AwsCloud::new(aws)), simulated: false })
}

#[cfg(not(feature = "aws"))]
async fn aws(_: &Scope) -> Result<Connected, Failure> {
    let message = "this build cannot talk to AWS: it was made with `--no-default-features`";
    Err(Failure::new(Exit::Usage, message, "build it whole (`cargo build --release`), or use `--cloud sim`"))
}

fn simulated(
    global: &Global,
    stack: &Stack,
    scope: &Scope,
    kinds: &KindRegistry,
) -> Result<Connected, Failure> {
    let settings = |error: drstack_sim::ConfigError| {
        Failure::new(
            Exit::Invalid,
            error,
            "crates/sim/README.md describes every setting of the simulated cloud",
        )
    };
    let mut config = match &global.sim {
        Some(path) => {
            let text = ReadFiles::read(&files::Disk, path).map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("cannot read `{}`: {error}", path.display()),
                    "name a TOML file",
                )
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
    let sim =
        Sim::open(folder, config, kinds.clone(), scope, seeds).map_err(|error| world_failure(&error))?;
    tokio::spawn(die_with(sim.clone()));
    Ok(Connected { cloud: Arc::new(sim), simulated: true })
}

/// Ends the program as `kill -9` does when the sim, as it was told to, stops answering.
async fn die_with(sim: Sim) {
    sim.stopped().await;
    std::process::exit(137);
}
