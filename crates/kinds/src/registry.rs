//! The registry: one line for each kind of resource and of component. The kinds, their drivers and the names under [`resources`] and
//! [`crate::components`] follow from it.

/// Resources, one AWS object each.
pub mod resources {
    use drstack_core::kind::{DynKind, Erased};

    /// `service::module::Kind`: its two halves are in `services/SERVICE/MODULE.rs` and `services/SERVICE/MODULE/aws.rs`.
    macro_rules! resources {
        ($($service:ident::$module:ident::$kind:ident,)*) => {
            $(pub use crate::services::$service::$module::$kind;)*

            /// Every resource kind.
            pub const ALL: &[&dyn DynKind] = &[$(&Erased::<$kind>::NEW),*];

            /// The driver of the kind of this name.
            #[cfg(feature = "aws")]
            pub(crate) fn driver(kind: &str) -> Option<&'static dyn crate::aws::DynDriver> {
                $(if kind == <$kind as drstack_core::kind::Kind>::NAME {
                    return Some(&crate::aws::ErasedDriver::<$kind>::NEW);
                })*
                None
            }
        };
    }

    resources! {
        autoscaling::group::Group,
        checks::check::Check,
        cloudwatch::alarm::Alarm,
        cloudwatch::traffic_switch::TrafficSwitch,
        dynamodb::table_copy::TableCopy,
        dynamodb::table_export::TableExport,
        dynamodb::table_import::TableImport,
        dynamodb::table_recovery::TableRecovery,
        dynamodb::table_replica::TableReplica,
        dynamodb::table_stream::TableStream,
        ec2::gateway_endpoint::GatewayEndpoint,
        ec2::image::Image,
        ec2::launch_template::LaunchTemplate,
        ec2::route_table::RouteTable,
        ec2::security_group::SecurityGroup,
        ec2::subnet::Subnet,
        ec2::vpc::Vpc,
        iam::instance_profile::InstanceProfile,
        iam::instance_role::InstanceRole,
        iam::replication_role::ReplicationRole,
        iam::writer_fence::WriterFence,
        route53::dns_record::DnsRecord,
        route53::dns_weights::DnsWeights,
        route53::health_check::HealthCheck,
        s3::bucket::Bucket,
        s3::bucket_versioning::BucketVersioning,
        s3::replication_rule::ReplicationRule,
        ssm::parameter::Parameter,
    }
}

/// Components, as users write them.
pub(crate) mod components {
    use drstack_core::component::{DynComponent, ErasedComponent};

    /// `module::Component`: `components/MODULE.rs`.
    macro_rules! components {
        ($($module:ident::$component:ident,)*) => {
            $(pub use crate::components::$module::$component;)*

            /// Every component.
            pub const ALL: &[&dyn DynComponent] = &[$(&ErasedComponent::<$component>::NEW),*];
        };
    }

    components! {
        bucket::Bucket,
        fence::Fence,
        image::Image,
        network::Network,
        pool::Pool,
        table::Table,
        traffic::Traffic,
    }
}
