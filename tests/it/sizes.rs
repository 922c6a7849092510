//! Input far beyond any real stack: the program ends soon, within bounded memory, with a readable
//! message.

use std::time::{Duration, Instant};

use crate::drstack::{Drstack, Ran, drstack};

/// Memory limit for validating in a build without optimisation: several times what it takes.
const MEMORY_MIB: u64 = 1024;
/// Time limit for validating; the machine may be busy with other tests.
const TIME: Duration = Duration::from_secs(100);
/// Longest text of a refusal: a hundred problems of a few lines.
const MOST_SAID: usize = 60_000;

const HEAD: &str =
    "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n";

fn machine(stack: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{HEAD}{stack}"));
    machine
}

/// Asserts that `args` are refused in time, within memory, with `code` and `message`.
#[track_caller]
fn ends(machine: &Drstack, args: &[&str], code: i32, message: &str) -> Ran {
    let begin = Instant::now();
    let ran = machine.run_within(MEMORY_MIB, args);
    assert!(begin.elapsed() < TIME, "{:?}", begin.elapsed());
    let start: String = ran.stderr.chars().take(2000).collect();
    assert_eq!(ran.code, code, "{start}");
    assert!(ran.stderr.contains(message), "no `{message}` in {start}");
    assert!(ran.stderr.len() < MOST_SAID, "{} bytes: {start}", ran.stderr.len());
    ran
}

#[track_caller]
fn invalid(stack: &str, message: &str) {
    ends(&machine(stack), &["validate", "s"], 65, message);
}

fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect()
}

#[test]
fn a_file_without_an_end_is_no_stack_input_or_setting() {
    let machine = machine("");
    let large = "it is larger than 8 MiB";
    ends(&machine, &["validate", "/dev/zero"], 65, large);
    ends(&machine, &["plan", "/dev/zero", "--cloud", "sim"], 65, large);
    ends(&machine, &["apply", "/dev/zero", "--cloud", "sim"], 65, large);
    ends(&machine, &["validate", "s", "--inputs", "/dev/zero"], 64, large);
    ends(&machine, &["plan", "s", "--cloud", "sim", "--sim", "/dev/zero"], 64, large);
    machine.write("large.toml", &format!("a = 1\n#{}", "x".repeat(100_000_000)));
    ends(&machine, &["validate", "s", "--inputs", "large.toml"], 64, large);
    machine.write("s/stack.toml", &format!("{HEAD}#{}", "x".repeat(50_000_000)));
    ends(&machine, &["validate", "s"], 65, large);
}

#[test]
fn a_plan_file_without_an_end_is_refused() {
    let machine = machine("");
    let file = std::fs::File::create(machine.folder().join("large.plan")).expect("the file");
    file.set_len(1 << 40).expect("a file of holes");
    ends(&machine, &["apply", "large.plan", "--cloud", "sim"], 64, "it is larger than 256 MiB");
}

#[test]
fn user_data_that_ec2_would_refuse_is_refused_first() {
    let pool =
        "[network.n]\ncidr = \"10.64.0.0/16\"\n[pool.p]\nfollows = \"serve\"\nnetwork = \"@network.n\"\n";
    let machine = machine(&format!("{pool}user_data_file = \"boot.sh\"\n"));
    machine.write("s/boot.sh", &"x".repeat(16 * 1024));
    machine.run(["validate", "s"]).ok();
    machine.write("s/boot.sh", &"x".repeat(16 * 1024 + 1));
    ends(&machine, &["validate", "s"], 65, "the user data has 16385 bytes, and EC2 takes 16384");
}

#[test]
fn ten_thousand_errors_are_counted_and_a_hundred_shown() {
    let stack = many(10_000, |n| format!("[bucket.b{n}]\nnmae = \"acme-{n}\"\n"));
    let ran = ends(&machine(&stack), &["validate", "s"], 65, "100 errors in ");
    assert!(ran.stderr.contains(", and 9900 more that are not shown"));
    assert_eq!(ran.stderr.matches("error[").count(), 100);
}

#[test]
fn ten_thousand_buckets_of_one_name_are_said_a_hundred_times() {
    invalid(
        "[bucket.b]\nname = \"acme\"\nfor_each = 10000\n",
        "100 errors in `s/stack.toml`, and 9899 more that are not shown",
    );
}

#[test]
fn thousands_of_references_to_nothing_end() {
    let stack = "[network.n]\nfor_each = 1000\ncidr = \"10.64.0.0/16\"\n[pool.p]\nfor_each = 1000\nfollows = \"x\"\n\
                 network = \"@network.m[\\\"${each.key}\\\"]\"\n";
    invalid(stack, "`@network.m[\"000\"]` names no component here");
}

#[test]
fn modules_a_hundred_deep_are_read_and_deeper_ones_are_not() {
    for (depth, code) in [(100, 0), (101, 65)] {
        let machine = machine("[module.m]\nsource = \"../m1\"\n");
        for n in 1..=depth {
            let next = format!("[module.m]\nsource = \"../m{}\"\n", n + 1);
            let text = if n == depth { "[bucket.b]\nname = \"acme-b\"\n" } else { next.as_str() };
            machine.write(&format!("m{n}/module.toml"), text);
        }
        let message = if code == 0 { "" } else { "modules are nested more than 100 deep" };
        ends(&machine, &["validate", "s"], code, message);
    }
}

#[test]
fn a_million_keys_are_too_many() {
    let stack = "[bucket.b]\nname = \"acme-${each.key}\"\nfor_each = 1000000\n";
    invalid(stack, "the number of `for_each` is not one from 0 to 10000");
}

#[test]
fn a_table_with_a_hundred_thousand_keys_ends_once_or_ten_thousand_times() {
    let keys = many(100_000, |n| format!("key{n} = 1\n"));
    invalid(&format!("[bucket.b]\nname = \"acme-b\"\n{keys}"), "`bucket` has no field `key0`");
    let stack = format!("[bucket.b]\nname = \"acme-b\"\nfor_each = 10000\n{keys}");
    invalid(&stack, "the stack is larger than 64 MiB");
}

#[test]
fn long_texts_are_cut_where_they_are_told() {
    let long = "x".repeat(1_000_000);
    invalid(&format!("[bucket.b]\nname = \"{long}\"\n"), "xxx...\n");
    invalid(&format!("[bucket.{long}]\nname = \"acme\"\n"), "use 1 to 64 letters");
    invalid(&format!("[{long}]\nname = \"acme\"\n"), "unknown kind `xxx");
}

#[test]
fn a_text_that_grows_with_each_template_is_refused() {
    let input = format!("[inputs]\na = {{ type = \"string\", default = \"{}\" }}\n", "x".repeat(60_000));
    let stack = format!("{input}[bucket.b]\nname = \"{}\"\n", "${input.a}".repeat(10_000));
    invalid(&stack, "the text is longer than 65536 bytes");
    let stack = format!("{input}[bucket.b]\nfor_each = 10000\nname = \"${{input.a}}\"\n");
    invalid(&stack, "the stack is larger than 64 MiB");
}

#[test]
fn a_hundred_thousand_inputs_are_too_many() {
    let inputs = many(100_000, |n| format!("key{n} = {{ type = \"integer\", default = 1 }}\n"));
    invalid(&format!("[inputs]\n{inputs}"), "there are more than 1000 inputs");
}

#[test]
fn brackets_without_an_end_are_a_syntax_error() {
    invalid(&"[a\n".repeat(200_000), "unclosed table");
    invalid(&format!("a = {}", "[".repeat(1_000_000)), "recurs");
    invalid(&format!("a{} = 1", ".a".repeat(1_000_000)), "recurs");
}
