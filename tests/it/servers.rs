//! moto and fakecloud as processes, and boto3 to seed and read them. Each test has a server of its
//! own while it runs; the next one gets that server emptied.
//!
//! Every server is behind `tests/servers/route.py`, which gives them one endpoint, counts calls and
//! can lose a region. `tests/servers/setup` installs them. If they are absent, the test says so and
//! passes; if `CI` is set, it fails.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::mem::take;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::drstack::{Drstack, drstack};
use crate::python::{python, skip_loudly};

/// The primary region of the tests.
pub(crate) const PRIMARY: &str = "us-east-1";
/// The standby region of the tests: the one whose compute fakecloud's second process holds.
pub(crate) const STANDBY: &str = "us-west-2";

/// Time limit for a server to listen: moto takes 3 seconds on an idle machine, and tests start
/// several at once.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Time limit for the router to answer a question about itself.
const CONTROL_LIMIT: Duration = Duration::from_secs(10);
/// Services whose state fakecloud keeps per account instead of per region.
const NOT_REGIONAL: [&str; 4] = ["ec2", "autoscaling", "elasticloadbalancing", "servicequotas"];

/// A running stand-in for AWS. Dropping it ends its processes, or keeps them for another test.
pub(crate) struct Server {
    endpoint: String,
    router: u16,
    // Dropped in this order: the router before the servers behind it.
    processes: Vec<Process>,
    /// Whether another test may have it.
    is_shared: bool,
}

/// The servers with moto that no test uses: loading moto takes longer than most tests. The pipes of
/// their processes close when the tests end, and with them the processes.
static IDLE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

impl Server {
    /// Starts moto: it separates regions and has the broadest EC2 and Auto Scaling, but replicates
    /// no objects.
    pub(crate) fn moto() -> Option<Self> {
        let python = python()?;
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(server) = idle {
            server.control("POST", "renew");
            return Some(server);
        }
        let moto = Process::start(Command::new(&python).arg(servers().join("moto_wsgi.py")));
        let mut server = Self::behind_router(&python, vec![moto], &[]);
        server.is_shared = true;
        Some(server)
    }

    /// Starts fakecloud: it replicates items and objects, and its groups have spot and on-demand
    /// instances. `flags` such as `--enforce-quotas` go to both of its processes.
    pub(crate) fn fakecloud(flags: &[&str]) -> Option<Self> {
        let python = python()?;
        let program = fakecloud_program()?;
        let start = |region| {
            let quiet = ["--addr", "127.0.0.1:0", "--log-level", "error", "--region", region];
            Process::start(Command::new(&program).args(quiet).args(flags))
        };
        let (primary, standby) = (start(PRIMARY), start(STANDBY));
        let routes = NOT_REGIONAL.map(|service| format!("{service}@{STANDBY}={}", standby.port));
        Some(Self::behind_router(&python, vec![primary, standby], &routes))
    }

    fn behind_router(python: &Path, mut servers_behind: Vec<Process>, routes: &[String]) -> Self {
        let mut command = Command::new(python);
        command.arg(servers().join("route.py")).args(["--to", &servers_behind[0].port.to_string()]);
        for route in routes {
            command.args(["--route", route]);
        }
        let router = Process::start(&command);
        let port = router.port;
        servers_behind.insert(0, router);
        let endpoint = format!("http://127.0.0.1:{port}");
        Self { endpoint, router: port, processes: servers_behind, is_shared: false }
    }

    /// The endpoint of all services: the value for `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns a fresh machine that talks to this server.
    pub(crate) fn drstack(&self) -> Drstack {
        drstack().at(&self.endpoint, STANDBY)
    }

