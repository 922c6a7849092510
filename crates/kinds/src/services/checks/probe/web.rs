//! Probes web servers: an address, or one host that has to answer for a name.

use std::net::{IpAddr, Ipv4Addr};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::byte_stream::ByteStream;
use drstack_core::answer::{Answer, PAGE, Unread};
use drstack_core::cloud::CloudError;

use super::{never, not_yet};
use crate::aws::chain;

/// Returns the URL without its query, which may hold a token.
pub(super) fn plain(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Requests `url`; succeeds if the answer has this status and contains this text.
pub(super) async fn http(url: &str, status: u16, contains: Option<&str>) -> Result<(), CloudError> {
    let said = format!("`{}`", plain(url));
    let answer = asked(url, None, &said).await?;
    let seen = answer.status().as_u16();
    if seen != status {
        return Err(not_yet(format!("{said} answers {seen}, not {status}")));
    }
    let Some(text) = contains else { return Ok(()) };
    let (mut stream, mut page) = (ByteStream::new(answer.into_body()), Answer::begin(PAGE));
    loop {
        match page.takes(stream.try_next()).await {
            Ok(true) => {}
            // What came by then may have the text.
            Ok(false) | Err(Unread::Large(_)) => break,
            Err(Unread::Broken(error)) => {
                return Err(not_yet(format!("{said} broke off: {}", chain(&error))));
            }
            Err(slow @ Unread::Slow { .. }) => return Err(not_yet(format!("{said}: {slow}"))),
        }
    }
    match page.into_bytes().windows(text.len()).any(|part| part == text.as_bytes()) {
        true => Ok(()),
        false => Err(not_yet(format!("{said} answers {seen}, without `{text}`"))),
    }
}

/// Requests `url` at `host`; succeeds by Route 53's rule: with 2xx or 3xx.
pub(crate) async fn answer(url: &str, host: &str) -> Result<(), CloudError> {
    let said = format!("`{}` at `{host}`", plain(url));
    let status = asked(url, Some(host), &said).await?.status().as_u16();
    match (200..400).contains(&status) {
        true => Ok(()),
        false => Err(not_yet(format!("{said} answers {status}"))),
    }
}

/// Sends a request with the SDK's HTTP client, over a new connection each time, so that the name is
/// resolved anew.
///
/// Certificates are verified, and redirects count as answers. `host` replaces the address that the
/// name resolves to.
async fn asked(url: &str, host: Option<&str>, said: &str) -> Result<HttpResponse, CloudError> {
    let mut request =
        HttpRequest::get(url).map_err(|error| never("BadAddress", format!("{said}: {error}")))?;
    request.headers_mut().insert("user-agent", concat!("drstack/", env!("CARGO_PKG_VERSION")));
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    let connector = match host {
        Some(host) => connector.build_with_resolver(LeadsTo(host.to_owned())),
        None => connector.build(),
    };
    let answer = connector.call(request).await;
    answer.map_err(|error| not_yet(format!("{said} does not answer: {}", chain(&error))))
}

/// A resolver that resolves every name to this host. The request and its certificate remain those
/// of the name.
#[derive(Clone, Debug)]
struct LeadsTo(String);

impl ResolveDns for LeadsTo {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            // Not every resolver maps these names to this machine (RFC 6761, 6.3).
            if self.0.ends_with(".localhost") {
                return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            }
            let found = tokio::net::lookup_host((self.0.as_str(), 0)).await.map_err(ResolveDnsError::new)?;
            Ok(found.map(|it| it.ip()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Runs a web server that gives these answers, one per connection, and returns the message of
    /// each attempt.
    ///
    /// `look` gets the server's address. Each request is for `host`.
    fn said(
        answers: &'static [&'static str],
        host: Option<&'static str>,
        look: &impl AsyncFn(&str) -> Result<(), CloudError>,
    ) -> Vec<String> {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let name = format!("{}:{}", host.unwrap_or("127.0.0.1"), at.port());
        let url = format!("http://{name}/healthz?token=hidden");
        let serving = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = server.accept().unwrap();
                let mut asked = [0; 1024];
                let count = stream.read(&mut asked).unwrap();
                let asked = String::from_utf8_lossy(&asked[..count]).to_lowercase();
                assert!(asked.starts_with("get /healthz?token=hidden http/1.1\r\n"), "{asked}");
                assert!(asked.contains(&format!("\r\nhost: {name}\r\n")), "{asked}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let look =
            || runtime.block_on(look(&url)).map_or_else(|error| error.to_string(), |()| "holds".to_owned());
        let said = answers.iter().map(|_| look().replace(plain(&url), "URL")).collect();
        serving.join().unwrap();
        said
    }

    fn asked(answers: &'static [&'static str], contains: Option<&str>) -> Vec<String> {
        said(answers, None, &async |url: &str| http(url, 200, contains).await)
    }

    const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const WELL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"ok\": true}";
    const MOVED: &str = "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{";

    /// The name resolves to nothing, so only the given host can have answered, and the request
    /// named the URL's host.
    #[test]
    fn one_host_answers_for_a_name_that_leads_elsewhere() {
        let look = async |url: &str| answer(url, "standby.localhost").await;
        assert_eq!(
            said(&[BUSY, MOVED, WELL], Some("api.example.invalid"), &look),
            ["check does not pass: `URL` at `standby.localhost` answers 503", "holds", "holds"]
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let nowhere = runtime.block_on(answer("http://127.0.0.1:1/", "standby.localhost")).unwrap_err();
        assert!(nowhere.to_string().contains("`standby.localhost` does not answer"), "{nowhere}");
    }

    #[test]
    fn a_web_server_has_to_answer_with_its_status_and_its_text() {
        assert_eq!(
            asked(&[BUSY, MOVED, WELL], None),
            [
                "check does not pass: `URL` answers 503, not 200",
                "check does not pass: `URL` answers 301, not 200",
                "holds"
            ]
        );
        assert_eq!(asked(&[WELL], Some("\"ok\": true")), ["holds"]);
        assert_eq!(
            asked(&[WELL], Some("degraded")),
            ["check does not pass: `URL` answers 200, without `degraded`"]
        );
        let cut = asked(&[CUT], Some("ok"));
        assert!(cut[0].starts_with("check does not pass: `URL` broke off: "), "{cut:?}");
    }

    #[test]
    fn nobody_who_answers_is_looked_for_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = runtime.block_on(http(&format!("http://{free}/"), 200, None)).unwrap_err();
        assert!(
            matches!(&error, CloudError::NotYet { message, .. } if message.contains("does not answer")),
            "{error}"
        );
        assert!(error.hint().starts_with("fix what it checks in the standby region"), "{}", error.hint());
    }
}
