//! DNS names, and the HTTPS address that shows if a side is healthy.

use crate::services::route53::health_check::HealthCheckSpec;

/// Maximum length of a DNS name, and of one part of it.
const DNS_LIMITS: (usize, usize) = (253, 63);
/// Maximum length of a health check's path, by the API reference.
const PATH_LIMIT: usize = 255;
/// The port of HTTPS.
const HTTPS: u16 = 443;

/// True if `text` can be a name, or part of one, in DNS. No wildcard: Route 53 writes those in
/// another way.
pub(super) fn is_dns_name(text: &str) -> bool {
    let (whole, part) = DNS_LIMITS;
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_label = |label: &str| {
        (1..=part).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= whole && text.split('.').all(is_label)
}

/// True for a name with a dot in it that is not an IP address.
pub(super) fn is_full_name(text: &str) -> bool {
    text.contains('.') && is_dns_name(text) && text.parse::<std::net::Ipv4Addr>().is_err()
}

/// The parts of an HTTPS address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Probe {
    host: String,
    port: u16,
    path: String,
}

impl Probe {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match host.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (host, HTTPS),
        };
        let path = if path.is_empty() { "/" } else { path };
        let is_path = path.len() <= PATH_LIMIT && path.chars().all(|c| c.is_ascii_graphic() && c != '#');
        (is_full_name(host) && is_path).then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
            path: path.to_owned(),
        })
    }

    /// Returns the check of the primary.
    ///
    /// A check of the record that it decides on has no predictable result (Route 53 API,
    /// `HealthCheckConfig`): after a failure it would probe the other region, and switch back.
    pub(super) fn at(&self, record: &str, primary: &str) -> HealthCheckSpec {
        let (_, host) = self.asked(record, primary);
        HealthCheckSpec::Endpoint { host, port: self.port, path: self.path.clone() }
    }
    /// Returns the URL to request from the primary, and the host that has to answer.
    pub(super) fn asked(&self, record: &str, primary: &str) -> (String, String) {
        let host = if self.host == record { primary.to_ascii_lowercase() } else { self.host.clone() };
        (self.url(), host)
    }

    fn url(&self) -> String {
        let port = if self.port == HTTPS { String::new() } else { format!(":{}", self.port) };
        format!("https://{}{port}{}", self.host, self.path)
    }

    /// Returns the URL that users request of the record, if the probe requests it; another host
    /// answers for the primary only.
    pub(super) fn of(&self, record: &str) -> Option<String> {
        (self.host == record).then(|| self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_with_dots() {
        for name in ["api.example.com", "_a.b-c.example.com", "API.Example.com"] {
            assert!(is_full_name(name), "{name}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for name in
            ["", "api", "api.example.com.", "-a.example.com", "*.example.com", "10.0.0.1", "a b.com", &long]
        {
            assert!(!is_full_name(name), "{name}");
        }
        assert!(is_dns_name("api") && is_dns_name("v1.api") && !is_dns_name("") && !is_dns_name("@"));
    }

    #[test]
    fn a_probe_is_an_https_address() {
        let probe = |text| Probe::parse(text).map(|it| (it.host, it.port, it.path));
        let parts = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            probe("https://API.example.com/healthz?a=1"),
            parts("api.example.com", 443, "/healthz?a=1")
        );
        assert_eq!(probe("https://api.example.com:8443"), parts("api.example.com", 8443, "/"));
        let wrong = [
            "http://api.example.com/",
            "https://",
            "https://api/",
            "https://u@api.example.com/",
            "https://10.0.0.1/",
            "https://api.example.com:0/",
            "https://api.example.com:x/",
            "https://api.example.com/#a",
            "https://a.b/ c",
        ];
        for text in wrong {
            assert_eq!(Probe::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_record_itself_is_never_probed() {
        let host = |probe: &str| match Probe::parse(probe).unwrap().at("api.example.com", "ALB.example.com") {
            HealthCheckSpec::Endpoint { host, .. } => host,
            other => panic!("{other:?}"),
        };
        assert_eq!(host("https://api.example.com/"), "alb.example.com");
        assert_eq!(host("https://other.example.com/"), "other.example.com");
    }

    #[test]
    fn the_standby_is_asked_for_what_users_ask_the_record_for() {
        let of = |probe: &str| Probe::parse(probe).unwrap().of("api.example.com");
        assert_eq!(of("https://API.example.com").as_deref(), Some("https://api.example.com/"));
        assert_eq!(of("https://api.example.com:443/a?b=1").as_deref(), Some("https://api.example.com/a?b=1"));
        assert_eq!(of("https://api.example.com:8443/a").as_deref(), Some("https://api.example.com:8443/a"));
        assert_eq!(of("https://other.example.com/a"), None);
    }
}
