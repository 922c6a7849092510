//! Fields of an Auto Scaling group, and what becomes of each.

use crate::ledger::Fate::{Carried, Irrelevant, Mapped, NotYet, Refused};
use crate::ledger::{Ledger, Model};

/// What hangs on a group and is read apart from it.
pub const BESIDE: Ledger = Ledger {
    object: "What hangs on an Auto Scaling group",
    service: "autoscaling",
    model: Model::Operations(&["Describe", "Get", "List"]),
    fields: &[
        ("DescribePolicies", NotYet("scaling policy")),
        // The highest size that they set counts as capacity; nothing sets it in the standby region.
        ("DescribeScheduledActions", NotYet("scheduled action")),
        ("DescribeNotificationConfigurations", NotYet("notification")),
        ("DescribeLifecycleHooks", Mapped("the fields of LifecycleHook, below")),
        ("DescribeAutoScalingGroups", Mapped("the fields of AutoScalingGroup, below")),
        ("DescribeWarmPool", Mapped("the field WarmPoolConfiguration, below")),
        ("DescribeTrafficSources", Mapped("the field TrafficSources, below")),
        ("DescribeLoadBalancerTargetGroups", Mapped("the field TargetGroupARNs, below")),
        ("DescribeLoadBalancers", Mapped("the field LoadBalancerNames, below")),
        ("DescribeTags", Mapped("the field Tags, below")),
        ("DescribeLaunchConfigurations", Mapped("the fields of LaunchConfiguration, below")),
        ("DescribeAutoScalingInstances", Irrelevant(STATE)),
        ("DescribeInstanceRefreshes", Irrelevant(STATE)),
        ("DescribeScalingActivities", Irrelevant(STATE)),
        ("GetPredictiveScalingForecast", Irrelevant(STATE)),
        ("DescribeAccountLimits", Irrelevant(ACCOUNT)),
        ("DescribeAccountSettings", Irrelevant(ACCOUNT)),
        ("DescribeAdjustmentTypes", Irrelevant(API)),
        ("DescribeAutoScalingNotificationTypes", Irrelevant(API)),
        ("DescribeLifecycleHookTypes", Irrelevant(API)),
        ("DescribeMetricCollectionTypes", Irrelevant(API)),
        ("DescribeScalingProcessTypes", Irrelevant(API)),
        ("DescribeTerminationPolicyTypes", Irrelevant(API)),
    ],
};

/// A lifecycle hook of a group. One that notifies a queue or topic is left out: target and role belong
/// to the primary.
pub const HOOK: Ledger = Ledger {
    object: "Lifecycle hook of an Auto Scaling group",
    service: "autoscaling",
    model: Model::Members("LifecycleHook"),
    fields: &[
        ("NotificationTargetARN", NotYet("notifying lifecycle hook")),
        ("DefaultResult", Carried),
        ("HeartbeatTimeout", Carried),
        ("LifecycleHookName", Carried),
        ("LifecycleTransition", Carried),
        ("NotificationMetadata", Carried),
        ("AutoScalingGroupName", Mapped("the group of the stack")),
        ("RoleARN", Mapped("goes with the target that is notified")),
        ("GlobalTimeout", Irrelevant("a number that AWS derives")),
    ],
};