    /// Returns boto3 against this server.
    pub(crate) fn boto(&self) -> Boto<'_> {
        Boto { endpoint: &self.endpoint }
    }

    /// Counts the calls of each `REGION/SERVICE/OPERATION` since the start or the last
    /// [`find`](Self::find).
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        serde_json::from_str(&self.control("GET", "calls")).expect("the router answers counts")
    }

    /// Makes `region` close every connection from now on. `except` names services that are homed
    /// elsewhere.
    pub(crate) fn lose(&self, region: &str, except: &[&str]) {
        self.control("POST", &format!("down?region={region}&how=reset&except={}", except.join(",")));
    }

    /// Makes `region` neither answer nor refuse from now on, as a lost region usually does.
    pub(crate) fn hang(&self, region: &str, except: &[&str]) {
        self.control("POST", &format!("down?region={region}&how=hang&except={}", except.join(",")));
    }

    /// Makes the primary region fail from now on, with `how`: `hang`, `reset` or `503`. The
    /// services of the whole partition that are run from there fail too.
    pub(crate) fn black_out(&self, how: &str) {
        self.control("POST", &format!("down?region={PRIMARY}&how={how}&also=iam,route53"));
    }

    /// Delays each call by this latency from now on.
    pub(crate) fn slow(&self, latency: Duration) {
        self.control("POST", &format!("slow?ms={}", latency.as_millis()));
    }

    /// Makes `operation` fail in `region` from now on, as often as `times` says.
    pub(crate) fn fail(&self, region: &str, operation: &str, error: (&str, u16), times: Option<u32>) {
        let (operation, (code, status)) = (operation.replace(' ', "%20"), error);
        let times = times.map(|times| format!("&times={times}")).unwrap_or_default();
        let what = format!("fail?region={region}&operation={operation}&code={code}&status={status}{times}");
        self.control("POST", &what);
    }

    /// Blocks `operation` in `region` from now on if its path contains `path`. Its caller gets no
    /// answer, and it counts as `swallowed OPERATION`.
    pub(crate) fn swallow(&self, region: &str, operation: &str, path: &str) {
        let operation = operation.replace(' ', "%20");
        self.control("POST", &format!("swallow?region={region}&operation={operation}&path={path}"));
    }

    /// Holds `operation` in `region` from now on if its request contains `body`. `how` is `late`,
    /// `hang` or an error's code, as `route.py` explains.
    pub(crate) fn hold(&self, region: &str, operation: &str, body: &str, how: &str) {
        self.control("POST", &format!("hold?region={region}&operation={operation}&body={body}&how={how}"));
    }

    /// Releases the held calls.
    pub(crate) fn release(&self) {
        self.control("POST", "release");
    }

    /// Limits EC2 Fleet to `left` instances in `region` from now on; the rest fail with `code`.
    pub(crate) fn scarce(&self, region: &str, left: u32, code: &str) {
        self.control("POST", &format!("scarce?region={region}&left={left}&code={code}"));
    }

    /// Counts the requests of drstack that named a bucket without its expected owner, by
    /// `REGION/s3/OPERATION`.
    pub(crate) fn bare(&self) -> BTreeMap<String, u64> {
        serde_json::from_str(&self.control("GET", "bare")).expect("the router answers counts")
    }

    /// Makes a bucket of this name belong to that account until the next [`find`](Self::find).
    pub(crate) fn squat(&self, bucket: &str, account: &str) {
        self.control("POST", &format!("squat?bucket={bucket}&account={account}"));
    }

    /// Empties the servers behind the router.
    pub(crate) fn reset(&self) {
        self.control("POST", "reset");
    }

    /// Makes every region answer again, and resets the counts.
    pub(crate) fn find(&self) {
        self.control("POST", "up");
    }

    fn control(&self, method: &str, what: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.router)).expect("reach the router");
        stream.set_read_timeout(Some(CONTROL_LIMIT)).expect("set a limit");
        write!(stream, "{method} /__route/{what} HTTP/1.1\r\nHost: route\r\n\r\n").expect("ask the router");
        stream.shutdown(std::net::Shutdown::Write).expect("end the question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("hear the router");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What a failed test leaves running could still call its server.
        if self.is_shared && !thread::panicking() {
            let (endpoint, processes) = (take(&mut self.endpoint), take(&mut self.processes));
            let kept = Self { endpoint, router: self.router, processes, is_shared: true };
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
    }
}

/// boto3 as the other tool: it runs `tests/it/py/SCRIPT.py`. The head of each script explains its
/// input and output.
pub(crate) struct Boto<'a> {
    endpoint: &'a str,
}

impl Boto<'_> {
    /// Runs a script on JSON arguments and returns the JSON that it prints.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, args: &Value) -> Value {
        let python = python().expect("the server would not run without it");
        let variables = [("AWS_ENDPOINT_URL", self.endpoint), ("AWS_EC2_METADATA_DISABLED", "true")];
        crate::python::run(&python, script, args, &variables)
    }

    /// Creates `objects` in the primary region as another tool would; see `seed_primary.py`.
    #[track_caller]
    pub(crate) fn seed(&self, objects: &Value) -> Value {
        self.run("seed_primary", &json!({ "region": PRIMARY, "objects": objects }))
    }

    /// Returns these sections of a region, or all if none is named; see `read_world.py`.
    #[track_caller]
    pub(crate) fn world(&self, region: &str, sections: &[&str]) -> Value {
        let mut args = json!({ "region": region });
        if !sections.is_empty() {
            args["sections"] = json!(sections);
        }
        self.run("read_world", &args)
    }

    /// Changes one thing by hand; see `drift.py`.
    ///
    /// `drift(region, "bucket-tag", "acme-models", json!({"key": "k", "value": "v"}))`
    #[track_caller]
    pub(crate) fn drift(&self, region: &str, change: &str, name: &str, mut more: Value) {
        more["region"] = json!(region);
        more["change"] = json!(change);
        more["name"] = json!(name);
        self.run("drift", &more);
    }
}

