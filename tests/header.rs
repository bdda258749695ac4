//! include/dividere.h is what cbindgen makes of src/ffi, says of every
//! declaration what it is, matches the library's exports, and compiles anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "header/declarations.rs"]
mod declarations;

use declarations::Declarations;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn header_path() -> PathBuf {
    Path::new(ROOT).join("include/dividere.h")
}

fn checked_in() -> String {
    std::fs::read_to_string(header_path()).expect("include/dividere.h is there; `make header` writes it")
}

/// The header as it should be. From src/ffi/mod.rs cbindgen follows the modules
/// by itself; it needs no compiled crate. What it cannot know, as it computes
/// nothing, comes from the crate: the version and the statuses.
fn generated() -> String {
    let mut config =
        cbindgen::Config::from_file(Path::new(ROOT).join("cbindgen.toml")).expect("cbindgen.toml is valid");
    config.after_includes = Some(version() + &statuses());
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(Path::new(ROOT).join("src/ffi/mod.rs"))
        .generate()
        .expect("cbindgen understands src/ffi")
        .write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

fn version() -> String {
    let parts = [
        (
            "MAJOR",
            "Changes when programs have to be changed.",
            env!("CARGO_PKG_VERSION_MAJOR"),
        ),
        (
            "MINOR",
            "Changes when something was added.",
            env!("CARGO_PKG_VERSION_MINOR"),
        ),
        (
            "PATCH",
            "Changes when something was mended.",
            env!("CARGO_PKG_VERSION_PATCH"),
        ),
    ];
    let mut text = String::new();
    for (name, meaning, number) in parts {
        text += &format!("\n/** Version of this header. {meaning} */\n#define DIVIDERE_VERSION_{name} {number}\n");
    }
    text
}

fn statuses() -> String {
    let meanings = status_docs();
    let mut text = String::from(
        "\n/**\n * The outcome of a call, as a dividere_status_t. The numbers are never changed, and never\n \
         * used again for something else; a later version may add some.\n */\nenum dividere_status {\n",
    );
    for status in dividere::Status::ALL {
        let (name, code) = (status.name(), status.code());
        let meaning = meanings
            .get(&code)
            .unwrap_or_else(|| panic!("src/error.rs says what {name} is"));
        text += &format!("    /** {meaning} */\n    DIVIDERE_{name} = {code},\n");
    }
    text + "};"
}

/// The doc comments of the statuses, by number, as they stand in the source.
fn status_docs() -> BTreeMap<i32, String> {
    let source = std::fs::read_to_string(Path::new(ROOT).join("src/error.rs")).expect("the statuses are there");
    let body = source
        .split("pub enum Status {")
        .nth(1)
        .and_then(|rest| rest.split('}').next());
    let (mut docs, mut doc) = (BTreeMap::new(), Vec::new());
    for line in body.expect("src/error.rs declares Status").lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc.push(text);
        } else if let Some((_, code)) = line.split_once(" = ") {
            let code = code.trim_end_matches(',').parse().expect("a status has a number");
            docs.insert(code, std::mem::take(&mut doc).join(" "));
        }
    }
    docs
}

/// Not a test: what `make header` calls.
#[test]
#[ignore = "writes include/dividere.h"]
fn write_header() {
    std::fs::write(header_path(), generated()).expect("include/ can be written to");
}

#[test]
fn checked_in_header_is_what_cbindgen_makes() {
    let (ours, fresh) = (checked_in(), generated());
    if ours == fresh {
        return;
    }
    let at = ours
        .lines()
        .zip(fresh.lines())
        .take_while(|(old, new)| old == new)
        .count();
    panic!(
        "include/dividere.h is not what src/ffi says, from line {} on; run `make header`\nis:     {}\nshould: {}",
        at + 1,
        ours.lines().nth(at).unwrap_or("(end)"),
        fresh.lines().nth(at).unwrap_or("(end)")
    );
}

#[test]
fn every_declaration_says_what_it_is() {
    let header = Declarations::parse(&checked_in());
    assert!(
        header.functions.len() >= 3 && header.constants.len() >= 24,
        "the header was understood"
    );
    assert_eq!(header.undocumented, BTreeSet::new(), "declarations without a comment");
}

#[test]
fn every_name_is_ours() {
    let header = Declarations::parse(&checked_in());
    let foreign: Vec<_> = header
        .functions
        .iter()
        .chain(&header.types)
        .filter(|name| !name.starts_with("dividere_"))
        .chain(header.constants.keys().filter(|name| !name.starts_with("DIVIDERE_")))
        .collect();
    assert_eq!(foreign, Vec::<&String>::new());
}

