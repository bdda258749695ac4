//! Generates the Rust types of the messages in `proto/`, without protoc, and
//! sets the link arguments of the shared library.

use std::error::Error;
use std::path::Path;

/// Every file whose messages we write or read, relative to `proto/`.
const PROTO_FILES: [&str; 5] = [
    "dividere/balancing.proto",
    "dividere/envelope.proto",
    "dividere/registry.proto",
    "dividere/v1/error.proto",
    "dividere/v1/registry.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(dividere_tsan)");
    link_arguments()?;
    generate_messages()
}

fn link_arguments() -> Result<(), Box<dyn Error>> {
    let major = std::env::var("CARGO_PKG_VERSION_MAJOR")?;
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdividere.so.{major}");
        // Threads of ours may run until the process ends; their code must stay.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    Ok(())
}

fn generate_messages() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(PROTO_FILES)?;
    // For the command, which shows our own messages as JSON.
    let descriptors = Path::new(&std::env::var("OUT_DIR")?).join("messages.bin");
    std::fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    prost_build::Config::new()
        .enable_type_names()
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