/// The group itself.
pub const GROUP: Ledger = Ledger {
    object: "Auto Scaling group",
    service: "autoscaling",
    model: Model::Members("AutoScalingGroup"),
    fields: &[
        ("HealthCheckType", NotYet("health check")),
        ("TargetGroupARNs", NotYet("target group")),
        ("LoadBalancerNames", NotYet("load balancer")),
        ("TrafficSources", NotYet("other traffic source")),
        ("WarmPoolConfiguration", NotYet("warm pool")),
        ("SuspendedProcesses", NotYet("suspended process")),
        ("PlacementGroup", NotYet("placement group")),
        ("NewInstancesProtectedFromScaleIn", NotYet("scale-in protection")),
        ("InstanceMaintenancePolicy", NotYet("maintenance policy")),
        ("InstanceLifecyclePolicy", NotYet("instance lifecycle policy")),
        ("EnabledMetrics", NotYet("group metric")),
        ("ServiceLinkedRoleARN", NotYet("service-linked role of its own")),
        ("DeletionProtection", NotYet("deletion protection")),
        ("AvailabilityZoneDistribution", NotYet("zone distribution")),
        ("AvailabilityZoneImpairmentPolicy", NotYet("zonal shift")),
        ("DesiredCapacityType", NotYet("capacity counted in")),
        ("Context", NotYet("context")),
        ("DefaultCooldown", Carried),
        ("DefaultInstanceWarmup", Carried),
        ("HealthCheckGracePeriod", Carried),
        ("MaxInstanceLifetime", Carried),
        ("MaxSize", Carried),
        ("Tags", Carried),
        ("TerminationPolicies", Carried),
        ("AutoScalingGroupName", Mapped("a name of the stack and the component")),
        ("DesiredCapacity", Mapped("the highest of the last days, or `capacity`; a share of it in standby")),
        ("MinSize", Mapped("the instances that the posture and the mode run")),
        ("LaunchTemplate", Mapped("a template of the stack; its fields are below")),
        ("MixedInstancesPolicy", Mapped("a policy of the stack; its fields are below")),
        ("AvailabilityZones", Mapped("the zones of the component's `network`")),
        ("AvailabilityZoneIds", Mapped("the zones of the component's `network`")),
        ("VPCZoneIdentifier", Mapped("the subnets of the component's `network`")),
        ("CapacityRebalance", Mapped("always on")),
        ("CapacityReservationSpecification", Mapped("`reservations`")),
        ("LaunchConfigurationName", Mapped("a template of the stack; its fields are below")),
        ("AutoScalingGroupARN", Irrelevant(STATE)),
        ("CreatedTime", Irrelevant(STATE)),
        ("Instances", Irrelevant(STATE)),
        ("PredictedCapacity", Irrelevant(STATE)),
        ("Status", Irrelevant(STATE)),
        ("WarmPoolSize", Irrelevant(STATE)),
        ("Operator", Irrelevant("names the service that manages the group")),
    ],
};

/// The purchase options of a group.
pub const DISTRIBUTION: Ledger = Ledger {
    object: "Purchase options of an Auto Scaling group",
    service: "autoscaling",
    model: Model::Members("InstancesDistribution"),
    fields: &[
        ("SpotMaxPrice", NotYet("spot price limit")),
        ("DistributionSegments", NotYet("distribution segment")),
        ("OnDemandAllocationStrategy", Mapped("the order of the instance types")),
        ("OnDemandBaseCapacity", Mapped("`purchase`")),
        ("OnDemandPercentageAboveBaseCapacity", Mapped("`purchase`")),
        ("SpotAllocationStrategy", Mapped("price and depth of the pools")),
        ("SpotInstancePools", Irrelevant("belongs to a strategy that the stack does not use")),
    ],
};

/// The instance types of a group.
pub const OVERRIDES: Ledger = Ledger {
    object: "Instance types of an Auto Scaling group",
    service: "autoscaling",
    model: Model::Members("LaunchTemplateOverrides"),
    fields: &[
        ("InstanceType", Carried),
        ("WeightedCapacity", NotYet("weighted type")),
        ("LaunchTemplateSpecification", NotYet("per-type template")),
        ("ImageId", NotYet("per-type image")),
        ("InstanceRequirements", Refused("DR231")),
    ],
};

/// Reason of what AWS reports and nobody sets.
const STATE: &str = "a state or a name that AWS gives";
/// Reason of what belongs to the account.
const ACCOUNT: &str = "belongs to the account and the region";
/// Reason of lists of what the API knows.
const API: &str = "lists words of the API";