#[test]
fn every_comment_reads_as_c() {
    for (number, line) in checked_in().lines().enumerate() {
        let comment = line
            .trim_start()
            .trim_start_matches("/**")
            .trim_start_matches('*')
            .trim_start();
        let in_comment = line.trim_start().starts_with('*') || line.trim_start().starts_with("/*");
        let markdown = ["# ", "## ", "### ", "```"]
            .iter()
            .any(|mark| comment.starts_with(mark))
            || comment.contains("[`")
            || comment.contains("`]");
        assert!(
            !(in_comment && markdown),
            "Rust markdown in line {}: {line}",
            number + 1
        );
    }
}

#[test]
fn what_a_header_lacks_is_noticed() {
    let header = Declarations::parse(
        "/** Not about what follows. */\n\n#define DIVIDERE_BARE 1\n/** Said. */\n#define DIVIDERE_SAID (-2)\n\
         enum dividere_kind {\n  /** Said. */\n  DIVIDERE_KIND_A = 3,\n  DIVIDERE_KIND_B,\n};\n\
         /** Said. */\ntypedef struct dividere_item_t {\n  uint8_t bytes[4];\n  /** Said. */\n  void (*call)(int a);\n\
         } dividere_item_t;\n/**\n * Said.\n */\nint32_t dividere_said(int a,\n    int b);\n\
         const char *dividere_bare(void);\ntypedef int32_t (*dividere_bare_call_t)(void *context);\n",
    );
    let undocumented: Vec<_> = header.undocumented.iter().map(String::as_str).collect();
    assert_eq!(
        undocumented,
        [
            "DIVIDERE_BARE",
            "DIVIDERE_KIND_B",
            "dividere_bare",
            "dividere_bare_call_t",
            "dividere_item_t.bytes",
            "dividere_kind"
        ]
    );
    assert_eq!(
        header.functions.iter().collect::<Vec<_>>(),
        ["dividere_bare", "dividere_said"]
    );
    assert_eq!(header.types.len(), 3);
    assert_eq!(header.constants["DIVIDERE_SAID"], Some(-2));
    assert_eq!(header.constants["DIVIDERE_KIND_A"], Some(3));
}

#[test]
fn declared_and_exported_functions_are_the_same() {
    let declared = Declarations::parse(&checked_in()).functions;
    let library = shared_library();
    let output = run(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let exported: BTreeSet<String> = String::from_utf8(output.stdout)
        .expect("symbols are text")
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|symbol| symbol.split('@').next().unwrap_or(symbol).to_owned())
        .collect();
    let missing: Vec<_> = declared.difference(&exported).collect();
    let leaked: Vec<_> = exported.difference(&declared).collect();
    assert!(
        missing.is_empty() && leaked.is_empty(),
        "declared, not exported: {missing:?}; exported, not declared: {leaked:?} ({})",
        library.display()
    );
}

#[test]
fn every_function_is_fed_nonsense_in_the_c_tests() {
    let read = |path: &str| std::fs::read_to_string(Path::new(ROOT).join(path)).expect("the test is there");
    let arguments = ["", "_balancing", "_registry", "_service"].map(|part| read(&format!("tests/c/arguments{part}.c")));
    let arguments = arguments.concat();
    let functions = Declarations::parse(&checked_in()).functions;
    let missing: Vec<_> = functions
        .iter()
        .filter(|name| !arguments.contains(&format!("{name}(")))
        .collect();
    assert!(missing.is_empty(), "not in tests/c/arguments*.c: {missing:?}");
}

/// cargo builds the shared library beside the tests, before it runs them.
fn shared_library() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let library = test.with_file_name("libdividere.so");
    assert!(library.exists(), "{} was built with the tests", library.display());
    library
}

#[test]
fn compiles_alone_and_twice_as_c99_and_as_cpp17() {
    for (compiler, language, standard) in [("cc", "c", "c99"), ("cc", "c", "c11"), ("c++", "c++", "c++17")] {
        for source in ["once", "twice"] {
            let file = Path::new(ROOT).join("tests/header").join(format!("{source}.c"));
            run(Command::new(compiler)
                .args(["-x", language, &format!("-std={standard}")])
                .args(["-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"])
                .args(["-fsyntax-only", "-I"])
                .arg(Path::new(ROOT).join("include"))
                .arg(file));
        }
    }
}

/// Runs a command to its end; panics with what it said when it fails.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
