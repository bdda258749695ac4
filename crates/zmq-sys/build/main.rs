//! Builds libzmq 4.3.5 with CURVE (libsodium), every platform switch that its own CMake build would find, and the
//! corrections in `patches.rs`; or links the system's libzmq when asked to (feature `system`, or
//! `ZMQ_SYS_USE_PKG_CONFIG=1`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod patches;
mod platform;

/// Set in the child process that only unpacks libzmq's source.
const UNPACK: &str = "ZMQ_SYS_UNPACK_ONLY";
const USE_PKG_CONFIG: &str = "ZMQ_SYS_USE_PKG_CONFIG";

fn main() {
    if env::var_os(UNPACK).is_some() {
        zeromq_src::Build::new().build();
        return;
    }
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=src/shim.cpp");
    println!("cargo:rerun-if-env-changed={USE_PKG_CONFIG}");
    let asked = env::var(USE_PKG_CONFIG).is_ok_and(|value| !value.is_empty() && value != "0");
    if asked || env::var_os("CARGO_FEATURE_SYSTEM").is_some() {
        link_system();
    } else {
        build_bundled();
    }
}

fn link_system() {
    let found = pkg_config::Config::new().atleast_version("4.3.4").probe("libzmq");
    if let Err(error) = found {
        panic!("{USE_PKG_CONFIG} or the feature `system` asks for the system's libzmq (4.3.4 or later): {error}");
    }
    // The draft functions that shim.cpp offers are exported by some builds only: src/functions.rs answers ENOTSUP.
    println!("cargo:rustc-cfg=zmq_system");
    println!("cargo:rustc-check-cfg=cfg(zmq_system)");
}

fn build_bundled() {
    println!("cargo:rustc-check-cfg=cfg(zmq_system)");
    let out_dir = PathBuf::from(variable("OUT_DIR"));
    let source = unpack(&out_dir);
    patches::apply(&source);
    fs::copy("src/shim.cpp", source.join("src/shim.cpp")).unwrap();

    let platform_dir = out_dir.join("platform");
    fs::create_dir_all(&platform_dir).unwrap();
    let header = platform::header(&variable("CARGO_CFG_TARGET_OS"), &variable("CARGO_CFG_TARGET_ENV"));
    fs::write(platform_dir.join("platform.hpp"), header).unwrap();

    let sodium = env::var("DEP_SODIUM_INCLUDE").expect(
        "libsodium-sys-stable told no include directory; unset SODIUM_LIB_DIR, or build with SODIUM_USE_PKG_CONFIG=1",
    );
    copy_headers(Path::new(&sodium), &out_dir.join("sodium"));

    let (busy, others) = cpp_files(&source.join("src"));
    write_busy(&busy, &source.join("busy.cpp"));

    // With relative paths no directory of this machine gets into the library (libzmq's assertions name their files), and
    // a compiler cache serves every checkout.
    env::set_current_dir(&out_dir).unwrap();

    // libzmq is always optimised: a debug build is for looking into our own code.
    cc::Build::new()
        .cpp(true)
        .std("c++11")
        .opt_level(2)
        .debug(false)
        .warnings(false)
        .define("NDEBUG", None)
        .define("ZMQ_STATIC", None)
        .define("ZMQ_NO_EXPORT", None)
        .define("ZMQ_CUSTOM_PLATFORM_HPP", None)
        .flag_if_supported("-fvisibility=hidden")
        .flag_if_supported("-fvisibility-inlines-hidden")
        // A unique symbol cannot be made local, and the static library shows no name but its own.
        .flag_if_supported("-fno-gnu-unique")
        .include("platform")
        .include("source/include")
        .include("source/src")
        .include("sodium")
        .file("source/busy.cpp")
        .files(others.iter().map(|name| Path::new("source/src").join(name)))
        .compile("zmq");

    println!("cargo:include={}", source.join("include").display());
}

/// Unpacks libzmq's source below `out_dir` and returns its directory.
///
/// zeromq-src tells nobody where its copy of libzmq lies, but its build ends with copying it to OUT_DIR/source. So it is
/// run in a child process with compilers and an archiver that do nothing: what remains is the copy.
fn unpack(out_dir: &Path) -> PathBuf {
    let source = out_dir.join("source");
    if source.exists() {
        fs::remove_dir_all(&source).unwrap();
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .env(UNPACK, "1")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("CC_ENABLE_DEBUG_OUTPUT");
    let target = variable("TARGET");
    for tool in ["CC", "CXX", "AR", "RANLIB"] {
        // cc asks for CC_<target> first, so that this wins over what the user has set.
        child.env(format!("{tool}_{target}"), "true").env(tool, "true");
    }
    let output = child.output().unwrap();
    let complete = source.join("include/zmq.h").is_file() && source.join("src/zmq.cpp").is_file();
    if !output.status.success() || !complete {
        panic!(
            "zeromq-src did not unpack libzmq ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    source
}

/// What every message goes through. Compiled as one file, so that its many small functions are inlined: a tenth less for
/// each message. In this order: what one defines holds for the next.
const BUSY: &[&str] = &[
    "msg",
    "metadata",
    "decoder_allocators",
    "v2_decoder",
    "v2_encoder",
    "v3_1_encoder",
    "pipe",
    "object",
    "mtrie",
    "trie",
    "dist",
    "fq",
    "lb",
    "xpub",
    "pub",
    "xsub",
    "sub",
    "dealer",
    "router",
    "mechanism",
    "mechanism_base",
    "null_mechanism",
    "tcp",
    "session_base",
    "stream_engine_base",
    "zmtp_engine",
    "socket_base",
    "mailbox",
    "signaler",
    "zmq",
    "shim",
];

/// The names of libzmq's sources: those of [`BUSY`], and the others. Without the WebSocket transports: dividere has no use
/// for them, and the secure one needs GnuTLS.
fn cpp_files(dir: &Path) -> (Vec<String>, Vec<String>) {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with(".cpp") && !name.starts_with("ws_") && !name.starts_with("wss_"))
        .collect();
    names.sort();
    let busy: Vec<String> = BUSY.iter().map(|name| format!("{name}.cpp")).collect();
    for name in &busy {
        assert!(names.contains(name), "libzmq has no {name}: another version?");
    }
    names.retain(|name| !busy.contains(name));
    (busy, names)
}

fn write_busy(names: &[String], to: &Path) {
    let lines: Vec<String> = names.iter().map(|name| format!("#include \"src/{name}\"\n")).collect();
    fs::write(to, lines.concat()).unwrap();
}

/// Copies a tree of headers.
fn copy_headers(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_headers(&path, &target);
        } else if path.extension().is_some_and(|extension| extension == "h") {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name} for build scripts: {error}"))
}
