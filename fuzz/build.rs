//! Compiles coverage.c for the target that has libzmq in it.

fn main() {
    println!("cargo:rerun-if-changed=coverage.c");
    if std::env::var_os("CARGO_FEATURE_ZMTP").is_some() {
        cc::Build::new().file("coverage.c").compile("coverage");
        println!("cargo:rustc-link-arg-bin=zmtp=-Wl,--wrap=__sanitizer_cov_trace_pc");
    }
}
