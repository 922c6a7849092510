//! Which quota of EC2 the instances of a type count against. They are counted in vCPUs, for each region, and apart for
//! on-demand and spot (Amazon EC2 User Guide, "Amazon EC2 instance type quotas"; the codes are those of the AWS General
//! Reference, "Amazon EC2 endpoints and quotas").

/// Codes of the quotas of one class of instance types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Of running on-demand instances.
    pub on_demand: &'static str,
    /// Of requested spot instances; none where the documentation names none.
    pub spot: Option<&'static str>,
}

/// Classes by the letters that the names of their types begin with.
const CLASSES: &[(&[&str], Class)] = &[
    (&["dl"], Class { on_demand: "L-6E869C2A", spot: Some("L-85EED4F7") }),
    (&["f"], Class { on_demand: "L-74FC7D96", spot: Some("L-88CF9481") }),
    (&["g", "gr", "vt"], Class { on_demand: "L-DB2E81BA", spot: Some("L-3819A6DF") }),
    (&["hpc"], Class { on_demand: "L-F7808C92", spot: None }),
    (&["inf"], Class { on_demand: "L-1945791B", spot: Some("L-B5D1601B") }),
    (&["trn"], Class { on_demand: "L-2C3B7624", spot: Some("L-6B0D517C") }),
    (&["u"], Class { on_demand: "L-43DA4232", spot: None }),
    (&["x"], Class { on_demand: "L-7295265B", spot: Some("L-E3A00192") }),
    (
        &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"],
        Class { on_demand: "L-1216C47A", spot: Some("L-34B43A08") },
    ),
];

/// On-demand instances of all P types.
const P: &str = "L-417A185B";
/// Spot instances of P types by generation.
const P_SPOT: &[(&str, &str)] =
    &[("p2", "L-7212CCBC"), ("p3", "L-7212CCBC"), ("p4", "L-7212CCBC"), ("p5", "L-C4BD4855")];

/// Returns the class of an instance type; `None` if its quota is not known.
pub fn class(instance_type: &str) -> Option<Class> {
    let (family, _) = instance_type.split_once('.')?;
    let letters = family.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    if letters == "p" {
        let spot = P_SPOT.iter().find(|(generation, _)| family.starts_with(generation));
        return Some(Class { on_demand: P, spot: spot.map(|(_, code)| *code) });
    }
    CLASSES.iter().find(|(all, _)| all.contains(&letters)).map(|(_, class)| *class)
}

#[cfg(feature = "aws")]
pub(crate) mod aws;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_counts_against_the_quota_of_its_class() {
        let codes = |of: &str| class(of).map(|it| (it.on_demand, it.spot));
        let gpu = Some(("L-DB2E81BA", Some("L-3819A6DF")));
        for of in ["g5.xlarge", "g4dn.12xlarge", "g6e.48xlarge", "gr6.4xlarge", "vt1.3xlarge"] {
            assert_eq!(codes(of), gpu, "{of}");
        }
        let standard = Some(("L-1216C47A", Some("L-34B43A08")));
        for of in
            ["c7i.large", "m5.24xlarge", "t3.micro", "i4i.large", "im4gn.large", "is4gen.medium", "a1.large"]
        {
            assert_eq!(codes(of), standard, "{of}");
        }
        assert_eq!(codes("p4d.24xlarge"), Some(("L-417A185B", Some("L-7212CCBC"))));
        assert_eq!(codes("p5en.48xlarge"), Some(("L-417A185B", Some("L-C4BD4855"))));
        assert_eq!(codes("inf2.xlarge").map(|it| it.0), Some("L-1945791B"));
        assert_eq!(codes("trn1n.32xlarge").map(|it| it.0), Some("L-2C3B7624"));
        assert_eq!(codes("u-6tb1.112xlarge"), Some(("L-43DA4232", None)));
    }

    #[test]
    fn what_no_documentation_names_is_not_known() {
        // No spot quota is documented for P6.
        assert_eq!(class("p6-b200.48xlarge").map(|it| it.spot), Some(None));
        assert_eq!((class("mac2.metal"), class("quantum1.huge"), class("nonsense")), (None, None, None));
    }
}
