//! The registry: one line for each kind of resource, fact and component, and for the field tables
//! of each followed object.
//!
//! The kinds, their drivers, the facts and the names under [`resources`], [`crate::facts`] and
//! [`mod@crate::components`] follow from it.

/// Resources, one AWS object each.
pub mod resources {
    use drstack_core::kind::{DynKind, Erased};

    /// `service::module::Kind`: its halves are `services/SERVICE/MODULE.rs` and
    /// `services/SERVICE/MODULE/aws.rs`.
    macro_rules! resources {
        ($($service:ident::$module:ident::$kind:ident,)*) => {
            $(pub use crate::services::$service::$module::$kind;)*

            /// Every resource kind.
            pub const ALL: &[&dyn DynKind] = &[$(&Erased::<$kind>::NEW),*];

            /// Reads `spec` of the kind of this name and serializes it again, as a plan file does.
            ///
            /// # Errors
            ///
            /// The spec does not have the kind's shape.
            pub fn written_again(kind: &str, spec: &serde_json::Value) -> Result<serde_json::Value, serde_json::Error> {
                use drstack_core::kind::Kind;
                $(if kind == $kind::NAME {
                    let spec: <$kind as Kind>::Spec = serde_json::from_value(spec.clone())?;
                    return serde_json::to_value(spec);
                })*
                Err(serde::de::Error::custom(format!("there is no kind `{kind}`")))
            }

            /// Returns the driver of the kind of this name.
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
        dynamodb::global_table::GlobalTable,
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
        sqs::queue::Queue,
        ssm::parameter::Parameter,
    }
}

/// Facts that the live regions answer.
pub mod facts {
    use drstack_core::facts::Fact;
    use drstack_core::kind::{Operation, Place};

    use crate::facts::FactKind;

    /// `service::module::Fact`: its halves are `services/SERVICE/MODULE.rs` and
    /// `services/SERVICE/MODULE/aws.rs`.
    macro_rules! facts {
        ($($service:ident::$module:ident::$fact:ident,)*) => {
            $(pub use crate::services::$service::$module::$fact;)*

            /// Names of all fact kinds, with the calls that a capture may make.
            pub const ALL: &[(&str, &[Operation])] = &[$(($fact::NAME, $fact::OPERATIONS)),*];
            /// Regions that answer, in the same order.
            pub const PLACES: &[Place] = &[$($fact::PLACE),*];

            /// Returns the fact to store, given the stored one `before` it.
            pub(crate) fn kept(kind: &str, before: Option<&Fact>, fact: Fact) -> Fact {
                $(if kind == $fact::NAME {
                    return $fact::keep(before, fact);
                })*
                fact
            }

            /// Returns the function that asks for the fact kind of this name.
            #[cfg(feature = "aws")]
            pub(crate) fn asker(kind: &str) -> Option<crate::aws::Asker> {
                $(if kind == $fact::NAME {
                    return Some(crate::aws::erased::<$fact>);
                })*
                None
            }
        };
    }

    facts! {
        autoscaling::group_fact::GroupFact,
        dynamodb::table_fact::TableFact,
        ec2::image_fact::ImageFact,
        ec2::network_fact::NetworkFact,
        ec2::reservation_fact::ReservationFact,
        ec2::zones_fact::ZonesFact,
        route53::dns_fact::DnsFact,
        s3::bucket_fact::BucketFact,
        sqs::queue_fact::QueueFact,
        sts::account_fact::AccountFact,
    }
}

/// The field ledger: what becomes of every field of a followed object.
pub mod ledgers {
    use crate::ledger::Ledger;
    use crate::services::autoscaling::group_fact;
    use crate::services::dynamodb::table_fact;
    use crate::services::ec2::image_fact;
    use crate::services::route53::dns_fact;
    use crate::services::s3::bucket_fact;
    use crate::services::sqs::queue_fact;

    /// The tables of each followed object.
    pub const ALL: &[&[&Ledger]] = &[
        group_fact::LEDGERS,
        image_fact::LEDGERS,
        table_fact::LEDGERS,
        bucket_fact::LEDGERS,
        queue_fact::LEDGERS,
        dns_fact::LEDGERS,
    ];
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
        queue::Queue,
        table::Table,
        traffic::Traffic,
    }
}
