//! Tests of the loader on in-memory files, with two small components.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::component::{
    CompileCx, Component, ComponentRegistry, ErasedComponent, Ref, ResourceSet, SecretText,
};
use crate::diagnostic::render;

mod mutated;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NetSpec {
    cidr: String,
    peer: Option<Ref<Net>>,
}
struct Net;
impl Component for Net {
    const NAME: &'static str = "net";
    const SUMMARY: &'static str = "a net";
    type Spec = NetSpec;
    fn compile(_: &NetSpec, _: &CompileCx<'_>, _: &mut ResourceSet) {}
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PoolSpec {
    net: Ref<Net>,
    capacity: u32,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    nets: Vec<Ref<Net>>,
    user_data_sha256: Option<String>,
}
struct Pool;
impl Component for Pool {
    const NAME: &'static str = "pool";
    const SUMMARY: &'static str = "a pool";
    const SECRETS: &'static [SecretText] = &[SecretText {
        hashed: "user_data_sha256",
        field: "user_data",
        file: "user_data_file",
        noun: "user data",
        service: "EC2",
        most: 16 * 1024,
        help: "fetch the rest from a bucket when the instance starts",
    }];
    type Spec = PoolSpec;
    fn compile(_: &PoolSpec, _: &CompileCx<'_>, _: &mut ResourceSet) {}
}

struct Memory(BTreeMap<&'static str, String>);
impl ReadFiles for Memory {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        self.0.get(path.to_str().unwrap()).cloned().ok_or(FileError::Missing)
    }
}

const HEAD: &str =
    "[stack]\nname = \"s\u{65}t\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n";

fn on_the_command_line(text: &str) -> Outside {
    Outside { value: InputValue::Text(text.to_owned()), origin: Origin::CommandLine }
}

fn load_files(
    stack: &str,
    modules: &[(&'static str, &str)],
    inputs: &[(&str, &str)],
) -> Result<Stack, String> {
    let mut files: BTreeMap<&'static str, String> =
        modules.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
    files.insert("stack.toml", format!("{HEAD}{stack}"));
    let registry = ComponentRegistry::new(&[&ErasedComponent::<Net>::NEW, &ErasedComponent::<Pool>::NEW]);
    let inputs: InputValues = inputs.iter().map(|(k, v)| ((*k).to_owned(), on_the_command_line(v))).collect();
    load(Path::new("stack.toml"), &inputs, &registry, &Memory(files))
        .map(|loaded| loaded.stack)
        .map_err(|failed| render(&failed.problems, &failed.sources, false))
}

const POOL: &str = "[net.a]\ncidr = \"10.0.0.0/16\"\n[pool.p]\nnet = \"@net.a\"\n";

#[test]
fn inputs_templates_and_references_are_resolved() {
    let text = format!(
        "{POOL}capacity = \"${{input.n}}\"\ntypes = [\"${{stack.name}}-x\"]\nrto = \"30m\"\ntier = 1\n[inputs]\nn = {{ type = \"integer\", default = 4 }}\n"
    );
    let stack = load_files(&text, &[], &[("n", "7")]).unwrap();
    let pool = &stack.components[&ComponentAddress::new("pool.p")];
    assert_eq!(pool.spec["capacity"], 7);
    assert_eq!(pool.spec["types"][0], "set-x");
    assert_eq!(pool.refers_to, [ComponentAddress::new("net.a")].into());
    assert_eq!(pool.objective.tier, 1);
    assert_eq!(stack.facts.control, "drstack-set-us-west-2");
}

#[test]
fn modules_are_used_once_for_each_key() {
    let module = "[inputs]\nsize = { type = \"integer\" }\n[net.inner]\ncidr = \"10.0.0.0/16\"\n[pool.p]\nnet = \"@net.inner\"\ncapacity = \"${input.size}\"\n[outputs]\nnetwork = \"@net.inner\"\n";
    let text = "[module.svc]\nsource = \"m\"\nfor_each = [\"a\", \"b\"]\nsize = 3\n[pool.out]\nnet = \"@module.svc[\\\"a\\\"].network\"\ncapacity = 1\n";
    let stack = load_files(text, &[("m/module.toml", module)], &[]).unwrap();
    let names: Vec<&str> = stack.components.keys().map(ComponentAddress::as_str).collect();
    assert_eq!(
        names,
        [
            "module.svc[\"a\"].net.inner",
            "module.svc[\"a\"].pool.p",
            "module.svc[\"b\"].net.inner",
            "module.svc[\"b\"].pool.p",
            "pool.out"
        ]
    );
    assert_eq!(
        stack.components[&ComponentAddress::new("pool.out")].spec["net"],
        "@module.svc[\"a\"].net.inner"
    );
}

#[test]
fn a_module_uses_what_its_user_refers_to() {
    let inner = "[inputs]\nnet = { type = \"string\" }\n[module.leaf]\nsource = \"../leaf\"\nnet = \"@net.own\"\n\
                 [module.caller]\nsource = \"../leaf\"\nnet = \"${input.net}\"\n[net.own]\ncidr = \"10.1.0.0/16\"\n";
    let leaf = "[inputs]\nnet = { type = \"string\" }\n[pool.p]\nnet = \"${input.net}\"\ncapacity = 1\n[net.a]\ncidr = \"10.2.0.0/16\"\n";
    let text =
        "[net.a]\ncidr = \"10.0.0.0/16\"\n[module.m]\nsource = \"m\"\nnet = \"@net.a\"\nfor_each = 1\n";
    let files = [("m/module.toml", inner), ("leaf/module.toml", leaf)];
    let stack = load_files(text, &files, &[]).unwrap();
    let net = |pool: &str| stack.components[&ComponentAddress::new(pool)].spec["net"].clone();
    assert_eq!(net("module.m[\"000\"].module.leaf.pool.p"), "@module.m[\"000\"].net.own");
    assert_eq!(net("module.m[\"000\"].module.caller.pool.p"), "@net.a");
}

#[test]
fn a_list_of_references_is_passed_item_by_item() {
    let module = "[inputs]\nnets = { type = \"list\" }\n[pool.p]\nnet = \"@net.own\"\nnets = \"${input.nets}\"\ncapacity = 1\n[net.own]\ncidr = \"10.1.0.0/16\"\n";
    let text =
        format!("{POOL}capacity = 1\n[module.m]\nsource = \"m\"\nnets = [\"@net.a\", \"@module.m.own\"]\n");
    let module = format!("{module}[outputs]\nown = \"@net.own\"\n");
    let stack = load_files(&text, &[("m/module.toml", module.as_str())], &[]).unwrap();
    let pool = &stack.components[&ComponentAddress::new("module.m.pool.p")];
    assert_eq!(pool.spec["nets"], serde_json::json!(["@net.a", "@module.m.net.own"]));
}

#[test]
fn a_reference_given_to_a_module_is_refused_where_it_is_given_and_never_runs_in_a_circle() {
    let module = "[inputs]\nnet = { type = \"string\" }\n[pool.p]\nnet = \"${input.net}\"\ncapacity = 1\n[outputs]\nback = \"@input.net\"\n";
    let modules = [("m/module.toml", module)];
    let errors = load_files("[module.m]\nsource = \"m\"\nnet = \"@net.b\"\n", &modules, &[]).err().unwrap();
    assert!(errors.contains("`@net.b` names no component") && errors.contains("stack.toml:8:7"), "{errors}");
    assert!(
        errors.contains("`@input.net` names no component") && errors.contains("m/module.toml:7:8"),
        "{errors}"
    );
    let errors =
        load_files("[module.m]\nsource = \"m\"\nnet = \"@module.m.back\"\n", &modules, &[]).err().unwrap();
    assert!(errors.contains("`@input.net` names no component"), "{errors}");
}

#[test]
fn all_problems_come_at_once_with_line_and_way_out() {
    let text = "[pool.p]\nnet = \"@net.b\"\ncapasity = 3\n[net.a]\ncidr = 5\n[bukket.x]\n";
    let errors = load_files(text, &[], &[]).err().unwrap();
    for part in [
        "stack.toml:7:7",
        "`@net.b` names no component",
        "did you mean `capacity`?",
        "stack.toml:10:8",
        "unknown kind `bukket`",
    ] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn a_problem_within_a_module_shows_where_it_is_used() {
    let errors = load_files("[module.m]\nsource = \"m\"\n", &[("m/module.toml", "[net.x]\ncidr = 1\n")], &[])
        .err()
        .unwrap();
    assert!(errors.contains("m/module.toml:2:8") && errors.contains("used here"), "{errors}");
}

#[test]
fn user_data_leaves_only_its_hash() {
    let stack = load_files(&format!("{POOL}capacity = 1\nuser_data = \"secret\"\n"), &[], &[]).unwrap();
    let spec = &stack.components[&ComponentAddress::new("pool.p")].spec;
    let hash = spec["user_data_sha256"].as_str().unwrap();
    assert_eq!(stack.secrets.get(hash), Some("secret"));
    assert!(!spec.to_string().contains("secret"));
}

#[test]
fn a_module_that_uses_itself_is_refused() {
    let errors = load_files(
        "[module.m]\nsource = \"m\"\n",
        &[("m/module.toml", "[module.n]\nsource = \"../m\"\n")],
        &[],
    )
    .err()
    .unwrap();
    assert!(errors.contains("uses itself"), "{errors}");
}

#[test]
fn an_objective_no_posture_meets_is_refused_with_the_arithmetic() {
    let text = format!("{POOL}capacity = 1\nposture = \"cold\"\nrto = \"8m\"\nrpo = \"0s\"\n");
    let errors = load_files(&text, &[], &[]).err().unwrap();
    assert!(errors.contains("cold recovers in 2-8 h") && errors.contains("the RPO is 0"), "{errors}");
}

/// Returns every problem of `text` after the usual head.
#[track_caller]
fn errors(text: &str) -> String {
    load_files(text, &[], &[]).err().unwrap()
}

#[test]
fn a_circle_shows_every_edge() {
    let errors =
        errors("[net.a]\ncidr = \"x\"\npeer = \"@net.b\"\n[net.b]\ncidr = \"y\"\npeer = \"@net.a\"\n");
    for part in ["in a circle: net.a, net.b", "net.a refers to net.b", "net.b refers to net.a"] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn a_reference_of_the_wrong_kind_says_which_kind_is_wanted() {
    let errors = errors(&format!("{POOL}capacity = 1\n[pool.q]\nnet = \"@pool.p\"\ncapacity = 1\n"));
    assert!(errors.contains("expected a reference such as `\"@net.NAME\"`, found `\"@pool.p\"`"), "{errors}");
    assert!(errors.contains("stack.toml:12:7"), "{errors}");
}

#[test]
fn a_wrong_type_deep_inside_keeps_its_place() {
    let errors = errors(&format!("{POOL}capacity = 1\ntypes = [\"a\", \"b\", 3]\n"));
    assert!(errors.contains("stack.toml:11:20") && errors.contains("expected a string"), "{errors}");
}

#[test]
fn user_data_is_given_once_and_never_as_a_hash() {
    let text = format!(
        "{POOL}capacity = 1\nuser_data = \"x\"\nuser_data_file = \"boot.sh\"\nuser_data_sha256 = \"0\"\n"
    );
    let errors = errors(&text);
    for part in ["are both given", "cannot read `boot.sh`: no such file", "not yours to write"] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn what_follows_from_a_problem_is_not_reported_again() {
    let text = format!(
        "{POOL}capacity = \"${{input.n}}\"\n[net.many]\nfor_each = \"x\"\ncidr = \"${{each.key}}\"\n[pool.q]\nnet = \"@net.many[\\\"a\\\"]\"\ncapacity = 1\n[inputs]\nn = {{ type = \"integer\" }}\n"
    );
    let errors = errors(&text);
    assert!(
        errors.contains("input `n` has no value") && errors.contains("`for_each` is a string"),
        "{errors}"
    );
    assert_eq!(errors.matches("error[").count(), 2, "{errors}");
}

#[test]
fn values_from_outside_are_checked_against_their_declaration() {
    let text = format!("{POOL}capacity = 1\n[inputs]\nn = {{ type = \"integer\", default = 1 }}\n");
    let errors = load_files(&text, &[], &[("n", "many"), ("m", "1")]).err().unwrap();
    for part in ["input `n` is `many`, not an integer", "there is no input `m`"] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn numbers_make_numbered_components_up_to_a_limit() {
    let stack = load_files("[net.a]\nfor_each = 2\ncidr = \"${each.key}\"\n", &[], &[]).unwrap();
    let names: Vec<&str> = stack.components.keys().map(ComponentAddress::as_str).collect();
    assert_eq!(names, ["net.a[\"000\"]", "net.a[\"001\"]"]);
    for count in ["100001", "-1", "99999999999999999999"] {
        let errors = errors(&format!("[net.a]\nfor_each = {count}\ncidr = \"x\"\n"));
        assert!(errors.contains("DR120"), "{errors}");
    }
    let errors = errors("[net.a]\nfor_each = 9\ncidr = \"x\"\n[net.b]\nfor_each = 100000\ncidr = \"x\"\n");
    assert!(errors.contains("DR121") && errors.contains("stack.toml:9:6"), "{errors}");
}

#[test]
fn modules_that_never_end_are_refused() {
    /// Every folder holds a module that uses the folder within it.
    struct Endless;
    impl ReadFiles for Endless {
        fn read(&self, path: &Path) -> Result<String, FileError> {
            let head = if path == Path::new("stack.toml") { HEAD } else { "" };
            Ok(format!("{head}[module.m]\nsource = \"m\"\n"))
        }
    }
    let registry = ComponentRegistry::new(&[]);
    let failed = load(Path::new("stack.toml"), &InputValues::new(), &registry, &Endless).err().unwrap();
    let codes: Vec<&str> = failed.problems.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["DR131"]);
}

#[test]
fn a_flood_of_problems_is_cut_and_counted() {
    let text: String = (0..10_000).map(|n| format!("[net.n{n}]\nzzz = 1\n")).collect();
    let files = BTreeMap::from([("stack.toml", format!("{HEAD}{text}"))]);
    let registry = ComponentRegistry::new(&[&ErasedComponent::<Net>::NEW]);
    let failed = load(Path::new("stack.toml"), &InputValues::new(), &registry, &Memory(files)).err().unwrap();
    // Each lacks `cidr`, and has a field that does not exist.
    assert_eq!((failed.problems.len(), failed.left_out), (100, 19_900));
}
