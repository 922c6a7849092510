//! The pure half of settings of the primary that drstack enables and never disables, from one
//! declaration.

/// Declares such a kind: `TableRecovery, TableRecoverySpec { table }, TableRecoveryLive:
/// "table-recovery", "summary", [operations]`
macro_rules! switch {
    (
        $kind:ident, $spec:ident { $(#[$doc:meta])* $of:ident }, $live:ident:
        $name:literal, $summary:literal, [$(($service:literal, $action:literal)),* $(,)?]
    ) => {
        /// The desired state: the setting is on.
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub struct $spec {
            $(#[$doc])*
            pub $of: String,
        }

        /// The setting as the service reports it.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $live {
            /// True if it is on.
            pub enabled: bool,
        }

        /// The kind of a setting that is enabled and never disabled.
        pub struct $kind;

        impl drstack_core::kind::Kind for $kind {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const LOOKUP: drstack_core::kind::Lookup = drstack_core::kind::Lookup::Name;
            const PLACES: &'static [drstack_core::kind::Place] = &[drstack_core::kind::Place::Primary];
            const ROLE: drstack_core::kind::Role = drstack_core::kind::Role::Setting;
            const OPERATIONS: &'static [drstack_core::kind::Operation] =
                &[$($crate::services::operation($service, $action)),*];
            type Spec = $spec;
            type Live = $live;

            fn diff(_spec: &$spec, live: &$live) -> Vec<drstack_core::kind::FieldChange> {
                drstack_core::kind::FieldChange::of("enabled", &live.enabled, &true).into_iter().collect()
            }

            fn expect(_spec: &$spec, _id: &str) -> $live {
                $live { enabled: true }
            }
        }
    };
}
pub(crate) use switch;
