//! `[fence.NAME]`: says to the application which region may write, and since which change of mode. docs/fence.md shows its use.

use drstack_core::component::{CompileCx, Component, ResourceSet};
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::objective::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resources::Parameter;
use crate::resources::parameter::{ParameterSpec, folder};

/// `[fence.NAME]`: it has no fields of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FenceTable {}

/// See the module.
pub struct Fence;

impl Component for Fence {
    const NAME: &'static str = "fence";
    const SUMMARY: &'static str =
        "parameters in the standby region that say which region may write, and since when";
    type Spec = FenceTable;

    fn compile(_spec: &FenceTable, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        let folder = folder(&cx.stack.name);
        let parameter = |resource: &str, value: String| {
            let name = format!("{folder}{resource}");
            let spec = ParameterSpec { name: name.clone(), value };
            Resource::named::<Parameter>(cx.resource(resource), Place::Standby, name, &spec)
        };
        let region = match cx.mode {
            Mode::Standby => &cx.stack.primary,
            Mode::Active => &cx.stack.standby,
        };
        // Whoever reads that a region may write must not read an epoch beside it that is over.
        let epoch = out.add(parameter("epoch", cx.epoch.to_string()));
        out.add(parameter("active-region", region.clone()).after(&epoch));
    }
}
