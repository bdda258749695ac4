//! Generates the Rust types, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let files = protox::compile(["example.proto"], ["../../proto"])?;
    // dividere sends a message under the name of its type.
    prost_build::Config::new().enable_type_names().compile_fds(files)?;
    Ok(())
}
