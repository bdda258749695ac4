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
    // zmq_socket_monitor_versioned is a draft function there: exported only by some builds, so not offered.
    println!("cargo:rustc-cfg=zmq_system");
    println!("cargo:rustc-check-cfg=cfg(zmq_system)");
}

fn build_bundled() {
    println!("cargo:rustc-check-cfg=cfg(zmq_system)");
    let out_dir = PathBuf::from(variable("OUT_DIR"));
    let target_os = variable("CARGO_CFG_TARGET_OS");
    let source = unpack(&out_dir);
    patches::apply(&source);

    let platform_dir = out_dir.join("platform");
    fs::create_dir_all(&platform_dir).unwrap();
    let platform_header = platform_dir.join("platform.hpp");
    fs::write(
        &platform_header,
        platform::header(&target_os, &variable("CARGO_CFG_TARGET_ENV")),
    )
    .unwrap();

    let sodium = env::var("DEP_SODIUM_INCLUDE").expect(
        "libsodium-sys-stable told no include directory; unset SODIUM_LIB_DIR, or build with SODIUM_USE_PKG_CONFIG=1",
    );

    // libzmq is always optimised: a debug build is for looking into our code, and tests run 5 times faster so.
    let mut build = cc::Build::new();
    build
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
        .include(&platform_dir)
        .include(source.join("include"))
        .include(source.join("src"))
        .include(source.join("external/sha1"))
        .include(sodium)
        .files(cpp_files(&source.join("src")))
        .file("src/shim.cpp");

    // sha1.c goes through a C compiler of its own; its object joins the same archive.
    let sha1 = cc::Build::new()
        .opt_level(2)
        .debug(false)
        .warnings(false)
        .flag_if_supported("-fvisibility=hidden")
        .include(&platform_dir)
        .file(source.join("external/sha1/sha1.c"))
        .compile_intermediates();
    build.objects(sha1).compile("zmq");

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

/// Every source of libzmq, except the two that need GnuTLS.
fn cpp_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with("wss_"))
        .collect();
    files.sort();
    files
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name} for build scripts: {error}"))
}