/// A web server on this machine that answers over HTTPS for one name; see
/// `tests/servers/answers.py`.
pub(crate) struct Web {
    /// The port that it listens on.
    pub(crate) port: u16,
    _process: Process,
}

impl Web {
    /// Starts a web server that answers for `name` with these statuses, `503x2,200`. It writes its
    /// files to `folder`.
    pub(crate) fn start(name: &str, folder: &Path, statuses: &str) -> Option<Self> {
        let mut command = Command::new(python()?);
        command.arg(servers().join("answers.py")).arg(name).arg(folder).arg(statuses);
        let process = Process::start(&command);
        Some(Self { port: process.port, _process: process })
    }
}

/// A child process that prints its port when it listens.
///
/// A shell between the test and the server holds the leash: it ends the server when the test's end
/// of a pipe closes, which also happens when the test is killed and nothing is dropped.
struct Process {
    leash: Child,
    port: u16,
}

const LEASH: &str = r#"trap "" INT; "$@" </dev/null & exec >&-; read -r _; kill -9 $!; wait"#;

impl Process {
    fn start(command: &Command) -> Self {
        let mut leash = Command::new("sh")
            .args(["-c", LEASH, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start a shell");
        let (tell, told) = mpsc::channel();
        let stdout = BufReader::new(leash.stdout.take().expect("piped"));
        // Reads to the end, so that the server never writes into a closed pipe. The channel closes
        // with the pipe.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("PORT=") {
                    let _ = tell.send(port.trim().parse());
                }
            }
        });
        match told.recv_timeout(START_LIMIT) {
            Ok(port) => Self { leash, port: port.expect("a port is a number") },
            Err(error) => {
                drop(leash.stdin.take());
                panic!("{command:?} did not listen within {START_LIMIT:?}: {error}")
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
    }
}

fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

fn fakecloud_program() -> Option<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let program = cache.join("drstack/fakecloud-0.51.0/bin/fakecloud");
    if program.exists() { Some(program) } else { skip_loudly("fakecloud", &program) }
}

#[test]
fn moto_starts_and_answers() {
    let Some(server) = Server::moto() else { return };
    seeds_and_reads_back(&server);
}

#[test]
fn fakecloud_starts_and_answers() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    seeds_and_reads_back(&server);
    assert_eq!(
        server.boto().world(STANDBY, &["groups"])["groups"],
        json!({}),
        "the regions' groups are apart"
    );
}

fn seeds_and_reads_back(server: &Server) {
    let boto = server.boto();
    let seeded = boto.seed(&json!([
        { "kind": "bucket", "name": "acme-models", "contents": { "a/b": "one" } },
        { "kind": "table", "name": "features", "stream": true, "items": [{ "pk": "a", "text": "one" }] },
        { "kind": "group", "name": "serve", "types": ["g5.xlarge", "g4dn.xlarge"], "capacity": 2, "user_data": "#!/bin/sh\n" },
    ]));
    let world = boto.world(PRIMARY, &["buckets", "tables", "launch_templates", "groups", "images"]);
    assert_eq!(world["buckets"]["acme-models"]["objects"], json!(["a/b"]));
    assert_eq!(world["tables"]["features"]["stream"], "NEW_AND_OLD_IMAGES");
    let template = &world["launch_templates"]["serve"]["versions"]["1"]["data"];
    assert_eq!(template["ImageId"], seeded["serve"]["image"]);
    assert_eq!(template["UserData"], "#!/bin/sh\n");
    assert_eq!(world["groups"]["serve"]["instances"].as_array().map(Vec::len), Some(2));

    boto.drift(PRIMARY, "bucket-tag", "acme-models", json!({ "key": "team", "value": "ml" }));
    assert_eq!(boto.world(PRIMARY, &["buckets"])["buckets"]["acme-models"]["tags"], json!({ "team": "ml" }));
    let item = json!({ "region": PRIMARY, "table": "features", "pk": "a" });
    assert_eq!(boto.run("item", &item)["text"], "one");
    assert_eq!(boto.world(STANDBY, &["tables"])["tables"], json!({}), "the regions' tables are apart");

    server.lose(PRIMARY, &["iam"]);
    assert!(
        TcpStream::connect(server.endpoint().trim_start_matches("http://")).is_ok(),
        "only a region is lost"
    );
    let standby = boto.world(STANDBY, &["launch_templates", "roles"]);
    assert_eq!(standby["launch_templates"], json!({}));
    assert!(server.calls().keys().any(|call| call.starts_with("us-west-2/ec2/")), "{:?}", server.calls());
    server.find();
    server.hang(PRIMARY, &[]);
    server.find();
    assert!(server.drstack().folder().is_dir());
}
